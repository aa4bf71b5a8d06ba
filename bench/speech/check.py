#!/usr/bin/env python3
"""Walks what make.py and people.py have made and names what is wrong with it.

check.py OUT [--corpus CORPUS] [--fast]    exit code 1 if anything is wrong
check.py --self-test                       the checks on a small corpus that is made here and broken in every way; needs no model

Names recordings that are missing, half-written, of a wrong rate or length, that nothing accounts for, or that tests are made with;
phones that do not run from 0 to the end without gaps; pairs and twins of unequal length. Says how many lines were left out, and why.
--fast reads the headers of recordings only. A run may be at work in OUT: what it has not yet put into its tables is not counted as wrong.
"""
import argparse
import collections
import json
import re
import sys
import tempfile
from pathlib import Path

from kokoro import one_thread
from make import folder_of, read_state, state_of
from sentences import ARCTIC_RESERVED, LJ_RESERVED

RATE = 24000
PHONES = set("AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH SIL".split())


def expected(out):
    """-> {path: (seconds, phones, row)} of what the states say was made, and {(kind, reason): count} of what was left out."""
    made, left = {}, collections.Counter()
    for kind in ("free", "twins"):
        for r in read_state(state_of(out, kind), cut=False):
            if "left_out" in r:
                left[r["kind"], r["left_out"]] += 1
            else:
                made[out / folder_of(r["kind"]) / r["voice"] / f"{r['utt']}.flac"] = r["seconds"], r["phones"], r
    for r in read_state(out / "state-people.jsonl", cut=False):
        if "left_out" in r:
            left["people", r["left_out"]] += 1
            continue
        for p in r["parts"]:
            made[out / "people" / r["speaker"] / f"{p['utt']}.flac"] = p["seconds"], p["phones"], {"kind": "people", **r}
    return made, left


def sound_fault(path, seconds, fast):
    import soundfile as sf
    if not path.exists():
        return "missing"
    try:
        i = sf.info(path)
        n = i.frames
        if not fast:
            x, _ = sf.read(path, dtype="int16")
            n = min(n, len(x))
            if n and x.max() == x.min():
                return "silent"
    except (RuntimeError, OSError):
        return "unreadable"
    if i.samplerate != RATE or i.channels != 1:
        return f"{i.samplerate} Hz, {i.channels} channels: want {RATE} Hz, 1"
    if abs(n - seconds * RATE) > 13:            # seconds are written to a millisecond
        return f"{n / RATE:.3f} s of sound: want {seconds:.3f} s"
    return None


def phones_fault(phones, seconds):
    if not phones:
        return "no phones"
    at = 0.0
    for p, s, e in phones:
        if p not in PHONES:
            return f"phone {p} is unknown"
        if abs(s - at) > 0.0015 or e <= s:
            return f"phone {p} from {s:.3f} to {e:.3f} s: want one that begins at {at:.3f} s"
        at = e
    if abs(at - seconds) > 0.0015:
        return f"phones end at {at:.3f} s, the sound at {seconds:.3f} s"
    return None


