#!/usr/bin/env python3
"""Asks every judge about what "vc eval --export" wrote, and prints one table per condition. Several folders, such as before and
after a change, become rows of the same tables. See README.md."""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import sys
import time

NAMES = ("whisper", "sphinx", "resemblyzer", "dnsmos", "distillmos")


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("exports", nargs="+", type=pathlib.Path, help="folders that vc eval --export wrote")
    p.add_argument("--enrol", type=pathlib.Path, help="folder with a folder of recordings per speaker, other ones than were converted; "
                   "without it nobody is asked whose voice it is")
    p.add_argument("--judges", default=",".join(NAMES), help="which to ask (default: %(default)s)")
    p.add_argument("--whisper", default="tiny.en", choices=("tiny.en", "base"), help="base is the teacher of vc train phones --teacher")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--conditions", help="only these, joined by commas, such as clean,noise=15 (default: all)")
    p.add_argument("--clips", type=int, default=0, help="conversions per condition, drawn evenly from the manifest (default: all)")
    p.add_argument("--tsv", type=pathlib.Path, help="write every figure of every sound to this file")
    p.add_argument("--cache", type=pathlib.Path, help="where answers are kept, so that no sound is judged twice (default: judged.json "
                   "in the first folder)")
    o = p.parse_args()
    o.judges = [j for j in o.judges.split(",") if j != "resemblyzer" or o.enrol]
    for j in o.judges:
        if j not in NAMES:
            p.error(f"judge {j!r} is not known, want some of {', '.join(NAMES)}")
    for folder in o.exports:
        if not (folder / "manifest.tsv").is_file():
            p.error(f"{folder}: there is no manifest.tsv: name a folder that vc eval --export wrote")
    return o


O = arguments()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = str(O.threads)  # read when the packages below are loaded

import numpy as np  # noqa: E402

import exports  # noqa: E402

# Conditions that stand in the table of the clean sources.
SPECIAL = {"vocoder": "through the vocoder", "own": "to the own voice"}
PEAK = 0.7  # that sounds are brought to: no judge is to hear how loud they are


class Answers:
    """What judges said of sounds, kept in a file by the contents of the sound."""

    def __init__(self, path):
        self.path, self.digests = path, {}
        self.known = json.loads(path.read_text()) if path.exists() else {}

    def key(self, judge, sound):
        if sound not in self.digests:
            self.digests[sound] = hashlib.sha1(pathlib.Path(sound).read_bytes()).hexdigest()
        return f"{judge} {self.digests[sound]}"

    def get(self, judge, sound):
        return self.known.get(self.key(judge, sound))

    def put(self, judge, sound, answer):
        self.known[self.key(judge, sound)] = answer

    def save(self):
        unfinished = self.path.with_name(self.path.name + ".part")
        unfinished.write_text(json.dumps(self.known))
        unfinished.replace(self.path)


def load(judge):
    """The function that asks a judge about a path. Only here are the packages of the judge needed."""
    read = lambda path: exports.read(path, PEAK)
    if judge == "whisper":
        import whisper_words

        whisper = whisper_words.Whisper(O.whisper, O.threads)
        return lambda path: whisper.hear(read(path))
    if judge == "sphinx":
        import words

        sphinx = words.Sphinx()
        return lambda path: " ".join(sphinx.hear(read(path)))
    if judge == "dnsmos":
        import quality

        return lambda path, dnsmos=quality.DNSMOS(O.threads): dnsmos.score(read(path))
    if judge == "distillmos":
        import distill

        return lambda path, model=distill.Distill(O.threads): model.score(read(path))
    import torch

    torch.set_num_threads(O.threads)
    import similarity

    voices = similarity.Voices(O.enrol)
    return lambda path: dict(zip(voices.names, map(float, voices.score(path))))


def ask(answers, judge, label, sounds):
    """Asks a judge about the sounds that it has not answered for, and says how far it is."""
    left = [s for s in sounds if answers.get(label, s) is None]
    if not left:
        return
    with contextlib.redirect_stdout(sys.stderr):
        score = load(judge)
        began = time.time()
        for i, sound in enumerate(left, 1):
            answers.put(label, sound, score(sound))
            spent = time.time() - began
            if i % 10 == 0 or i == len(left):
                print(f"\r{judge}: {i} of {len(left)}, {spent:.0f} s, {spent / i * (len(left) - i):.0f} s left ", end="", file=sys.stderr, flush=True)
                answers.save()
    print(file=sys.stderr)


