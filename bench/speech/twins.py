"""Twins of people: what a person says in a recording, said by synthetic voices at the same times.

The person's phones are aligned; their times become the lengths of the tokens of the locked model (model.py), so that a frame of the twin
and the same frame of the recording belong together. make.py runs it; twins.py alone measures how many recordings pass:

twins.py --data DATA --out OUT [--corpus CORPUS] [--each 40] [--rounds 1] [--plain]
"""
import argparse
import re
from pathlib import Path

from kokoro import one_thread
from sentences import ARCTIC_RESERVED, LJ_RESERVED, kept_out, plain, table

PEOPLE = ("kathleen_arctic", "lj_speech", "ls19", "ls26")
PAUSES = " ;:,.!?—…\"()“”"
APART_S, APART_90_S = 0.02, 0.08
LIKENESS = 0.55                 # people stress other words than voices do: README.md says what likeness means here
FULL_BAND = "12 kHz"


def recordings(out, corpus, people=PEOPLE):
    """-> rows of person, utt, path, text, phones (path of the table): those of OUT/people and of the corpus, without tests."""
    apart, texts = set(), set()
    if corpus:
        apart = {r["path"] for r in table(corpus / "split.tsv") if r["set"] in ("test", "valid")}
        texts = kept_out(corpus)
    for person in people:
        folder, labels = out / "people" / person, out / "people-phones" / f"{person}.tsv"
        if not folder.is_dir() and corpus:
            folder, labels = corpus / "human" / person, corpus / "phones" / "human" / f"{person}.tsv"
        if not (folder / "transcripts.tsv").exists():
            continue
        for r in table(folder / "transcripts.tsv"):
            source = re.sub(r"_\d$", "", r["utt"])
            if (not r["text"] or f"human/{person}/{r['utt']}.flac" in apart or plain(r["text"]) in texts
                    or source in ARCTIC_RESERVED | LJ_RESERVED):
                continue
            yield {"person": person, "utt": r["utt"], "path": str(folder / f"{r['utt']}.flac"), "text": r["text"], "labels": str(labels)}


def jobs(out, corpus, voices, seed, draw):
    """A recording is said by one or two voices; people take turns, so that what was stopped early has all."""
    names = [v["voice"] for v in voices if v["full_band"] == FULL_BAND]
    by = {}
    for r in recordings(out, corpus):
        by.setdefault(r["person"], []).append(r)
    for person, list_ in by.items():
        draw(seed, "twins", person).shuffle(list_)
    for k in range(max(map(len, by.values()), default=0)):
        for list_ in by.values():
            if k < len(list_):
                r = draw(seed, "twin", list_[k]["person"], list_[k]["utt"])
                yield {"kind": "twins", **list_[k], "utt": f"{list_[k]['person']}.{list_[k]['utt']}", "voices": r.sample(names, r.randint(1, 2))}


def first_tokens(ps, line):
    """The token with which each phone begins: its stress mark or itself."""
    import phones
    return [round((t + phones.LAG) / phones.FRAME) for w in line for _, t in w]


def lengths_of(ps, free, said, plain_=False):
    """Lengths [len(ps)+2] in frames for the phones of said to begin where they do, and the seconds of silence to add in front (less than 0:
    to cut off).

    free: the model's own lengths. said: the person's phones with SIL, gapless. A silence goes to the pause tokens (punctuation, spaces)
    between the phones; sounds share their time as the model would. Before and after the line the model keeps its own silence: it cannot
    begin at once. plain_: silences go to the phone before, and the person's silence to the first token.
    """
    import numpy as np
    import phones
    line = phones.words(ps, [1] * (len(ps) + 2), False)
    starts = first_tokens(ps, line)
    got = [s for s in said if s[0] != "SIL"]
    bounds = starts + [len(ps) + 1]
    head = got[0][1] + phones.LAG
    early = 0.0 if plain_ else head - phones.FRAME * sum(free[:starts[0]])
    edge = np.zeros(len(ps) + 3)                # when each token begins, and the end; tokens 0 and len(ps)+1 are the pads

    def share(tokens, t0, t1):
        part = np.maximum([free[k] for k in tokens], 0.5)
        for k, t in zip(tokens, t0 + (t1 - t0) * np.cumsum(part) / part.sum()):
            edge[k + 1] = t

    edge[1:starts[0] + 1] = head if plain_ else early + phones.FRAME * np.cumsum(free[:starts[0]])
    for g, (a, b) in enumerate(zip(bounds, bounds[1:])):
        tokens = list(range(a, b))
        rest = [k for k in tokens if ps[k - 1] in PAUSES]
        t0, t1 = got[g][1] + phones.LAG, got[g][2] + phones.LAG
        after = got[g + 1][1] + phones.LAG if g + 1 < len(got) else t1
        if rest and after - t1 >= 0.02 and not plain_:
            share([k for k in tokens if k not in rest], t0, t1)
            share(rest, t1, after)
        else:
            share(tokens, t0, after)
    edge[-1] = max(said[-1][2], edge[-2]) if plain_ else edge[-2] + phones.FRAME * max(free[-1], 4)
    edge[1:] -= early
    f = np.round(np.maximum.accumulate(edge) / phones.FRAME).astype(int)
    # what rounding to 25 ms has moved the first phone by is made up for by the silence in front
    return np.diff(f), early + edge[starts[0]] - f[starts[0]] * phones.FRAME


