# Answers of the audits' mathematics on small seeded arrays, written from the formulas with numpy and torch, apart from the
# TypeScript they are compared with: multinomial logistic regression, the three-sample kernel test, CKA, the mixture
# share, profiles of neighbours, Jensen-Shannon divergence, and exact intervals of shares.
#
#   python3 test/oracles/representation.py        (numpy 2.2, PyTorch 2.6; rewrites test/oracles/representation.json)

import json
import math
from pathlib import Path

import numpy as np
import torch

rng = np.random.default_rng(13)
rounded = lambda a: np.round(a, 4)
out = {}


# Minimises sum_i w_i CE_i / sum w + l2/2 |W|^2 by Newton's method on all parameters, from autograd's Hessian.
def logistic(x, y, w, l2, K):
    n, d = x.shape
    X, Y, S = torch.tensor(x), torch.tensor(y), torch.tensor(w / w.sum())

    def loss(theta):
        W, b = theta[: d * K].reshape(d, K), theta[d * K :]
        ce = torch.nn.functional.cross_entropy(X @ W + b, Y, reduction="none")
        return (S * ce).sum() + 0.5 * l2 * (W**2).sum()

    theta = torch.zeros(d * K + K, dtype=torch.float64)
    for _ in range(50):
        g = torch.func.grad(loss)(theta)
        H = torch.func.hessian(loss)(theta)
        # Adding a number to all biases changes nothing: the least step is taken.
        theta = theta - torch.linalg.pinv(H, rtol=1e-12) @ g
    assert torch.func.grad(loss)(theta).abs().max() < 1e-12
    return theta[: d * K].tolist(), theta[d * K :].tolist(), float(loss(theta))


n, d, K = 60, 5, 3
y = rng.integers(0, K, n)
x = rounded(rng.normal(size=(n, d)) + 1.5 * np.eye(K, d)[y])
out["logistic"] = []
for l2, w in [(0.05, np.ones(n)), (0.002, rounded(rng.uniform(0.1, 3, n)))]:
    W, b, loss = logistic(x, y, w, l2, K)
    out["logistic"].append({"l2": l2, "sampleWeights": w.tolist(), "weights": W, "bias": b, "loss": loss})
out["logisticInput"] = {"x": x.ravel().tolist(), "labels": y.tolist(), "n": n, "d": d, "classes": K}


def squares(a, b):
    return ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)


def median_square(points):
    return float(np.median(squares(points, points)[np.triu_indices(len(points), 1)]))


phi = lambda t: 0.5 * math.erfc(-t / math.sqrt(2))

n, d = 30, 4
r = rounded(rng.normal(size=(n, d)))
u = rounded(r + 0.5 * rng.normal(size=(n, d)) + 0.3)
o = rounded(rng.normal(size=(n, d)) + 1.8)
scales = []
for scale in [1, 0.5, 2]:
    h = 2 * scale**2 * median_square(np.concatenate([u, r, o]))
    k = lambda a, b: np.exp(-squares(a, b) / h)
    g = k(r, r) - k(o, o) - k(u, r) - k(r, u) + k(u, o) + k(o, u)
    off = ~np.eye(n, dtype=bool)
    S = g[off].mean()
    bar = (g * off).sum(1) / (n - 1)
    v = 4 / (n * (n - 1)) * ((bar - S) ** 2).sum()
    mmd = lambda a, b: (k(a, a) + k(b, b) - k(a, b) - k(b, a))[off].mean()
    scales.append(
        {"scale": scale, "statistic": S, "variance": v, "p": 1 - phi(S / math.sqrt(v)),
         "toRetrain": mmd(u, r), "toOriginal": mmd(u, o)}
    )
out["relative"] = {
    "n": n, "d": d, "own": u.ravel().tolist(), "retrain": r.ravel().tolist(), "original": o.ravel().tolist(),
    "scales": scales,
}


# Both forms from whole kernel matrices.
def cka(x, y):
    n = len(x)
    H = np.eye(n) - 1 / n
    biased = lambda K, L: np.trace(H @ K @ H @ L)

    def unbiased(K, L):
        K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
        one = np.ones(n)
        return (
            np.trace(K @ L) + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
            - 2 / (n - 2) * (one @ K @ L @ one)
        ) / (n * (n - 3))

    K, L = x @ x.T, y @ y.T
    return [float(h(K, L) / math.sqrt(h(K, K) * h(L, L))) for h in (biased, unbiased)]


