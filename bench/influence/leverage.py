"""Why one step of first order misses a removal on optdigits: a computation apart from Lethe's code.

Softmax regression with 1/2 |W|^2 beside the sum of losses, in float64, fitted to the minimum by Newton's method. 1% of the
samples are taken away at random. Printed, as shares of the way from the fit to the re-fit:

  influence   w + H^-1 g_f / n          H the curvature of all samples: first order in the weights of the removed ones
  newton      w + H_r^-1 g_f / n        H_r the curvature without them: the step with the new curvature
  parts k     k influence steps in a row, each from where the last one ended
  leverage    the largest eigenvalue of H^-1 (H - H_r): the share of some direction's curvature that goes with the removed;
              an influence step is off by about that share in that direction

Run: python3 bench/influence/leverage.py optdigits.tra.csv.gz (numpy alone)
"""

import gzip
import sys

import numpy as np

DRAWS = 5

rows = np.array([line.split(",") for line in gzip.open(sys.argv[1], "rt").read().split("\n")[1:] if line], float)
order = np.random.default_rng(0).permutation(len(rows))
rows = rows[order[: round(0.7 * len(rows))]]
low, high = rows[:, :-1].min(0), rows[:, :-1].max(0)
x = np.hstack([(rows[:, :-1] - low) / np.where(high > low, high - low, 1), np.ones((len(rows), 1))])
y = rows[:, -1].astype(int)
n, d, K = len(x), x.shape[1], 10
onehot = np.eye(K)[y]
PENALTY = 1 / n


def shares(w):
    z = x @ w.reshape(d, K)
    p = np.exp(z - z.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def gradient(w, weight):
    """Of 1/n sum weight_i l_i + PENALTY / 2 |w|^2."""
    return (x.T @ ((shares(w) - onehot) * weight[:, None])).ravel() / n + PENALTY * w


def hessian(w, weight):
    p = shares(w)
    h = np.zeros((d, K, d, K))
    for k in range(K):
        for m in range(K):
            s = weight * (p[:, k] * (k == m) - p[:, k] * p[:, m])
            h[:, k, :, m] = x.T @ (x * s[:, None]) / n
    return h.reshape(d * K, d * K) + PENALTY * np.eye(d * K)


def objective(w, weight):
    return -(weight * np.log(shares(w)[np.arange(n), y])).sum() / n + PENALTY / 2 * w @ w


def fit(weight, w):
    for _ in range(50):
        g = gradient(w, weight)
        if np.linalg.norm(g) < 1e-11:
            return w
        step = np.linalg.solve(hessian(w, weight), g)
        size = 1.0
        while objective(w - size * step, weight) > objective(w, weight) + 1e-12 and size > 1e-6:
            size /= 2
        w = w - size * step
    raise RuntimeError("no minimum")


ones = np.ones(n)
w = fit(ones, np.zeros(d * K))
H = hessian(w, ones)
far = {}


def note(name, value):
    far.setdefault(name, []).append(value)


for draw in range(DRAWS):
    gone = np.random.default_rng(100 + draw).permutation(n)[: round(n / 100)]
    kept = ones.copy()
    kept[gone] = 0
    true = fit(kept, w)
    way = np.linalg.norm(true - w)
    off = lambda at: np.linalg.norm(at - true) / way
    g_f = -gradient(w, kept)  # = sum over the removed of their gradients / n, since the whole gradient is 0
    note("influence", off(w + np.linalg.solve(H, g_f)))
    H_r = hessian(w, kept)
    note("newton", off(w + np.linalg.solve(H_r, g_f)))
    # 1/(n - k) in place of 1/n: another factor of all of it
    note("influence, by n - k", off(w + np.linalg.solve(H, g_f) * n / (n - len(gone))))
    for parts in (2, 5, 10):
        at, weight = w, ones.copy()
        for part in np.array_split(np.sort(gone), parts):
            now = hessian(at, weight)
            g = (x[part].T @ (shares(at) - onehot)[part]).ravel() / n
            at = at + np.linalg.solve(now, g)
            weight = weight.copy()
            weight[part] = 0
        note(f"parts {parts}", off(at))
    L = np.linalg.cholesky(H)
    lost = np.linalg.solve(L, np.linalg.solve(L, H - H_r).T)
    note("leverage", np.linalg.eigvalsh((lost + lost.T) / 2)[-1])
    # How much of the removed gradient lies in few samples
    norms = np.linalg.norm((shares(w) - onehot)[gone], axis=1) * np.linalg.norm(x[gone], axis=1)
    note("share of the two largest gradients", np.sort(norms)[-2:].sum() / norms.sum())
print(f"{n} samples, {d * K} parameters, {len(gone)} removed, mean of {DRAWS} draws (largest)")
for name, values in far.items():
    print(f"{name:36s} {100 * np.mean(values):6.1f}%  ({100 * np.max(values):.1f}%)")
