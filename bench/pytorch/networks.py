"""The star's networks in PyTorch, for timing beside ours: G, F, E, D and C with the weights, names and sums of gan.Config.

Weights keep the names that they have in a model file. Kernels are stored as PyTorch likes them: [out, in, time, mel] and
[out, in, tap]; linear layers are [in, out] as ours.
"""

import math

import torch
import torch.nn.functional as F

CONTROLS = 3

PRESETS = {
    "tiny": dict(width=96, hidden=192, enc=2, dec=3, neck=32, map_width=64, body=[4, 8, 16, 24, 32], future=4),
    "small": dict(width=128, hidden=384, enc=3, dec=4, neck=48, map_width=128, body=[8, 16, 32, 64, 64], future=4),
    "medium": dict(width=192, hidden=576, enc=5, dec=6, neck=96, map_width=192, body=[16, 32, 64, 128, 128], future=4),
    "live": dict(width=256, hidden=768, enc=6, dec=8, neck=128, map_width=256, body=[32, 64, 128, 256, 256], future=4),
    "hq": dict(width=384, hidden=1152, enc=6, dec=8, neck=128, map_width=256, body=[32, 64, 128, 256, 256], future=8),
}


class Config:
    def __init__(self, preset="live", speakers=4, **other):
        self.mels, self.kernel, self.past, self.style, self.latent, self.map_layers = 80, 7, 4, 64, 16, 3
        self.mean, self.scale, self.speakers = -6.0, 2.0, speakers
        self.__dict__.update(PRESETS[preset])
        self.__dict__.update(other)

    @property
    def taps(self):
        return self.past + 1 + self.future

    def shapes(self):
        """Name and shape of every weight, shapes as in gan.Config."""
        s, w = {}, self.width

        def layer(name, *shape):
            s[name + ".w"], s[name + ".b"] = shape, (shape[-1],)

        def norm(name):
            s[name + ".gain"], s[name + ".bias"] = (w,), (w,)

        layer("gen.stem", self.taps, self.mels, w)
        for part, blocks in (("gen.enc", self.enc), ("gen.dec", self.dec)):
            for i in range(blocks):
                b = f"{part}.{i}"
                layer(b + ".dw", self.kernel, w)
                layer(b + ".ada", self.style, 2 * w) if part == "gen.dec" else norm(b + ".norm")
                layer(b + ".up", w, self.hidden)
                layer(b + ".down", self.hidden, w)
        norm("gen.neck.norm")
        layer("gen.neck.down", w, self.neck)
        layer("gen.neck.up", self.neck + CONTROLS, w)
        norm("gen.out.norm")
        layer("gen.out", w, self.mels)

        width = self.latent
        for i in range(self.map_layers):
            layer(f"map.shared.{i}", width, self.map_width)
            width = self.map_width
        s["map.head.w"], s["map.head.b"] = (self.speakers, width, self.style), (self.speakers, self.style)

        last = self.body[-1]
        for net in ("sty", "disc", "cls"):
            layer(net + ".stem", 3, 3, 1, self.body[0])
            for i, (a, b) in enumerate(zip(self.body, self.body[1:])):
                layer(f"{net}.block.{i}.conv1", 3, 3, a, a)
                layer(f"{net}.block.{i}.conv2", 3, 3, a, b)
                if a != b:
                    s[f"{net}.block.{i}.skip.w"] = (1, 1, a, b)
            layer(net + ".join", (self.mels >> (len(self.body) - 1)) * last, last)
        s["sty.head.w"], s["sty.head.b"] = (self.speakers, last, self.style), (self.speakers, self.style)
        layer("sty.common", last, self.style)
        layer("disc.head", last, self.speakers)
        layer("cls.head", last, self.speakers)
        return s


def to_torch(name, w):
    """A weight in our layout to the layout used here."""
    if w.dim() == 4:
        return w.permute(3, 2, 0, 1).contiguous()
    if name == "gen.stem.w":
        return w.permute(2, 1, 0).contiguous()
    if name.endswith(".dw.w"):
        return w.t().unsqueeze(1).contiguous()
    return w


