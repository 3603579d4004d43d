// Operations that move elements, and those that read or add at computed positions: for each result, where it comes from.

import type { Case, Table } from './case.ts';
import { at, axesFrom, bools, build, common, floats, type Index, list, type Plain, wholes } from './plain.ts';

const moved = (
  x: Plain,
  args: readonly unknown[],
  shape: Index,
  from: (index: number[]) => readonly number[] | null,
  otherwise = 0,
): Case => ({
  x: [x],
  call: (t) => [t, ...args],
  want: (p) =>
    build(
      shape,
      (i) => {
        const source = from(i);
        return source === null ? otherwise : at(p, source);
      },
      p.kind,
    ),
});
/** The same elements in the same order. */
const same = (x: Plain, shape: Index, ...args: readonly unknown[]): Case => ({
  x: [x],
  call: (t) => [t, ...args],
  want: (p) => list(shape, p.data, p.kind),
});

const joined = (xs: readonly Plain[], axis?: number): Case => ({
  x: xs,
  call: (...t) => (axis === undefined ? [t] : [t, axis]),
  want: (...p) => {
    const [a] = axesFrom(p[0], axis ?? 0);
    const length = p.reduce((n, x) => n + x.shape[a], 0);
    return build(
      p[0].shape.with(a, length),
      (i) => {
        let k = 0;
        let rest = i[a];
        while (rest >= p[k].shape[a]) rest -= p[k++].shape[a];
        return at(p[k], i.with(a, rest));
      },
      p[0].kind,
    );
  },
});
const stacked = (xs: readonly Plain[], axis?: number): Case => ({
  x: xs,
  call: (...t) => (axis === undefined ? [t] : [t, axis]),
  want: (...p) => {
    const rank = p[0].shape.length + 1;
    const a = ((axis ?? 0) + rank) % rank;
    return build(p[0].shape.toSpliced(a, 0, p.length), (i) => at(p[i[a]], i.toSpliced(a, 1)), p[0].kind);
  },
});
const cut = (x: Plain, parts: number | readonly number[], sizes: Index, axis = 0): Case => ({
  x: [x],
  call: (t) => [t, parts, axis],
  want: (p) => {
    const [a] = axesFrom(p, axis);
    return sizes.map((n, k) => {
      const before = sizes.slice(0, k).reduce((s, v) => s + v, 0);
      return build(p.shape.with(a, n), (i) => at(p, i.with(a, i[a] + before)), p.kind);
    });
  },
});
const cube = floats([2, 3, 4], 1);

const flipped = (x: Plain, axis?: number | readonly number[]): Case => {
  const axes = axesFrom(x, axis);
  return moved(x, axis === undefined ? [] : [axis], x.shape, (i) =>
    i.map((k, d) => (axes.includes(d) ? x.shape[d] - 1 - k : k)),
  );
};
const transposed = (x: Plain, perm?: readonly number[]): Case => {
  const order = perm ? axesFrom(x, perm) : x.shape.map((_, d) => x.shape.length - 1 - d);
  return moved(
    x,
    perm ? [perm] : [],
    order.map((p) => x.shape[p]),
    (i) => x.shape.map((_, d) => i[order.indexOf(d)]),
  );
};
const sliced = (x: Plain, begin: Index, size: Index, shape: Index, strides?: Index): Case =>
  moved(x, strides ? [begin, size, strides] : [begin, size], shape, (i) =>
    i.map((k, d) => begin[d] + k * (strides?.[d] ?? 1)),
  );
const padded = (x: Plain, widths: readonly (readonly [number, number])[], value?: number): Case =>
  moved(
    x,
    value === undefined ? [widths] : [widths, value],
    x.shape.map((n, d) => n + widths[d][0] + widths[d][1]),
    (i) => {
      const from = i.map((k, d) => k - widths[d][0]);
      return from.every((k, d) => k >= 0 && k < x.shape[d]) ? from : null;
    },
    value,
  );

