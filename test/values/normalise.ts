// Softmax, normalisation, attention and losses: the formulas of the papers, row by row.

import type { Case, Table } from './case.ts';
import {
  along,
  at,
  average,
  axesFrom,
  bools,
  build,
  common,
  each,
  floats,
  type Index,
  list,
  type Plain,
  spread,
  total,
  wholes,
} from './plain.ts';

const greatest = (v: readonly number[]): number => v.reduce((a, b) => (Number.isNaN(a) || b <= a ? a : b));
const shares = (v: readonly number[]): number[] => {
  const e = v.map((x) => Math.exp(x - greatest(v)));
  return e.map((x) => x / total(e));
};
const logShares = (v: readonly number[]): number[] => {
  const rest = Math.log(total(v.map((x) => Math.exp(x - greatest(v)))));
  return v.map((x) => x - greatest(v) - rest);
};
/** f of the list along an axis, element for element. */
const rows = (x: Plain, axis: number, f: (v: readonly number[]) => number[]): Plain => {
  const [a] = axesFrom(x, axis);
  return build(x.shape, (i) => f(Array.from({ length: x.shape[a] }, (_, k) => at(x, i.with(a, k))))[i[a]]);
};
const soft = (f: (v: readonly number[]) => number[]): Case[] =>
  (
    [
      [floats([2, 5], 1), undefined],
      [floats([3, 4, 2], 2), 1],
      [floats([3, 70], 3), -1],
      [list([2, 3], [1000, 1001, 999, -1000, -1000, -1000]), undefined],
      [list([2, 2], [1, NaN, -Infinity, 0]), undefined],
      [wholes([4], -3, 3), 0],
      [floats([1], 4), undefined],
      [floats([0, 3], 5), undefined],
    ] as const
  ).map(([x, axis]) => ({
    x: [x],
    call: (t) => (axis === undefined ? [t] : [t, axis]),
    want: (p) => rows(p, axis ?? -1, f),
  }));

/** (x - mean) / sqrt(variance + epsilon) * scale + shift, each broadcast. */
const standard = (
  x: Plain,
  mean: Plain,
  variance: Plain,
  scale?: Plain,
  shift?: Plain,
  epsilon = 1e-5,
): Plain =>
  each(
    (v, m, s, f, c) => ((v - m) / Math.sqrt(s + epsilon)) * f + c,
    [x, mean, variance, scale ?? list([], [1]), shift ?? list([], [0])],
  );

const layer = (shape: Index, { affine = false, axes = 1, epsilon = 1e-5 } = {}): Case => {
  const own = shape.slice(-axes);
  return {
    x: affine ? [floats(shape, 1), floats(own, 2), floats(own, 3)] : [floats(shape, 1)],
    call: (x, scale, shift) => [x, { scale, shift, axes, epsilon }],
    want: (x, scale, shift) => {
      const over = own.map((_, d) => shape.length - 1 - d);
      return standard(x, along(x, over, true, average), along(x, over, true, spread), scale, shift, epsilon);
    },
  };
};

const grouped = (shape: Index, groups: number, affine = false): Case => {
  const channels = shape.at(-1) as number;
  const per = channels / groups;
  return {
    x: affine ? [floats(shape, 1), floats([channels], 2), floats([channels], 3)] : [floats(shape, 1)],
    call: (x, scale, shift) => [x, groups, { scale, shift }],
    want: (x, scale, shift) => {
      const members = (i: readonly number[]): number[] => {
        const found: number[] = [];
        build(shape.slice(1), (rest) => {
          if (Math.floor((rest.at(-1) as number) / per) === Math.floor((i.at(-1) as number) / per))
            found.push(at(x, [i[0], ...rest]));
          return 0;
        });
        return found;
      };
      const mean = build(shape, (i) => average(members(i)));
      return standard(
        x,
        mean,
        build(shape, (i) => spread(members(i))),
        scale,
        shift,
      );
    },
  };
};

const batch = (shape: Index, { affine = false, given = false, epsilon = 1e-5 } = {}): Case => {
  const own = shape.slice(-1);
  const [scale, shift, mean, variance] = [2, 3, 4, 5].map((seed) =>
    floats(own, seed, seed === 5 ? 'positive' : 'normal'),
  );
  return {
    x: [floats(shape, 1), ...(affine ? [scale, shift] : []), ...(given ? [mean, variance] : [])],
    call: (x, ...rest) => {
      const [f, c] = affine ? rest.splice(0, 2) : [];
      const [m, v] = rest;
      return [x, { scale: f, shift: c, mean: m, variance: v, epsilon }];
    },
    want: (x) => {
      const over = shape.map((_, d) => d).slice(0, -1);
      const m = given ? mean : along(x, over, false, average);
      const v = given ? variance : along(x, over, false, spread);
      const output = standard(x, m, v, affine ? scale : undefined, affine ? shift : undefined, epsilon);
      return { output, mean: m, variance: v };
    },
  };
};

