#!/usr/bin/env python3
"""Lets PocketSphinx read English conversions and their sources, and counts the words that are wrong. See README.md."""

import argparse
import pathlib
import re

import numpy as np
from pocketsphinx import Decoder

import exports


def words(text):
    return re.sub(r"[^a-z' ]", "", text.lower().replace("-", " ")).split()


class Sphinx:
    """Reads sounds with the US English model of its own package."""

    def __init__(self):
        self.decoder = Decoder(samprate=exports.RATE, loglevel="FATAL")

    def hear(self, x):
        """The words in x, 16000 samples a second, a list."""
        self.decoder.start_utt()
        self.decoder.process_raw((x * 32767).astype(np.int16).tobytes(), full_utt=True)
        self.decoder.end_utt()
        return words(self.decoder.hyp().hypstr if self.decoder.hyp() else "")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("exports", nargs="+", type=pathlib.Path, help="folders that vc eval --export wrote")
    o = p.parse_args()
    sphinx = Sphinx()

    def line(name, texts):
        """texts are pairs of what was said and the file."""
        wrong = [exports.errors(words(text), sphinx.hear(exports.read(path))) for text, path in texts]
        count = [len(words(text)) for text, _ in texts]
        mean, low, high = exports.interval(np.divide(wrong, count), count)
        print(f"{name:32} {len(wrong):4} {100 * mean:5.1f} % of the words wrong [{100 * low:.1f}, {100 * high:.1f}]", flush=True)

    for folder in o.exports:
        found = [r for r in exports.rows(folder) if len(words(r["text"])) > 2]
        if not found:
            p.error(f"{folder}: no recording has a text: transcripts.tsv belongs into the folders of the sources")
        if folder == o.exports[0]:
            line("sources", sorted({(r["text"], r["source_path"]) for r in found}))
        for condition, some in exports.conditions(found).items():
            line(f"{folder.name}, {condition}", [(r["text"], r["path"]) for r in some])


if __name__ == "__main__":
    main()
