#!/usr/bin/env python3
"""Makes a corpus of labelled English speech at 24 kHz, offline, on a CPU.

make.py --data FOLDER --out OUT [--corpus CORPUS] [--cores 0,1] [--only free,pairs,twins] [--max-minutes 60]

FOLDER is what setup.sh made. CORPUS is the voice changer's corpus, for twins of its people beside those that people.py has put into OUT.
Stopped at any time and run again, it goes on. Read README.md for what lies in OUT.
"""
import argparse
import fcntl
import json
import multiprocessing
import os
import resource
import sys
import time
import warnings
from fnmatch import fnmatch
from pathlib import Path

import twins
from kokoro import one_thread
from sentences import table

HERE = Path(__file__).resolve().parent


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, type=Path, help="what setup.sh made")
    p.add_argument("--out", required=True, type=Path)
    p.add_argument("--corpus", type=Path, help="whose people have twins, beside those in OUT")
    p.add_argument("--only", default="free,pairs,twins", help="which jobs, in this order")
    p.add_argument("--per-voice", type=int, default=120, help="sentences of free text for each voice")
    p.add_argument("--pairs", type=int, default=450, help="sentences that four to six voices say at the same times")
    p.add_argument("--pair-voices", default="*", help="who says them, as names or patterns joined by commas, such as 'mix*,bf_*'")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--cores", default="", help="one worker on each of these cores, such as 0,1; without: one worker anywhere")
    p.add_argument("--nice", type=int, default=10)
    p.add_argument("--max-minutes", type=float, default=0, help="stop after so long; run again to go on")
    p.add_argument("--float32", action="store_true", help="no bfloat16, where the processor has it")
    return p.parse_args()


SLOW, FAST = 0.88, 1.18         # rates of speech


def free_jobs(a, voices, sentences, draw):
    """Round by round, so that a corpus that was stopped early has all voices."""
    mine = {}
    for v in voices:
        order = list(range(len(sentences)))
        draw(a.seed, "free", v["voice"]).shuffle(order)
        mine[v["voice"]] = order[:a.per_voice]
    for k in range(min(a.per_voice, len(sentences))):
        for v in voices:
            s = sentences[mine[v["voice"]][k]]
            speed = draw(a.seed, "speed", v["voice"], s["id"]).uniform(SLOW, FAST)
            yield {"kind": "free", "utt": s["id"], "text": s["text"], "voices": [v["voice"]], "speed": speed}


def pair_jobs(a, voices, sentences, draw):
    order = list(range(len(sentences)))
    draw(a.seed, "pairs").shuffle(order)
    wanted = a.pair_voices.split(",")
    names = [v["voice"] for v in voices if v["full_band"] != "unknown" and any(fnmatch(v["voice"], w) for w in wanted)]
    if len(names) < 6:
        sys.exit(f"--pair-voices {a.pair_voices}: {len(names)} voices of voices.tsv, of which six must be drawn")
    for k in order[:a.pairs]:
        s, r = sentences[k], draw(a.seed, "pair", sentences[k]["id"])
        yield {"kind": "pairs", "utt": s["id"], "text": s["text"], "voices": r.sample(names, r.randint(4, 6)),
               "speed": r.uniform(SLOW, FAST)}


def twin_jobs(a, voices, sentences, draw):
    return twins.jobs(a.out, a.corpus, voices, a.seed, draw)


JOBS = {"free": free_jobs, "pairs": pair_jobs, "twins": twin_jobs}


def name_of(job):
    return job["utt"] + ("_p" if job["kind"] == "pairs" else "")


def folder_of(kind):
    return "twins" if kind == "twins" else "speech"


def state_of(out, kind):
    return out / ("state-twins.jsonl" if kind == "twins" else "state.jsonl")


worker = {}


def begin(data, out, table_, cores, nice, float32):
    core = cores.get() if cores is not None else None
    if core is not None:
        os.sched_setaffinity(0, {core})
    os.nice(max(0, nice - os.nice(0)))
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    warnings.filterwarnings("ignore")
    import kokoro
    import phones
    import speech
    engine = kokoro.Kokoro(data, bfloat16=not float32)
    speaker = speech.Speaker(engine, kokoro.G2P(), phones.Aligner(data))
    worker.update(out=out, speaker=speaker, twins=twins.Twins(speaker), voices={v["voice"]: kokoro.Voice(data, v["voice"], v["packs"]) for v in table_})


def write(kind, voice, name, sound):
    import soundfile as sf
    folder = worker["out"] / folder_of(kind) / voice
    folder.mkdir(parents=True, exist_ok=True)
    tmp = folder / f".{name}.part"
    sf.write(tmp, sound, 24000, format="FLAC", subtype="PCM_16")
    tmp.replace(folder / f"{name}.flac")
    return round(len(sound) / 24000, 3)


def work(job):
    """-> lines for state.jsonl, one for each voice of the job."""
    import speech
    began = time.process_time()
    voices = [worker["voices"][v] for v in job["voices"]]
    name = name_of(job)
    try:
        if job["kind"] == "free":
            made = [worker["speaker"].free(job["text"], voices[0], job["speed"])]
        elif job["kind"] == "twins":
            made = worker["twins"](job, voices)
        else:
            made = worker["speaker"].together(job["text"], voices, job["speed"])
            if sum(not isinstance(m, str) for m in made) < 2:
                made = [m if isinstance(m, str) else "alone" for m in made]
    except speech.Refused as e:
        made = [str(e)] * len(voices)
    out = []
    for v, m in zip(voices, made):
        r = {"kind": job["kind"], "voice": v.name, "utt": name}
        if isinstance(m, str):
            r["left_out"] = m
        else:
            r |= {"seconds": write(job["kind"], v.name, name, m[0]), "text": job["text"], **m[2], "phones": m[1]}
        out.append(r)
    out[-1]["cpu_s"] = round(time.process_time() - began, 2)
    return out


