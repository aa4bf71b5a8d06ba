"""Makes the material that the voicing network of the F0 tracker is taught with.

    python f0_material.py OUT name=FOLDER [name=FOLDER ...]

Every FOLDER holds FLAC or WAV files of one speaker, of which at most 14 are taken. OUT/name/*.f32 are the recordings at
16 kHz as raw float32, OUT/name/*.txt Praat's F0 of every 10 ms. Beside them, under names that start with "made_", lie
eight recordings of each speaker with another level, noise or hum; harmonic tones; and noises without any voice. Then

    go test ./features -run TestF0TrainingInputs -f0-material OUT -f0-inputs dump.txt
    python features/testdata/f0_train.py dump.txt > features/f0_weights.go

Speakers held out (f0_train.py) may be named too: no altered copies are made of them.
Made with praat-parselmouth 0.4.7, soundfile 0.14.0, soxr 1.1.0, scipy 1.17.1 and numpy 2.4.6.
"""
import glob
import os
import random
import sys

import numpy as np
import scipy.signal
import soundfile
import soxr

from f0_make_golden import praat

RATE = 16000
HELD_OUT = ["lj", "kathleen", "allison", "june", "tan"]
out = sys.argv[1]
rng = np.random.default_rng(5)


def put(speaker, name, x, f0):
    folder = os.path.join(out, speaker)
    os.makedirs(folder, exist_ok=True)
    x.astype("<f4").tofile(os.path.join(folder, name + ".f32"))
    np.savetxt(os.path.join(folder, name + ".txt"), f0, fmt="%.2f")


def db(value):
    return 10 ** (value / 20)


def sine(hz, rms, n):
    return rms * np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(n) / RATE + rng.uniform(0, 6))


def at_level(x, level):
    return x / np.sqrt(np.mean(x**2)) * db(level)


def altered(x):
    kind = rng.integers(4)
    if kind == 0:
        return x * db(rng.uniform(-28, 8))
    if kind == 1:
        return x + rng.normal(size=len(x)) * db(rng.uniform(-65, -48))
    if kind == 2:
        return x + sine(50, db(rng.uniform(-58, -46)), len(x))
    return (x + rng.normal(size=len(x)) * db(rng.uniform(-60, -48))) * db(rng.uniform(-26, -6))


for argument in sys.argv[2:]:
    speaker, folder = argument.split("=", 1)
    files = sorted(glob.glob(os.path.join(folder, "*.flac")) + glob.glob(os.path.join(folder, "*.wav")))
    random.Random(3).shuffle(files)
    for i, path in enumerate(sorted(files[:14])):
        x, rate = soundfile.read(path)
        y = soxr.resample(x, rate, RATE, quality="VHQ") if rate != RATE else x
        f0 = praat(x, rate)
        f0 = np.pad(f0, (0, 1))[: 1 + len(y) * 100 // RATE]
        name = os.path.splitext(os.path.basename(path))[0]
        put(speaker, name, y, f0)
        if i < 8 and speaker not in HELD_OUT:
            put("made_" + speaker, name, altered(y), f0)

for i in range(40):  # tones of 0.8 s, some with vibrato, some without a fundamental
    t = np.arange(RATE) / RATE
    f0 = np.exp(rng.uniform(np.log(58), np.log(850)))
    phase = 2 * np.pi * np.cumsum(f0 * (1 + rng.choice([0, 0.02]) * np.sin(2 * np.pi * 5 * t))) / RATE
    slope, first, last = rng.choice([0, 6, 12]), rng.integers(1, 3), rng.integers(3, 20)
    x = sum(db(-slope * np.log2(h)) * np.sin(h * phase + rng.uniform(0, 6))
            for h in range(first, last + 1) if h * f0 < 7200)
    x = at_level(x, rng.uniform(-35, -15))
    x[: RATE // 10] = 0
    x[9 * RATE // 10 :] = 0
    label = np.zeros(101)
    label[10:91] = f0
    put("made_tones", "%03d" % i, x + rng.normal(size=RATE) * db(rng.uniform(-90, -60)), label)

for i in range(20):  # no voice: white, dark and telephone noise, steady and in bursts, some over hum
    n = 2 * RATE
    x = rng.normal(size=n)
    if i % 4 == 1:
        x = scipy.signal.lfilter([1], [1, -0.9], x)
    if i % 4 == 2:
        x = scipy.signal.lfilter(*scipy.signal.butter(2, [300, 3000], "band", fs=RATE), x)
    x = at_level(x, rng.uniform(-70, -18))
    if i % 2:
        x *= np.sin(2 * np.pi * 1.5 * np.arange(n) / RATE) > 0
    if i % 5 == 0:
        x += sine(50, db(-50), n)
    put("made_noise", "%03d" % i, x, np.zeros(1 + n // 160))
put("made_noise", "silence", np.zeros(RATE), np.zeros(101))
put("made_noise", "hum50", sine(50, db(-50), RATE), np.zeros(101))
put("made_noise", "hum56", sine(50, db(-56), RATE) + 0.1, np.zeros(101))
