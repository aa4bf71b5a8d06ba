#!/usr/bin/env python3
"""DNSMOS of every sound below some folders, and wide-band PESQ where there are recordings of the same names. See README.md."""

import argparse
import pathlib

import numpy as np
import soundfile
from pesq import pesq
from speechmos import dnsmos

RATE = 16000


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folders", nargs="+", type=pathlib.Path, help="folders of WAV files of 16000 samples a second")
    p.add_argument("--against", type=pathlib.Path, help="folder with the recordings that the sounds are copies of, under the same names")
    o = p.parse_args()
    for folder in o.folders:
        scores, copies = [], []
        for path in sorted(folder.rglob("*.wav")):
            x, rate = soundfile.read(path, dtype="float32")
            assert rate == RATE, f"{path}: {rate} samples a second, want {RATE}"
            s = dnsmos.run(x * (0.7 / max(abs(x).max(), 1e-6)), sr=RATE)
            scores.append([s["ovrl_mos"], s["sig_mos"], s["bak_mos"], s["p808_mos"]])
            if o.against:
                recording, _ = soundfile.read(o.against / path.relative_to(folder))
                copies.append(pesq(RATE, recording, x, "wb"))
        text = "overall %.2f  speech %.2f  background %.2f  P.808 %.2f" % tuple(np.mean(scores, 0))
        print(f"{folder}: {len(scores)} sounds  DNSMOS {text}" + (f"  PESQ {np.mean(copies):.2f}" if copies else ""))


if __name__ == "__main__":
    main()
