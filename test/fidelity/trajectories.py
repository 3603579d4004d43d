# The weights that each method's released code would reach on a tiny problem, step by step, in double precision: written
# with PyTorch from descriptions of the methods, apart from the TypeScript they are compared with. Every set is one batch,
# so that no order of samples enters; random labels are labels of two classes, of which only one is another.
#
#   python3 test/fidelity/trajectories.py        (PyTorch 2.6; rewrites test/fidelity/trajectories.json)
#
# Parameters are stored as Lethe keeps them: convolutions [height, width, in, out], dense layers [in, out].

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = Path(__file__).parent
STEPS = 3


class Net:
    """conv 3x3 without bias, batch normalisation, relu, max pooling, dense; images [N, 6, 6, 1] in [0, 1]."""

    def __init__(self, p, s):
        self.p = {k: v.detach().clone().requires_grad_() for k, v in p.items()}
        self.s = {k: v.clone() for k, v in s.items()}

    def copy(self):
        return Net(self.p, self.s)

    def __call__(self, x, train=False, keep=True):
        """`keep`: whether running statistics take part."""
        p, s = self.p, self.s if keep else {k: v.clone() for k, v in self.s.items()}
        h = F.conv2d(x.permute(0, 3, 1, 2), p["conv.weight"].permute(3, 2, 0, 1), padding=1)
        mean, variance = s["bn.mean"], s["bn.variance"]
        h = F.batch_norm(h, mean, variance, p["bn.weight"], p["bn.bias"], training=train, momentum=0.1)
        h = F.max_pool2d(F.relu(h), 2).permute(0, 2, 3, 1)
        return h.reshape(len(x), -1) @ p["fc.weight"] + p["fc.bias"]

    def gradient(self, loss):
        return dict(zip(self.p, torch.autograd.grad(loss, list(self.p.values()))))

    def values(self):
        tree = {**{f"params.{k}": v for k, v in self.p.items()}, **{f"state.{k}": v for k, v in self.s.items()}}
        return {k: [float(f"{x:.10g}") for x in v.detach().flatten().tolist()] for k, v in tree.items()}


def fresh(classes, generator):
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    p = {
        "conv.weight": draw(3, 3, 1, 3) * 0.4,
        "bn.weight": 1 + 0.1 * draw(3),
        "bn.bias": 0.1 * draw(3),
        "fc.weight": draw(27, classes) * 0.2,
        "fc.bias": 0.1 * draw(classes),
    }
    return Net(p, {"bn.mean": torch.zeros(3), "bn.variance": torch.ones(3)})


