// Reductions, running sums and orders: lists of elements along axes.

import type { Case, Table } from './case.ts';
import {
  along,
  at,
  average,
  axesFrom,
  bools,
  build,
  floats,
  type Kind,
  list,
  type Plain,
  spread,
  total,
  wholes,
} from './plain.ts';

type Axis = number | readonly number[] | undefined;
const forms: [Plain, Axis, boolean?][] = [
  [floats([2, 3, 4], 1, 'distinct'), undefined],
  [floats([2, 3, 4], 2, 'distinct'), undefined, true],
  [floats([2, 3, 4], 3, 'distinct'), 1],
  [floats([2, 3, 4], 4, 'distinct'), -1, true],
  [floats([2, 3, 4], 5, 'distinct'), [0, -1]],
  [floats([2, 3, 4], 6, 'distinct'), [2, 1], true],
  [floats([5, 1], 7), 1],
  [floats([1], 8), 0],
  [floats([], 9), undefined],
  [floats([3, 0], 10), 0],
  [floats([70, 33], 11, 'distinct'), 0],
  [floats([3, 200], 12, 'distinct'), 1],
];
const none: [Plain, Axis, boolean?][] = [
  [floats([0, 3]), 0],
  [floats([2, 0]), undefined],
];
const unusual: [Plain, Axis, boolean?][] = [
  [list([4, 3], [1, NaN, 2, 3, 4, 5, Infinity, 1, -Infinity, -Infinity, 0, -Infinity]), 1],
];

const reduced = (f: (v: number[]) => number, ...given: [Plain, Axis, boolean?][]): Case[] =>
  given.map(([x, axis, keepDims]) => ({
    x: [x],
    call: (t) => (keepDims === undefined ? [t, axis] : [t, axis, keepDims]),
    want: (p) => along(p, axis, keepDims ?? false, f),
  }));
const wholly = (f: (v: number[], kind: Kind) => number): Case[] =>
  (
    [
      [wholes([3, 4], -9, 9), 1],
      [list([2, 2], [2147483647, 1, -2147483648, -1], 'int32'), 1],
      [list([2, 2], [4294967295, 1, 0, 7], 'uint32'), -1],
      [list([0, 2], [], 'int32'), 0],
      [list([2, 0], [], 'uint32'), 1],
    ] as const
  ).map(([x, axis]) => ({
    x: [x],
    call: (t) => [t, axis],
    want: (p) => along(p, axis, false, (v) => f(v, p.kind), p.kind),
  }));
/** Bools count as whole numbers. */
const counted = (f: (v: number[]) => number, kind: Kind): Case => ({
  x: [bools([3, 4])],
  call: (t) => [t, 0],
  want: (p) => along(p, 0, false, f, kind),
});

const least = { float: -Infinity, int32: -2147483648, uint32: 0, bool: 0 };
const greatest = { float: Infinity, int32: 2147483647, uint32: 4294967295, bool: 1 };
const largest = (v: readonly number[], start = -Infinity): number =>
  v.reduce((a, b) => (Number.isNaN(a) || b <= a ? a : b), start);
const smallest = (v: readonly number[], start = Infinity): number =>
  v.reduce((a, b) => (Number.isNaN(a) || b >= a ? a : b), start);

const place = (wins: (a: number, b: number) => boolean): Case[] =>
  (
    [
      [floats([2, 5], 1, 'distinct'), undefined],
      [floats([4, 1, 3], 2, 'distinct'), 0],
      [floats([3, 70], 3, 'distinct'), -1],
      [list([6], [1, 3, 3, 0, 0, 2]), 0],
      [list([3, 3], [1, NaN, 2, NaN, 5, NaN, -Infinity, -Infinity, Infinity]), 1],
      [wholes([5, 4], -9, 9), 0],
      [list([3], [0, 4294967295, 1], 'uint32'), 0],
      [floats([0, 2]), 1],
      [floats([1]), -1],
    ] as const
  ).map(([x, axis]) => ({
    x: [x],
    call: (t) => (axis === undefined ? [t] : [t, axis]),
    want: (p) =>
      along(
        p,
        axis ?? -1,
        false,
        (v) => {
          let best = 0;
          v.forEach((e, i) => {
            if (!Number.isNaN(v[best]) && (Number.isNaN(e) || wins(e, v[best]))) best = i;
          });
          return best;
        },
        'int32',
      ),
  }));

/** Positions along an axis in ascending order; equals as they stood, NaN last. */
function ordered(x: Plain, axis: number): Record<'values' | 'indices', Plain> {
  const [a] = axesFrom(x, axis);
  const orders = new Map<string, number[]>();
  const order = (index: readonly number[]): number[] => {
    const rest = index.with(a, 0);
    const key = rest.join();
    let known = orders.get(key);
    if (known === undefined) {
      const v = Array.from({ length: x.shape[a] }, (_, i) => at(x, rest.with(a, i)));
      // Insertion: every element goes behind those it is not less than.
      known = [];
      for (let i = 0; i < v.length; i++) {
        let to = known.length;
        while (to > 0 && (v[i] < v[known[to - 1]] || (Number.isNaN(v[known[to - 1]]) && !Number.isNaN(v[i]))))
          to--;
        known.splice(to, 0, i);
      }
      orders.set(key, known);
    }
    return known;
  };
  const indices = build(x.shape, (i) => order(i)[i[a]], 'int32');
  return { values: build(x.shape, (i) => at(x, i.with(a, at(indices, i))), x.kind), indices };
}
const sorted = (x: Plain, axis?: number): Case => ({
  x: [x],
  call: (t) => (axis === undefined ? [t] : [t, axis]),
  want: (p) => ordered(p, axis ?? -1),
});

