"""The PyTorch side of the bench: reads one request a line (JSON) on stdin, answers one line on stdout.

Request: {"case": name, "rounds": n, "repeats": m, ...shape}. Answer: {"ms": [samples], "values": [...]} of the better
memory layout, or {"error": text}. A sample is the time of one run, where m runs are waited for together. Each case does
what the Lethe case of the same kind does, on the inputs of bench/inputs.ts where it is asked for values ("check").
"device" is cpu or cuda; "precision" is f32 (exact products), tf32 or bf16 (autocast, or operands of that type).
"""
import contextlib
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, jvp, vmap

torch.manual_seed(0)
LAYOUTS = (torch.contiguous_format, torch.channels_last)
# What the current request asks for.
DEVICE, PRECISION = 'cpu', 'f32'


def configure(r):
    global DEVICE, PRECISION
    DEVICE, PRECISION = r.get('device', 'cpu'), r.get('precision', 'f32')
    torch.set_default_device(DEVICE)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = PRECISION != 'f32'
    torch.backends.cudnn.benchmark = True


def dtype():
    return torch.bfloat16 if PRECISION == 'bf16' else torch.float32


def autocast():
    return torch.autocast(DEVICE, torch.bfloat16) if PRECISION == 'bf16' else contextlib.nullcontext()


def wait():
    if DEVICE == 'cuda':
        torch.cuda.synchronize()


def measure(f, rounds, repeats):
    f()
    f()
    wait()
    out = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            f()
        wait()
        out.append((time.perf_counter() - start) * 1e3 / repeats)
    return out


def checked(f, check):
    """Elements of the results of the first runs, as float32 in the layout of the bench."""
    if not check:
        return []
    out = []
    for _ in range(check['runs']):
        y = f()
        if y.dim() == 4:  # [n, c, h, w] to NHWC; [o, i, h, w] to HWIO where the case says so
            y = y.permute(getattr(f, 'order', (0, 2, 3, 1)))
        y = y.detach().float().reshape(-1)
        out += y[torch.tensor(check['at'])].tolist()
    return out


def best(candidates, r):
    """Samples of the candidate with the smallest minimum; candidates are thunks that build a closure."""
    runs = []
    for make in candidates:
        f = make()
        known = r['case'] in COMPARED and r.get('model', 'smallCnn') == 'smallCnn'
        values = checked(f, r.get('check')) if known else []
        runs.append({'ms': measure(f, r['rounds'], r.get('repeats', 1)), 'values': values})
    return min(runs, key=lambda a: min(a['ms']))


def uniform(n, shape, scale=1.0):
    """Input n of bench/inputs.ts."""
    low = 0xffffffff
    size = 1
    for s in shape:
        size *= s
    h = torch.arange(size, dtype=torch.int64)
    # Products of 32 bits by 32 bits, of which the low half is kept: the factor in two halves, so that nothing overflows.
    times = lambda x, f: (x * (f & 0xffff) + ((x * (f >> 16)) & 0xffff) * 65536) & low
    h = (times(h, 0x9e3779b1) + (((n + 1) * 0x7f4a7c15) & low)) & low
    h = times(h ^ (h >> 15), 0x2c1b3c6d)
    h = times(h ^ (h >> 12), 0x297a2d39)
    h = h ^ (h >> 15)
    return ((((h >> 8).double() * 2 ** -23) - 1) * scale).float().reshape(shape)


def nchw(x):
    return x.permute(0, 3, 1, 2)


def weight_scale(fan_in):
    return (3 / fan_in) ** 0.5


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
    x = nchw(uniform(0, (n, 32, 32, 3))).contiguous(memory_format=layout)
    return x, torch.floor((uniform(1, (n,)) + 1) * 5).long()


def known_weights(model):
    """The weights of bench/cases.ts; for models whose layers stand in the order of their inputs' numbers."""
    number = 10
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, nn.Conv2d):
                o, i, h, w = m.weight.shape
                m.weight.copy_(uniform(number, (h, w, i, o), weight_scale(h * w * i)).permute(3, 2, 0, 1))
            elif isinstance(m, nn.Linear):
                o, i = m.weight.shape
                w = uniform(number, (i, o), weight_scale(i))
                if i == 4096:  # flattened from NHWC there, from NCHW here
                    w = w.reshape(8, 8, 64, o).permute(2, 0, 1, 3).reshape(i, o)
                m.weight.copy_(w.t())
            else:
                continue
            number += 1
            if m.bias is not None:
                m.bias.zero_()
    return model


def case_matmul(r):
    def build():
        a, b = uniform(0, (r['m'], r['k'])).to(dtype()), uniform(1, (r['k'], r['n'])).to(dtype())
        out = torch.empty(r['m'], r['n'], dtype=dtype())
        return lambda: torch.mm(a, b, out=out)
    return [build]


def case_elementwise(r):
    def build():
        x, y = uniform(0, (r['n'],)), uniform(1, (r['n'],))
        if r['operands'] == 2:
            out = torch.empty_like(x)
            return lambda: torch.add(x, y, out=out)
        return lambda: F.relu(x * 0.5 + y) * torch.tanh(y)
    return [build]


