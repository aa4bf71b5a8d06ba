#!/usr/bin/env python3
"""Asks Resemblyzer, which knows nothing of us, whose voice conversions are in. See README.md."""

import argparse
import csv
import pathlib
import warnings

import numpy as np

warnings.simplefilter("ignore")
from resemblyzer import VoiceEncoder, preprocess_wav  # noqa: E402

SOUNDS = {".wav", ".flac"}


def recordings(folder, most):
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SOUNDS)
    return [preprocess_wav(f) for f in files[:most]]


def interval(values):
    """Mean and 95 % bootstrap interval, in text."""
    values = np.asarray(values, float)
    draws = np.random.default_rng(1).integers(0, len(values), (1000, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def row(name, to_target, to_source, named):
    nearer = np.mean(np.asarray(to_target) > np.asarray(to_source))
    print(f"{name:24} {len(named):5}  {interval(to_target)}  {interval(to_source)}  {100 * nearer:5.1f} %  {100 * np.mean(named):5.1f} %")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("exports", nargs="+", type=pathlib.Path, help="folders that vc eval --export wrote")
    p.add_argument("--enrol", required=True, type=pathlib.Path, help="folder with a folder of recordings per speaker, other ones than were converted")
    p.add_argument("--per-speaker", type=int, default=12, help="recordings that a speaker is known by")
    o = p.parse_args()
    encoder = VoiceEncoder("cpu", verbose=False)
    names = sorted(f.name for f in o.enrol.iterdir() if f.is_dir())
    voices = np.array([encoder.embed_speaker(recordings(o.enrol / n, o.per_speaker)) for n in names])
    at = {n: i for i, n in enumerate(names)}

    print(f"{'':24} clips  {'to the target':21}  {'to the source':21}  nearer   named")
    for folder in o.exports:
        with open(folder / "manifest.tsv", newline="") as f:
            pairs = [r for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE) if r["source"] in at and r["target"] in at]
        score = lambda path: voices @ encoder.embed_utterance(preprocess_wav(path))
        if folder == o.exports[0]:
            own = {r["source_path"]: (r["source"], score(r["source_path"])) for r in pairs}
            row("sources as they are", *zip(*[(own[r["source_path"]][1][at[r["target"]]], own[r["source_path"]][1][at[r["source"]]],
                                               names[own[r["source_path"]][1].argmax()] == r["target"]) for r in pairs]))
            true = {r["reference_path"]: score(r["reference_path"]) for r in pairs}
            row("true targets", *zip(*[(true[r["reference_path"]][at[r["target"]]], true[r["reference_path"]][at[r["source"]]],
                                        names[true[r["reference_path"]].argmax()] == r["target"]) for r in pairs]))
        row(folder.name, *zip(*[(s[at[r["target"]]], s[at[r["source"]]], names[s.argmax()] == r["target"])
                                for r in pairs for s in [score(folder / r["path"])]]))


if __name__ == "__main__":
    main()
