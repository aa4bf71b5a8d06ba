"""The two losses of a star step, term by term as in gan/train (losses.go, step.go), without a phone network."""

import torch
import torch.nn.functional as F

WEIGHTS = dict(adversarial=2.0, cycle=5.0, style=1.0, diversity=5.0, source_g=0.5, source_c=0.1, energy=1.0, r1=1.0)
SIGMA, MARGIN = 0.05, 0.5


def l1(a, b):
    return (a - b).abs().mean()


def cross_entropy(logits, hot):
    return -(F.log_softmax(logits, -1) * hot).sum(-1).mean()


def augment(x, shift, gain, mask):
    return (torch.bmm(x, shift).float() + gain) * mask


def energy(x, cfg):
    return (torch.exp((x * cfg.scale + cfg.mean).clamp(max=8.0)).mean(-1) + 1e-5).log()


def target_style(net, z, ref, target):
    half = len(z) // 2
    read, _ = net.style(ref[half:], target[half:])
    return torch.cat([net.map(z[:half], target[:half]), read.detach()])


def discriminator_loss(net, b, with_source):
    with torch.no_grad():
        style = target_style(net, b["z1"], b["ref"], b["target"])
        fake = net.generate(b["x"], b["moved"], style, b["taps"])
    aug = (b["shift"], b["gain"], b["mask"])
    real = augment(b["x"], *aug)
    seen = torch.cat([real, real + SIGMA * b["noise"], augment(fake, *aug)])
    on_real, on_disturbed, on_fake = net.judge(seen, torch.cat([b["y"], b["y"], b["target"]])).chunk(3)
    adversarial = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    r1 = ((on_disturbed - on_real) ** 2).mean() / SIGMA**2
    loss = adversarial + 0.5 * WEIGHTS["r1"] * r1
    source = torch.zeros((), device=loss.device)
    if with_source:
        source = cross_entropy(net.logits(fake, "cls"), b["y"])
        loss = loss + WEIGHTS["source_c"] * source
    return loss, dict(adv_d=adversarial, r1=r1, source_c=source)


def generator_loss(net, b, with_source, diversity_weight):
    """D and C are fixed here, and the second style is a constant."""
    w = WEIGHTS
    style = target_style(net, b["z1"], b["ref"], b["target"])
    content = net.encode(b["x"], b["taps"])
    fake = net.decode(content, b["moved"], style)
    adversarial = F.softplus(-net.judge(augment(fake, b["shift"], b["gain"], b["mask"]), b["target"], fixed=True)).mean()
    read, _ = net.style(fake, b["target"])
    style_loss = l1(style, read)
    with torch.no_grad():
        other = target_style(net, b["z2"], b["ref2"], b["target"])
        second = net.decode(content, b["moved"], other)
    diversity = l1(fake, second)
    own, common = net.style(b["x"], b["y"])
    cycle = l1(b["x"], net.generate(fake, b["own"], own, b["taps"]))
    level = F.relu((energy(b["x"], net.cfg) - energy(fake, net.cfg)).abs() - MARGIN).mean()
    common_loss = l1(own.detach(), common)
    loss = w["adversarial"] * adversarial + w["style"] * (style_loss + common_loss) - diversity_weight * diversity
    loss = loss + w["cycle"] * cycle + w["energy"] * level
    source = torch.zeros((), device=loss.device)
    if with_source:
        source = cross_entropy(net.logits(fake, "cls", fixed=True), b["target"])
        loss = loss + w["source_g"] * source
    return loss, dict(adv_g=adversarial, style=style_loss, diversity=diversity, cycle=cycle, energy=level, common=common_loss, source_g=source)
