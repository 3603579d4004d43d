// Plain arrays, and the few loops that the oracles of these tests are written with. Nothing here knows the engine's
// primitives or its reference: an oracle says what an operation means in terms of elements and indices.

import { elements } from '../conformance/values.ts';

/** `float` stands for the float type of whatever is being tested. */
export type Kind = 'float' | 'int32' | 'uint32' | 'bool';
export interface Plain {
  readonly shape: readonly number[];
  readonly kind: Kind;
  readonly data: readonly number[];
}
export type Index = readonly number[];

export const sizeOf = (shape: Index): number => shape.reduce((n, d) => n * d, 1);

/** Elements as a list, row-major. */
export const list = (shape: Index, data: readonly number[], kind: Kind = 'float'): Plain => ({
  shape,
  kind,
  data,
});
/** Reproducible floats. */
export const floats = (shape: Index, seed = 1, fill?: 'normal' | 'positive' | 'distinct'): Plain =>
  list(shape, [...elements({ shape, fill }, seed)]);
/** Reproducible whole numbers from `low` up to, not including, `high`. */
export const wholes = (shape: Index, low: number, high: number, seed = 1, kind: Kind = 'int32'): Plain => {
  const data = elements({ shape, fill: 'index', below: high - low }, seed);
  return list(
    shape,
    [...data].map((v) => v + low),
    kind,
  );
};
export const bools = (shape: Index, seed = 1): Plain =>
  list(shape, [...elements({ shape, fill: 'bool' }, seed)], 'bool');

/** An array from a function of the index. */
export function build(shape: Index, f: (index: number[]) => number, kind: Kind = 'float'): Plain {
  const data: number[] = [];
  const index = shape.map(() => 0);
  for (let n = sizeOf(shape); n > 0; n--) {
    data.push(f([...index]));
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
  return list(shape, data, kind);
}

/** The element at an index; axes the array does not have, or has in size 1, are broadcast. */
export function at({ shape, data }: Plain, index: Index): number {
  let flat = 0;
  shape.forEach((n, d) => {
    flat = flat * n + (n === 1 ? 0 : index[index.length - shape.length + d]);
  });
  return data[flat];
}

/** The shape that these broadcast to. */
export const common = (...shapes: Index[]): number[] => {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, d) => {
    const sizes = shapes.map((s) => s[d - rank + s.length] ?? 1);
    return sizes.find((n) => n !== 1) ?? 1;
  });
};

/** f element by element, operands broadcast. */
export const each = (f: (...v: number[]) => number, xs: readonly Plain[], kind: Kind = 'float'): Plain =>
  build(common(...xs.map((x) => x.shape)), (index) => f(...xs.map((x) => at(x, index))), kind);

export const axesFrom = (x: Plain, axis?: number | readonly number[]): number[] =>
  (axis === undefined ? x.shape.map((_, d) => d) : [axis].flat()).map((a) =>
    a < 0 ? a + x.shape.length : a,
  );

/** f of the list of elements along axes, for each index off them. */
export function along(
  x: Plain,
  axis: number | readonly number[] | undefined,
  keepDims: boolean,
  f: (values: number[]) => number,
  kind: Kind = 'float',
): Plain {
  const axes = axesFrom(x, axis);
  const ones = x.shape.map((n, d) => (axes.includes(d) ? 1 : n));
  const inside = axes.map((a) => x.shape[a]);
  const result = build(
    ones,
    (index) => {
      const { data } = build(inside, (within) => {
        const full = [...index];
        axes.forEach((a, k) => {
          full[a] = within[k];
        });
        return at(x, full);
      });
      return f([...data]);
    },
    kind,
  );
  if (keepDims) return result;
  return list(
    ones.filter((_, d) => !axes.includes(d)),
    result.data,
    kind,
  );
}

export const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
export const average = (values: readonly number[]): number => total(values) / values.length;
/** Mean squared distance from the mean. */
export const spread = (values: readonly number[]): number => {
  const m = average(values);
  return average(values.map((v) => (v - m) ** 2));
};
