#!/usr/bin/env python3
"""Asks Resemblyzer, which knows nothing of us, whose voice conversions are in. See README.md."""

import argparse
import pathlib
import warnings

import numpy as np

warnings.simplefilter("ignore")
from resemblyzer import VoiceEncoder, preprocess_wav  # noqa: E402

import exports  # noqa: E402

SOUNDS = {".wav", ".flac"}


def recordings(folder, most):
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SOUNDS)
    return [preprocess_wav(f) for f in files[:most]]


class Voices:
    """What Resemblyzer knows of the speakers in a folder of folders, by up to so many recordings of each."""

    def __init__(self, folder, per_speaker=12):
        self.encoder = VoiceEncoder("cpu", verbose=False)
        self.names = sorted(f.name for f in folder.iterdir() if f.is_dir() and recordings(f, 1))
        self.voices = np.array([self.encoder.embed_speaker(recordings(folder / n, per_speaker)) for n in self.names])
        self.at = {n: i for i, n in enumerate(self.names)}

    def score(self, path):
        """Cosines of a sound with all of them, [names]."""
        return self.voices @ self.encoder.embed_utterance(preprocess_wav(path))


def interval(values):
    """Mean and 95 % bootstrap interval, in text."""
    return "%.3f [%.3f, %.3f]" % exports.interval(values)


def row(name, to_target, to_source, named):
    nearer = np.mean(np.asarray(to_target) > np.asarray(to_source))
    print(f"{name:24} {len(named):5}  {interval(to_target)}  {interval(to_source)}  {100 * nearer:5.1f} %  {100 * np.mean(named):5.1f} %")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("exports", nargs="+", type=pathlib.Path, help="folders that vc eval --export wrote")
    p.add_argument("--enrol", required=True, type=pathlib.Path, help="folder with a folder of recordings per speaker, other ones than were converted")
    p.add_argument("--per-speaker", type=int, default=12, help="recordings that a speaker is known by")
    p.add_argument("--condition", default=exports.CLEAN, help="which conversions, as vc eval --disturb names them")
    o = p.parse_args()
    known = Voices(o.enrol, o.per_speaker)
    names, at, score = known.names, known.at, known.score

    print(f"{'':24} clips  {'to the target':21}  {'to the source':21}  nearer   named")
    for folder in o.exports:
        pairs = [r for r in exports.rows(folder) if r["condition"] == o.condition and r["source"] in at and r["target"] in at]
        if not pairs:
            p.error(f"{folder}: no conversion of condition {o.condition} is between speakers in {o.enrol}")
        if folder == o.exports[0]:
            own = {r["source_path"]: (r["source"], score(r["source_path"])) for r in pairs}
            row("sources as they are", *zip(*[(own[r["source_path"]][1][at[r["target"]]], own[r["source_path"]][1][at[r["source"]]],
                                               names[own[r["source_path"]][1].argmax()] == r["target"]) for r in pairs]))
            true = {r["reference_path"]: score(r["reference_path"]) for r in pairs}
            row("true targets", *zip(*[(true[r["reference_path"]][at[r["target"]]], true[r["reference_path"]][at[r["source"]]],
                                        names[true[r["reference_path"]].argmax()] == r["target"]) for r in pairs]))
        row(folder.name, *zip(*[(s[at[r["target"]]], s[at[r["source"]]], names[s.argmax()] == r["target"])
                                for r in pairs for s in [score(r["path"])]]))


if __name__ == "__main__":
    main()
