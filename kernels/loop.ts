// Elementwise chains: a loop without reductions as one kernel, an invocation for four consecutive elements where the
// domain allows it, and the pieces that reductions and the epilogues of products share: merging axes, computing where
// a view's element lies, and writing steps as WGSL. A loop that touches more buffers than a kernel may bind is cut
// into several here.

import { type DType, sizeOf } from '../engine/dtype.ts';
import { denseView } from '../engine/graph/dense.ts';
import type { Loop, Step, View } from '../engine/program.ts';
import { emitEach } from './each.ts';
import { type Argument, expressionOf } from './elementwise.ts';
import type { Lowering } from './lowering.ts';
import { piecesOf } from './pieces.ts';
import { fromMemory, type Shader, toMemory } from './shader.ts';

// ---- axes ------------------------------------------------------------------------------------------------------------

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

export const rowMajor = (sizes: readonly number[]): number[] =>
  denseView(0, 'float32', sizes).strides as number[];

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

// ---- writing a loop --------------------------------------------------------------------------------------------------

export const valueName = (value: number, lane: number): string => `v${value}_${lane}`;

/** Types of a loop's values in their numbering. */
export const valueTypes = (loop: Loop, root: DType | null): DType[] => [
  ...loop.inputs.map((v) => v.dtype),
  ...(root ? [root] : []),
  ...loop.steps.map((s) => s.dtype),
];

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

// ---- loops with too many buffers ------------------------------------------------------------------------------------

/** The same work as one or more loops, each within the device's limit of storage buffers, to be run in order. */
export function splitLoop(loop: Loop, to: Lowering): Loop[] {
  const limit = to.traits.storageBuffers;
  if (buffersIn(loop, to) <= limit) return [loop];
  // What is written in place would be gone for the loops after: it is written beside and copied at the end.
  const read = new Set(loop.inputs.map((v) => to.place(v.slot)));
  const types = valueTypes(loop, null);
  const copies: Loop[] = [];
  const stores = loop.stores.map((s) => {
    if (!read.has(to.place(s.slot))) return s;
    const beside = to.scratch(sizeOf(loop.shape), types[s.value]);
    const input = denseView(beside, types[s.value], loop.shape);
    copies.push({
      ...loop,
      inputs: [input],
      steps: [],
      stores: [{ value: 0, slot: s.slot }],
      reductions: [],
    });
    return { value: s.value, slot: beside };
  });
  let rest: Loop = { ...loop, stores };
  const cut: Loop[] = [];
  for (;;) {
    const cones = conesOf(rest, to);
    const results = [...rest.stores, ...rest.reductions].map((r) => r.value);
    if (results.every((v) => cones[v].size < limit)) break;
    // The widest value that still fits gets memory of its own.
    let widest = -1;
    cones.forEach((c, v) => {
      if (v >= rest.inputs.length && c.size < limit && c.size > (cones[widest]?.size ?? 1)) widest = v;
    });
    const dtype = valueTypes(rest, null)[widest];
    const slot = to.scratch(sizeOf(loop.shape), dtype);
    cut.push(prune({ ...rest, stores: [{ value: widest, slot }], reductions: [] }));
    rest = replaceValue(rest, widest, slot, dtype);
  }
  return [...cut, ...groupResults(rest, to), ...copies];
}

const buffersIn = (loop: Loop, to: Lowering): number =>
  new Set([...loop.inputs, ...loop.stores, ...loop.reductions].map((x) => to.place(x.slot))).size;

/** The buffers each value is computed from. */
function conesOf(loop: Loop, to: Lowering): ReadonlySet<number>[] {
  const cones: Set<number>[] = loop.inputs.map((v) => new Set([to.place(v.slot)]));
  for (const s of loop.steps) cones.push(new Set(s.args.flatMap((a) => [...cones[a]])));
  return cones;
}

/** Deals stores and reductions out to as few loops as they fit into, in order. */
function groupResults(loop: Loop, to: Lowering): Loop[] {
  const cones = conesOf(loop, to);
  const groups: {
    stores: Loop['stores'][number][];
    reductions: Loop['reductions'][number][];
    buffers: Set<number>;
  }[] = [];
  const join = (value: number, slot: number) => {
    const needed = [...cones[value], to.place(slot)];
    let group = groups.find((g) => new Set([...g.buffers, ...needed]).size <= to.traits.storageBuffers);
    if (group === undefined) {
      group = { stores: [], reductions: [], buffers: new Set() };
      groups.push(group);
    }
    for (const b of needed) group.buffers.add(b);
    return group;
  };
  for (const s of loop.stores) join(s.value, s.slot).stores.push(s);
  for (const r of loop.reductions) join(r.value, r.slot).reductions.push(r);
  return groups.map(({ stores, reductions }) => prune({ ...loop, stores, reductions }));
}

/** Leaves out what no result needs. */
function prune(loop: Loop): Loop {
  const n = loop.inputs.length;
  const needed = new Set<number>([...loop.stores, ...loop.reductions].map((r) => r.value));
  for (let k = loop.steps.length - 1; k >= 0; k--)
    if (needed.has(n + k)) for (const a of loop.steps[k].args) needed.add(a);
  const renumbered = new Map<number, number>();
  for (let v = 0; v < n + loop.steps.length; v++) if (needed.has(v)) renumbered.set(v, renumbered.size);
  const to = (v: number): number => renumbered.get(v) as number;
  return {
    ...loop,
    inputs: loop.inputs.filter((_, k) => needed.has(k)),
    steps: loop.steps.filter((_, k) => needed.has(n + k)).map((s) => ({ ...s, args: s.args.map(to) })),
    stores: loop.stores.map((s) => ({ ...s, value: to(s.value) })),
    reductions: loop.reductions.map((r) => ({ ...r, value: to(r.value) })),
  };
}

/** Reads `value` from `slot` from now on. */
function replaceValue(loop: Loop, value: number, slot: number, dtype: DType): Loop {
  const n = loop.inputs.length;
  const to = (v: number): number => (v === value ? n : v < n ? v : v + 1);
  return prune({
    ...loop,
    inputs: [...loop.inputs, denseView(slot, dtype, loop.shape)],
    steps: loop.steps.map((s) => ({ ...s, args: s.args.map(to) })),
    stores: loop.stores.map((s) => ({ ...s, value: to(s.value) })),
    reductions: loop.reductions.map((r) => ({ ...r, value: to(r.value) })),
  });
}
