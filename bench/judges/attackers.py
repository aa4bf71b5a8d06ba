#!/usr/bin/env python3
"""Lets Resemblyzer try to tell who speaks in anonymised recordings, as vc anonymize report does with our own judge. See README.md."""

import argparse
import pathlib

import numpy as np

from similarity import SOUNDS, VoiceEncoder, preprocess_wav


def equal_error_rate(same, other):
    """Where as many of the same speaker are turned away as others are let in, 0 to 1."""
    thresholds = np.sort(np.concatenate([same, other]))
    missed = np.array([(same < t).mean() for t in thresholds])
    let_in = np.array([(other >= t).mean() for t in thresholds])
    k = int(np.argmin(abs(missed - let_in)))
    return (missed[k] + let_in[k]) / 2


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("originals", type=pathlib.Path, help="a folder of speakers' folders")
    p.add_argument("anonymised", type=pathlib.Path)
    p.add_argument("again", nargs="?", type=pathlib.Path, help="the originals anonymised with other pseudo-speakers")
    o = p.parse_args()
    encoder = VoiceEncoder("cpu", verbose=False)
    names = sorted(d.name for d in o.originals.iterdir() if d.is_dir())

    def heard(folder):
        return [[encoder.embed_utterance(preprocess_wav(f)) for f in sorted((folder / n).iterdir()) if f.suffix.lower() in SOUNDS] for n in names]

    def attack(name, enrolled, tried):
        voices = np.array([np.mean(e[0::2], axis=0) for e in enrolled])
        voices /= np.linalg.norm(voices, axis=1, keepdims=True)
        scores = [(i, k, float(v @ x)) for i, t in enumerate(tried) for x in t[1::2] for k, v in enumerate(voices)]
        same = np.array([s for i, k, s in scores if i == k])
        other = np.array([s for i, k, s in scores if i != k])
        print(f"{name:24} equal error rate {100 * equal_error_rate(same, other):.1f} % ({len(same)} trials of the same speaker, {len(other)} of others)")

    original, anonymised = heard(o.originals), heard(o.anonymised)
    attack("nothing anonymised", original, original)
    attack("ignorant attacker", original, anonymised)
    if o.again:
        attack("lazy-informed attacker", heard(o.again), anonymised)


if __name__ == "__main__":
    main()
