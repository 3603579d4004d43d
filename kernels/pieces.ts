// Arrays larger than a kernel may bind. A loop without reductions is then run in pieces of its domain, as large as they
// can be along the outermost axis, each kernel with a part of every large array bound; parts begin where the device lets
// a binding begin.

import { bytesOf, sizeOf } from '../engine/dtype.ts';
import type { Loop, View } from '../engine/program.ts';
import { mergeAxes } from './loop.ts';
import type { Lowering } from './lowering.ts';
import type { Part } from './shader.ts';

/** Elements to whose multiples parts are aligned: 256 bytes, the portable rule, in the smallest type there is. */
const ALIGNED = 128;
/** More pieces than this cost more than they are worth, each being a kernel to compile: some views turn an array around. */
const MOST = 64;
const alignedDown = (n: number): number => n - (n % ALIGNED);

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
    if (pieces.length > MOST) return;
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
      if (fits(partsOf(along(r, 0, middle)), ALIGNED)) rows = middle;
      else beyond = middle;
    }
    if (rows > ALIGNED) rows = alignedDown(rows);
    if (rows === 0) for (let at = 0; at < count && pieces.length <= MOST; at++) cut(row(r, at));
    else for (let at = 0; at < count; at += rows) cut(along(r, at, Math.min(rows, count - at)));
  };
  const { sizes, strides } = mergeAxes(loop);
  cut({ shape: sizes, inputs: loop.inputs.map((v, k) => ({ ...v, strides: strides[k] })), first: 0 });
  return pieces.length > MOST ? whole : pieces;
}
