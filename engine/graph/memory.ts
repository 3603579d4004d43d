// Where results and temporaries lie: results over arguments that were given away, temporaries in one arena.

import { bytesOf } from '../dtype.ts';
import type { Instruction, Slot } from '../program.ts';
import { readsOf, writesOf } from './touches.ts';

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
const roundedBytes = ({ size, dtype }: Slot): number =>
  Math.max(1, Math.ceil((size * bytesOf(dtype)) / ALIGNED)) * ALIGNED;

/** A slot's life: the first and the last instruction that touch it. */
function livesOf(
  slots: readonly Slot[],
  instructions: readonly Instruction[],
): Map<number, [number, number]> {
  const lives = new Map<number, [number, number]>();
  instructions.forEach((instruction, i) => {
    for (const { slot } of [...writesOf(instruction), ...readsOf(instruction)]) {
      if (slots[slot].kind !== 'temporary') continue;
      const life = lives.get(slot);
      if (life) life[1] = i;
      else lives.set(slot, [i, i]);
    }
  });
  return lives;
}

/** Temporaries in one arena: largest first, each at the lowest place that is free over its whole life. */
export function inArena(
  slots: readonly Slot[],
  instructions: readonly Instruction[],
): { slots: Slot[]; arenaBytes: number } {
  const lives = livesOf(slots, instructions);
  const placed: { begin: number; end: number; from: number; to: number }[] = [];
  const offsets = new Map<number, number>();
  let arenaBytes = 0;
  const order = [...lives.keys()].sort((a, b) => roundedBytes(slots[b]) - roundedBytes(slots[a]) || a - b);
  for (const s of order) {
    const [from, to] = lives.get(s) as [number, number];
    const bytes = roundedBytes(slots[s]);
    let at = 0;
    for (const p of placed.filter((q) => q.from <= to && from <= q.to).sort((a, b) => a.begin - b.begin)) {
      if (p.begin >= at + bytes) break;
      at = Math.max(at, p.end);
    }
    offsets.set(s, at);
    placed.push({ begin: at, end: at + bytes, from, to });
    arenaBytes = Math.max(arenaBytes, at + bytes);
  }
  return { slots: slots.map((s, n) => ({ ...s, offset: offsets.get(n) ?? s.offset })), arenaBytes };
}
