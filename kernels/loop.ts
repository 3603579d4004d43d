// Elementwise chains: a loop without reductions as one kernel, an invocation for four consecutive elements where the
// domain allows it, and what reductions and the epilogues of products share with it: reading views and writing steps as
// WGSL. Axes are merged in axes.ts; loops beyond the device's limits are cut in split.ts.

import { type DType, sizeOf } from '../engine/dtype.ts';
import type { Loop, Step, View } from '../engine/program.ts';
import { coordinates, type Domain, mergeAxes, position, rowMajor } from './axes.ts';
import { emitEach } from './each.ts';
import { type Argument, expressionOf } from './elementwise.ts';
import type { Lowering } from './lowering.ts';
import { fromMemory, type Shader, toMemory } from './shader.ts';
import { piecesOf, valueTypes } from './split.ts';

// ---- writing a loop --------------------------------------------------------------------------------------------------

export const valueName = (value: number, lane: number): string => `v${value}_${lane}`;

interface Place {
  /** A name for the coordinate along each merged axis, of the first lane. */
  readonly names: readonly string[];
  /** The element's number in the domain, of the first lane, and in what is stored. */
  readonly flat: string;
  /** Offset of the bound range: `flat` minus the number in the domain, where only a part of what is stored is bound. */
  readonly base?: number;
  /** Consecutive elements along the last axis that are computed together. */
  readonly lanes: 1 | 4;
}

/** Statements that compute all values of a loop at a place and store what is to be stored. */
export function writeLoop(
  shader: Shader,
  loop: Loop,
  domain: Domain,
  at: Place,
  root: { readonly dtype: DType; readonly names: readonly string[] } | null = null,
): string {
  const lines: string[] = [];
  const lanes = Array.from({ length: at.lanes }, (_, l) => l);
  loop.inputs.forEach((v, k) => {
    lines.push(...writeLoad(shader, v, domain.strides[k], domain, at, k));
  });
  const types = valueTypes(loop, root?.dtype ?? null);
  const first = loop.inputs.length + (root ? 1 : 0);
  const constants = new Map<number, number>();
  loop.steps.forEach((s: Step, k) => {
    if (s.op === 'full') constants.set(first + k, s.value ?? 0);
  });
  const nameOf = (value: number, lane: number): string =>
    root && value === loop.inputs.length ? root.names[lane] : valueName(value, lane);
  for (const lane of lanes)
    loop.steps.forEach((s, k) => {
      const args = s.args.map(
        (a): Argument => ({ name: nameOf(a, lane), dtype: types[a], constant: constants.get(a) }),
      );
      lines.push(`let ${valueName(first + k, lane)} = ${expressionOf(s, args)};`);
    });
  for (const s of loop.stores) {
    const dtype = types[s.value];
    const values = lanes.map((lane) => toMemory(nameOf(s.value, lane), dtype));
    const target = shader.write(s.slot, dtype, at.lanes);
    if (at.lanes === 1) lines.push(`${target}[${at.flat}] = ${values[0]};`);
    else lines.push(`${target}[(${at.flat}) / 4u] = vec4(${values.join(', ')});`);
  }
  return lines.join('\n');
}

/** Statements that read a view's elements at a place; `k` names them (`valueName`). */
export function writeLoad(
  shader: Shader,
  v: View,
  strides: readonly number[],
  domain: Domain,
  at: Place,
  k: number,
): string[] {
  const dense = v.offset === (at.base ?? 0) && rowMajor(domain.sizes).every((s, d) => s === strides[d]);
  const index = dense ? at.flat : position(at.names, strides, v.offset);
  const inner = strides.at(-1) ?? 0;
  const name = (lane: number): string => valueName(k, lane);
  const scalar = (e: string, lane: number): string => `let ${name(lane)} = ${fromMemory(e, v.dtype)};`;
  if (at.lanes === 1) return [scalar(`${shader.read(v.slot, v.dtype)}[${index}]`, 0)];
  if (inner === 0) {
    const one = `${shader.read(v.slot, v.dtype)}[${index}]`;
    return [scalar(one, 0), ...[1, 2, 3].map((l) => `let ${name(l)} = ${name(0)};`)];
  }
  const whole = inner === 1 && v.offset % 4 === 0 && strides.slice(0, -1).every((s) => s % 4 === 0);
  if (whole)
    return [
      `let q${k} = ${shader.read(v.slot, v.dtype, 4)}[(${index}) / 4u];`,
      ...['x', 'y', 'z', 'w'].map((c, lane) => scalar(`q${k}.${c}`, lane)),
    ];
  const array = shader.read(v.slot, v.dtype);
  return [
    `let p${k} = ${index};`,
    ...[0, 1, 2, 3].map((l) => {
      const step = Math.abs(inner) * l;
      return scalar(`${array}[p${k}${l === 0 ? '' : ` ${inner > 0 ? '+' : '-'} ${step}u`}]`, l);
    }),
  ];
}

/** How many neighbours are computed together over a domain. */
export const lanesFor = (domain: Domain): 1 | 4 => ((domain.sizes.at(-1) ?? 1) % 4 === 0 ? 4 : 1);

/** A loop without reductions. */
export function emitMap(whole: Loop, to: Lowering, label = 'loop'): void {
  if (sizeOf(whole.shape) === 0 || whole.stores.length === 0) return;
  for (const { loop, parts, base } of piecesOf(whole, to)) {
    const domain = mergeAxes(loop);
    const lanes = base % 4 === 0 ? lanesFor(domain) : 1;
    const names = domain.sizes.map((_, d) => `c${d}`);
    const shader = to.shader(label, parts);
    const main = `let first = at${lanes === 4 ? ' * 4u' : ''};
${coordinates('first', domain.sizes, names)}
${writeLoop(shader, loop, domain, { names, flat: base === 0 ? 'first' : `(first + ${base}u)`, base, lanes })}`;
    emitEach(shader, sizeOf(loop.shape) / lanes, to, main);
  }
}
