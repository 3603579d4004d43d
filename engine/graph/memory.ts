// Where slots lie: results over arguments that were given away, temporaries in one arena.

import { bytesOf } from '../dtype.ts';
import type { Instruction, Slot } from '../program.ts';
import { inArena, livesOf } from './placement.ts';
import { readsOf, slotsRead, slotsWritten, writesOf } from './touches.ts';

/** May an instruction write a slot where another one lies that it reads? It may not read an element after writing it. */
export function isInPlace(i: Instruction, written: number, read: number): boolean {
  for (const r of readsOf(i)) if (r.slot === read && !r.inStep) return false;
  for (const w of writesOf(i)) if (w.slot === written && !w.inStep) return false;
  return true;
}

/**
 * Pairs results with arguments that were given away, of the same type and size: [output, input]. The argument is read by
 * nothing after the instruction that writes the result. `kept`: arguments that are results themselves.
 */
export function donationsOf(
  slots: readonly Slot[],
  instructions: readonly Instruction[],
  donated: readonly number[],
  kept: ReadonlySet<number>,
): [number, number][] {
  const pairs: [number, number][] = [];
  const free = new Set(donated.filter((n) => !kept.has(n)));
  if (free.size === 0) return pairs;
  const writtenAt = new Map<number, number>();
  const readAt = new Map<number, number>();
  instructions.forEach((instruction, i) => {
    for (const { slot } of writesOf(instruction)) writtenAt.set(slot, i);
    for (const { slot } of readsOf(instruction)) readAt.set(slot, i);
  });
  const fits = (output: number, input: number): boolean => {
    const [out, inn] = [slots[output], slots[input]];
    if (inn.size !== out.size || inn.dtype !== out.dtype) return false;
    const at = writtenAt.get(output) as number;
    const last = readAt.get(input) ?? -1;
    return last < at || (last === at && isInPlace(instructions[at], output, input));
  };
  slots.forEach((out, o) => {
    if (out.kind !== 'output' || !writtenAt.has(o)) return;
    for (const input of free) {
      if (!fits(o, input)) continue;
      pairs.push([out.index, input]);
      free.delete(input);
      return;
    }
  });
  return pairs;
}

const ALIGNED = 256;
/** A temporary is small if it has this share of the largest slot at most: so keeping small ones longer costs little. */
const SMALL_SHARE = 1 / 256;

/** Temporary slots with their places in one arena, which takes `arenaBytes`. */
export function withOffsets(
  slots: readonly Slot[],
  instructions: readonly Instruction[],
): { slots: readonly Slot[]; arenaBytes: number } {
  const isTemporary = (n: number): boolean => slots[n].kind === 'temporary';
  const touched = instructions.map((i) => [...slotsWritten(i), ...slotsRead(i)].filter(isTemporary));
  const rounded = (n: number): number => {
    const { size, dtype } = slots[n];
    return Math.max(1, Math.ceil((size * bytesOf(dtype)) / ALIGNED)) * ALIGNED;
  };
  const largest = slots.reduce((most, s) => Math.max(most, s.size * bytesOf(s.dtype)), 0);
  const { offsets, bytes } = inArena(livesOf(touched, rounded), largest * SMALL_SHARE);
  return { slots: slots.map((s, n) => ({ ...s, offset: offsets.get(n) ?? s.offset })), arenaBytes: bytes };
}