def case_reduction(r):
    def build():
        x = uniform(0, (r['rows'], r['columns']))
        return lambda: x.sum() if r['axis'] < 0 else x.sum(r['axis'])
    return [build]


def case_conv(r):
    def make(layout):
        def build():
            n, c, o, h, k, s = (r[name] for name in ('n', 'c', 'o', 'h', 'k', 'stride'))
            place = lambda t: t.to(dtype()).contiguous(memory_format=layout)
            x = place(nchw(uniform(0, (n, h, h, c))))
            w = place(uniform(1, (k, k, c, o), weight_scale(k * k * c)).permute(3, 2, 0, 1))
            dy = place(nchw(uniform(2, (n, h // s, h // s, o))))
            stride, pad = [s] * 2, [k // 2] * 2
            if r['direction'] == 'forward':
                return lambda: F.conv2d(x, w, None, stride, pad)
            which = ['input', 'weight'].index(r['direction'])
            mask = [which == 0, which == 1, False]
            backward = lambda: torch.ops.aten.convolution_backward(
                dy, x, w, None, stride, pad, [1, 1], False, [0, 0], 1, mask)[which]
            if which == 1:
                backward.order = (2, 3, 1, 0)
            return backward
        return build
    return [make(l) for l in LAYOUTS]


def case_attention(r):
    def build():
        shape = (1, r['heads'], r['tokens'], r['width'])
        q, k, v, dy = (uniform(n, shape).to(dtype()) for n in range(4))
        attend = lambda: F.scaled_dot_product_attention(q, k, v, scale=r['scale'])
        attend.order = (0, 1, 2, 3)
        if r['direction'] == 'forward':
            return attend
        for x in (q, k, v):
            x.requires_grad_(True)
        backward = lambda: torch.autograd.grad(attend(), (q, k, v), dy)[0]
        backward.order = (0, 1, 2, 3)
        return backward
    return [build]


def forward_and_backward(f, operands, dy):
    """A run of f alone, or with the gradients of its operands where dy is given; the first is what is compared."""
    if dy is None:
        return f
    for x in operands:
        x.requires_grad_(True)
    return lambda: torch.autograd.grad(f(), operands, dy)[0]


def case_softmax(r):
    def build():
        x = uniform(0, r['shape'], r['spread']).to(dtype())
        f = F.log_softmax if r['log'] else F.softmax
        dy = None if r['direction'] == 'forward' else uniform(3, r['shape']).to(dtype())
        run = forward_and_backward(lambda: f(x, -1), (x,), dy)
        run.order = (0, 1, 2, 3)
        return run
    return [build]


def case_norm(r):
    def make(layout):
        def build():
            shape = r['shape']
            place = lambda t: nchw(t).to(dtype()).contiguous(memory_format=layout) if len(shape) == 4 else t.to(dtype())
            x, scale, shift = place(uniform(0, shape)), uniform(1, shape[-1:]), uniform(2, shape[-1:])
            dy = None if r['direction'] == 'forward' else place(uniform(3, shape))
            f = {
                'layer': lambda: F.layer_norm(x, shape[-1:], scale, shift, r['epsilon']),
                'group': lambda: F.group_norm(x, r['groups'], scale, shift, r['epsilon']),
                'batch': lambda: F.batch_norm(x, None, None, scale, shift, True, 0.1, r['epsilon']),
            }[r['kind']]
            return forward_and_backward(f, (x, scale, shift), dy)
        return build
    return [make(l) for l in (LAYOUTS if len(r['shape']) == 4 else LAYOUTS[:1])]


def case_train(r):
    def make(layout):
        def build():
            model = known_weights(MODELS[r['model']]()).to(memory_format=layout).train()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
            x, y = batch(r['n'], layout)

            def step():
                optimizer.zero_grad(set_to_none=True)
                with autocast():
                    loss = F.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
                return loss
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
                with autocast():
                    loss = F.cross_entropy(model(z), y)
                return torch.autograd.grad(loss, z)[0].sign()
            return run
        return build
    return [make(l) for l in LAYOUTS]


def functional(model, x, y):
    params = {k: v.detach() for k, v in model.named_parameters()}

    def loss(p, a, b):
        with autocast():
            return F.cross_entropy(functional_call(model, p, (a,)), b)
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
                with autocast():
                    loss = F.cross_entropy(model(x), y)
                g = torch.autograd.grad(loss, ps, create_graph=True)
                return torch.autograd.grad(g, ps, grad_outputs=v)
            return run
        return build
    return [forward_over_reverse] + [twice_backward(l) for l in LAYOUTS]


# The cases whose results are compared with ours; training where the layers are numbered as ours are.
COMPARED = ('matmul', 'conv', 'attention', 'softmax', 'norm', 'elementwise', 'reduction', 'train')
CASES = {k[5:]: f for k, f in list(globals().items()) if k.startswith('case_')}

print(json.dumps({'name': f'PyTorch {torch.__version__}', 'threads': torch.get_num_threads(),
                  'cuda': torch.cuda.is_available()}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        configure(request)
        answer = best(CASES[request['case']](request), request)
    except Exception as error:  # the peer reports, the bench decides
        answer = {'error': f'{type(error).__name__}: {error}'}
        if DEVICE == 'cuda':
            torch.cuda.empty_cache()
    print(json.dumps(answer), flush=True)
