"""What "vc eval --export" writes: the list of sounds, the sounds themselves, and intervals of what is measured on them."""

import csv
import pathlib

import numpy as np
import soundfile
from scipy.signal import resample_poly

RATE = 16000
CLEAN = "clean"


def rows(folder):
    """The manifest's lines as dictionaries, paths made whole. Manifests without a condition hold clean conversions only."""
    folder = pathlib.Path(folder)
    with open(folder / "manifest.tsv", encoding="utf-8", newline="") as f:
        found = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    for r in found:
        r["condition"] = r.get("condition") or CLEAN
        r["path"] = str(folder / r["path"])
        r["disturbed_path"] = str(folder / r["disturbed_path"]) if r.get("disturbed_path") else ""
    return found


def conditions(found):
    """The rows by condition, in the order of the manifest."""
    by = {}
    for r in found:
        by.setdefault(r["condition"], []).append(r)
    return by


def read(path, peak=None):
    """A sound as float32 at 16000 samples a second, brought to a peak unless that is None."""
    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    x = x.mean(1)
    if rate != RATE:
        divisor = np.gcd(rate, RATE)
        x = resample_poly(x, RATE // divisor, rate // divisor).astype(np.float32)
    if peak:
        x = x * np.float32(peak / max(np.abs(x).max(), 1e-6))
    return x


def errors(want, have):
    """Edit distance of two lists of words, or of two texts."""
    row = list(range(len(have) + 1))
    for i, w in enumerate(want, 1):
        before, row[0] = row[0], i
        for j, h in enumerate(have, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (w != h))
    return row[-1]


def interval(values, weights=None, groups=None, draws=1000):
    """Weighted mean and 95 % bootstrap interval. Values of one group are alike, such as conversions of one recording: whole groups
    are drawn."""
    values = np.asarray(values, float)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    groups = np.arange(len(values)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    n = groups.max() + 1
    sums = np.bincount(groups, values * weights, n), np.bincount(groups, weights, n)
    drawn = np.random.default_rng(1).integers(0, n, (draws, n))
    means = sums[0][drawn].sum(1) / sums[1][drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return (values * weights).sum() / weights.sum(), low, high
