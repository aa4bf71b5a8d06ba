"""Writes f0_praat.golden: Praat's F0 of every recording of the project's testdata, for TestF0AgainstPraat.

    python f0_make_golden.py

Praat's pitch by autocorrelation (Boersma 1993) with its standard settings: 75 to 600 Hz, voicing threshold 0.45, silence
threshold 0.03, octave cost 0.01, octave jump cost 0.35, cost of a change of voicing 0.14. The recordings have their own
rates. Frames stand on every 10 ms from the first sample on; zeros around the recording bring Praat's grid there.
Made with praat-parselmouth 0.4.7, numpy and soundfile.
"""
import glob
import os

import numpy as np
import parselmouth
import soundfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "testdata")


def praat(x, rate):
    """F0 in Hz of every 10 ms, 0 = unvoiced; 1 + floor(seconds / 0.01) values."""
    n = 1 + len(x) * 100 // rate
    total = round((0.5 + np.ceil(len(x) / rate / 0.01) * 0.01) * rate)
    before = 0.2
    for _ in range(2):
        y = np.zeros(total)
        at = round(before * rate)
        y[at : at + len(x)] = x
        pitch = parselmouth.Sound(y, rate).to_pitch_ac(time_step=0.01, pitch_floor=75, pitch_ceiling=600)
        frame = (pitch.xs() - at / rate) / 0.01
        off = frame[0] - np.floor(frame[0])
        if min(off, 1 - off) < 0.06:
            break
        before += off * 0.01
    else:
        raise SystemExit("Praat's frames do not fall on ours")
    f0 = np.zeros(n)
    for t, v in zip(np.round(frame).astype(int), pitch.selected_array["frequency"]):
        if 0 <= t < n:
            f0[t] = v
    return f0


if __name__ == "__main__":
    with open(os.path.join(HERE, "f0_praat.golden"), "w") as out:
        out.write("# Made by f0_make_golden.py with praat-parselmouth %s (Praat %s).\n"
                  % (parselmouth.__version__, parselmouth.PRAAT_VERSION))
        out.write("# A line per recording: its path under testdata, then the F0 in Hz of every 10 ms, 0 = unvoiced.\n")
        for path in sorted(glob.glob(os.path.join(ROOT, "*", "**", "*.flac"), recursive=True)):
            x, rate = soundfile.read(path)
            name = os.path.relpath(path, ROOT).replace(os.sep, "/")
            out.write(name + " " + " ".join("%.1f" % v if v > 0 else "0" for v in praat(x, rate)) + "\n")
