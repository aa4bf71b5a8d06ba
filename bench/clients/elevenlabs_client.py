#!/usr/bin/env python3
"""The official ElevenLabs client against vc serve: lists voices, converts a file, and streams one.

    pip install elevenlabs
    vc serve &
    python3 bench/clients/elevenlabs_client.py in.wav [--url http://127.0.0.1:8080] [--voice lj] [--token SECRET]

It writes converted.mp3 (or .wav where the server has no ffmpeg) and streamed.wav, and fails where anything is not as the client's
own service would give it.
"""

import argparse
import os
import sys
import time
import wave

import elevenlabs
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError


def main():
    p = argparse.ArgumentParser()
    p.add_argument("recording")
    p.add_argument("--url", default="http://127.0.0.1:8080")
    p.add_argument("--voice", default="lj")
    p.add_argument("--token", default="none")
    p.add_argument("--out", default=".")
    a = p.parse_args()

    client = ElevenLabs(base_url=a.url, api_key=a.token)
    print("elevenlabs client", elevenlabs.__version__ if hasattr(elevenlabs, "__version__") else "")

    voices = client.voices.get_all().voices
    print(len(voices), "voices:", ", ".join(v.voice_id for v in voices[:5]), "...")
    found = client.voices.search(search=a.voice)
    assert any(v.voice_id == a.voice for v in found.voices), found
    one = client.voices.get(voice_id=a.voice)
    print("voice:", one.voice_id, "-", one.description, "-", one.preview_url)
    assert any(m.can_do_voice_conversion for m in client.models.list())

    start = time.monotonic()
    with open(a.recording, "rb") as f:
        made = b"".join(client.speech_to_speech.convert(
            voice_id=a.voice, audio=f, output_format="mp3_44100_128", model_id="eleven_multilingual_sts_v2",
            voice_settings='{"stability": 0.5, "style": 0.1}', seed=7, remove_background_noise=False))
    assert made[:3] == b"ID3" or made[0] == 0xFF, made[:20]
    os.makedirs(a.out, exist_ok=True)
    with open(a.out + "/converted.mp3", "wb") as out:
        out.write(made)
    print(f"converted: {len(made)} bytes of MP3 in {time.monotonic() - start:.2f} s")

    for hurry in (0, 3):
        start, first, pieces = time.monotonic(), None, []
        with open(a.recording, "rb") as f:
            for piece in client.speech_to_speech.stream(
                    voice_id=a.voice, audio=f, output_format="pcm_24000", optimize_streaming_latency=hurry):
                first = first or time.monotonic() - start
                pieces.append(piece)
        sound = b"".join(pieces)
        whole = time.monotonic() - start
        with wave.open(a.out + "/streamed.wav", "wb") as w:
            w.setnchannels(1), w.setsampwidth(2), w.setframerate(24000)
            w.writeframes(sound)
        print(f"streamed, optimize_streaming_latency={hurry}: first sound after {first:.2f} s, "
              f"{len(sound) / 48000:.2f} s of sound in {len(pieces)} pieces in {whole:.2f} s")
        assert first < whole

    for what, call in {
        "no such voice": lambda: client.voices.get(voice_id="nobody"),
        "no such format": lambda: b"".join(client.speech_to_speech.convert(
            voice_id=a.voice, audio=open(a.recording, "rb"), output_format="mp3_1_1")),
        "no recording": lambda: b"".join(client.speech_to_speech.convert(voice_id=a.voice, audio=b"text")),
    }.items():
        try:
            call()
        except ApiError as e:
            print(f"{what}: {type(e).__name__} {e.status_code} {e.body}")
        else:
            sys.exit(f"{what}: no error")


main()
