#!/usr/bin/env python3
"""distillMOS of every sound below some folders: how good it sounds, 1 to 5, to a network that hears more than DNSMOS. See README.md."""

import argparse
import pathlib

import torch
from distillmos import ConvTransformerSQAModel

import exports


class Distill:
    """Scores sounds with the weights in the package distillmos."""

    def __init__(self, threads=1):
        torch.set_num_threads(threads)
        self.model = ConvTransformerSQAModel()
        self.model.eval()

    def score(self, x):
        """1 to 5 for x, 16000 samples a second. The level does not count: the model brings the peak to 1."""
        with torch.no_grad():
            return self.model(torch.from_numpy(x)[None]).item()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folders", nargs="+", type=pathlib.Path, help="folders of WAV or FLAC files")
    p.add_argument("--threads", type=int, default=1)
    o = p.parse_args()
    distill = Distill(o.threads)
    for folder in o.folders:
        scores = [distill.score(exports.read(f)) for f in sorted(folder.rglob("*")) if f.suffix.lower() in {".wav", ".flac"}]
        if not scores:
            p.error(f"{folder}: there is no WAV or FLAC file")
        print(f"{folder}: {len(scores)} sounds  distillMOS %.2f [%.2f, %.2f]" % exports.interval(scores), flush=True)


if __name__ == "__main__":
    main()
