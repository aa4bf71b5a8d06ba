#!/usr/bin/env python3
"""Times the star step, D's and then G's with their optimizers, in PyTorch: the yardstick for our own. See README.md."""

import argparse
import contextlib
import time

import torch

from losses import discriminator_loss, generator_loss
from networks import CONTROLS, Config, Star


def batch_of(cfg, size, frames, style_frames, device, seed):
    """One batch of random numbers in the shapes of training."""
    g = torch.Generator().manual_seed(seed)
    randn = lambda *shape: torch.randn(shape, generator=g)
    hot = lambda: torch.nn.functional.one_hot(torch.randint(cfg.speakers, (size,), generator=g), cfg.speakers).float()
    m = cfg.mels
    b = dict(
        x=randn(size, frames, m), ref=randn(size, style_frames, m), ref2=randn(size, style_frames, m),
        own=randn(size, frames, CONTROLS), moved=randn(size, frames, CONTROLS), y=hot(), target=hot(),
        z1=randn(size, cfg.latent), z2=randn(size, cfg.latent), noise=randn(size, frames, m),
        shift=torch.eye(m).repeat(size, 1, 1), gain=0.3 * randn(size, 1, 1), mask=torch.ones(size, frames, m), taps=torch.ones(cfg.taps),
    )
    return {k: v.pin_memory() for k, v in b.items()} if device.type == "cuda" else b


class Optimizer:
    """AdamW on named networks, each with a clip of its own gradient norm; no decay on vectors."""

    def __init__(self, net, rates, cuda):
        self.parts = []
        for prefix, rate in rates:
            params = net.part(prefix)
            groups = [dict(params=[p for p in params if p.dim() > 1], weight_decay=1e-4),
                      dict(params=[p for p in params if p.dim() < 2], weight_decay=0.0)]
            self.parts.append((params, torch.optim.AdamW(groups, lr=rate, betas=(0.0, 0.99), fused=cuda)))

    def step(self, loss):
        loss.backward()
        for params, adam in self.parts:
            torch.nn.utils.clip_grad_norm_(params, 5.0)
            adam.step()
            adam.zero_grad(set_to_none=True)


class Average:
    """The moving average of G, F and E that is exported."""

    def __init__(self, net):
        self.live = [p for prefix in ("gen.", "map.", "sty.") for p in net.part(prefix)]
        self.mean = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def update(self, decay=0.999):
        torch._foreach_lerp_(self.mean, [p.detach() for p in self.live], 1 - decay)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--preset", default="live", choices=["tiny", "small", "medium", "live", "hq"])
    p.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--crop", type=int, default=128, help="frames of a crop; 128 are 1.28 s")
    p.add_argument("--style-frames", type=int, default=128)
    p.add_argument("--speakers", type=int, default=4)
    p.add_argument("--steps", type=int, default=100, help="steps that count")
    p.add_argument("--warm-up", type=int, default=20, help="steps before them, which compile")
    p.add_argument("--precision", default="bf16", choices=["bf16", "tf32", "fp32"])
    p.add_argument("--compile", default="default", help="mode of torch.compile (default, max-autotune, ...), or off")
    p.add_argument("--no-source", action="store_true", help="leave the source classifier out, as the first third of the star does")
    a = p.parse_args()

    device = torch.device(a.device)
    cuda = device.type == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = a.precision != "fp32"
    torch.backends.cudnn.benchmark = True
    cfg = Config(a.preset, a.speakers)
    net = Star(cfg).to(device)
    for prefix in ("gen", "map", "sty", "disc", "cls"):
        print(f"{prefix}: {sum(w.numel() for w in net.part(prefix + '.'))} weights")

    source = not a.no_source
    d_loss = lambda b: discriminator_loss(net, b, source)[0]
    g_loss = lambda b: generator_loss(net, b, source, 0.5)[0]
    if a.compile != "off":
        d_loss, g_loss = torch.compile(d_loss, mode=a.compile), torch.compile(g_loss, mode=a.compile)
    d_adam = Optimizer(net, [("disc.", 2e-4)] + ([("cls.", 2e-4)] if source else []), cuda)
    g_adam = Optimizer(net, [("gen.", 2e-4), ("map.", 2e-6), ("sty.", 2e-4)], cuda)
    average = Average(net)
    batches = [batch_of(cfg, a.batch, a.crop, a.style_frames, device, i) for i in range(4)]
    cast = lambda: torch.autocast(device.type, torch.bfloat16) if a.precision == "bf16" else contextlib.nullcontext()
    wait = torch.cuda.synchronize if cuda else lambda: None

    def step(i):
        b = {k: v.to(device, non_blocking=True) for k, v in batches[i % len(batches)].items()}
        with cast():
            loss = d_loss(b)
        d_adam.step(loss)
        with cast():
            loss = g_loss(b)
        g_adam.step(loss)
        average.update()
        return loss

    began = time.perf_counter()
    for i in range(a.warm_up):
        step(i)
    wait()
    print(f"{a.warm_up} steps of warm-up: {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    for i in range(a.steps):
        loss = step(i)
    wait()
    seconds = time.perf_counter() - began
    name = torch.cuda.get_device_name(device) if cuda else "cpu"
    memory = f", {torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB at most" if cuda else ""
    print(f"PyTorch {torch.__version__}, {name}, preset {a.preset}, batch {a.batch} of {a.crop} frames, {a.precision}, compile {a.compile}: "
          f"{a.steps / seconds:.2f} steps/s (D + G){memory}; last loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