const attended = (q: Index, k: Index, v: Index, mask?: Plain, scale?: number, causal?: boolean): Case => ({
  x: [floats(q, 1), floats(k, 2), floats(v, 3), ...(mask ? [mask] : [])],
  call: (a, b, c, m) =>
    mask || scale !== undefined || causal ? [a, b, c, { mask: m, scale, causal }] : [a, b, c],
  want: (a, b, c, m) => {
    const [rowsOf, keys, depth, width] = [q.at(-2)!, k.at(-2)!, q.at(-1)!, v.at(-1)!];
    const batch = common(q.slice(0, -2), k.slice(0, -2), v.slice(0, -2), m ? m.shape.slice(0, -2) : []);
    const cell = (x: Plain, lead: readonly number[], i: number, j: number): number => {
      const own = x.shape.length - 2;
      return at(x, [...lead.slice(lead.length - own), i, j]);
    };
    return build([...batch, rowsOf, width], (index) => {
      const [lead, i, d] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
      // What the mask leaves out does not take part at all.
      const seen = Array.from({ length: keys }, (_, j) => j).filter(
        (j) => (!m || at(m, [...lead, i, j]) !== 0) && (!causal || j <= i),
      );
      const scores = seen.map((j) => {
        let sum = 0;
        for (let e = 0; e < depth; e++) sum += cell(a, lead, i, e) * cell(b, lead, j, e);
        return sum * (scale ?? 1 / Math.sqrt(depth));
      });
      if (seen.length === 0) return 0;
      return total(shares(scores).map((w, n) => w * cell(c, lead, seen[n], d)));
    });
  },
});

type Reduction = 'mean' | 'sum' | 'none';
const together = (loss: Plain, reduction: Reduction = 'mean'): Plain =>
  reduction === 'none' ? loss : list([], [reduction === 'sum' ? total(loss.data) : average(loss.data)]);
const entropy = (logits: Plain, labels: Plain, reduction?: Reduction): Case => ({
  x: [logits, labels],
  call: (x, y) => (reduction ? [x, y, { reduction }] : [x, y]),
  want: (x, y) => {
    const logp = rows(x, -1, logShares);
    const classes = x.shape.at(-1) as number;
    const shape = x.shape.slice(0, -1);
    const loss = build(shape, (i) => {
      if (y.kind !== 'float') return at(y, i) >= 0 && at(y, i) < classes ? -at(logp, [...i, at(y, i)]) : NaN;
      return -total(Array.from({ length: classes }, (_, k) => at(y, [...i, k]) * at(logp, [...i, k])));
    });
    return together(loss, reduction);
  },
});
const squared = (a: Plain, b: Plain | number, reduction?: Reduction): Case => ({
  x: typeof b === 'number' ? [a] : [a, b],
  call: (x, y) => [x, typeof b === 'number' ? b : y, ...(reduction ? [{ reduction }] : [])],
  want: (x) => {
    const target = typeof b === 'number' ? list([], [b]) : b;
    return together(
      each((v, w) => (v - w) ** 2, [x, target]),
      reduction,
    );
  },
});

const labels = (data: readonly number[]): Plain => list([data.length], data, 'int32');

export const normalised: Table = {
  softmax: soft(shares),
  logSoftmax: soft(logShares),
  layerNorm: [
    layer([3, 8]),
    layer([3, 8], { affine: true }),
    layer([2, 3, 4], { affine: true, axes: 2 }),
    layer([2, 100], { epsilon: 0.1 }),
    layer([4, 1], { affine: true }),
    layer([0, 4]),
    // One number throughout, at which sums in float32 round.
    {
      x: [list([1, 777], new Array(777).fill(3300000.25))],
      want: (x) => build(x.shape, () => 0),
    },
  ],
  groupNorm: [
    grouped([2, 3, 3, 6], 3),
    grouped([2, 3, 3, 6], 2, true),
    grouped([2, 4], 4, true),
    grouped([1, 2, 2, 4], 1, true),
    grouped([0, 2, 2, 4], 2),
  ],
  batchNorm: [
    batch([5, 3]),
    batch([2, 3, 3, 4], { affine: true }),
    batch([2, 3, 3, 4], { affine: true, given: true }),
    batch([4, 2], { given: true, epsilon: 0.1 }),
    batch([1, 3]),
  ],
  attention: [
    attended([3, 4], [5, 4], [5, 2]),
    attended([2, 3, 4], [2, 5, 4], [2, 5, 2], bools([3, 5], 3)),
    attended([2, 2, 3, 4], [2, 2, 5, 4], [2, 2, 5, 3], undefined, 0.25),
    attended([2, 3, 4], [2, 5, 4], [2, 5, 2], bools([2, 1, 5], 4)),
    // A row with nothing to attend to, among others.
    attended([3, 2], [2, 2], [2, 2], list([3, 2], [1, 0, 0, 0, 1, 1], 'bool')),
    attended([1, 2], [2, 2], [2, 3], list([1, 1], [0], 'bool')),
    attended([1, 1], [1, 1], [1, 1]),
    attended([0, 2], [3, 2], [3, 2]),
    attended([2, 3, 4], [2, 5, 4], [2, 5, 2], undefined, undefined, true),
    attended([2, 5, 4], [2, 3, 4], [2, 3, 2], bools([2, 1, 3], 4), undefined, true),
  ],
  crossEntropy: [
    entropy(floats([4, 5], 1), labels([0, 4, 2, 2])),
    entropy(floats([4, 5], 1), labels([0, 4, 2, 2]), 'sum'),
    entropy(floats([4, 5], 1), labels([0, 5, -1, 2]), 'none'),
    entropy(floats([2, 3, 4], 2), wholes([2, 3], 0, 4), 'none'),
    entropy(floats([3, 4], 3), rows(floats([3, 4], 4), -1, shares)),
    entropy(list([2, 2], [1000, -1000, -1000, 1000]), labels([0, 0]), 'none'),
    entropy(floats([5], 5), list([], [2], 'int32')),
  ],
  mse: [
    squared(floats([2, 3], 1), floats([2, 3], 2)),
    squared(floats([2, 3], 1), floats([3], 2), 'sum'),
    squared(floats([2, 3], 1), floats([2, 1], 2), 'none'),
    squared(floats([4], 1), 0.5),
    squared(floats([], 1), floats([], 2)),
  ],
};
