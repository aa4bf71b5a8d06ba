#!/usr/bin/env python3
"""Lets PocketSphinx read English conversions and their sources, and counts the words that are wrong. See README.md."""

import argparse
import csv
import pathlib
import re

import numpy as np
import soundfile
from pocketsphinx import Decoder

RATE = 16000


def words(text):
    return re.sub(r"[^a-z' ]", "", text.lower().replace("-", " ")).split()


def errors(want, have):
    """Edit distance of two lists of words."""
    row = np.arange(len(have) + 1)
    for i, w in enumerate(want):
        before, row = row, np.full_like(row, i + 1)
        for j, h in enumerate(have):
            row[j + 1] = min(row[j] + 1, before[j + 1] + 1, before[j] + (w != h))
    return row[-1]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("exports", nargs="+", type=pathlib.Path, help="folders that vc eval --export wrote")
    o = p.parse_args()
    decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def read(path):
        x, rate = soundfile.read(path)
        if rate != RATE:  # of sources, which are not ours to name the rate of
            n = len(x) * RATE // rate
            x = np.interp(np.arange(n) * rate / RATE, np.arange(len(x)), x)
        decoder.start_utt()
        decoder.process_raw((x * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        return words(decoder.hyp().hypstr if decoder.hyp() else "")

    for folder in o.exports:
        with open(folder / "manifest.tsv", newline="") as f:
            rows = [r for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE) if len(words(r["text"])) > 2]
        texts = {r["source_path"]: words(r["text"]) for r in rows}
        if folder == o.exports[0]:
            wrong = sum(errors(t, read(path)) for path, t in texts.items())
            print(f"{'sources':24} {len(texts):4} {100 * wrong / sum(map(len, texts.values())):5.1f} % of the words wrong")
        wrong = [errors(texts[r["source_path"]], read(folder / r["path"])) for r in rows]
        count = [len(texts[r["source_path"]]) for r in rows]
        draws = np.random.default_rng(1).integers(0, len(rows), (1000, len(rows)))
        low, high = np.percentile(np.array(wrong)[draws].sum(1) / np.array(count)[draws].sum(1), [2.5, 97.5])
        print(f"{folder.name:24} {len(rows):4} {100 * sum(wrong) / sum(count):5.1f} % [{100 * low:.1f}, {100 * high:.1f}]")


if __name__ == "__main__":
    main()
