#!/usr/bin/env python3
"""Adds people's recordings, with phone times, to a corpus that make.py makes.

people.py --data FOLDER --out OUT [--kathleen FROM] [--lj FROM] [--corpus CORPUS]

FROM is a git directory (rhasspy/dataset-voice-kathleen; an LJ Speech of the usual layout) or a folder with the same files. CORPUS is the
voice changer's corpus: what is set aside there for tests is left out, and so are the recordings that a final test listens to.
Writes OUT/people/SPEAKER/UTT.flac (24 kHz; LJ's end at 11 kHz), transcripts.tsv, OUT/people-phones/SPEAKER.tsv. Run again, it goes on.
"""
import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

from kokoro import one_thread
from make import put, read_state
from sentences import ARCTIC_RESERVED, LJ_RESERVED, plain

LONGEST_S, LONGEST_PHONE_S = 12.0, 0.65


class Source:
    """Files of a git directory without a work tree, or of a folder."""

    def __init__(self, path):
        self.path = path
        self.git = (path / "HEAD").exists() and (path / "objects").exists()

    def names(self, ending):
        if self.git:
            out = subprocess.run(["git", "--git-dir", self.path, "ls-tree", "-r", "--name-only", "HEAD"], capture_output=True, check=True, text=True)
            all_ = out.stdout.splitlines()
        else:
            all_ = [str(p.relative_to(self.path)) for p in self.path.rglob("*") if p.is_file()]
        return sorted(n for n in all_ if n.endswith(ending))

    def read(self, name):
        if self.git:
            return subprocess.run(["git", "--git-dir", self.path, "show", f"HEAD:{name}"], capture_output=True, check=True).stdout
        return (self.path / name).read_bytes()


def kathleen(source):
    """-> (utt, file, text): the takes of each ARCTIC prompt, the last one first."""
    takes = {}
    for n in source.names(".wav"):
        m = re.fullmatch(r".*?(arctic_[ab]\d{4})_(\d+)\.wav", n)
        if m and m[1] not in ARCTIC_RESERVED:
            takes.setdefault(m[1], []).append((int(m[2]), n))
    for utt, list_ in sorted(takes.items()):
        files = [n for _, n in sorted(list_, reverse=True)]
        yield utt, files, source.read(files[0][:-4] + ".txt").decode("utf-8").strip()


def lj(source):
    meta = next(n for n in source.names("metadata.csv"))
    text = {r.split("|")[0]: r.split("|")[2] for r in source.read(meta).decode("utf-8").splitlines()}
    for n in source.names(".wav"):
        utt = Path(n).stem
        if utt in text and utt not in LJ_RESERVED:
            yield utt, [n], text[utt]


def set_aside(corpus, speaker):
    """Utterances of the corpus's speaker that are for tests, without the number of their piece, and their texts."""
    if corpus is None:
        return set()
    out = set()
    for line in (corpus / "split.tsv").read_text().splitlines():
        path, _, kind = line.partition("\t")
        if kind in ("test", "valid") and path.startswith(f"human/{speaker}/"):
            out.add(re.sub(r"_\d$", "", Path(path).stem))
    return out


