#!/usr/bin/env python3
"""gather.py OUT --corpus CORPUS --to DIR: a folder of links for `vc train --speakers DIR`, with a folder per voice and aligned.tsv.

The corpus's training part, people, free text, pairs and twins come together; kathleen_arctic and lj_speech take the place of the
corpus's kathleen and lj. aligned.tsv says which recordings say the same at the same times: pairs both ways, twins as sources of their person's
recording only. Run again, it adds what is new and writes aligned.tsv anew. --rename gives voices other names, such as those under
which the program offers them, and --least leaves out voices with fewer recordings.
"""
import argparse
from collections import Counter
from pathlib import Path

from sentences import table

SAME = {"kathleen_arctic": "kathleen", "lj_speech": "lj"}


class Links:
    def __init__(self, to, leave_out, names):
        self.to, self.leave_out, self.names, self.made, self.files = to, leave_out, names, 0, {}

    def name(self, voice):
        return self.names.get(voice, voice)

    def add(self, voice, path):
        voice = self.name(voice)
        if voice not in self.leave_out:
            self.files[voice, path.stem] = path

    def make(self, least):
        """Links all that was added, but for voices with too few recordings; what is there is then in self.there."""
        count = Counter(voice for voice, _ in self.files)
        self.there = {key for key in self.files if count[key[0]] >= least}
        for voice, utt in sorted(self.there):
            path = self.files[voice, utt]
            link = self.to / voice / path.name
            if not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
                self.made += 1


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("out", type=Path)
    p.add_argument("--corpus", type=Path)
    p.add_argument("--to", type=Path, required=True)
    p.add_argument("--leave-out", default="ls27,esf2,esf4,kal16,ked", help="names, joined by commas")
    p.add_argument("--rename", default="", help="VOICE=NAME, joined by commas")
    p.add_argument("--least", type=int, default=3, help="recordings of a voice (default 3: vc train holds one out)")
    a = p.parse_args()
    links = Links(a.to, set(a.leave_out.split(",")), SAME | dict(r.split("=") for r in a.rename.split(",") if r))
    if a.corpus:
        wider = {links.name(d.name) for d in (a.out / "people").glob("*")}
        for r in table(a.corpus / "split.tsv"):
            path = a.corpus / r["path"]
            if r["set"] == "train" and path.parent.name not in wider:
                links.add(path.parent.name, path)
    for kind in ("people", "speech", "twins"):
        for path in sorted((a.out / kind).glob("*/*.flac")):
            links.add(path.parent.name, path)
    links.make(a.least)

    rows, groups = [], set()
    pairs, twins = ([] if not path.exists() else table(path) for path in (a.out / "pairs.tsv", a.out / "twins.tsv"))
    for r in pairs:
        rows.append((r["utt"], links.name(r["voice"]), r["utt"], ""))
    for r in twins:
        person, utt = links.name(r["person"]), r["utt"]
        group = f"{r['person']}.{utt}"
        if group not in groups:
            rows.append((group, person, utt, "target"))
            groups.add(group)
        rows.append((group, links.name(r["voice"]), group, "source"))
    rows = [r for r in rows if (r[1], r[2]) in links.there]
    part = a.to / "aligned.tsv.part"
    with open(part, "w", encoding="utf-8") as f:
        f.write("group\tspeaker\tutt\tuse\n")
        f.writelines("\t".join(r) + "\n" for r in rows)
    part.replace(a.to / "aligned.tsv")
    print(f"{a.to}: {links.made} new links, {len(links.there)} recordings of {len({v for v, _ in links.there})} voices, "
          f"{len(rows)} of them in {len({r[0] for r in rows})} groups")


main()
