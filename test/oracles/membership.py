"""Attacks on single samples, computed again from their formulas: RMIA, IAM, U-LiRA, KLoM, the forgetting score, ROC, Student's t.

Writes membership.json beside this file: seeded logits and the answers. To make it again: python3 test/oracles/membership.py
(numpy only). Written from the formulas in the headers of unlearn/statistics, in plain loops, not from that code.
"""

import json
import math
import pathlib

import numpy as np

rng = np.random.default_rng(13)
K, N, Z, REFERENCES = 4, 24, 16, 8
SIZE = N + Z


def rounded(x):
    """Multiples of 1/64 are the same numbers in float32."""
    return np.round(np.asarray(x) * 64) / 64


labels = rng.integers(0, K, SIZE)
members = np.zeros((REFERENCES, SIZE), int)
for pair in range(0, REFERENCES, 2):
    members[pair] = rng.integers(0, 2, SIZE)
    members[pair + 1] = 1 - members[pair]


def logits(trained):
    """Of samples with a difficulty each; those trained on are surer."""
    z = rng.normal(0, 1.5, (SIZE, K))
    z[np.arange(SIZE), labels] += 1 + difficulty + 2.5 * np.asarray(trained)
    return rounded(z)


difficulty = rng.normal(0, 1.5, SIZE)
own = logits(np.arange(SIZE) < N // 2)
before = [logits(m) for m in members]
after = [logits(0.3 * m) for m in members]


def softmax_true(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return (e / e.sum(1, keepdims=True))[np.arange(len(z)), labels]


def margin(z):
    out = []
    for row, y in zip(z, labels):
        others = np.delete(row, y)
        out.append(row[y] - others.max() - math.log(np.exp(others - others.max()).sum()))
    return np.array(out)


# ROC

def auc(inside, outside):
    wins = sum((a > b) + 0.5 * (a == b) for a in inside for b in outside)
    return wins / (len(inside) * len(outside))


def tpr(inside, outside, rate):
    if rate * len(outside) < 1 - 1e-9:
        return None
    best = 0.0
    for t in list(inside) + list(outside):
        if np.mean(np.asarray(outside) >= t) <= rate + 1e-12:
            best = max(best, float(np.mean(np.asarray(inside) >= t)))
    return best


# RMIA

def rmia(p_own, refs, isin, rows, zrows, a, gamma):
    def ratio(i):
        outs = [refs[r][i] for r in range(len(refs)) if not isin[r][i]]
        if not outs:
            turned = a or 0.3
            outs = [max(1e-6, (refs[r][i] + turned - 1) / turned) for r in range(len(refs))]
        return p_own[i] / (((1 + a) * np.mean(outs) + (1 - a)) / 2)

    z = [ratio(i) for i in zrows]
    return [sum(ratio(i) > gamma * q for q in z) / len(z) for i in rows]


def tuned(refs, isin, rows, zrows, gamma):
    areas = []
    for step in range(11):
        a, found = step / 10, []
        for target in range(len(refs)):
            helpers = [r for r in range(len(refs)) if r != target and r // 2 != target // 2]
            helpers = helpers or [r for r in range(len(refs)) if r != target]
            z = [i for i in zrows if not isin[target][i]]
            s = rmia(refs[target], [refs[r] for r in helpers], [isin[r] for r in helpers], rows, z, a, gamma)
            inside = [v for v, i in zip(s, rows) if isin[target][i]]
            outside = [v for v, i in zip(s, rows) if not isin[target][i]]
            found.append(auc(inside, outside))
        areas.append((np.mean(found), -a))
    best = max(round(area, 9) for area, _ in areas)
    return min(-minus for area, minus in areas if round(area, 9) == best)


p_own, p_refs = softmax_true(own), [softmax_true(z) for z in before]
samples, population = list(range(N)), list(range(N, SIZE))
four, isfour = p_refs[:4], members[:4]


# IAM

def signal(p):
    g = lambda q: -math.log(1e-2 - math.log(1e-5 + q))
    return (g(p) - g(0)) / (g(1) - g(0))


def iam(rows, refs, isin, grid):
    fit = np.mean([np.mean([signal(refs[r][i]) for i in population if isin[r][i]]) for r in range(len(refs))])
    s_u = [signal(p_own[i]) for i in rows]
    s_out = [[signal(refs[r][i]) for r in range(len(refs)) if not isin[r][i]] for i in rows]
    alphas = np.linspace(0, 1, grid)
    scores = np.zeros(len(rows))
    for t in range(grid - 1):
        v = [[s + alphas[t] * (fit - s) for s in row] for row in s_out]
        beta = np.std([s for row in v for s in row]) * math.sqrt(6) / math.pi
        for k, row in enumerate(v):
            mu = np.mean(row) - 0.5772 * beta
            scores[k] += alphas[t + 1] * math.exp(-math.exp(-(s_u[k] - mu) / beta))
    return fit, list(scores / alphas[1:].sum()), [s - np.mean(row) for s, row in zip(s_u, s_out)]


# U-LiRA

def student_density(x, values, mu0, pooled):
    n, mean = len(values), np.mean(values)
    ss = float(np.sum((values - mean) ** 2))
    kappa0, alpha0 = 0.1, 2.0
    kappa, alpha = kappa0 + n, alpha0 + n / 2
    m = (kappa0 * mu0 + n * mean) / kappa
    beta = (alpha0 - 1) * pooled + ss / 2 + kappa0 * n * (mean - mu0) ** 2 / (2 * kappa)
    nu, s2 = 2 * alpha, beta * (kappa + 1) / (alpha * kappa)
    c = math.gamma((nu + 1) / 2) / (math.gamma(nu / 2) * math.sqrt(nu * math.pi * s2))
    return c * (1 + (x - m) ** 2 / (nu * s2)) ** (-(nu + 1) / 2)


def world_of(world):
    flat = np.concatenate([np.asarray(w) for w in world])
    ss = sum(float(np.sum((np.asarray(w) - np.mean(w)) ** 2)) for w in world)
    return float(np.mean(flat)), ss / sum(len(w) - 1 for w in world)


def lira_student(xs, inside, outside):
    (mu_u, var_u), (mu_o, var_o) = world_of(inside), world_of(outside)
    out = []
    for x, u, o in zip(xs, inside, outside):
        qu, qo = student_density(x, np.asarray(u), mu_u, var_u), student_density(x, np.asarray(o), mu_o, var_o)
        out.append(qu / (qu + qo))
    return out


def normal(x, m, v):
    return math.exp(-((x - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v)


def lira_gaussian(xs, inside, outside):
    q = lambda x, w: normal(x, np.mean(w), np.var(w, ddof=1))
    return [q(x, u) / (q(x, u) + q(x, o)) for x, u, o in zip(xs, inside, outside)]


def lira_kernel(xs, inside, outside, h):
    q = lambda x, w: np.mean([normal(x, c, h * h) for c in w])
    return [q(x, u) / (q(x, u) + q(x, o)) for x, u, o in zip(xs, inside, outside)]


phi_own = margin(own)
phi_before, phi_after = [margin(z) for z in before], [margin(z) for z in after]
unlearned = [[phi_after[r][i] for r in range(REFERENCES) if members[r][i]] for i in samples]
out = [[phi_after[r][i] for r in range(REFERENCES) if not members[r][i]] for i in samples]
out_before = [[phi_before[r][i] for r in range(REFERENCES) if not members[r][i]] for i in samples]

# Many models: confidences of six samples, from alike to far apart; the last never changes.
MODELS = 40
many_u = [rounded(rng.normal(0.4 * k, 1 + 0.3 * k, MODELS)) for k in range(5)] + [rounded(np.full(MODELS, 1.5))]
many_r = [rounded(rng.normal(0, 1, MODELS)) for _ in range(5)] + [rounded(rng.normal(0, 2, MODELS))]
many_u[4] = rounded(many_u[4] + 150)
many_own = rounded([0.2, 1, -0.5, 2, 3, 1])


# KLoM

def klom(u, r, bins):
    u, r = np.clip(u, -100, 100), np.clip(r, -100, 100)
    low, high = min(u.min(), r.min()), max(u.max(), r.max())
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    # numpy's histogram has a closed last bin.
    p, q = np.histogram(u, edges)[0] / len(u), np.histogram(r, edges)[0] / len(r)
    q = np.where(p > 0, np.maximum(q, 1e-5), q)
    q = q / q.sum()
    return sum(float(a * math.log(a / b)) for a, b in zip(p, q) if a > 0)


def klom_gaussian(u, r):
    u, r = np.clip(u, -100, 100), np.clip(r, -100, 100)
    vu, vr = max(1e-6, np.var(u, ddof=1)), max(1e-6, np.var(r, ddof=1))
    return float(math.log(math.sqrt(vr / vu)) + (vu + (u.mean() - r.mean()) ** 2) / (2 * vr) - 0.5)


def klom_shared(own, oracles):
    """Oracles [models][samples]; the divergence of Gaussians of one variance, less what the means' own spread adds."""
    own, oracles = np.clip(own, -100, 100), np.clip(oracles, -100, 100)
    n = len(oracles)
    pooled = float(np.mean([np.var(oracles[:, i], ddof=1) for i in range(len(own))]))
    far = (own - oracles.mean(0)) ** 2
    return [float(f / (2 * pooled) - (1 + 1 / n) / 2) for f in far]


# The forgetting score

def epsilon(fpr, fnr):
    if fpr == 0 and fnr == 0:
        return math.inf
    if fpr == 0 or fnr == 0:
        return math.nan
    logs = [math.log(1 - 1e-5 - a) - math.log(b) for a, b in ((fpr, fnr), (fnr, fpr)) if 1 - 1e-5 - a > 0]
    return max([0.0] + logs)


def best_epsilon(u, r):
    """Thresholds as the released scorer places them: a hundred a unit, closer than two observed values lie here."""
    high, low = (r, u) if np.median(r) > np.median(u) else (u, r)
    spread = lambda s: s.max() - s.min()
    peak, flat = (low, high) if spread(high) >= spread(low) else (high, low)
    values = np.unique(np.concatenate([u, r]))
    width = spread(peak)
    first, last = peak.max() - 2, peak.max() + 2
    rights = np.linspace(first, last, math.ceil((last - first) * 100))
    # Only what a band holds matters, and holds change only at observed values.
    bands = {
        (int(np.searchsorted(values, a)), int(np.searchsorted(values, b, side='right')))
        for b in rights
        for a in np.linspace(b - width - 2, b - width + 2, 400)
    }
    found = [0.0]
    for t in np.linspace(values[0], values[-1], math.ceil((values[-1] - values[0]) * 100)):
        found.append(epsilon(np.mean(low >= t), np.mean(high < t)))
    for i, j in bands:
        held = values[i:j]
        found.append(epsilon(np.isin(flat, held).mean(), 1 - np.isin(peak, held).sum() / len(peak)))
    return float(min(50, np.nanmax(found)))


def points(eps, released):
    if released:
        start, gift, last = 0.0, 1.0, math.ceil(math.log(MODELS - 1))
        while start + 0.5 <= last:
            if eps < start + 0.5:
                return gift
            start, gift = start + 0.5, gift / 2
        return 0.0
    n = 1
    while eps >= 0.5 * n:
        n += 1
    return 2.0 ** (1 - n)


def peaky(u, r):
    a, b = sorted([u.max() - u.min(), r.max() - r.min()])
    return a / b < 0.01


# Student's t: the distribution function by Simpson's rule, the quantile by bisection.

def t_below(t, nu):
    steps = 200_000
    x = np.linspace(0, t, steps + 1)
    c = math.exp(math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)) / math.sqrt(nu * math.pi)
    y = c * (1 + x * x / nu) ** (-(nu + 1) / 2)
    w = np.full(steps + 1, 2.0)
    w[1::2], w[0], w[-1] = 4, 1, 1
    return 0.5 + float((w * y).sum() * t / steps / 3)


def t_quantile(share, nu):
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_below(middle, nu) < share else (low, middle)
    return (low + high) / 2


scores = rmia(p_own, four, isfour, samples, population, 0.3, 1)
inside, outside = scores[: N // 2], scores[N // 2 :]
fit, iam100, excess = iam(samples, four, isfour, 100)
epsilons = [best_epsilon(u, r) for u, r in zip(many_u, many_r)]
answers = {
    'rmia': {
        'scores': scores,
        'gamma2': rmia(p_own, four, isfour, samples, population, 0.6, 2),
        'one': rmia(p_own, p_refs[:1], members[:1], samples, population, 0.6, 1),
        'certain': rmia(p_own, p_refs[:1], members[:1], samples, population, 0, 1),
        'tuned4': tuned(four, isfour, samples, population, 1),
        'tuned2': tuned(p_refs[:2], members[:2], samples, population, 1),
        'tuned8': tuned(p_refs, members, samples, population, 1),
    },
    'roc': {'auc': auc(inside, outside), 'tpr': [tpr(inside, outside, r) for r in (0.05, 0.1, 0.25, 0.5)]},
    'iam': {'fit': fit, 'scores': iam100, 'scores16': iam(samples, four, isfour, 16)[1], 'excess': excess},
    'lira': {
        'privacy': lira_student(phi_own[:N], unlearned, out),
        'efficacy': lira_student(phi_own[:N], unlearned, out_before),
        'gaussian': lira_gaussian(many_own[:5], many_u[:5], many_r[:5]),
        'kernel': lira_kernel(many_own[:4], many_u[:4], many_r[:4], 1.0),
        'narrow': lira_kernel(many_own[:4], many_u[:4], many_r[:4], 0.4),
    },
    'klom': {
        'bins20': [klom(u, r, 20) for u, r in zip(many_u, many_r)],
        'bins10': [klom(u, r, 10) for u, r in zip(many_u, many_r)],
        'gaussian': [klom_gaussian(u, r) for u, r in zip(many_u, many_r)],
        'shared': klom_shared(many_own, np.array(many_r).T[:3]),
        'sharedFar': klom_shared([u[0] for u in many_u], np.array(many_r).T[:2]),
    },
    'forgetting': {
        'epsilon': epsilons,
        'released': [50.0 if peaky(u, r) else e for u, r, e in zip(many_u, many_r, epsilons)],
        'paperPoints': [points(e, False) for e in epsilons],
        'releasedPoints': [points(50 if peaky(u, r) else e, True) for u, r, e in zip(many_u, many_r, epsilons)],
    },
    'student': [[share, nu, t_quantile(share, nu)] for share in (0.9, 0.975, 0.995) for nu in (2, 3, 4, 9, 30)],
}

lists = lambda arrays: [np.asarray(a).tolist() for a in arrays]
fixture = {
    'classes': K,
    'samples': N,
    'labels': labels.tolist(),
    'members': lists(members),
    'own': own.tolist(),
    'before': lists(before),
    'after': lists(after),
    'many': {'own': many_own.tolist(), 'unlearned': lists(many_u), 'retrained': lists(many_r)},
    'answers': answers,
}
path = pathlib.Path(__file__).with_suffix('.json')
path.write_text(json.dumps(fixture, default=float, separators=(',', ':')) + '\n')
print(path.name, path.stat().st_size, 'bytes')