export const movement: Table = {
  reshape: [
    same(cube, [4, 6], [4, 6]),
    same(cube, [2, 12], [2, -1]),
    same(cube, [24], [-1]),
    same(floats([1], 2), [], []),
    same(floats([0, 3], 3), [3, 0], [3, 0]),
    same(wholes([4], 0, 9), [2, 2], [2, 2]),
    same(bools([4]), [4], [4]),
  ],
  flatten: [same(cube, [24]), same(floats([], 2), [1]), same(floats([2, 0], 2), [0])],
  squeeze: [
    same(floats([1, 3, 1], 2), [3]),
    same(floats([1, 3, 1], 2), [3, 1], 0),
    same(floats([1, 3, 1], 2), [1, 3], -1),
    same(floats([1, 3, 1], 2), [3], [0, 2]),
    same(floats([1, 3], 2), [1, 3], 1),
  ],
  expandDims: [same(cube, [1, 2, 3, 4], 0), same(cube, [2, 3, 4, 1], -1), same(floats([], 1), [1], 0)],
  transpose: [
    transposed(cube),
    transposed(cube, [1, 0, 2]),
    transposed(cube, [-1, 0, 1]),
    transposed(floats([33, 65], 2)),
    transposed(floats([], 3)),
    transposed(floats([0, 3], 3)),
    transposed(wholes([2, 3], -9, 9)),
  ],
  broadcastTo: (
    [
      [floats([3, 1], 1), [2, 3, 4]],
      [floats([], 2), [2, 2]],
      [cube, [2, 3, 4]],
      [floats([1, 3], 3), [0, 3]],
      [bools([1, 2]), [3, 2]],
    ] as const
  ).map(
    ([x, shape]): Case => ({
      x: [x],
      call: (t) => [t, shape],
      want: (p) => build(common(p.shape, shape), (i) => at(p, i), p.kind),
    }),
  ),
  concat: [
    joined([floats([2, 3], 1), floats([1, 3], 2), floats([0, 3], 3)]),
    joined([floats([2, 3], 1), floats([2, 5], 2)], -1),
    joined([cube], 1),
    joined([wholes([2], 0, 9), wholes([3], 0, 9, 2)]),
    joined([bools([2]), bools([1])]),
  ],
  stack: [
    stacked([floats([2, 3], 1), floats([2, 3], 2)]),
    stacked([floats([2, 3], 1), floats([2, 3], 2), floats([2, 3], 3)], -1),
    stacked([floats([], 1), floats([], 2)]),
    stacked([wholes([2], 0, 9)], 1),
  ],
  split: [
    cut(cube, 2, [2, 2], 2),
    cut(cube, [1, 0, 2], [1, 0, 2], -2),
    cut(cube, 1, [2]),
    cut(wholes([4], 0, 9), [3, 1], [3, 1]),
  ],
  slice: [
    sliced(cube, [0, 1, 2], [2, 2, 1], [2, 2, 1]),
    sliced(cube, [1, 0, 1], [-1, 3, -1], [1, 3, 3]),
    sliced(cube, [0, 0, 0], [1, 2, 2], [1, 2, 2], [2, 2, 3]),
    sliced(cube, [0, 0, 1], [-1, -1, -1], [1, 2, 2], [2, 2, 2]),
    sliced(cube, [1, 1, 1], [0, 1, 1], [0, 1, 1]),
    sliced(floats([], 1), [], [], []),
    sliced(wholes([5], 0, 9), [2], [2], [2]),
  ],
  pad: [
    padded(floats([2, 3], 1), [
      [1, 2],
      [0, 1],
    ]),
    padded(
      floats([2, 3], 1),
      [
        [1, 2],
        [0, 1],
      ],
      -2.5,
    ),
    padded(floats([2, 3], 1), [
      [0, 0],
      [0, 0],
    ]),
    padded(
      floats([0, 2], 1),
      [
        [1, 1],
        [0, 0],
      ],
      3,
    ),
    padded(wholes([3], -9, 9), [[2, 1]], 7),
    padded(floats([], 1), []),
    padded(list([2], [1, 2]), [[1, 1]], Infinity),
  ],
  flip: [
    flipped(cube),
    flipped(cube, 1),
    flipped(cube, [0, -1]),
    flipped(floats([0, 2], 1), 0),
    flipped(wholes([5], 0, 9)),
    flipped(floats([], 1)),
  ],
};

// ---- positions -------------------------------------------------------------------------------------------------------

