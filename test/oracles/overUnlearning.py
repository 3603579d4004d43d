"""OU@eps of two small networks with random weights, by PyTorch: writes overUnlearning.json beside this file.

Needs numpy and torch. Run: python test/oracles/overUnlearning.py
Network: (x - mean) / std by channel, 3x3 convolution to 3 channels, padding 1, ReLU, flatten, dense to 4 classes; images
5 x 4 x 2 in [0, 1], all of class 1, which was forgotten. The start is given, so that both sides search from the same.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(23)
N, H, W, C, K, GONE = 6, 5, 4, 2, 4, 1
RADIUS, STEP, STEPS = 0.03, 0.01, 3
MEAN, STD = [0.4, 0.5], [0.3, 0.25]
rounded = lambda *shape, scale=1.0: np.round(rng.normal(size=shape) * scale, 4)
images = rng.integers(0, 256, size=(N, H, W, C))
noise = np.round(rng.uniform(-RADIUS, RADIUS, size=(N, H, W, C)), 6)


def network():
    return {
        "conv.weight": rounded(3, 3, C, 3, scale=0.4),
        "conv.bias": rounded(3, scale=0.1),
        "fc.weight": rounded(H * W * 3, K, scale=0.4),
        "fc.bias": rounded(K),
    }


networks = {"original": network(), "own": network()}
as_tensor = lambda values: torch.tensor(values, dtype=torch.float64)
mean, std = as_tensor(MEAN), as_tensor(STD)


def behind(which, x):
    """Logits of a normalised input."""
    w = {name: as_tensor(value) for name, value in networks[which].items()}
    hidden = F.relu(F.conv2d(x.permute(0, 3, 1, 2), w["conv.weight"].permute(3, 2, 0, 1), w["conv.bias"], padding=1))
    return hidden.permute(0, 2, 3, 1).reshape(len(x), -1) @ w["fc.weight"] + w["fc.bias"]


def disturbed(variant):
    x = as_tensor(images) / 255
    released = variant == "asReleased"
    if released:
        x = (x - mean) / std
    logits = (lambda which, v: behind(which, v)) if released else (lambda which, v: behind(which, (v - mean) / std))
    clean = logits("original", x).clone()
    clean[:, GONE] = -torch.inf
    target = clean.argmax(1)
    inside = lambda v: torch.clamp(torch.minimum(torch.maximum(v, x - RADIUS), x + RADIUS), 0, 1)
    moved = inside(x + as_tensor(noise))
    for _ in range(STEPS):
        moved = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits("original", moved), target), moved)
        moved = inside(moved + (1 if released else -1) * STEP * gradient.sign())
    return logits("original", moved.detach()), logits("own", moved.detach())


def mask(p):
    p = p.clone()
    p[:, GONE] = 0
    return p / p.sum(1, keepdim=True)


def js(p, q):
    middle = (p + q) / 2
    part = lambda a: torch.special.xlogy(a, a) - torch.special.xlogy(a, middle)
    return 0.5 * (part(p) + part(q)).sum(1)


out = {"images": images.ravel().tolist(), "noise": noise.ravel().tolist(), "networks": {}, "found": {}}
for which, weights in networks.items():
    out["networks"][which] = {n: {"shape": v.shape, "values": v.ravel().tolist()} for n, v in weights.items()}
for variant in ("fixed", "asReleased"):
    original, own = disturbed(variant)
    po, pu = original.softmax(1), own.softmax(1)
    out["found"][variant] = {
        "original": np.round(original.numpy(), 9).ravel().tolist(),
        "own": np.round(own.numpy(), 9).ravel().tolist(),
        "maskedOriginal": np.round(js(mask(po), pu).numpy(), 12).tolist(),
        "maskedBoth": np.round(js(mask(po), mask(pu)).numpy(), 12).tolist(),
    }
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
print({variant: float(np.mean(found["maskedOriginal"])) for variant, found in out["found"].items()})
