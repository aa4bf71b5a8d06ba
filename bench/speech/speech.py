"""Sound and phone times of a line, checked, trimmed and levelled: what a corpus keeps of what Kokoro says."""
import hashlib
import random

import numpy as np
from scipy.signal import butter, resample_poly, sosfiltfilt

import phones
from kokoro import FRAME, RATE

LEVEL_DB = -23.0                # median level of speech, as in the corpus of recordings
EDGE_S = 0.2                    # silence that is kept at either end
HOP = RATE // 100
HIGHPASS = butter(2, 35, "high", fs=RATE, output="sos")


def draw(*key):
    """A random source that depends on the key alone."""
    return random.Random(hashlib.sha256("\t".join(map(str, key)).encode()).digest())


def levels(x):
    """Level of each 10 ms in dB."""
    k = len(x) // HOP
    return 10 * np.log10((x[:k * HOP].reshape(k, HOP) ** 2).mean(1) + 1e-12)


def contour_likeness(x, y):
    """Correlation of two sounds' level contours, floored 50 dB below their loudest."""
    a, b = levels(x), levels(y)
    k = min(len(a), len(b))
    a, b = (np.maximum(q[:k], q.max() - 50) for q in (a, b))
    return float(np.corrcoef(a, b)[0, 1])


def spoken(said):
    return [s for s in said if s[0] != "SIL"]


class Refused(Exception):
    """Why a line is left out."""


def check_times(line, said):
    """Refuses an alignment that differs from the model's own account of the times (words of (phone, start_s), phones.words)."""
    want = [p for w in line for p in w]
    got = spoken(said or [])
    if [p for p, _ in want] != [p for p, *_ in got]:
        raise Refused("aligner")
    off = np.array([s - t for (_, t), (_, s, _) in zip(want, got)])
    if np.median(np.abs(off)) > 0.04 or np.abs(off[1:]).max(initial=0) > 0.35 or max(e - s for _, s, e in got) > 0.65:
        raise Refused("times")
    return float(np.median(np.abs(off)))


def align(aligner, x, line):
    return aligner(resample_poly(x, 2, 3), line)


def clean(x):
    """Zero-phase high-pass at 35 Hz."""
    return sosfiltfilt(HIGHPASS, x)


def ends(x, said):
    """Where a line is cut, in whole frames of 10 ms: from and to, in samples."""
    lev, got = levels(x), spoken(said)
    loud = np.nonzero(lev > lev.max() - 40)[0]
    first, last = min(loud[0] * 0.01, got[0][1]), max((loud[-1] + 1) * 0.01, got[-1][2])
    lo, hi = int(100 * max(0.0, first - EDGE_S)), int(np.ceil(100 * (last + EDGE_S)))
    return lo * HOP, min(hi * HOP, len(x) // HOP * HOP)


def cut(x, said, lo, hi):
    """x and its phones between two samples, with fades of 5 ms, at LEVEL_DB, phones gapless from 0 to the end."""
    y = x[lo:hi].copy()
    end, start = len(y) / RATE, lo / RATE
    out = []
    for p, s, e in said:
        s, e = (min(max(t - start, 0), end) for t in (s, e))
        if e <= s:
            continue
        if out and p == "SIL" == out[-1][0]:
            out[-1][2] = e
        else:
            out.append([p, s, e])
    if out[0][1] > 0:
        if out[0][0] == "SIL":
            out[0][1] = 0.0
        else:
            out.insert(0, ["SIL", 0.0, out[0][1]])
    if out[-1][2] < end:
        if out[-1][0] == "SIL":
            out[-1][2] = end
        else:
            out.append(["SIL", out[-1][2], end])
    fade = int(0.005 * RATE)
    y[:fade] *= np.linspace(0, 1, fade)
    y[-fade:] *= np.linspace(1, 0, fade)
    lev = levels(y)
    y *= 10 ** ((LEVEL_DB - np.median(lev[lev > lev.max() - 30])) / 20)
    peak = np.abs(y).max()
    if peak > 0.95:
        y *= 0.95 / peak
    return y, [[p, round(s, 3), round(e, 3)] for p, s, e in out]


class Speaker:
    """Says lines in voices and hands over what passes the checks."""

    def __init__(self, kokoro, g2p, aligner):
        self.kokoro, self.g2p, self.aligner = kokoro, g2p, aligner

    def line(self, text, british, speed_voice):
        ps = self.g2p(text, british)
        ids = self.kokoro.tokens(ps)
        if ids is None:
            raise Refused("phonemes")
        return ps, ids

    def free(self, text, voice, speed):
        """-> (sound, phones, record): the line at the voice's own times."""
        ps, ids = self.line(text, voice.british, speed)
        x, lengths = self.kokoro.say(ids, voice, speed)
        words = phones.words(ps, [int(k) for k in lengths], voice.british)
        if words is None:
            raise Refused("phonemes")
        x = clean(x)
        said = align(self.aligner, x, words)
        off = check_times(words, said)
        y, times = cut(x, said, *ends(x, said))
        return y, times, {"off_s": round(off, 4), "speed": round(speed, 3)}

    def together(self, text, voices, speed, likeness=0.85, apart_s=0.03):
        """-> for each voice (sound, phones, record) or the reason why it is left out. All at the first one's times, cut alike."""
        ps, ids = self.line(text, voices[0].british, speed)
        x, lengths = self.kokoro.say(ids, voices[0], speed)
        words = phones.words(ps, [int(k) for k in lengths], voices[0].british)
        if words is None:
            raise Refused("phonemes")
        x = clean(x)
        said = align(self.aligner, x, words)
        off = check_times(words, said)
        lo, hi = ends(x, said)
        out = []
        for v in voices:
            y = x if v is voices[0] else clean(self.kokoro.say(ids, v, lengths=lengths)[0])
            if len(y) != len(x) or len(x) != int(lengths.sum()) * FRAME:
                out.append("length")
                continue
            again = said if v is voices[0] else align(self.aligner, y, words)
            like = contour_likeness(x[lo:hi], y[lo:hi])
            if again is None or len(spoken(again)) != len(spoken(said)):
                out.append("aligner")
                continue
            apart = float(np.median([abs(a[1] - b[1]) for a, b in zip(spoken(said), spoken(again))]))
            if like < likeness or apart > apart_s:
                out.append("likeness" if like < likeness else "times")
                continue
            sound, times = cut(y, again, lo, hi)
            out.append((sound, times, {"off_s": round(off, 4), "speed": round(speed, 3), "likeness": round(like, 3), "apart_s": round(apart, 4)}))
        return out
