#!/usr/bin/env python3
"""Compares the losses here with those that our own step gave for the same weights and inputs. See README.md."""

import json
import sys

import torch
from safetensors import safe_open

import losses
from networks import Config, Star

TOLERANCE = 1e-4


def main():
    with safe_open(sys.argv[1], "pt") as f:
        meta = f.metadata()
        tensors = {k: f.get_tensor(k) for k in f.keys()}
    g = json.loads(meta["gan"])
    cfg = Config(
        "tiny", tensors["in.y"].shape[1], mels=g["nMels"], kernel=g["kernel"], past=g["stemPast"], future=g["stemFuture"], style=g["styleDim"],
        latent=g["latentDim"], map_layers=g["mapLayers"], width=g["width"], hidden=g["hidden"], enc=g["encoderBlocks"],
        dec=g["decoderBlocks"], neck=g["bottleneck"], map_width=g["mapWidth"], body=g["bodyWidths"],
    )
    weights = {k: v for k, v in tensors.items() if not k.startswith("in.")}
    for name, shape in cfg.shapes().items():
        assert tuple(weights[name].shape) == tuple(shape), f"{name}: {tuple(weights[name].shape)} there, {shape} here"
    assert set(weights) == set(cfg.shapes()), "other names"
    net = Star(cfg)
    net.load(weights)
    b = {k[3:]: v for k, v in tensors.items() if k.startswith("in.")}
    here = losses.discriminator_loss(net, b, True)[1]
    here.update(losses.generator_loss(net, b, True, 1.0)[1])
    ours = json.loads(meta["losses"])
    worst = 0.0
    for name, value in here.items():
        difference = abs(value.item() - ours[name]) / max(1e-3, abs(ours[name]))
        worst = max(worst, difference)
        print(f"{name:10} {ours[name]:12.7f} {value.item():12.7f}  {difference:.1e}")
    if worst > TOLERANCE:
        sys.exit(f"the losses differ by up to {worst:.1e}, more than {TOLERANCE:.0e}")
    print("the same")


if __name__ == "__main__":
    main()
