"""Writes Praat's F0 of recordings, from which the voicing network of the F0 tracker learns.

    python f0_references.py OUT FOLDER [FOLDER ...]

Every FOLDER holds one folder per speaker, with FLAC or WAV files. OUT/SPEAKER.txt gets a line per recording: its file
name, then Praat's F0 in Hz of every 10 ms, 0 = unvoiced, as in f0_praat.golden; f0_make_golden.py has the settings. Then

    go run ./features/train/cmd/voicing -speech FOLDER[,FOLDER] -references OUT -o features/f0_weights.go

Made with praat-parselmouth 0.4.7, soundfile 0.14.0 and numpy 2.4.6.
"""
import glob
import os
import sys

import parselmouth
import soundfile

from f0_make_golden import praat

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
for folder in sys.argv[2:]:
    for speaker in sorted(os.listdir(folder)):
        files = sorted(p for p in glob.glob(os.path.join(folder, speaker, "*")) if p.endswith((".flac", ".wav")))
        if not files:
            continue
        lines = ["# Made by f0_references.py with praat-parselmouth %s (Praat %s).\n"
                 % (parselmouth.__version__, parselmouth.PRAAT_VERSION)]
        for path in files:
            x, rate = soundfile.read(path)
            if x.ndim > 1:
                x = x.mean(axis=1)
            lines.append(os.path.basename(path) + " "
                         + " ".join("%.1f" % v if v > 0 else "0" for v in praat(x, rate)) + "\n")
        with open(os.path.join(out, speaker + ".txt"), "w") as file:
            file.writelines(lines)
        print("%-10s %4d recordings" % (speaker, len(files)))