const outside = (x: Plain): number => (x.kind === 'float' ? NaN : 0);
const within = (k: number, n: number): boolean => k >= 0 && k < n;
const taken = (x: Plain, indices: Plain, axis?: number): Case => ({
  x: [x, indices],
  call: (t, i) => (axis === undefined ? [t, i] : [t, i, axis]),
  want: (p, positions) => {
    const [a] = axesFrom(p, axis ?? 0);
    const rank = positions.shape.length;
    return build(
      [...p.shape.slice(0, a), ...positions.shape, ...p.shape.slice(a + 1)],
      (i) => {
        const k = at(positions, i.slice(a, a + rank));
        return within(k, p.shape[a]) ? at(p, [...i.slice(0, a), k, ...i.slice(a + rank)]) : outside(p);
      },
      p.kind,
    );
  },
});
const takenAlong = (x: Plain, indices: Plain, axis?: number): Case => ({
  x: [x, indices],
  call: (t, i) => (axis === undefined ? [t, i] : [t, i, axis]),
  want: (p, positions) => {
    const [a] = axesFrom(p, axis ?? -1);
    return build(
      positions.shape,
      (i) => {
        const k = at(positions, i);
        return within(k, p.shape[a]) ? at(p, i.with(a, k)) : outside(p);
      },
      p.kind,
    );
  },
});
const scattered = (x: Plain, indices: Plain, updates: Plain, axis?: number): Case => ({
  x: [x, indices, updates],
  call: (t, i, u) => (axis === undefined ? [t, i, u] : [t, i, u, axis]),
  want: (p, positions, u) => {
    const [a] = axesFrom(p, axis ?? 0);
    const rank = positions.shape.length;
    // For each element the updates that name it, in order.
    return build(
      p.shape,
      (i) => {
        let sum = at(p, i);
        build(positions.shape, (k) => {
          if (at(positions, k) === i[a]) sum += at(u, [...i.slice(0, a), ...k, ...i.slice(a + 1)]);
          return rank;
        });
        return sum;
      },
      p.kind,
    );
  },
});
const hot = (indices: Plain, classes: number, dtype?: 'int32'): Case => ({
  x: [indices],
  call: (t) => (dtype === undefined ? [t, classes] : [t, classes, dtype]),
  want: (p) =>
    build([...p.shape, classes], (i) => Number(at(p, i.slice(0, -1)) === i.at(-1)), dtype ?? 'float'),
});
const positions = (shape: Index, data: readonly number[]): Plain => list(shape, data, 'int32');

export const indexing: Table = {
  take: [
    taken(floats([4, 3], 1), positions([2], [3, 0])),
    taken(floats([4, 3], 1), positions([2, 2], [1, 1, 2, 0]), 1),
    taken(floats([2, 3, 4], 1), positions([3], [0, 2, 0]), -2),
    taken(floats([3, 2], 1), positions([4], [0, 3, -1, 2])),
    taken(wholes([3], 5, 9), positions([3], [2, 7, -1])),
    taken(floats([3, 2], 1), positions([], [1])),
    taken(floats([3, 2], 1), positions([0], [])),
  ],
  takeAlongAxis: [
    takenAlong(floats([2, 4], 1), positions([2, 2], [3, 0, 1, 1])),
    takenAlong(floats([3, 2], 1), positions([1, 2], [2, 0]), 0),
    takenAlong(floats([2, 3], 1), positions([2, 2], [5, -1, 0, 2])),
    takenAlong(wholes([2, 3], 4, 9), positions([2, 1], [2, 3])),
    takenAlong(floats([2, 3], 1), positions([2, 0], [])),
  ],
  scatterAdd: [
    scattered(floats([4, 3], 1), positions([2], [3, 0]), floats([2, 3], 2)),
    scattered(floats([4, 3], 1), positions([3], [1, 1, 1]), floats([4, 3], 2), 1),
    scattered(floats([4], 1), positions([2, 2], [0, 0, 3, 0]), floats([2, 2], 2), -1),
    scattered(floats([3], 1), positions([3], [3, -1, 2]), floats([3], 2)),
    scattered(wholes([3], -9, 9), positions([2], [2, 2]), wholes([2], -9, 9, 2)),
    scattered(floats([3], 1), positions([0], []), floats([0], 2)),
  ],
  oneHot: [
    hot(positions([4], [0, 2, 3, -1]), 3),
    hot(positions([2, 2], [1, 0, 1, 1]), 2, 'int32'),
    hot(positions([], [1]), 3),
    hot(positions([2], [0, 1]), 0),
    hot(list([3], [0, 1, 2], 'uint32'), 3),
  ],
};
