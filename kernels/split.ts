// Loops beyond the device's limits become several, before they are written. One that touches more buffers than a kernel
// may bind is cut into loops that hand values on through memory. One over arrays larger than a kernel may bind runs in
// pieces of its domain, as large as they can be along the outermost axis, each kernel with a part of every large array
// bound; parts begin where the device lets a binding begin.

import { bytesOf, type DType, sizeOf, stridesOf } from '../engine/dtype.ts';
import { denseView, isDense } from '../engine/graph/dense.ts';
import type { Loop, View } from '../engine/program.ts';
import { mergeAxes } from './axes.ts';
import type { Lowering } from './lowering.ts';
import type { Part } from './shader.ts';

/** Types of a loop's values in their numbering. */
export const valueTypes = (loop: Loop, root: DType | null): DType[] => [
  ...loop.inputs.map((v) => v.dtype),
  ...(root ? [root] : []),
  ...loop.steps.map((s) => s.dtype),
];

// ---- too many buffers ------------------------------------------------------------------------------------------------

/** The same work as one or more loops, each within the device's limit of storage buffers, to be run in order. */
export function splitLoop(loop: Loop, to: Lowering): Loop[] {
  const limit = to.traits.storageBuffers;
  if (boundBy(loop, to) <= limit) return [loop];
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
    const cones = conesOf(rest, bindingsOf(rest, to).inputs);
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

/** Buffers that a kernel of the loop binds, at most. */
export function boundBy(loop: Loop, to: Lowering): number {
  const { inputs, results } = bindingsOf(loop, to);
  return new Set([...inputs.flat(), ...results.flat()]).size;
}

/**
 * What each input and each result (stores, then reductions) is bound as. A kernel binds an array twice where it sees it both
 * as elements and as vectors of four. Which it does is known once axes are merged; a view that may be either counts as both,
 * unless it is the only one of its array.
 */
function bindingsOf(loop: Loop, to: Lowering): { inputs: string[][]; results: string[][] } {
  const dense = stridesOf(loop.shape);
  const last = loop.shape.findLastIndex((n) => n !== 1);
  const seen = [
    ...loop.inputs.map(({ slot, strides, offset }) => ({ slot, strides, offset })),
    ...loop.stores.map(({ slot }) => ({ slot, strides: dense, offset: 0 })),
    ...loop.reductions.map(({ slot }) => ({ slot, strides: loop.shape.map(() => 0), offset: 0 })),
  ].map((v) => ({ ...v, place: to.place(v.slot), key: `${v.strides} ${v.offset}` }));
  const keys = new Map<number, Set<string>>();
  for (const { place, key } of seen) keys.set(place, (keys.get(place) ?? new Set()).add(key));
  const bound = seen.map((v): string[] => {
    const [elements, vectors] = [`${v.place}`, `${v.place} by four`];
    if (keys.get(v.place)?.size === 1) return [elements];
    if (isDense(v, loop.shape)) return [vectors];
    return v.strides[last] === 1 ? [elements, vectors] : [elements];
  });
  return { inputs: bound.slice(0, loop.inputs.length), results: bound.slice(loop.inputs.length) };
}

/** What each value is computed from, as it is bound. */
function conesOf(loop: Loop, inputs: readonly (readonly string[])[]): ReadonlySet<string>[] {
  const cones: Set<string>[] = inputs.map((keys) => new Set(keys));
  for (const s of loop.steps) cones.push(new Set(s.args.flatMap((a) => [...cones[a]])));
  return cones;
}

/** Deals stores and reductions out to as few loops as they fit into, in order. */
function groupResults(loop: Loop, to: Lowering): Loop[] {
  const { inputs, results } = bindingsOf(loop, to);
  const cones = conesOf(loop, inputs);
  const groups: {
    stores: Loop['stores'][number][];
    reductions: Loop['reductions'][number][];
    bound: Set<string>;
  }[] = [];
  const join = (value: number, result: number) => {
    const needed = [...cones[value], ...results[result]];
    let group = groups.find((g) => new Set([...g.bound, ...needed]).size <= to.traits.storageBuffers);
    if (group === undefined) {
      group = { stores: [], reductions: [], bound: new Set() };
      groups.push(group);
    }
    for (const b of needed) group.bound.add(b);
    return group;
  };
  loop.stores.forEach((s, k) => join(s.value, k).stores.push(s));
  loop.reductions.forEach((r, k) => join(r.value, loop.stores.length + k).reductions.push(r));
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

// ---- arrays that are too large ---------------------------------------------------------------------------------------

/** Elements to whose multiples parts are aligned: 256 bytes, the portable rule, in the smallest type there is. */
const ALIGNMENT = 128;
/** More pieces than this cost more than they are worth, each being a kernel to compile: some views turn an array around. */
const MAX_PIECES = 64;
const alignedDown = (n: number): number => n - (n % ALIGNMENT);

interface Piece {
  readonly loop: Loop;
  /** By place (see Lowering); arrays that are missing are bound whole. */
  readonly parts: ReadonlyMap<number, Part>;
  /** Where results begin in their parts. */
  readonly base: number;
}

/** A box of the domain: its shape, the views with offsets moved to it, and the number of its first element. */
interface Region {
  readonly shape: readonly number[];
  readonly inputs: readonly View[];
  readonly first: number;
}

const along = ({ shape, inputs, first }: Region, from: number, rows: number): Region => ({
  shape: [rows, ...shape.slice(1)],
  inputs: inputs.map((v) => ({ ...v, offset: v.offset + from * v.strides[0] })),
  first: first + from * sizeOf(shape.slice(1)),
});
const row = (r: Region, at: number): Region => {
  const { shape, inputs, first } = along(r, at, 1);
  return { shape: shape.slice(1), inputs: inputs.map((v) => ({ ...v, strides: v.strides.slice(1) })), first };
};

/** Lowest and highest element that a view touches. */
function reach(v: View, shape: readonly number[]): [number, number] {
  const far = shape.map((n, d) => (n - 1) * v.strides[d]);
  const sum = (xs: number[]): number => xs.reduce((a, b) => a + b, v.offset);
  return [sum(far.filter((x) => x < 0)), sum(far.filter((x) => x > 0))];
}

/** The loop itself where everything fits, and where it takes too many pieces: its kernel is then refused. */
export function piecesOf(loop: Loop, to: Lowering): Piece[] {
  const most = (slot: number): number => Math.floor(to.traits.bindingBytes / bytesOf(to.slots[slot].dtype));
  const large = ({ slot }: { readonly slot: number }): boolean => to.slots[slot].size > most(slot);
  const whole: Piece[] = [{ loop, parts: new Map(), base: 0 }];
  if (![...loop.inputs, ...loop.stores].some(large)) return whole;

  const partsOf = ({ shape, inputs, first }: Region): Map<number, Part> => {
    const ends = new Map<number, [number, number]>();
    const touch = (slot: number, low: number, high: number): void => {
      const [a, b] = ends.get(to.place(slot)) ?? [low, high];
      ends.set(to.place(slot), [Math.min(a, low), Math.max(b, high)]);
    };
    for (const s of loop.stores) touch(s.slot, first, first + sizeOf(shape) - 1);
    for (const v of inputs) if (large(v)) touch(v.slot, ...reach(v, shape));
    const part = ([low, high]: [number, number]): Part => ({
      from: alignedDown(low),
      size: high + 1 - alignedDown(low),
    });
    return new Map([...ends].map(([place, both]) => [place, part(both)]));
  };
  const fits = (parts: ReadonlyMap<number, Part>, spare: number): boolean =>
    [...parts].every(([place, { size }]) => size + spare <= most(place));

  const pieces: Piece[] = [];
  const cut = (r: Region): void => {
    if (pieces.length > MAX_PIECES) return;
    const [count] = r.shape;
    const parts = partsOf(r);
    if (fits(parts, 0) || count === undefined) {
      // All results begin at the same element, each in its own part.
      const [{ slot }] = loop.stores;
      const base = r.first - (parts.get(to.place(slot))?.from ?? 0);
      const inputs = r.inputs.map((v) => ({
        ...v,
        offset: v.offset - (parts.get(to.place(v.slot))?.from ?? 0),
      }));
      pieces.push({ loop: { ...loop, shape: r.shape, inputs }, parts, base });
      return;
    }
    // The most rows that fit wherever they begin: an alignment's worth is left free.
    let [rows, beyond] = [0, count];
    while (beyond - rows > 1) {
      const middle = (rows + beyond) >> 1;
      if (fits(partsOf(along(r, 0, middle)), ALIGNMENT)) rows = middle;
      else beyond = middle;
    }
    if (rows > ALIGNMENT) rows = alignedDown(rows);
    if (rows === 0) for (let at = 0; at < count && pieces.length <= MAX_PIECES; at++) cut(row(r, at));
    else for (let at = 0; at < count; at += rows) cut(along(r, at, Math.min(rows, count - at)));
  };
  const { sizes, strides } = mergeAxes(loop);
  cut({ shape: sizes, inputs: loop.inputs.map((v, k) => ({ ...v, strides: strides[k] })), first: 0 });
  return pieces.length > MAX_PIECES ? whole : pieces;
}
