#!/usr/bin/env python3
"""manifest.py OUT: writes OUT/manifest.tsv: for each voice and person how much there is, under which licence, where it is from, and what for.

The column use says what a voice changer may do with the voice: "words" it may teach words and be a source; "target" it may also be
shipped as a voice.
"""
import sys
from pathlib import Path

from make import folder_of, put, read_state, state_of
from sentences import table

HERE = Path(__file__).resolve().parent
MODEL = "Kokoro-82M v1.0 by hexgrad, ONNX export by thewh1teagle"
SYNTHETIC = "its maker says that much of its training audio was synthetic speech of commercial services"
SERVICES = {"alloy", "echo", "fable", "nova", "onyx", "sky", "aoede", "kore", "fenrir", "puck"}
PEOPLE = {"kathleen_arctic": ("F", "CC0 1.0", "rhasspy/dataset-voice-kathleen: Kathleen reads the CMU ARCTIC prompts"),
          "lj_speech": ("F", "public domain", "LJ Speech by Keith Ito: Linda Johnson reads for LibriVox; part of it")}


def packs_of(v):
    return [p.partition("*")[0] for p in v["packs"].split("+")]


def use(v):
    """Targets are blends of three packs or more, under names of our own."""
    return "target" if v["note"] == "blend" and len(packs_of(v)) >= 3 else "words"


def rows(out):
    voices = {v["voice"]: v for v in table(HERE / "voices.tsv")}
    by = {}
    for kind in ("free", "twins"):
        for r in read_state(state_of(out, kind), cut=False):
            if "left_out" not in r:
                by.setdefault((folder_of(r["kind"]), r["voice"]), []).append((r["seconds"], r["text"]))
    for r in read_state(out / "state-people.jsonl", cut=False):
        for p in r.get("parts", []) if "left_out" not in r else []:
            by.setdefault(("people", r["speaker"]), []).append((p["seconds"], r["text"]))
    for (folder, name), mine in sorted(by.items()):
        if folder == "people":
            sex, licence, source = PEOPLE.get(name, ("", "unknown", "unknown"))
            what, band, note = "target", "", "a person"
        else:
            v = voices[name]
            sex, licence, what, band = v["sex"], "Apache 2.0", use(v), v["full_band"]
            named = [p for p in packs_of(v) if p.partition("_")[2] in SERVICES]
            source = f"{MODEL}: {v['packs']}"
            note = f"synthetic; {SYNTHETIC}" + (f"; named like voices of such services: {', '.join(named)}" if named else "")
        yield [name, folder, sex, f"{sum(s for s, _ in mine) / 3600:.3f}", len(mine), len({t for _, t in mine}), band, licence, what, source, note]


def main():
    out = Path(sys.argv[1])
    lines = list(rows(out))
    head = ["voice", "folder", "sex", "hours", "recordings", "sentences", "band", "licence", "use", "source", "note"]
    put(out / "manifest.tsv", ["\t".join(map(str, r)) + "\n" for r in [head, *lines]])
    for folder in sorted({r[1] for r in lines}):
        mine = [r for r in lines if r[1] == folder]
        print(f"{folder}: {len(mine)} voices, {sum(float(r[3]) for r in mine):.2f} h")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main()