def chosen(folder):
    """The rows of a folder by condition, as many as were asked for."""
    by = exports.conditions(exports.rows(folder))
    if O.conditions:
        wanted = O.conditions.split(",")
        by = {c: rows for c, rows in by.items() if (exports.CLEAN if c in SPECIAL else c) in wanted}
        if not by:
            sys.exit(f"{folder}: holds none of the conditions {O.conditions}")
    for condition, rows in by.items():
        if 0 < O.clips < len(rows):
            by[condition] = [rows[i * len(rows) // O.clips] for i in range(O.clips)]
    return by


def labels():
    """Under what the answers of each judge are kept: what they depend on besides the sound."""
    enrolled = hashlib.sha1("\n".join(sorted(str(f) for f in O.enrol.rglob("*"))).encode()).hexdigest() if O.enrol else ""
    return {j: {"whisper": f"whisper {O.whisper}", "resemblyzer": f"resemblyzer {enrolled}"}.get(j, j) for j in O.judges}


def figures(answers, label, row, sound):
    """All that is known of one sound, by column. Errors are (wrong, of how many)."""
    found = {}
    if "whisper" in label:
        import whisper_words

        want = O.normal(row["text"])
        for name, path in (("", sound), ("clean ", row["source_path"])):
            w, n, l, m = whisper_words.counts(want, answers.get(label["whisper"], path))
            found[name + "WER"], found[name + "CER"] = (w, n), (l, m)
    if "sphinx" in label:
        from words import words

        want = words(row["text"])
        for name, path in (("", sound), ("clean ", row["source_path"])):
            found[name + "sphinx"] = exports.errors(want, answers.get(label["sphinx"], path).split()), len(want)
    if "resemblyzer" in label:
        to = answers.get(label["resemblyzer"], sound)
        found["to target"], found["to source"] = to.get(row["target"]), to.get(row["source"])
    if "dnsmos" in label:
        overall, _, _, p808 = answers.get(label["dnsmos"], sound)
        found["P.808"], found["OVRL"] = p808, overall
    if "distillmos" in label:
        found["distillMOS"] = answers.get(label["distillmos"], sound)
    return found


COLUMNS = ("CER %", "added", "WER %", "added", "Sphinx WER %", "added", "to target", "to source", "P.808", "OVRL", "distillMOS")


def summary(rows, found):
    """The columns of a line of the table. Conversions of one recording are drawn together."""
    cells = []
    for name in ("CER", "WER", "sphinx"):
        known = [i for i, f in enumerate(found) if f.get(name, (0, 0))[1] > 0]
        if not known:
            cells += ["-", "-"]
            continue
        count = [found[i][name][1] for i in known]
        wrong = np.array([found[i][name][0] for i in known])
        clean = np.array([found[i]["clean " + name][0] for i in known])
        groups = [rows[i]["source_path"] for i in known]
        cells.append("%.1f" % (100 * wrong.sum() / sum(count)))
        cells.append("%.1f [%.1f, %.1f]" % tuple(100 * v for v in exports.interval((wrong - clean) / count, count, groups)))
    for name, digits in (("to target", 3), ("to source", 3), ("P.808", 2), ("OVRL", 2), ("distillMOS", 2)):
        known = [i for i, f in enumerate(found) if f.get(name) is not None]
        if not known:
            cells.append("-")
            continue
        v = exports.interval([found[i][name] for i in known], None, [rows[i]["source_path"] for i in known])
        cells.append("{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(*v, d=digits))
    return cells


def print_table(title, lines):
    table = [["", "clips", *COLUMNS], *lines]
    widths = [max(len(r[i]) for r in table) for i in range(len(table[0]))]
    print(title)
    for r in table:
        print("  ".join([r[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(r[1:], widths[1:]))]).rstrip())
    print(flush=True)


def main():
    label = labels()
    folders = [(f.name, chosen(f)) for f in O.exports]
    # Tables: a list of lines (name, rows, the column of the manifest that names the sound) for each condition.
    tables = {}
    for i, (name, by) in enumerate(folders):
        prefix = f"{name}: " if len(folders) > 1 else ""
        for condition, rows in by.items():
            special = SPECIAL.get(condition)
            lines = tables.setdefault(exports.CLEAN if special else condition, [])
            if i == 0 and condition == exports.CLEAN:
                lines.append(("source", rows, "source_path"))
            elif i == 0 and rows[0]["disturbed_path"]:
                lines.append(("source", rows, "disturbed_path"))
            lines.append((prefix + (special or "converted"), rows, "path"))
    answers = Answers(O.cache or O.exports[0] / "judged.json")
    lines = [line for table in tables.values() for line in table]
    needed = sorted({r[c] for _, rows, column in lines for r in rows for c in (column, "source_path")})
    for judge in O.judges:
        ask(answers, judge, label[judge], needed)
    if "whisper" in O.judges:
        from whisper_words import Normal

        O.normal = Normal()
    every = []
    for condition, table in tables.items():
        cells = []
        for name, rows, column in table:
            found = [figures(answers, label, r, r[column]) for r in rows]
            every += [(condition, name, r, f) for r, f in zip(rows, found)]
            cells.append([name, str(len(rows)), *summary(rows, found)])
        print_table(condition, cells)
    print(f"CER and WER: Whisper {O.whisper}, {'' if O.whisper == 'base' else 'kin of Whisper base, '}the teacher of vc train phones --teacher; "
          "Sphinx: PocketSphinx, no kin. \"added\": less those of the clean source.\nSimilarities: Resemblyzer. P.808 and OVRL: DNSMOS. "
          "Brackets hold 95 % bootstrap intervals, drawn by source recordings.")
    if O.tsv:
        names = sorted({k for _, _, _, f in every for k in f})
        with open(O.tsv, "w", encoding="utf-8") as out:
            print("condition", "sound", "source", "target", "utterance", *names, sep="\t", file=out)
            for condition, name, r, f in every:
                values = ["%d/%d" % v if isinstance(v, tuple) else "" if v is None else f"{v:.4f}" for v in (f.get(k) for k in names)]
                print(condition, name, r["source"], r["target"], r["utterance"], *values, sep="\t", file=out)


if __name__ == "__main__":
    main()
