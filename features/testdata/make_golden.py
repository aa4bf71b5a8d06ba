"""Writes mel_16000.golden and mel_24000.golden beside this file: ln(max(mel, floor)) as librosa computes it.

    pip install librosa soundfile
    python features/testdata/make_golden.py
"""

import pathlib

import librosa
import numpy as np
import scipy
import soundfile

HERE = pathlib.Path(__file__).resolve().parent
CLIP = "testdata/clips/kathleen_arctic_a0344.flac"
CLIP_FROM = 24000  # sample at which the excerpt of the clip begins


def voice(rate, samples):
    """Twelve harmonics of a gliding 120 Hz, and noise from a linear congruential generator."""
    t = np.arange(samples) / rate
    phase = 2 * np.pi * (120 * t + 60 * t * t)
    x = sum(0.3 / h * np.sin(h * phase) for h in range(1, 13))
    state, noise = 1, np.empty(samples)
    for i in range(samples):
        state = (state * 1664525 + 1013904223) % 2**32
        noise[i] = state / 2**32 - 0.5
    return (x + 0.02 * noise).astype(np.float32)


def click(samples):
    """One sample of 0.75 in silence, which shows the padding, the window's place and the floor."""
    x = np.zeros(samples, np.float32)
    x[777] = 0.75
    return x


def log_mel(x, rate, n_fft, win_length, hop, n_mels, fmax, floor):
    mel = librosa.feature.melspectrogram(
        y=x.astype(np.float64), sr=rate, n_fft=n_fft, win_length=win_length, hop_length=hop, window="hann",
        center=True, pad_mode="constant", power=1.0, n_mels=n_mels, fmin=0.0, fmax=fmax, htk=False, norm="slaney",
    )
    return np.log(np.maximum(mel, floor)).T


def main():
    clip, _ = soundfile.read(HERE.parent.parent / CLIP, dtype="float32")
    # At 24000 Hz the same bands as at 16000 Hz, with the same spacing on the mel scale, and ten more.
    fmax = librosa.mel_to_hz(librosa.hz_to_mel(8000) * 91 / 81)
    for rate, n_fft, win_length, hop, n_mels, fmax, floor in [
        (16000, 512, 400, 160, 80, 8000, 1e-5),
        (24000, 768, 600, 240, 90, fmax, 1.5e-5),
    ]:
        samples = 2 * rate // 5 + 7
        signals = {
            "voice": voice(rate, samples),
            "click": click(rate // 10),
            # The samples are taken as they stand, whatever the rate.
            "clip": clip[CLIP_FROM : CLIP_FROM + samples],
        }
        with open(HERE / f"mel_{rate}.golden", "w") as f:
            print("# made by: features/testdata/make_golden.py", file=f)
            print(f"# versions: librosa {librosa.__version__}, numpy {np.__version__}, scipy {scipy.__version__}", file=f)
            print(f"# numbers: ln(max(mel, {floor})), [frames, {n_mels}]", file=f)
            for name, x in signals.items():
                mel = log_mel(x, rate, n_fft, win_length, hop, n_mels, fmax, floor)
                print(name, *mel.shape, file=f)
                for row in mel:
                    print(" ".join(f"{v:.5f}" for v in row), file=f)


main()