class Twins:
    """Says recordings again. speaker: speech.Speaker."""

    def __init__(self, speaker, rounds=2, plain_=False):
        self.speaker, self.rounds, self.plain = speaker, rounds, plain_
        self.labels = {}

    def phones_of(self, job, x, line):
        """The person's phones: those of the table of labels if they are the line's, else aligned here."""
        import speech
        from speech import Refused
        path = job["labels"]
        if path not in self.labels:
            by = self.labels[path] = {}
            for r in table(path) if Path(path).exists() else []:
                by.setdefault(r["utt"], []).append((r["phone"], float(r["start_s"]), float(r["end_s"])))
        want = [p for w in line for p, _ in w]
        said = self.labels[path].get(job["utt"].split(".", 1)[1], [])
        if [p for p, *_ in speech.spoken(said)] != want:
            said = speech.align(self.speaker.aligner, x, line) or []
        if [p for p, *_ in speech.spoken(said)] != want:
            raise Refused("aligner")
        if max(e - s for _, s, e in speech.spoken(said)) > 0.65:
            raise Refused("times")
        return [list(s) for s in said]

    def align(self, y, line, want):
        """Phones of y, or None if they are not those of want.

        The aligner loses the last word of sound that ends at once, or in zeros: it is asked again with silence of -80 dBFS around.
        """
        import numpy as np
        import speech
        pad = speech.RATE // 5
        said = speech.align(self.speaker.aligner, y, line)
        if not said or [p for p, *_ in speech.spoken(said)] != want:
            y = np.pad(y, pad)
            said = speech.align(self.speaker.aligner, y + 1e-4 * np.random.default_rng(1).standard_normal(len(y)), line) or []
            said = [(p, max(0.0, s - 0.2), e - 0.2) for p, s, e in said if e > 0.2]
        return said if [p for p, *_ in speech.spoken(said)] == want else None

    def __call__(self, job, voices):
        """-> for each voice (sound, phones, record) or the reason why it is left out."""
        import numpy as np
        import soundfile as sf
        from scipy.signal import resample_poly

        import phones
        import speech
        try:
            x, rate = sf.read(job["path"], always_2d=True)
        except (RuntimeError, OSError):
            raise speech.Refused("unreadable") from None
        x = x.mean(1)
        g = np.gcd(rate, speech.RATE)
        x = resample_poly(x, speech.RATE // g, rate // g) if rate != speech.RATE else x
        ps, ids = self.speaker.line(job["text"], False, 1)
        line = phones.words(ps, [1] * (len(ps) + 2), False)
        if line is None:
            raise speech.Refused("phonemes")
        said = self.phones_of(job, x, line)
        want = np.array([s for _, s, _ in speech.spoken(said)])
        out = []
        for v in voices:
            free = self.speaker.kokoro.lengths(ids, v)
            aim, best = [list(s) for s in said], None
            for k in range(self.rounds):
                n, early = lengths_of(ps, free, aim, self.plain)
                y = speech.clean(self.speaker.kokoro.say(ids, v, lengths=n)[0])
                y = shifted(y, int(round(early * speech.RATE)), len(x))
                again = self.align(y, line, [p for p, *_ in speech.spoken(said)])
                if again is None:
                    break
                off = np.array([s for _, s, _ in speech.spoken(again)]) - want
                r = {"apart_s": round(float(np.median(np.abs(off))), 4), "apart90_s": round(float(np.percentile(np.abs(off), 90)), 4),
                     "likeness": round(speech.contour_likeness(x, y), 3), "round": k + 1}
                if best is None or (r["apart90_s"], -r["likeness"]) < (best[2]["apart90_s"], -best[2]["likeness"]):
                    best = y, again, r
                if fault(best[2]) != "times":
                    break
                aim = mended(aim, off)
            if best is None:
                out.append("aligner")
            elif fault(best[2]):
                out.append(fault(best[2]))
            else:
                sound, times = speech.cut(best[0], best[1], 0, len(x))
                out.append((sound, times, {"person": job["person"], **best[2]}))
        return out


def shifted(y, by, length):
    """y later by so many samples (earlier if by is negative), cut or filled with zeros to length."""
    import numpy as np
    y = np.pad(y, (by, 0)) if by > 0 else y[-by:]
    return np.pad(y[:length], (0, max(0, length - len(y))))


def mended(aim, off):
    """aim, whose spoken phones begin earlier by as much as they came late; in order, each 20 ms long or more."""
    out, k, t = [], 0, 0.0
    for p, s, e in aim:
        if p != "SIL":
            s, k = max(s - 0.8 * min(max(off[k], -0.15), 0.15), t), k + 1
            t = s + 0.02
        out.append([p, s, e])
    for a, b in zip(out, out[1:]):          # gapless: a phone ends where the next begins, a silence begins where the phone before ends
        if b[0] == "SIL":
            a[2] = max(a[2], a[1] + 0.02)
            b[1] = a[2]
        else:
            a[2] = b[1]
            a[1] = min(a[1], a[2])
    return out


def fault(r):
    """Why a twin is thrown out, or None."""
    if r["apart_s"] > APART_S or r["apart90_s"] > APART_90_S:
        return "times"
    return "likeness" if r["likeness"] < LIKENESS else None


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--data", required=True, type=Path)
    a.add_argument("--out", required=True, type=Path)
    a.add_argument("--corpus", type=Path)
    a.add_argument("--each", type=int, default=40, help="recordings of each person")
    a.add_argument("--rounds", type=int, default=2)
    a.add_argument("--plain", action="store_true", help="silences to the phone before, as the pilot did")
    a.add_argument("--seed", type=int, default=1)
    a = a.parse_args()
    one_thread()
    import time
    import warnings
    warnings.filterwarnings("ignore")
    import numpy as np

    import kokoro
    import phones
    import speech
    voices = table(Path(__file__).parent / "voices.tsv")
    twins = Twins(speech.Speaker(kokoro.Kokoro(a.data), kokoro.G2P(), phones.Aligner(a.data)), a.rounds, a.plain)
    packs, tally, began, seconds = {v["voice"]: v["packs"] for v in voices}, {}, time.process_time(), 0.0
    for job in jobs(a.out, a.corpus, voices, a.seed, speech.draw):
        mine = tally.setdefault(job["person"], [])
        if len(mine) >= a.each:
            if all(len(t) >= a.each for t in tally.values()):
                break
            continue
        try:
            m, = twins(job, [kokoro.Voice(a.data, job["voices"][0], packs[job["voices"][0]])])
        except speech.Refused as e:
            m = str(e)
        mine.append(m)
        seconds += 0 if isinstance(m, str) else len(m[0]) / 24000
    for person, list_ in tally.items():
        good = [m[2] for m in list_ if not isinstance(m, str)]
        why = [m for m in list_ if isinstance(m, str)]
        mean = lambda key: np.mean([r[key] for r in good]) if good else 0
        print(f"{person}\t{len(good)} of {len(list_)}\t{1000 * mean('apart_s'):.0f} and {1000 * mean('apart90_s'):.0f} ms apart\tlikeness "
              f"{mean('likeness'):.2f}\tfirst round {sum(r['round'] == 1 for r in good)}\t"
              f"likeness .7 {sum(r['likeness'] >= 0.7 for r in good)}\tleft out "
              f"{', '.join(f'{why.count(w)} {w}' for w in sorted(set(why))) or 'none'}", flush=True)
    print(f"{seconds / (time.process_time() - began):.2f} s of sound kept a second of a core")


if __name__ == "__main__":
    main()
