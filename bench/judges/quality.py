#!/usr/bin/env python3
"""DNSMOS of every sound below some folders, and wide-band PESQ where there are recordings of the same names. See README.md."""

import argparse
import pathlib
import types

import numpy as np
import onnxruntime
import soundfile
from speechmos import dnsmos

RATE = 16000
PEAK = 0.7  # that sounds are brought to


class DNSMOS:
    """Scores sounds, on so many threads."""

    def __init__(self, threads=0):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        dnsmos.ort = types.SimpleNamespace(InferenceSession=lambda path: onnxruntime.InferenceSession(path, options))

    def score(self, x):
        """Overall, speech, background and P.808 of x, 16000 samples a second, brought to a peak of PEAK."""
        s = dnsmos.run(x * (PEAK / max(abs(x).max(), 1e-6)), sr=RATE)
        return [float(s[k]) for k in ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folders", nargs="+", type=pathlib.Path, help="folders of WAV files of 16000 samples a second")
    p.add_argument("--against", type=pathlib.Path, help="folder with the recordings that the sounds are copies of, under the same names")
    p.add_argument("--threads", type=int, default=0, help="0 for as many as there are processors")
    o = p.parse_args()
    judge = DNSMOS(o.threads)
    for folder in o.folders:
        scores, copies = [], []
        for path in sorted(folder.rglob("*.wav")):
            x, rate = soundfile.read(path, dtype="float32")
            assert rate == RATE, f"{path}: {rate} samples a second, want {RATE}"
            scores.append(judge.score(x))
            if o.against:
                from pesq import pesq

                recording, _ = soundfile.read(o.against / path.relative_to(folder))
                copies.append(pesq(RATE, recording, x, "wb"))
        text = "overall %.2f  speech %.2f  background %.2f  P.808 %.2f" % tuple(np.mean(scores, 0))
        print(f"{folder}: {len(scores)} sounds  DNSMOS {text}" + (f"  PESQ {np.mean(copies):.2f}" if copies else ""))


if __name__ == "__main__":
    main()