def pieces(said, x, rate):
    """Cuts a long line at its longest pauses: (from_s, to_s) of parts of at most LONGEST_S."""
    total = len(x) / rate
    if total <= LONGEST_S:
        return [(0.0, total)]
    pauses = sorted(((e - s, (s + e) / 2) for p, s, e in said if p == "SIL" and s > 1 and e < total - 1), reverse=True)
    cuts = []
    for length, at in pauses:
        if length < 0.15:
            break
        cuts.append(at)
        edges = [0.0, *sorted(cuts), total]
        if max(b - a for a, b in zip(edges, edges[1:])) <= LONGEST_S:
            break
    edges = [0.0, *sorted(cuts), total]
    return list(zip(edges, edges[1:]))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--data", required=True, type=Path)
    a.add_argument("--out", required=True, type=Path)
    a.add_argument("--kathleen", type=Path)
    a.add_argument("--lj", type=Path)
    a.add_argument("--corpus", type=Path)
    a.add_argument("--nice", type=int, default=5)
    a = a.parse_args()
    os.nice(a.nice)
    one_thread()
    warnings.filterwarnings("ignore")
    import numpy as np
    import soundfile as sf
    from scipy.signal import resample_poly

    import kokoro
    import phones
    import speech
    vocab = set(kokoro.kokoro_vocab.load())
    g2p, aligner = kokoro.G2P(), phones.Aligner(a.data)
    state = a.out / "state-people.jsonl"
    a.out.mkdir(parents=True, exist_ok=True)
    rows = read_state(state)
    done = {(r["speaker"], r["source"]) for r in rows}
    speakers = [(n, k, list_, path) for n, k, list_, path in (("kathleen_arctic", "kathleen", kathleen, a.kathleen), ("lj_speech", "lj", lj, a.lj)) if path]
    began = time.time()

    def prepare(source, file, text):
        """-> parts of (sound at 24 kHz, phones)"""
        x, rate = sf.read(io.BytesIO(source.read(file)), always_2d=True)
        x = x.mean(1)
        if np.abs(x).max() >= 0.999 and (np.abs(x) >= 0.999).sum() > 8:
            raise speech.Refused("clipped")
        if rate != speech.RATE:
            g = np.gcd(rate, speech.RATE)
            x = resample_poly(x, speech.RATE // g, rate // g)
        x = speech.clean(x)
        ps = g2p(text, False)
        if not ps or set(ps) - vocab:
            raise speech.Refused("phonemes")
        line = phones.words(ps, [1] * (len(ps) + 2), False)
        said = line and speech.align(aligner, x, line)
        if not said or [p for p, *_ in speech.spoken(said)] != [p for w in line for p, _ in w]:
            raise speech.Refused("aligner")
        if max(e - s for _, s, e in speech.spoken(said)) > LONGEST_PHONE_S:
            raise speech.Refused("times")
        out = []
        for lo, hi in pieces(said, x, speech.RATE):
            part = [[p, max(s, lo), min(e, hi)] for p, s, e in said if min(e, hi) > max(s, lo)]
            got = speech.spoken(part)
            if not got:
                continue
            lo, hi = max(lo, got[0][1] - 0.2), min(hi, got[-1][2] + 0.2)
            lo, hi = int(100 * lo) * speech.HOP, min(int(np.ceil(100 * hi)), len(x) // speech.HOP) * speech.HOP
            out.append(speech.cut(x, part, lo, hi))
        return out

    with open(state, "a", encoding="utf-8") as f:
        for name, own, list_, path in speakers:
            source, apart = Source(path), set_aside(a.corpus, own)
            folder = a.out / "people" / name
            folder.mkdir(parents=True, exist_ok=True)
            for utt, files, text in list_(source):
                if (name, utt) in done:
                    continue
                r = {"speaker": name, "source": utt, "text": text}
                if utt in apart:
                    r["left_out"] = "set aside for tests"
                else:
                    for file in files:
                        try:
                            parts = prepare(source, file, text)
                        except (speech.Refused, RuntimeError, ValueError) as e:
                            r["left_out"] = str(e)
                            continue
                        r.pop("left_out", None)
                        r["parts"] = []
                        for k, (y, times) in enumerate(parts, 1):
                            part = utt if len(parts) == 1 else f"{utt}_{k}"
                            tmp = folder / f".{part}.part"
                            sf.write(tmp, y, speech.RATE, format="FLAC", subtype="PCM_16")
                            tmp.replace(folder / f"{part}.flac")
                            r["parts"].append({"utt": part, "seconds": round(len(y) / speech.RATE, 3), "phones": times})
                        break
                f.write(json.dumps(r, ensure_ascii=False) + "\n")
                f.flush()
                rows.append(r)
            mine = [r for r in rows if r["speaker"] == name and "left_out" not in r]
            parts = [(p, r) for r in mine for p in r["parts"]]
            put(a.out / "people-phones" / f"{name}.tsv", ["utt\tstart_s\tend_s\tphone\n"] + [
                f"{p['utt']}\t{s:.3f}\t{e:.3f}\t{q}\n" for p, _ in parts for q, s, e in p["phones"]])
            put(folder / "transcripts.tsv", ["utt\ttext\tsource_utt\n"] + [
                f"{p['utt']}\t{r['text'] if len(r['parts']) == 1 else ''}\t{r['source']}\n" for p, r in parts])
            out = [r["left_out"] for r in rows if r["speaker"] == name and "left_out" in r]
            print(f"{name}: {len(parts)} recordings, {sum(p['seconds'] for p, _ in parts) / 60:.1f} minutes; left out "
                  f"{', '.join(f'{out.count(k)} {k}' for k in sorted(set(out))) or 'none'}; {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