def problem(classes, size, seed, chosen):
    """Images whose class lights up columns of its own, an original trained on them, a random network, and the cut."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(size) % classes
    bytes_ = torch.randint(0, 150, (size, 6, 6, 1), generator=g)
    width = 6 // classes
    for i, y in enumerate(labels.tolist()):
        bytes_[i, :, width * y : width * (y + 1)] += 70
    x = bytes_ / 255
    original, other = fresh(classes, g), fresh(classes, g)
    optimizer = torch.optim.SGD(original.p.values(), lr=0.05, momentum=0.9)
    for _ in range(8):
        optimizer.zero_grad()
        F.cross_entropy(original(x, True), labels).backward()
        optimizer.step()
    f = torch.tensor([i for i in range(size) if chosen(i, int(labels[i]))])
    r = torch.tensor([i for i in range(size) if i not in f.tolist()])
    return {
        "bytes": bytes_, "labels": labels, "classes": classes, "original": original, "other": other,
        "x": x, "f": f, "r": r, "xf": x[f], "yf": labels[f], "xr": x[r], "yr": labels[r],
    }  # fmt: skip


three = problem(3, 24, 1, lambda i, y: y == 1)
two = problem(2, 20, 2, lambda i, y: i < 6)


def descend(start, losses, make, after=lambda net, epoch: None):
    """After each of STEPS epochs: a step of one optimiser for every loss of the epoch."""
    net = start.copy()
    optimizer = make(net.p.values())
    seen = []
    for epoch in range(STEPS):
        for loss in losses(net, epoch):
            optimizer.zero_grad()
            loss().backward()
            before = {k: v.detach().clone() for k, v in net.p.items()}
            optimizer.step()
            after(net, before)
        seen.append(net.values())
    return seen


def sgd(lr=0.05, momentum=0.9, decay=5e-4):
    return lambda parameters: torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=decay)


ce = F.cross_entropy


def finetune():
    q = three
    return descend(q["original"], lambda net, _: [lambda: ce(net(q["xr"], True), q["yr"])], sgd())


def gradient_ascent():
    q = three
    return descend(q["original"], lambda net, _: [lambda: -ce(net(q["xf"], True), q["yf"])], sgd(0.02))


def random_labels():
    """A phase over the forgotten samples with another label, then one over those that are kept."""
    q = two
    return descend(
        q["original"],
        lambda net, _: [lambda: ce(net(q["xf"], True), 1 - q["yf"]), lambda: ce(net(q["xr"], True), q["yr"])],
        sgd(),
    )


def sign_step(net, x, y, epsilon, convention):
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(ce(net(x), y, reduction="sum"), x)
    x = x.detach()
    if convention == "pixel":
        return (x + epsilon * g.sign()).clamp(0, 1)
    # The released code: inputs (x - 0.5) / 0.5, "pixels" by CIFAR-10's statistics, eight bits.
    shown = (x - 0.5) / 0.5 * 0.2023 + 0.4914
    shown = ((shown + epsilon * g.sign()).clamp(0, 1) * 255).round() / 255
    return (shown - 0.4914) / 0.2023 * 0.5 + 0.5


def boundary_shrink(convention, exclude):
    q = three
    logits = q["original"](sign_step(q["original"], q["xf"], q["yf"], 0.1, convention)).detach()
    if exclude:
        logits[torch.arange(len(logits)), q["yf"]] = -math.inf
    y = logits.argmax(1)
    return descend(q["original"], lambda net, _: [lambda: ce(net(q["xf"], True), y)], sgd(0.02, decay=0))


def boundary_expanding(row):
    """`row`: first weights [27] and bias of the shadow class."""
    q = three
    o = q["original"]
    weight = torch.cat([o.p["fc.weight"].detach(), torch.tensor(row["weight"]).reshape(-1, 1)], 1)
    bias = torch.cat([o.p["fc.bias"].detach(), torch.tensor(row["bias"])])
    wide = Net({**o.p, "fc.weight": weight, "fc.bias": bias}, o.s)
    y = torch.full_like(q["yf"], 3)
    seen = descend(wide, lambda net, _: [lambda: ce(net(q["xf"], True), y)], sgd(0.02, decay=0))
    for step in seen:
        cut = torch.tensor(step["params.fc.weight"]).reshape(27, 4)[:, :3]
        step["params.fc.weight"] = cut.flatten().tolist()
        step["params.fc.bias"] = step["params.fc.bias"][:3]
    return seen


def saliency(net, x, y, density):
    """1 for the largest |sum of gradients|, one ranking over all parameters, evaluation mode."""
    g = net.gradient(ce(net(x), y, reduction="sum"))
    flat = torch.cat([v.flatten() for v in g.values()]).abs()
    keep = torch.zeros_like(flat)
    keep[flat.argsort(descending=True, stable=True)[: int(density * len(flat))]] = 1
    parts = keep.split([v.numel() for v in g.values()])
    return {k: part.reshape(v.shape).bool() for (k, v), part in zip(g.items(), parts)}


def salun(objective, density=0.5, alpha=0.7):
    """In one step both batches are normalised by their own statistics; the running ones follow what is kept."""
    q = two
    mask = saliency(q["original"], q["xf"], q["yf"], density)

    def restore(net, before):
        with torch.no_grad():
            for k, v in net.p.items():
                v.copy_(torch.where(mask[k], v, before[k]))

    forget = lambda net, stats: ce(net(q["xf"], True, stats), 1 - q["yf"])
    keep = lambda net: ce(net(q["xr"], True), q["yr"])
    steps = {
        "paper": lambda net, _: [lambda: forget(net, False) + alpha * keep(net)],
        "phases": lambda net, _: [lambda: forget(net, True), lambda: keep(net)],
    }
    return descend(q["original"], steps[objective], sgd(), restore)


def salun_soft(density=0.5):
    """Random labels in phases; after each step the way from the original is soft-thresholded. Progress changes by epoch: its
    first step is counted as done."""
    q = two
    o = q["original"]
    names = list(o.p)
    count = sum(v.numel() for v in o.p.values())
    state = {"epoch": 0}

    def losses(net, epoch):
        state["epoch"] = epoch
        return [lambda: ce(net(q["xf"], True), 1 - q["yf"]), lambda: ce(net(q["xr"], True), q["yr"])]

    def shrink(net, _):
        k = int(density * (1 - (2 * state["epoch"] + 1) / (2 * STEPS)) * count)
        way = {n: net.p[n].detach() - o.p[n].detach() for n in names}
        flat = torch.cat([way[n].flatten() for n in names]).abs()
        threshold = flat.kthvalue(k).values if k > 0 else torch.tensor(0.0)
        with torch.no_grad():
            for n in names:
                net.p[n].copy_(o.p[n] + way[n].sign() * (way[n].abs() - threshold).clamp(min=0))

    return descend(o, losses, sgd(), shrink)


def neg_grad_plus(beta=0.8):
    q = three
    return descend(
        q["original"],
        lambda net, _: [lambda: beta * ce(net(q["xr"], True), q["yr"]) - (1 - beta) * ce(net(q["xf"], True), q["yf"])],
        sgd(0.02),
    )


def l1_sparse(alpha=5e-3):
    """The penalty falls to nothing over the epochs; its gradient is the sign."""
    q = three
    penalty = lambda net: sum(v.abs().sum() for v in net.p.values())
    return descend(
        q["original"],
        lambda net, e: [lambda: ce(net(q["xr"], True), q["yr"]) + alpha * (1 - e / STEPS) * penalty(net)],
        sgd(0.02),
    )


def divergence(teacher, student, temperature=1.0):
    """KL(teacher || student) of softmaxes, mean over the batch."""
    p = F.log_softmax(teacher / temperature, 1)
    q = F.log_softmax(student / temperature, 1)
    return (p.exp() * (p - q)).sum(1).mean() * temperature**2


def scrub(alpha=0.5, gamma=1.0, temperature=2.0, max_epochs=2):
    q = three
    with torch.no_grad():
        tf, tr = q["original"](q["xf"]), q["original"](q["xr"])

    def losses(net, epoch):
        def low():
            out = net(q["xr"], True)
            return gamma * ce(out, q["yr"]) + alpha * divergence(tr, out, temperature)

        high = lambda: -divergence(tf, net(q["xf"], True), temperature)
        return ([high] if epoch < max_epochs else []) + [low]

    return descend(q["original"], losses, sgd(0.01))


def bad_teacher(values):
    """One batch of all samples: the random network teaches the forgotten ones, the original the others; Adam."""
    q = three
    like = {**{f"params.{k}": v for k, v in q["original"].p.items()}, **{f"state.{k}": v for k, v in q["original"].s.items()}}
    tree = {k: torch.tensor(values[k], dtype=torch.float64).reshape(v.shape) for k, v in like.items()}
    part = lambda name: {k[len(name) :]: v for k, v in tree.items() if k.startswith(name)}
    random = Net(part("params."), part("state."))
    with torch.no_grad():
        taught = torch.cat([random(q["xf"]), q["original"](q["xr"])])
    x = torch.cat([q["xf"], q["xr"]])
    adam = lambda parameters: torch.optim.Adam(parameters, lr=1e-2)
    return descend(q["original"], lambda net, _: [lambda: divergence(taught, net(x, True))], adam)


def delete():
    """The original's answers without the sample's own label."""
    q = three
    with torch.no_grad():
        taught = q["original"](q["xf"])
        taught[torch.arange(len(taught)), q["yf"]] = -1e10
    target = F.softmax(taught, 1)

    def loss(net):
        student = F.log_softmax(net(q["xf"], True), 1)
        return F.kl_div(student, target, reduction="batchmean")

    return descend(q["original"], lambda net, _: [lambda: loss(net)], sgd(0.02, decay=0))


def ssd(alpha=1.5, lam=0.5):
    """All samples, and the forgotten ones, as one batch each."""
    q = three
    net = q["original"].copy()
    square = lambda x, y: {k: g**2 for k, g in net.gradient(ce(net(x), y)).items()}
    all_, forget = square(q["x"], q["labels"]), square(q["xf"], q["yf"])
    with torch.no_grad():
        for k, v in net.p.items():
            factor = (lam * all_[k] / forget[k]).clamp(max=1)
            v.copy_(torch.where(forget[k] > alpha * all_[k], v * factor, v))
    return [net.values()]


def flat_gradient(net, x, y, reduction):
    return torch.cat([g.flatten() for g in net.gradient(ce(net(x), y, reduction=reduction)).values()])


def influence(alpha=2.0, n=1000):
    """The released recursion, one kept sample after the other."""
    q = three
    net = q["original"].copy()
    nf, nr = len(q["f"]), len(q["r"])
    gf = flat_gradient(net, q["xf"], q["yf"], "sum") / (nf + nr)
    gr = flat_gradient(net, q["xr"], q["yr"], "sum") * nf / ((nf + nr) * nr)
    k, o = gf - gr, None
    for i in range(nr):
        g = flat_gradient(net, q["xr"][i : i + 1], q["yr"][i : i + 1], "mean")
        if o is None:
            o = g
            continue
        t = o @ g
        k = k - (k @ g) / (n + t) * o
        o = o - t / (n + t) * o
    with torch.no_grad():
        parts = k.split([v.numel() for v in net.p.values()])
        for v, part in zip(net.p.values(), parts):
            v.add_(alpha * part.reshape(v.shape))
    return [net.values()]


def fisher(kind):
    """Diagonal Fisher information on what is kept. model: by the network's own labels; labels: by the true ones."""
    q = three
    net = q["original"]
    total = {k: torch.zeros_like(v) for k, v in net.p.items()}
    for x, y in zip(q["xr"], q["yr"]):
        shares = F.softmax(net(x[None]), 1).detach()[0]
        labels = range(3) if kind == "model" else [int(y)]
        for label in labels:
            weight = shares[label] if kind == "model" else 1
            for k, g in net.gradient(ce(net(x[None]), torch.tensor([label]))).items():
                total[k] += weight * g**2 / len(q["r"])
    return [{f"params.{k}": [float(f"{x:.10g}") for x in v.flatten().tolist()] for k, v in total.items()}]