def walk(out, corpus=None, fast=False):
    """-> faults as (path, what), and the counts of what was left out."""
    import soundfile as sf
    made, left = expected(out)
    faults = []
    for path, (seconds, phones, r) in sorted(made.items()):
        for what in (sound_fault(path, seconds, fast), phones_fault(phones, seconds)):
            if what:
                faults.append((path, what))
        source = re.sub(r"(_p|_\d)$", "", r["utt"].split(".")[-1] if "utt" in r else r["source"])
        if source in ARCTIC_RESERVED | LJ_RESERVED:
            faults.append((path, "reserved for tests"))
    for folder in ("speech", "twins", "people"):
        for path in sorted((out / folder).glob("*/*")):
            if path.name.endswith(".part"):
                faults.append((path, "half-written: run the program that makes it again"))
            elif path.suffix == ".flac" and path not in made:
                faults.append((path, "accounted for by no state: a run was stopped after it; run it again"))
    faults += table_faults(out, made)
    length = lambda p: sf.info(p).frames
    wrong = {p for p, _ in faults}
    sets = collections.defaultdict(list)
    for path, (_, _, r) in made.items():
        if r["kind"] == "pairs" and path not in wrong:
            sets[r["utt"]].append(path)
    for utt, paths in sorted(sets.items()):
        if len(paths) < 2:
            faults.append((paths[0], "a pair without its other"))
        elif len({length(p) for p in paths}) > 1:
            faults += [(p, f"{length(p)} samples, others of the pair have another number") for p in paths]
    for path, (_, _, r) in made.items():
        if r["kind"] != "twins" or path in wrong:
            continue
        person, utt = r["utt"].split(".", 1)
        whose = out / "people" / person / f"{utt}.flac"
        whose = whose if whose.exists() or not corpus else corpus / "human" / person / f"{utt}.flac"
        if whose.exists():
            i = sf.info(whose)
            if length(path) != -(-i.frames * RATE // i.samplerate):
                faults.append((path, f"{length(path)} samples: the person's recording has {i.frames} at {i.samplerate} Hz"))
        elif corpus:
            faults.append((path, "the person's recording is missing"))
    return faults, left, made


def table_faults(out, made):
    """Names in tables of texts and phones that no recording goes with."""
    faults = []
    for folder, labels in (("speech", "phones"), ("twins", "twins-phones"), ("people", "people-phones")):
        for voice in sorted(p for p in (out / folder).glob("*") if p.is_dir()):
            for path in (voice / "transcripts.tsv", out / labels / f"{voice.name}.tsv"):
                if not path.exists():
                    continue                    # a run that has just begun
                names = {line.split("\t", 1)[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]}
                faults += [(path, f"names {n}, of which there is no recording") for n in sorted(names) if voice / f"{n}.flac" not in made]
    return faults


def report(out, faults, left, made):
    for path, what in faults:
        print(f"{path.relative_to(out)}: {what}")
    for kind in ("free", "pairs", "twins", "people"):
        mine = [(s, r) for s, _, r in made.values() if r["kind"] == kind]
        if not mine and not any(k == kind for k, _ in left):
            continue
        out_ = ", ".join(f"{n} {why}" for (k, why), n in sorted(left.items()) if k == kind) or "none"
        print(f"{kind}: {len(mine)} recordings, {sum(s for s, _ in mine) / 3600:.2f} h, {len({r.get('voice') or r['speaker'] for _, r in mine})} voices, "
              f"{len({r['text'] for _, r in mine})} texts; left out: {out_}")
    print(f"{len(faults)} faults" if faults else "nothing is wrong")


def self_test():
    """Makes a small corpus and breaks it in each way that walk names."""
    import numpy as np
    import soundfile as sf
    import twins
    with tempfile.TemporaryDirectory() as tmp:
        out = Path(tmp)
        say = lambda n: (0.1 * np.sin(np.arange(n) * 0.05)).astype(np.float32)
        phones = [["SIL", 0.0, 0.2], ["AH", 0.2, 0.8], ["SIL", 0.8, 1.0]]

        def put(folder, voice, utt, n=RATE, rate=RATE):
            (out / folder / voice).mkdir(parents=True, exist_ok=True)
            sf.write(out / folder / voice / f"{utt}.flac", say(n), rate)

        def state(name, rows, more=""):
            (out / name).write_text("".join(json.dumps(r) + "\n" for r in rows) + more)
        line = lambda kind, voice, utt, **k: {"kind": kind, "voice": voice, "utt": utt, "seconds": 1.0, "text": "A.", "phones": phones, **k}
        rows = [line("free", "v1", "s1"), line("pairs", "v1", "s2_p"), line("pairs", "v2", "s2_p"), {"kind": "free", "voice": "v1", "utt": "s3", "left_out": "times"}]
        twin = [line("twins", "v1", "ann.a1", person="ann")]
        people = [{"speaker": "ann", "source": "a1", "text": "A.", "parts": [{"utt": "a1", "seconds": 1.0, "phones": phones}]}]

        def fresh():
            for name in ("s1", "s2_p"):
                put("speech", "v1", name)
            put("speech", "v2", "s2_p")
            put("twins", "v1", "ann.a1")
            put("people", "ann", "a1")
            state("state.jsonl", rows, '{"kind": "free", "voice": "v1", "ut')     # cut off in the middle
            state("state-twins.jsonl", twin)
            state("state-people.jsonl", people)

        def wants(what, *paths):
            faults, left, _ = walk(out)
            got = sorted(str(p.relative_to(out)) for p, w in faults if what in w)
            assert got == sorted(paths) and len(faults) == len(got), (what, faults)
            assert left == {("free", "times"): 1}, left
            for p in paths:
                (out / p).unlink(missing_ok=True)
            fresh()

        fresh()
        wants("nothing")
        whole = (out / "speech/v1/s1.flac").read_bytes()
        (out / "speech/v1/s1.flac").write_bytes(whole[:len(whole) // 2])
        faults, _, _ = walk(out)
        assert [str(p.relative_to(out)) for p, _ in faults] == ["speech/v1/s1.flac"], faults
        (out / "speech/v1/s1.flac").unlink()
        wants("missing", "speech/v1/s1.flac")
        put("speech", "v1", "s1", RATE - 500)
        wants("want 1.000 s", "speech/v1/s1.flac")
        put("speech", "v1", "s1", 16000, 16000)
        wants("16000 Hz", "speech/v1/s1.flac")
        put("speech", "v1", "s9")
        wants("accounted for", "speech/v1/s9.flac")
        (out / "speech/v1/.s9.part").write_bytes(whole[:50])
        wants("half-written", "speech/v1/.s9.part")
        put("speech", "v2", "s2_p", RATE + 10)
        wants("another number", "speech/v1/s2_p.flac", "speech/v2/s2_p.flac")
        put("twins", "v1", "ann.a1", RATE + 10)
        wants("the person's recording has", "twins/v1/ann.a1.flac")
        state("state-twins.jsonl", [line("twins", "v1", "ann.a1", phones=[["AH", 0.0, 1.2]])])
        wants("phones end at", "twins/v1/ann.a1.flac")
        state("state-twins.jsonl", [line("twins", "v1", "ann.a1", phones=[["AH", 0.0, 0.4], ["T", 0.5, 1.0]])])
        wants("begins at", "twins/v1/ann.a1.flac")
        put("people", "ann", "arctic_a0003")
        state("state-people.jsonl", people + [{"speaker": "ann", "source": "arctic_a0003", "text": "A.", "parts": [
            {"utt": "arctic_a0003", "seconds": 1.0, "phones": phones}]}])
        wants("reserved", "people/ann/arctic_a0003.flac")
        state("state.jsonl", rows, '{"kind": "free", "voice": "v1", "ut')
        before = len(read_state(out / "state.jsonl"))
        assert before == len(rows) and (out / "state.jsonl").read_bytes().endswith(b"}\n"), "a state's last line is not cut off"

        # twins: "hi, you": h I ˈ-less; the person pauses 0.5 s at the comma
        ps, said = "hˈI, ju", [["SIL", 0, 0.5], ["HH", 0.5, 0.6], ["AY", 0.6, 0.9], ["SIL", 0.9, 1.4], ["Y", 1.4, 1.5], ["UW", 1.5, 1.8], ["SIL", 1.8, 2.0]]
        n, early = twins.lengths_of(ps, [10, 3, 1, 5, 4, 1, 3, 6, 8], said)
        assert len(n) == len(ps) + 2 and (n >= 0).all() and n[0] == 10, n
        assert abs(early + 0.025 * n[0] - 0.568) < 1e-6 and 18 <= n[4] + n[5] <= 22, (n, early)
        assert abs(early + 0.025 * n[:6].sum() - 1.468) <= 0.026 and n[7] in (11, 12, 13), n
        y = twins.shifted(say(100), 7, 90)
        assert len(y) == 90 and not y[:7].any() and len(twins.shifted(say(100), -20, 90)) == 90
        aim = twins.mended(said, [0.3, 0, 0.1, -0.1])
        assert all(a[2] == b[1] and a[1] < a[2] for a, b in zip(aim[1:], aim[2:])), aim
    print("ok")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", nargs="?", type=Path, metavar="OUT")
    p.add_argument("--corpus", type=Path)
    p.add_argument("--fast", action="store_true", help="headers only")
    p.add_argument("--self-test", action="store_true")
    a = p.parse_args()
    one_thread()
    if a.self_test:
        return self_test()
    if a.out is None or not a.out.is_dir():
        sys.exit(f"{a.out or 'OUT'}: no such folder: name the one that make.py wrote")
    faults, left, made = walk(a.out, a.corpus, a.fast)
    report(a.out, faults, left, made)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