/** The k largest by taking the largest that is left, the first of equals, NaN above all. */
const top = (x: Plain, k: number): Case => ({
  x: [x],
  call: (t) => [t, k],
  want: (p) => {
    const n = p.shape.at(-1) ?? 0;
    const rows = p.data.length / Math.max(1, n);
    const indices: number[] = [];
    for (let r = 0; r < rows; r++) {
      const left = Array.from({ length: n }, (_, i) => i);
      for (let j = 0; j < k; j++) {
        let best = 0;
        left.forEach((i, at) => {
          const [a, b] = [p.data[r * n + i], p.data[r * n + left[best]]];
          if (!Number.isNaN(b) && (Number.isNaN(a) || a > b)) best = at;
        });
        indices.push(...left.splice(best, 1));
      }
    }
    const shape = p.shape.with(-1, k);
    const values = indices.map((i, at) => p.data[Math.floor(at / Math.max(1, k)) * n + i]);
    return { values: list(shape, values, p.kind), indices: list(shape, indices, 'int32') };
  },
});

const running = (x: Plain, axis?: number): Case => ({
  x: [x],
  call: (t) => (axis === undefined ? [t] : [t, axis]),
  want: (p) => {
    const [a] = axesFrom(p, axis ?? -1);
    return build(
      p.shape,
      (i) => total(Array.from({ length: i[a] + 1 }, (_, k) => at(p, i.with(a, k)))),
      p.kind,
    );
  },
});

const logSumExp = (v: readonly number[]): number => {
  const m = largest(v);
  return Number.isFinite(m) ? m + Math.log(total(v.map((e) => Math.exp(e - m)))) : m;
};

export const reductions: Table = {
  sum: [
    ...reduced(total, ...forms, ...none, ...unusual),
    ...wholly((v, kind) => (kind === 'uint32' ? total(v) >>> 0 : total(v) | 0)),
    counted(total, 'int32'),
  ],
  max: [
    ...reduced(largest, ...forms, ...none, ...unusual),
    ...wholly((v, kind) => largest(v, least[kind])),
    counted((v) => largest(v), 'int32'),
  ],
  min: [
    ...reduced(smallest, ...forms, ...none, ...unusual),
    ...wholly((v, kind) => smallest(v, greatest[kind])),
    counted((v) => smallest(v), 'int32'),
  ],
  mean: [
    ...reduced(average, ...forms, ...unusual),
    { x: [wholes([3, 4], -9, 9)], call: (t) => [t, 1], want: (p) => along(p, 1, false, average) },
    counted(average, 'float'),
  ],
  variance: [
    ...reduced(spread, ...forms),
    { x: [wholes([3, 4], -9, 9)], call: (t) => [t, 1], want: (p) => along(p, 1, false, spread) },
    { x: [floats([2, 3])], call: (t) => [t, []], want: (p) => build(p.shape, () => 0) },
    ...reduced(spread, [list([2, 3], [1, NaN, 2, 1, 2, Infinity]), 1]),
  ],
  logsumexp: [
    ...reduced(logSumExp, ...forms, ...unusual),
    ...reduced(logSumExp, [list([2, 3], [1000, 1001, 999, -1000, -1001, -999]), 1]),
    { x: [wholes([3, 4], -9, 9)], call: (t) => [t, 1], want: (p) => along(p, 1, false, logSumExp) },
  ],
  argmax: place((a, b) => a > b),
  argmin: place((a, b) => a < b),
  cumsum: [
    running(floats([2, 3, 4], 1)),
    running(floats([2, 3, 4], 2), 0),
    running(floats([2, 3, 4], 3), -2),
    running(floats([3, 300], 4)),
    running(floats([2, 0], 5)),
    running(floats([1], 6)),
    running(wholes([5], -9, 9)),
  ],
  sort: [
    sorted(floats([2, 5], 1)),
    sorted(floats([4, 2, 3], 2), 0),
    sorted(floats([2, 70], 3), -1),
    sorted(list([8], [3, NaN, -0, 0, -Infinity, NaN, Infinity, 3])),
    sorted(wholes([9], -3, 3)),
    sorted(list([4], [2147483647, -2147483648, 0, -1], 'int32')),
    sorted(list([4], [0, 3, 4294967295, 3], 'uint32')),
    sorted(floats([1], 4)),
    sorted(floats([0, 3], 5)),
    sorted(floats([2, 0], 6)),
  ],
  topK: [
    top(floats([2, 5], 1, 'distinct'), 2),
    top(floats([2, 3, 70], 2), 7),
    top(list([6], [1, 3, 3, 0, 3, 2]), 4),
    top(list([8], [3, NaN, -0, 0, -Infinity, NaN, Infinity, 3]), 8),
    top(list([3], [1, NaN, 2]), 1),
    top(list([3], [0, 3, 4294967295], 'uint32'), 2),
    top(list([3], [-2147483648, 3, 7], 'int32'), 2),
    top(wholes([9], -3, 3), 9),
    top(floats([3], 4), 0),
    top(floats([0, 3], 5), 2),
    top(floats([2, 0], 6), 0),
  ],
};