n = 25
a = rounded(rng.normal(size=(n, 6)) + 2)
b = rounded(a[:, :3] @ rng.normal(size=(3, 4)) + rng.normal(size=(n, 4)) - 1)
biased, unbiased = cka(a, b)
out["cka"] = {"n": n, "a": a.ravel().tolist(), "b": b.ravel().tolist(), "biased": biased, "unbiased": unbiased}


def mixture(F, M, N, kernel):
    def mean(a, b):
        values = kernel(a, b)
        return values[~np.eye(len(a), dtype=bool)].mean() if a is b else values.mean()

    apart = mean(N, N) + mean(M, M) - 2 * mean(M, N)
    share = (mean(F, N) - mean(F, M) - mean(M, N) + mean(M, M)) / apart
    q = 1 - share
    rho = (
        mean(F, F) + q * q * mean(M, M) + share**2 * mean(N, N)
        - 2 * q * mean(F, M) - 2 * share * mean(F, N) + 2 * share * q * mean(M, N)
    )
    return {"share": share, "residual": rho / apart}


d = 3
M = rounded(rng.normal(size=(20, d)))
N = rounded(rng.normal(size=(24, d)) * 1.5 + 1)
F = rounded(np.concatenate([rng.normal(size=(9, d)), rng.normal(size=(9, d)) * 1.5 + 1]) + 0.2)
h = 2 * median_square(np.concatenate([M, N, F]))
out["mixture"] = {
    "d": d, "forget": F.ravel().tolist(), "members": M.ravel().tolist(), "others": N.ravel().tolist(),
    "gaussian": mixture(F, M, N, lambda a, b: np.exp(-squares(a, b) / h)),
    "linear": mixture(F, M, N, lambda a, b: a @ b.T),
}

n, K, gone = 12, 5, [1, 3]
z = np.round(rng.normal(size=(n, K)) * 4, 3).astype(np.float32)
q = np.round(rng.normal(size=(n, K)) * 2, 3).astype(np.float32)
softmax = lambda z: torch.softmax(torch.tensor(z, dtype=torch.float64), 1).numpy()
kept = [k for k in range(K) if k not in gone]
p = softmax(z)[:, kept]
profile = np.zeros(K)
profile[kept] = (p / p.sum(1, keepdims=True)).mean(0)
P, Q = softmax(z), softmax(q)
mid = (P + Q) / 2
js = 0.5 * (P * np.log(P / mid)).sum(1) + 0.5 * (Q * np.log(Q / mid)).sum(1)
as_list = lambda z: [float(str(v)) for v in z.ravel()]
out["answers"] = {
    "n": n, "classes": K, "gone": gone, "logits": as_list(z), "others": as_list(q),
    "profile": profile.tolist(), "zrf": float(1 - js.mean()),
}


# Clopper and Pearson by definition: the share at which so many hits or more (or fewer) have probability alpha / 2.
def exact(hits, n, alpha):
    tail = lambda p, ks: sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in ks)

    def root(f):
        low, high = 0.0, 1.0
        for _ in range(200):
            mid = (low + high) / 2
            low, high = (mid, high) if f(mid) < 0 else (low, mid)
        return (low + high) / 2

    low = 0.0 if hits == 0 else root(lambda p: tail(p, range(hits, n + 1)) - alpha / 2)
    high = 1.0 if hits == n else root(lambda p: alpha / 2 - tail(p, range(0, hits + 1)))
    return [low, high]


out["shares"] = [
    {"hits": h, "n": n, "alpha": a, "interval": exact(h, n, a)}
    for h, n, a in [(0, 10, 0.05), (3, 10, 0.05), (10, 10, 0.05), (17, 60, 0.01), (58, 60, 0.1)]
]
out["normal"] = [[x, phi(x)] for x in [-9, -4.5, -3.001, -2.9, -1, -0.1, 0, 0.3, 1.96, 3.5, 8]]

path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
print(path.stat().st_size, "bytes")