def relabel():
    """Amnesiac by relabelling: all samples, the forgotten ones with another label."""
    q = two
    x, y = torch.cat([q["xf"], q["xr"]]), torch.cat([1 - q["yf"], q["yr"]])
    return descend(q["original"], lambda net, _: [lambda: ce(net(x, True), y)], sgd())


def nearest_wrong(net, x, y, radius, steps=50):
    """Untargeted steps of a tenth of the radius; where none of them changes the answer the radius doubles, from there."""
    found, label = x.clone(), y.clone()
    for i in range(len(x)):
        start = x[i : i + 1]
        at, r = start.clone(), radius
        wrong = lambda: int(net(at).argmax(1)) != int(y[i])
        while not wrong():
            for _ in range(steps):
                at = at.clone().requires_grad_()
                (g,) = torch.autograd.grad(ce(net(at), y[i : i + 1]), at)
                way = at.detach() + r / 10 * g / g.norm() - start
                at = (start + way * min(1.0, r / float(way.norm()))).clamp(0, 1)
                if wrong():
                    break
            r *= 2
        found[i], label[i] = at[0], net(at).argmax(1)[0]
    return found, label


def amun():
    q = three
    xa, ya = nearest_wrong(q["original"], q["xf"], q["yf"], 0.04)
    x, y = torch.cat([q["xf"], q["xr"], xa]), torch.cat([q["yf"], q["yr"], ya])
    return descend(q["original"], lambda net, _: [lambda: ce(net(x, True), y)], sgd(0.02))


