// The axes of a loop's domain, and where elements lie over them.

import { stridesOf } from '../engine/dtype.ts';
import type { Loop } from '../engine/program.ts';

/** The domain of a loop with neighbouring axes merged where every view walks through both in one stride. */
export interface Domain {
  readonly sizes: readonly number[];
  readonly reduced: readonly boolean[];
  /** For each input of the loop, its strides over `sizes`. */
  readonly strides: readonly (readonly number[])[];
}

export function mergeAxes(loop: Loop, axes: readonly number[] = []): Domain {
  const sizes: number[] = [];
  const reduced: boolean[] = [];
  const strides: number[][] = loop.inputs.map(() => []);
  loop.shape.forEach((n, d) => {
    if (n === 1) return;
    const last = sizes.length - 1;
    const flag = axes.includes(d);
    const joins =
      last >= 0 &&
      reduced[last] === flag &&
      loop.inputs.every((v, k) => strides[k][last] === v.strides[d] * n);
    if (joins) {
      sizes[last] *= n;
      loop.inputs.forEach((v, k) => {
        strides[k][last] = v.strides[d];
      });
    } else {
      sizes.push(n);
      reduced.push(flag);
      loop.inputs.forEach((v, k) => {
        strides[k].push(v.strides[d]);
      });
    }
  });
  return { sizes, reduced, strides };
}

export const rowMajor = (sizes: readonly number[]): number[] => [...stridesOf(sizes)];

/** `index` taken apart into coordinates of axes with these sizes, the last one fastest. */
export function coordinates(index: string, sizes: readonly number[], names: readonly string[]): string {
  const lines: string[] = [];
  let rest = index;
  for (let d = sizes.length - 1; d > 0; d--) {
    lines.push(`let ${names[d]} = ${rest} % ${sizes[d]}u;`);
    const next = `${names[d]}_rest`;
    lines.push(`let ${next} = ${rest} / ${sizes[d]}u;`);
    rest = next;
  }
  if (sizes.length > 0) lines.push(`let ${names[0]} = ${rest};`);
  return lines.join('\n');
}

/** offset + sum of names[d] * strides[d]; u32 arithmetic wraps, so that negative strides come out right. */
export function position(names: readonly string[], strides: readonly number[], offset = 0): string {
  const terms: string[] = [];
  const less: string[] = [];
  names.forEach((name, d) => {
    const s = Math.abs(strides[d]);
    if (s !== 0) (strides[d] > 0 ? terms : less).push(s === 1 ? name : `${name} * ${s}u`);
  });
  if (offset !== 0 || terms.length === 0) terms.push(`${offset}u`);
  return `(${[terms.join(' + '), ...less].join(' - ')})`;
}
