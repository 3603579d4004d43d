"""The PyTorch side of the bench: reads one request a line (JSON) on stdin, answers one line on stdout.

Request: {"case": name, "rounds": n, ...shape}. Answer: {"ms": [samples]} of the better memory layout, or {"error": text}.
Each case does what the Lethe case of the same kind does, on random data of the same shape, in float32.
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, jvp, vmap

torch.manual_seed(0)
LAYOUTS = (torch.contiguous_format, torch.channels_last)


def measure(f, rounds):
    f()
    out = []
    for _ in range(rounds):
        start = time.perf_counter()
        f()
        out.append((time.perf_counter() - start) * 1e3)
    return out


def best(candidates, rounds):
    """Samples of the candidate with the smallest minimum; candidates are thunks that build a closure."""
    runs = [measure(make(), rounds) for make in candidates]
    return min(runs, key=min)


def small_cnn(classes=10):
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(), nn.Linear(128, classes))


def all_cnn(classes=10):
    def block(i, o, k, s):
        return [nn.Conv2d(i, o, k, s, (k - 1) // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
    a, b = 96, 192
    layers = block(3, a, 3, 1) + block(a, a, 3, 1) + block(a, b, 3, 2) + block(b, b, 3, 1) + block(b, b, 3, 1)
    layers += block(b, b, 3, 2) + block(b, b, 3, 1) + block(b, b, 1, 1)
    return nn.Sequential(*layers, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(b, classes))


class Block(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s != 1 or i != o else nn.Identity()

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + self.down(x))


def resnet18(classes=10):
    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    layers += [Block(*w) for w in widths]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


MODELS = {'smallCnn': small_cnn, 'allCnn': all_cnn, 'resnet18': resnet18}


def batch(n, layout):
    return torch.randn(n, 3, 32, 32).contiguous(memory_format=layout), torch.randint(0, 10, (n,))


def case_matmul(r):
    a, b = torch.randn(r['m'], r['k']), torch.randn(r['k'], r['n'])
    out = torch.empty(r['m'], r['n'])
    return [lambda: (lambda: torch.mm(a, b, out=out))]


def case_conv(r):
    def make(layout):
        def build():
            x = torch.randn(r['n'], r['c'], r['h'], r['h']).contiguous(memory_format=layout)
            w = torch.randn(r['o'], r['c'], r['k'], r['k']).contiguous(memory_format=layout)
            stride, pad = [r['stride']] * 2, [r['k'] // 2] * 2
            y = F.conv2d(x, w, None, stride, pad)
            dy = torch.randn_like(y)
            mask = {'input': [True, False, False], 'weight': [False, True, False]}.get(r['direction'])
            if mask is None:
                return lambda: F.conv2d(x, w, None, stride, pad)
            return lambda: torch.ops.aten.convolution_backward(dy, x, w, None, stride, pad, [1, 1], False, [0, 0], 1, mask)
        return build
    return [make(l) for l in LAYOUTS]


def case_train(r):
    def make(layout):
        def build():
            model = MODELS[r['model']]().to(memory_format=layout).train()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
            x, y = batch(r['n'], layout)

            def step():
                optimizer.zero_grad(set_to_none=True)
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            return step
        return build
    return [make(l) for l in LAYOUTS]


def case_fgsm(r):
    def make(layout):
        def build():
            model = MODELS[r['model']]().to(memory_format=layout).eval()
            x, y = batch(r['n'], layout)
            for p in model.parameters():
                p.requires_grad_(False)

            def run():
                z = x.detach().requires_grad_(True)
                return torch.autograd.grad(F.cross_entropy(model(z), y), z)[0].sign()
            return run
        return build
    return [make(l) for l in LAYOUTS]


def functional(model, x, y):
    params = {k: v.detach() for k, v in model.named_parameters()}
    loss = lambda p, a, b: F.cross_entropy(functional_call(model, p, (a,)), b)
    return params, loss


def case_persample(r):
    def build():
        model = MODELS[r['model']]().eval()
        x, y = batch(r['n'], torch.contiguous_format)
        params, loss = functional(model, x, y)
        one = lambda p, a, b: loss(p, a[None], b[None])
        return lambda: vmap(grad(one), in_dims=(None, 0, 0))(params, x, y)
    return [build]


def case_hvp(r):
    def forward_over_reverse():
        model = MODELS[r['model']]().eval()
        x, y = batch(r['n'], torch.contiguous_format)
        params, loss = functional(model, x, y)
        v = {k: torch.randn_like(p) for k, p in params.items()}
        return lambda: jvp(grad(lambda p: loss(p, x, y)), (params,), (v,))

    def twice_backward(layout):
        def build():
            model = MODELS[r['model']]().to(memory_format=layout).eval()
            x, y = batch(r['n'], layout)
            ps = list(model.parameters())
            v = [torch.randn_like(p) for p in ps]

            def run():
                g = torch.autograd.grad(F.cross_entropy(model(x), y), ps, create_graph=True)
                return torch.autograd.grad(g, ps, grad_outputs=v)
            return run
        return build
    return [forward_over_reverse] + [twice_backward(l) for l in LAYOUTS]


CASES = {k[5:]: f for k, f in list(globals().items()) if k.startswith('case_')}

print(json.dumps({'version': torch.__version__, 'threads': torch.get_num_threads()}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {'ms': best(CASES[request['case']](request), request['rounds'])}
    except Exception as error:  # the peer reports, the bench decides
        answer = {'error': f'{type(error).__name__}: {error}'}
    print(json.dumps(answer), flush=True)