def l2ul(radius=1.0, length=0.1, steps=3, weight=1.0):
    """Two adversarial images of each forgotten sample, equal where nothing is random, towards the other of two classes."""
    q = two
    o = q["original"]
    y = 1 - q["yf"]
    x = q["xf"]
    for _ in range(steps):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(ce(o(x), y, reduction="sum"), x)
        norm = lambda t: t.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
        way = x.detach() - length * g / norm(g) - q["xf"]
        x = (q["xf"] + way * (radius / norm(way)).clamp(max=1)).clamp(0, 1)
    adversarial, labels = torch.cat([x, x]), torch.cat([y, y])
    total = {k: torch.zeros_like(v) for k, v in o.p.items()}
    for one in q["xf"]:
        for k, g in o.gradient(o(one[None]).norm()).items():
            total[k] += g.abs()
    scale = lambda t: 1 - (t - t.min()) / (t.max() - t.min())
    stiff = {k: scale(v) for k, v in total.items()}
    wf = len(q["f"]) / (3 * len(q["f"]))

    def loss(net):
        kept = ce(net(adversarial, True), labels)
        gone = ce(net(q["xf"], True), q["yf"])
        drift = sum((stiff[k] * (v - o.p[k].detach()) ** 2).sum() for k, v in net.p.items())
        return (1 - wf) * kept - wf * gone + weight / 2 * drift

    return descend(o, lambda net, _: [lambda: loss(net)], sgd(decay=1e-4))


