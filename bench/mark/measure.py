#!/usr/bin/env python3
"""Measures the mark of converted speech: how often it is found after what happens to recordings, and in recordings without it. See README.md."""

import argparse
import json
import math
import pathlib
import random
import shutil
import subprocess

import numpy
import soundfile


def joined(folder, seconds, rate=16000):
    """Joins the recordings of each folder of FOLDER to pieces of so many seconds."""
    for speaker in sorted(p for p in folder.iterdir() if p.is_dir()):
        parts, have = [], 0
        for path in sorted(speaker.glob("*.flac")):
            x, sr = soundfile.read(path, dtype="float32")
            if x.ndim > 1:
                x = x.mean(1)
            if sr != rate:
                x = numpy.interp(numpy.arange(int(len(x) * rate / sr)) * sr / rate, numpy.arange(len(x)), x).astype("float32")
            parts.append(x)
            have += len(x) / rate
            if have >= seconds:
                yield speaker.name, numpy.concatenate(parts)
                parts, have = [], 0


def ffmpeg(source, target, *how):
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", source, *how, target], check=True)


def noisy(source, target, db, draw):
    x, rate = soundfile.read(source, dtype="float32")
    target.parent.mkdir(parents=True, exist_ok=True)
    level = math.sqrt(float((x**2).mean())) * 10 ** (-db / 20)
    soundfile.write(target, x + draw.normal(0, level, len(x)).astype("float32"), rate)


VARIANTS = {
    "WAV": lambda s, t, _: ffmpeg(s, t.with_suffix(".wav"), "-c", "copy"),
    "MP3, 64 kbit/s": lambda s, t, _: ffmpeg(s, t.with_suffix(".mp3"), "-b:a", "64k"),
    "Opus, 24 kbit/s": lambda s, t, _: ffmpeg(s, t.with_suffix(".opus"), "-b:a", "24k"),
    "16 kHz": lambda s, t, _: ffmpeg(s, t.with_suffix(".wav"), "-ar", "16000"),
    "44.1 kHz": lambda s, t, _: ffmpeg(s, t.with_suffix(".wav"), "-ar", "44100"),
    "telephone, 8 kHz mu-law": lambda s, t, _: ffmpeg(s, t.with_suffix(".wav"), "-ar", "8000", "-af", "highpass=300", "-c:a", "pcm_mulaw"),
    "noise at 30 dB": lambda s, t, d: noisy(s, t.with_suffix(".wav"), 30, d),
    "noise at 20 dB": lambda s, t, d: noisy(s, t.with_suffix(".wav"), 20, d),
    "3 % faster": lambda s, t, _: ffmpeg(s, t.with_suffix(".wav"), "-af", "asetrate=24720,aresample=24000"),
    "crop of 10 s": lambda s, t, _: ffmpeg(s, t.with_suffix(".wav"), "-ss", "1.234", "-t", "10"),
    "crop of 5 s": lambda s, t, _: ffmpeg(s, t.with_suffix(".wav"), "-ss", "2.345", "-t", "5"),
    "crop of 3 s": lambda s, t, _: ffmpeg(s, t.with_suffix(".wav"), "-ss", "3.456", "-t", "3"),
}


def detect(vc, files):
    out = []
    for i in range(0, len(files), 50):
        run = subprocess.run([vc, "detect", "--json", *files[i : i + 50]], capture_output=True, text=True)
        if run.returncode not in (0, 3):
            raise SystemExit(run.stderr)
        out += [json.loads(line) for line in run.stdout.splitlines()]
    return out


def fitted(alarms, below=0.3, threshold=1e-8):
    """Fits a power of the chance to the best matches of unmarked recordings (Hill's estimator): 1 where the chances are what they say they are.
    Gives the power, its standard error, and how often a match would be below the threshold."""
    tail = [max(a, 1e-300) for a in alarms if a < below]
    power = 1 / (sum(math.log(below / a) for a in tail) / len(tail))
    return power, power / math.sqrt(len(tail)), len(tail) / len(alarms) * (threshold / below) ** power


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("recordings", type=pathlib.Path, help="a folder of people's folders of recordings, 16 bit FLAC")
    p.add_argument("work", type=pathlib.Path, help="folder for what is made, 100 MB for each hundred")
    p.add_argument("--vc", default="vc")
    p.add_argument("--count", type=int, default=300)
    p.add_argument("--seconds", type=float, default=12.5, help="of a recording before it is converted")
    p.add_argument("--only-made", action="store_true", help="do not look at the people's recordings again")
    a = p.parse_args()
    draw, order = numpy.random.default_rng(1), random.Random(1)
    pieces = list(joined(a.recordings, a.seconds))
    order.shuffle(pieces)
    voices = [line.split("\t")[0] for line in subprocess.run([a.vc, "speakers", "--model", "base"], capture_output=True, text=True, check=True).stdout.splitlines()]
    sources = []
    for i, (who, x) in enumerate(pieces[: a.count]):
        path = a.work / "people" / f"{i:04d}-{who}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, x, 16000)
        sources.append(path)
    if not a.only_made:
        clean = detect(a.vc, sources + sorted(a.recordings.glob("*/*.flac")))
        alarms = [c["falseAlarm"] for f in clean for c in f["channels"]]
        power, error, rate = fitted(alarms)
        print(f"people\t{len(clean)} recordings\t{sum(f['found'] for f in clean)} alarms\tleast chance {min(alarms):.1e}", flush=True)
        print(f"fitted\tchances to the power of {power:.2f} +- {error:.2f}: an alarm in {1 / rate:.1e} recordings", flush=True)
    made = []
    for i in range(a.count):
        source, voice = sources[i % len(sources)], voices[i % len(voices)]
        target = a.work / "made" / f"{i:04d}-{voice}.wav"
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            subprocess.run([a.vc, "convert", "--model", "base", "-q", source, "--to", voice, "-o", target], check=True)
        made.append((target, voice))
    for name, change in VARIANTS.items():
        folder = a.work / name.replace(" ", "-").replace(",", "").replace("/", "").replace("%", "per-cent")
        for path, _ in made:
            change(path, folder / path.stem, draw)
        found = detect(a.vc, sorted(folder.iterdir()))
        n = sum(f["found"] for f in found)
        chances = sorted(min(c["falseAlarm"] for c in f["channels"]) for f in found)
        shutil.rmtree(folder)
        print(f"{name}\t{n} of {len(found)}\t{100 * n / len(found):.1f} %\tmedian chance {chances[len(chances) // 2]:.0e}", flush=True)


if __name__ == "__main__":
    main()