def read_state(path, cut=True):
    """Lines that are whole; the one that was being written when it was stopped is cut off the file, or with cut=False left out only."""
    rows = []
    if path.exists():
        good = 0
        with open(path, "rb") as f:
            for line in f:
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    rows.pop()
                    break
                good += len(line)
        if cut and good < path.stat().st_size:
            os.truncate(path, good)
    return rows


def put(path, lines):
    """Writes a table whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_text("".join(lines), encoding="utf-8")
    path.with_suffix(".part").replace(path)


def write_tables(out, rows, kinds):
    """Transcripts and phone times for each voice, and the lists of pairs and twins, out of what was made."""
    by = {}
    for r in rows:
        if "left_out" not in r:
            by.setdefault((folder_of(r["kind"]), r["voice"]), []).append(r)
    for (folder, voice), mine in by.items():
        mine.sort(key=lambda r: r["utt"])
        put(out / folder / voice / "transcripts.tsv",
            ["utt\ttext\tsource_utt\n"] + [f"{r['utt']}\t{r['text']}\t{r['utt']}\n" for r in mine])
        put(out / ("phones" if folder == "speech" else "twins-phones") / f"{voice}.tsv",
            ["utt\tstart_s\tend_s\tphone\n"] + [f"{r['utt']}\t{s:.3f}\t{e:.3f}\t{p}\n" for r in mine for p, s, e in r["phones"]])
    if "twins" in kinds:
        mine = sorted((r["voice"], r["person"], r["utt"].split(".", 1)[1], r["likeness"], r["apart_s"], r["seconds"])
                      for r in rows if r["kind"] == "twins" and "left_out" not in r)
        put(out / "twins.tsv", ["voice\tperson\tutt\tlikeness\tapart_s\tseconds\n"] + ["\t".join(map(str, t)) + "\n" for t in mine])
    if not {"free", "pairs"} & set(kinds):
        return
    pairs = sorted((r["utt"], r["voice"], r["likeness"], r["seconds"]) for r in rows if r["kind"] == "pairs" and "left_out" not in r)
    put(out / "pairs.tsv", ["utt\tvoice\tlikeness\tseconds\n"] + ["\t".join(map(str, p)) + "\n" for p in pairs])


def main():
    a = arguments()
    one_thread()
    sys.path.insert(0, str(HERE))
    from speech import draw
    voices, sentences = table(HERE / "voices.tsv"), table(HERE / "sentences.tsv")
    a.out.mkdir(parents=True, exist_ok=True)
    kinds = a.only.split(",")
    for kind in kinds:
        if kind not in JOBS:
            sys.exit(f"--only {kind}: unknown, known are {', '.join(JOBS)}")
    states = {state_of(a.out, kind): None for kind in kinds}
    rows = []
    for path in states:
        states[path] = f = open(path, "a", encoding="utf-8")
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"{path}: another make.py is at work here: let it end, or take another --out")
        rows += read_state(path)
    for folder in {folder_of(kind) for kind in kinds}:       # what a run that was killed left behind
        for part in (a.out / folder).glob("*/.*.part"):
            part.unlink()
    done = {(r["kind"], r["voice"], r["utt"]) for r in rows}
    jobs = []
    for kind in kinds:
        mine = list(JOBS[kind](a, voices, sentences, draw))
        if not mine:
            print(f"{kind}: nothing to make" + (": run people.py first, or give --corpus" if kind == "twins" else ""), flush=True)
        jobs += mine
    todo = [j for j in jobs if any((j["kind"], v, name_of(j)) not in done for v in j["voices"])]
    print(f"{len(jobs)} lines, {len(jobs) - len(todo)} of them done", flush=True)
    context = multiprocessing.get_context("spawn")
    cores, n = None, 1
    if a.cores:
        list_ = [int(c) for c in a.cores.split(",")]
        n, cores = len(list_), context.Queue()
        for c in list_:
            cores.put(c)
    began, seconds, spent, told, count = time.time(), 0.0, 0.0, time.time(), 0
    with context.Pool(n, begin, (a.data, a.out, voices, cores, a.nice, a.float32)) as pool:
        for made in pool.imap_unordered(work, todo):
            f = states[state_of(a.out, made[0]["kind"])]
            f.write("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in made))
            f.flush()
            rows += made
            count += 1
            seconds += sum(r.get("seconds", 0) for r in made)
            spent += made[-1].get("cpu_s", 0)
            if time.time() - told > 60:
                told = time.time()
                left = (len(todo) - count) * (told - began) / count
                print(f"{count} of {len(todo)} lines, {seconds / 60:.1f} minutes of sound, {seconds / spent:.2f} s a second of a core, "
                      f"{left / 3600:.1f} h left", flush=True)
                write_tables(a.out, rows, kinds)
            if a.max_minutes and time.time() - began > 60 * a.max_minutes:
                pool.terminate()
                break
    write_tables(a.out, rows, kinds)
    good = [r for r in rows if "left_out" not in r]
    print(f"in all {sum(r['seconds'] for r in good) / 3600:.2f} h in {len({r['voice'] for r in good})} voices, "
          f"{len({r.get('text') for r in good})} sentences; {len(rows) - len(good)} lines left out")


if __name__ == "__main__":
    main()