def main():
    inputs = json.loads((HERE / "inputs.json").read_text())
    net = lambda n: n.values()
    cut = lambda q: {
        "bytes": q["bytes"].flatten().tolist(), "labels": q["labels"].tolist(), "classes": q["classes"],
        "forget": q["f"].tolist(), "original": net(q["original"]), "other": net(q["other"]),
    }  # fmt: skip
    trajectories = {
        "finetune": finetune(),
        "gradientAscent": gradient_ascent(),
        "randomLabels": random_labels(),
        "boundaryShrink": boundary_shrink("pixel", True),
        "boundaryShrink released": boundary_shrink("released", False),
        "boundaryExpanding": boundary_expanding(inputs["shadow"]),
        "salun": salun("paper"),
        "salun phases": salun("phases"),
        "salun soft": salun_soft(),
        "negGradPlus": neg_grad_plus(),
        "l1Sparse": l1_sparse(),
        "scrub": scrub(),
        "badTeacher": bad_teacher(inputs["teacher"]),
        "distillation": delete(),
        "ssd": ssd(),
        "influence released": influence(),
        "fisher model": fisher("model"),
        "fisher labels": fisher("labels"),
        "amnesiac relabel": relabel(),
        "amun": amun(),
        "l2ul": l2ul(),
    }
    out = {"steps": STEPS, "three": cut(three), "two": cut(two), "trajectories": trajectories}
    (HERE / "trajectories.json").write_text(json.dumps(out) + "\n")


main()
