"""Grad-CAM of a small network with random weights, by PyTorch: writes attention.json beside this file.

Needs numpy and torch. Run: python test/oracles/attention.py
The network: 3x3 convolution to 3 channels, padding 1, ReLU, 2x2 max pool, 3x3 convolution to 4 channels, padding 1, ReLU,
flatten, dense to 3 classes; images 6 x 8 x 2 in [0, 1]. Maps of the last ReLU (3 x 4), divided by their maximum, then
interpolated bilinearly to 6 x 8.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(11)
rounded = lambda *shape, scale=1.0: np.round(rng.normal(size=shape) * scale, 4)
images = rng.integers(0, 256, size=(5, 6, 8, 2))
labels = [0, 2, 1, 2, 0]
# Layouts of Lethe: kernels [h, w, in, out], dense [in, out] with inputs (h, w, c).
weights = {
    "conv1.weight": rounded(3, 3, 2, 3, scale=0.5),
    "conv1.bias": rounded(3, scale=0.1),
    "conv2.weight": rounded(3, 3, 3, 4, scale=0.5),
    "conv2.bias": rounded(4, scale=0.1),
    "fc.weight": rounded(48, 3),
    "fc.bias": rounded(3),
}
w = {name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()}
x = torch.tensor(images, dtype=torch.float64).permute(0, 3, 1, 2) / 255
kernel = lambda name: w[name].permute(3, 2, 0, 1)
hidden = F.max_pool2d(F.relu(F.conv2d(x, kernel("conv1.weight"), w["conv1.bias"], padding=1)), 2)
seen = F.relu(F.conv2d(hidden, kernel("conv2.weight"), w["conv2.bias"], padding=1)).requires_grad_()
logits = seen.permute(0, 2, 3, 1).reshape(5, 48) @ w["fc.weight"] + w["fc.bias"]


def maps(classes):
    gradient = torch.autograd.grad(logits[torch.arange(5), classes].sum(), seen, retain_graph=True)[0]
    raw = F.relu((seen * gradient.mean((2, 3), keepdim=True)).sum(1, keepdim=True)).detach()
    peaks = raw.amax((1, 2, 3))
    scaled = raw / torch.where(peaks > 0, peaks, 1.0)[:, None, None, None]
    large = F.interpolate(scaled, size=(6, 8), mode="bilinear", align_corners=False)[:, 0]
    return {"maps": np.round(large.numpy(), 9).ravel().tolist(), "peaks": np.round(peaks.numpy(), 9).tolist()}


out = {
    "images": images.ravel().tolist(),
    "labels": labels,
    "weights": {name: {"shape": value.shape, "values": value.ravel().tolist()} for name, value in weights.items()},
    "ofLabels": maps(torch.tensor(labels)),
    "ofClass1": maps(torch.full((5,), 1)),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
print(out["ofLabels"]["peaks"], out["ofClass1"]["peaks"])
