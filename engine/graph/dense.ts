// Where elements lie: views of all of a slot in order, and what reductions keep of a domain.

import { type DType, type Shape, sizeOf, stridesOf } from '../dtype.ts';
import type { RowDomain, View } from '../program.ts';

export const denseView = (slot: number, dtype: DType, shape: Shape): View => ({
  slot,
  dtype,
  strides: stridesOf(shape),
  offset: 0,
});

/** Is a view all of a slot in order? Strides along axes of size 1 say nothing. */
export function isDense({ strides, offset }: Pick<View, 'strides' | 'offset'>, shape: Shape): boolean {
  let run = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== run) return false;
    run *= shape[d];
  }
  return offset === 0;
}

/** Sizes of the axes that stay. */
export const keptOf = ({ shape, axes }: RowDomain): number[] => shape.filter((_, d) => !axes.includes(d));
/** The axes that stay. */
export const acrossOf = ({ shape, axes }: RowDomain): number[] =>
  [...shape.keys()].filter((d) => !axes.includes(d));
/** Elements of a row. */
export const lengthOf = ({ shape, axes }: RowDomain): number => sizeOf(axes.map((d) => shape[d]));
/** Elements of a row that lie one after another. */
export function runOf({ shape, axes }: RowDomain): number {
  const first = shape.findLastIndex((_, d) => !axes.includes(d)) + 1;
  return sizeOf(shape.slice(first));
}

/** Strides over the axes that stay as strides over the domain. */
export function alongRows({ shape, axes }: RowDomain, strides: readonly number[]): number[] {
  let next = 0;
  return shape.map((_, d) => (axes.includes(d) ? 0 : strides[next++]));
}