class Star(torch.nn.Module):
    def __init__(self, cfg, seed=1):
        super().__init__()
        self.cfg = cfg
        g = torch.Generator().manual_seed(seed)
        self.names = {}
        for name, shape in cfg.shapes().items():
            if name.endswith(".gain"):
                w = torch.ones(shape)
            elif name.endswith((".b", ".bias")):
                w = torch.zeros(shape)
            else:
                w = torch.randn(shape, generator=g) / math.sqrt(max(1, math.prod(shape[:-1])))
            self.names[name] = name.replace(".", "_")
            self.register_parameter(self.names[name], torch.nn.Parameter(to_torch(name, w)))

    def w(self, name, fixed=False):
        w = getattr(self, self.names[name])
        return w.detach() if fixed else w

    def load(self, weights):
        with torch.no_grad():
            for name in self.names:
                self.w(name).copy_(to_torch(name, weights[name]))

    def part(self, prefix):
        return [self.w(n) for n in self.names if n.startswith(prefix)]

    def linear(self, x, name, fixed=False):
        return F.linear(x, self.w(name + ".w", fixed).t(), self.w(name + ".b", fixed))

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w(name + ".gain"), self.w(name + ".bias"), 1e-5)

    def ada(self, x, style, name):
        gamma, beta = self.linear(style, name).float().chunk(2, -1)
        return F.layer_norm(x.float(), x.shape[-1:], eps=1e-5) * (1 + gamma[:, None]) + beta[:, None]

    def block(self, h, name, norm):
        y = F.pad(h.transpose(1, 2), (self.cfg.kernel - 1, 0))
        y = F.conv1d(y, self.w(name + ".dw.w"), self.w(name + ".dw.b"), groups=h.shape[-1]).transpose(1, 2)
        y = F.gelu(self.linear(norm(y), name + ".up"), approximate="tanh")
        return h + self.linear(y, name + ".down")

    def encode(self, x, taps):
        c = self.cfg
        h = F.conv1d(F.pad(x.transpose(1, 2), (c.past, c.future)), self.w("gen.stem.w") * taps, self.w("gen.stem.b")).transpose(1, 2)
        for i in range(c.enc):
            name = f"gen.enc.{i}"
            h = self.block(h, name, lambda y: self.norm(y, name + ".norm"))
        return self.linear(self.norm(h, "gen.neck.norm"), "gen.neck.down")

    def decode(self, content, controls, style):
        h = self.linear(torch.cat([content.float(), controls], -1), "gen.neck.up")
        for i in range(self.cfg.dec):
            name = f"gen.dec.{i}"
            h = self.block(h, name, lambda y: self.ada(y, style, name + ".ada"))
        return self.linear(self.norm(h, "gen.out.norm"), "gen.out").float()

    def generate(self, x, controls, style, taps):
        return self.decode(self.encode(x, taps), controls, style)

    def select(self, v, hot, name):
        """The head of each item's speaker; all are computed, as ours does."""
        w = self.w(name + ".w")
        every = (v @ w.transpose(0, 1).reshape(w.shape[1], -1)).float().view(len(v), *self.w(name + ".b").shape)
        return ((every + self.w(name + ".b")) * hot[..., None]).sum(1)

    def map(self, z, hot):
        for i in range(self.cfg.map_layers):
            z = F.relu(self.linear(z, f"map.shared.{i}"))
        return self.select(z, hot, "map.head")

    def body(self, x, net, fixed=False):
        """What E, D and C share in form; fixed takes no gradient to the weights."""

        def conv(h, name):
            return F.conv2d(h, self.w(name + ".w", fixed), self.w(name + ".b", fixed), padding=1)

        h = conv(x.unsqueeze(1).contiguous(memory_format=torch.channels_last), net + ".stem")
        for i in range(len(self.cfg.body) - 1):
            b = f"{net}.block.{i}"
            r = F.avg_pool2d(conv(F.leaky_relu(h, 0.2), b + ".conv1"), 2)
            r = conv(F.leaky_relu(r, 0.2), b + ".conv2")
            skip = F.avg_pool2d(h, 2)
            if b + ".skip.w" in self.names:
                skip = F.conv2d(skip, self.w(b + ".skip.w", fixed))
            h = (r + skip) / math.sqrt(2)
        h = F.leaky_relu(h, 0.2).permute(0, 2, 3, 1).flatten(2)
        return F.leaky_relu(self.linear(h, net + ".join", fixed), 0.2).float().mean(1)

    def style(self, x, hot):
        v = self.body(x, "sty")
        return self.select(v, hot, "sty.head"), self.linear(v, "sty.common").float()

    def logits(self, x, net, fixed=False):
        return self.linear(self.body(x, net, fixed), net + ".head", fixed).float()

    def judge(self, x, hot, fixed=False):
        return (self.logits(x, "disc", fixed) * hot).sum(-1)
