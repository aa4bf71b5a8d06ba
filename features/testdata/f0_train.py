"""Trains the voicing network of the F0 tracker and prints f0_weights.go.

    python f0_train.py dump.txt > ../f0_weights.go

Every line of dump.txt is one frame: speaker, number of the recording, the inputs of the network, and the reference's F0
in Hz (0 = unvoiced), separated by spaces; f0_material.py says how it is made. Speakers in HELD_OUT are scored, never
learned from. The committed weights were taught by, besides tones and noises, 14 recordings each of ls19, ls26, ls27, ls2033
(LibriSpeech speakers 19, 26, 27, 2033, CC BY 4.0), carlo and rufem (Asterisk prompts, Carlo Flora and Maxim of ivrvoice.ru,
CC BY 3.0), s0913 (AISHELL-1, Apache-2.0), and bdl and rms (synthetic voices made from CMU ARCTIC).
Made with scikit-learn 1.9.1 and numpy 2.4.6.
"""
import sys
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

HIDDEN = 12
HELD_OUT = ["lj", "kathleen", "allison", "june", "tan"]
warnings.filterwarnings("ignore")

rows = [line.split() for line in open(sys.argv[1])]
speaker = np.array([r[0] for r in rows])
data = np.array([[float(v) for v in r[2:]] for r in rows])
x, voiced = data[:, :-1], data[:, -1] > 0
learn = ~np.isin(speaker, HELD_OUT)

scaler = StandardScaler().fit(x[learn])
best = None
for seed in range(4):
    net = MLPClassifier((HIDDEN,), activation="tanh", alpha=1e-3, max_iter=80, early_stopping=True, random_state=seed)
    net.fit(scaler.transform(x[learn]), voiced[learn])
    wrong = np.mean(net.predict(scaler.transform(x[learn])) != voiced[learn])
    if best is None or wrong < best[0]:
        best = wrong, net
net = best[1]
p = net.predict(scaler.transform(x))
for s in sorted(set(speaker)):
    at = speaker == s
    print(f"{s:14s} {100 * np.mean(p[at] != voiced[at]):5.2f} %", "held out" if s in HELD_OUT else "", file=sys.stderr)

# The scaling of the inputs goes into the first layer.
w1 = net.coefs_[0] / scaler.scale_[:, None]
b1 = net.intercepts_[0] - scaler.mean_ @ w1
w2, b2 = net.coefs_[1][:, 0], net.intercepts_[1][0]
print("// Made by testdata/f0_train.py; not to be edited.\n\npackage features\n")
print("// f0Hidden is the width of the voicing network.\nconst f0Hidden = %d\n" % HIDDEN)
print("// f0VoicingWeights has a row per hidden unit: its bias, its weight in the output, then those of the inputs.")
print("var f0VoicingWeights = [f0Hidden][2 + f0Inputs]float64{")
for j in range(HIDDEN):
    row = ["%.4g" % v for v in [b1[j], w2[j], *w1[:, j]]]
    print("\t{\n\t\t" + ", ".join(row[:11]) + ",\n\t\t" + ", ".join(row[11:]) + ",\n\t},")
print("}\n\n// f0VoicingBias is the bias of the output.\nconst f0VoicingBias = %.4g" % b2)
