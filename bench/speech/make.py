#!/usr/bin/env python3
"""Makes a corpus of labelled English speech at 24 kHz, offline, on a CPU.

make.py --data FOLDER --out OUT [--cores 0,1] [--only free,pairs,twins] [--max-minutes 60]

FOLDER is what setup.sh made. Stopped at any time and run again, it goes on. Read README.md for what lies in OUT.
"""
import argparse
import csv
import json
import multiprocessing
import os
import resource
import sys
import time
import warnings
from pathlib import Path

from kokoro import one_thread

HERE = Path(__file__).resolve().parent


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, type=Path, help="what setup.sh made")
    p.add_argument("--out", required=True, type=Path)
    p.add_argument("--only", default="free,pairs", help="which jobs, in this order")
    p.add_argument("--per-voice", type=int, default=120, help="sentences of free text for each voice")
    p.add_argument("--pairs", type=int, default=450, help="sentences that four to six voices say at the same times")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--cores", default="", help="one worker on each of these cores, such as 0,1; without: one worker anywhere")
    p.add_argument("--nice", type=int, default=10)
    p.add_argument("--max-minutes", type=float, default=0, help="stop after so long; run again to go on")
    p.add_argument("--float32", action="store_true", help="no bfloat16, where the processor has it")
    return p.parse_args()


def table(path):
    return list(csv.DictReader(open(path, encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))


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
    names = [v["voice"] for v in voices if v["full_band"] != "unknown"]
    for k in order[:a.pairs]:
        s, r = sentences[k], draw(a.seed, "pair", sentences[k]["id"])
        yield {"kind": "pairs", "utt": s["id"], "text": s["text"], "voices": r.sample(names, r.randint(4, 6)),
               "speed": r.uniform(SLOW, FAST)}


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
    worker.update(out=out, speaker=speech.Speaker(engine, kokoro.G2P(), phones.Aligner(data)),
                  voices={v["voice"]: kokoro.Voice(data, v["voice"], v["packs"]) for v in table_})


def write(voice, name, sound):
    import soundfile as sf
    folder = worker["out"] / "speech" / voice
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
    name = job["utt"] + ("_p" if job["kind"] == "pairs" else "")
    try:
        if job["kind"] == "free":
            made = [worker["speaker"].free(job["text"], voices[0], job["speed"])]
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
            r |= {"seconds": write(v.name, name, m[0]), "text": job["text"], **m[2], "phones": m[1]}
        out.append(r)
    out[-1]["cpu_s"] = round(time.process_time() - began, 2)
    return out


def read_state(path):
    """Lines that are whole; the one that was being written when it was stopped is cut off."""
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
        if good < path.stat().st_size:
            os.truncate(path, good)
    return rows


def write_tables(out, rows):
    """Transcripts and phone times for each voice, and the list of pairs, out of what was made."""
    (out / "phones").mkdir(exist_ok=True)
    by = {}
    for r in rows:
        if "left_out" not in r and r["kind"] != "twins":
            by.setdefault(r["voice"], []).append(r)
    put = lambda path, lines: (path.with_suffix(".part").write_text("".join(lines), encoding="utf-8"), path.with_suffix(".part").replace(path))
    for voice, mine in by.items():
        mine.sort(key=lambda r: r["utt"])
        put(out / "speech" / voice / "transcripts.tsv",
            ["utt\ttext\tsource_utt\n"] + [f"{r['utt']}\t{r['text']}\t{r['utt']}\n" for r in mine])
        put(out / "phones" / f"{voice}.tsv",
            ["utt\tstart_s\tend_s\tphone\n"] + [f"{r['utt']}\t{s:.3f}\t{e:.3f}\t{p}\n" for r in mine for p, s, e in r["phones"]])
    pairs = sorted((r["utt"], r["voice"], r["likeness"], r["seconds"]) for r in rows if r["kind"] == "pairs" and "left_out" not in r)
    put(out / "pairs.tsv", ["utt\tvoice\tlikeness\tseconds\n"] + ["\t".join(map(str, p)) + "\n" for p in pairs])


def main():
    a = arguments()
    one_thread()
    sys.path.insert(0, str(HERE))
    from speech import draw
    voices, sentences = table(HERE / "voices.tsv"), table(HERE / "sentences.tsv")
    a.out.mkdir(parents=True, exist_ok=True)
    state = a.out / "state.jsonl"
    rows = read_state(state)
    done = {(r["kind"], r["voice"], r["utt"]) for r in rows}
    jobs = []
    for kind in a.only.split(","):
        made = {"free": free_jobs, "pairs": pair_jobs}.get(kind)
        if made is None:
            sys.exit(f"--only {kind}: unknown, known are free and pairs")
        jobs += made(a, voices, sentences, draw)
    todo = [j for j in jobs if any((j["kind"], v, j["utt"] + ("_p" if j["kind"] == "pairs" else "")) not in done for v in j["voices"])]
    print(f"{len(jobs)} lines, {len(jobs) - len(todo)} of them done", flush=True)
    context = multiprocessing.get_context("spawn")
    cores, n = None, 1
    if a.cores:
        list_ = [int(c) for c in a.cores.split(",")]
        n, cores = len(list_), context.Queue()
        for c in list_:
            cores.put(c)
    began, seconds, spent, told, count = time.time(), 0.0, 0.0, time.time(), 0
    with context.Pool(n, begin, (a.data, a.out, voices, cores, a.nice, a.float32)) as pool, open(state, "a", encoding="utf-8") as f:
        for made in pool.imap_unordered(work, todo):
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
                write_tables(a.out, rows)
            if a.max_minutes and time.time() - began > 60 * a.max_minutes:
                pool.terminate()
                break
    write_tables(a.out, rows)
    good = [r for r in rows if "left_out" not in r]
    print(f"in all {sum(r['seconds'] for r in good) / 3600:.2f} h in {len({r['voice'] for r in good})} voices, "
          f"{len({r.get('text') for r in good})} sentences; {len(rows) - len(good)} lines left out")


if __name__ == "__main__":
    main()
