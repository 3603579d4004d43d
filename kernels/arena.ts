// Memory for temporaries. The engine plans one arena with offsets; WebGPU lets no buffer be bound for reading and for
// writing in one dispatch, whatever the ranges. So temporaries share whole buffers instead: those whose lives do not
// overlap may lie in one, and each kernel sees every buffer in one role. Inputs stay declared read-only, no single
// buffer has to hold everything (devices cap the size of one), and what lowering added is placed along with the rest.

import { bytesOf } from '../engine/dtype.ts';
import type { Lowering } from './lowering.ts';

export interface ArenaPlan {
  /** Bytes of each buffer. */
  readonly buffers: readonly number[];
  /** The buffer of each temporary slot; -1 for other slots and unused ones. */
  readonly of: readonly number[];
}

/** Largest first, each into the smallest buffer that is free over its whole life. */
export function planArena({ slots, kernels, place }: Lowering): ArenaPlan {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  kernels.forEach((k, at) => {
    for (const b of k.bindings) {
      const slot = place(b.slot);
      if (slots[slot].kind !== 'temporary') continue;
      if (!first.has(slot)) first.set(slot, at);
      last.set(slot, at);
    }
  });
  const buffers: { bytes: number; lives: [number, number][] }[] = [];
  const of = slots.map(() => -1);
  const bytes = (slot: number): number => slots[slot].size * bytesOf(slots[slot].dtype);
  const order = [...first.keys()].sort((a, b) => bytes(b) - bytes(a) || a - b);
  for (const slot of order) {
    const [from, to] = [first.get(slot) as number, last.get(slot) as number];
    let home = -1;
    buffers.forEach((b, i) => {
      const free = b.lives.every(([f, t]) => t < from || to < f);
      if (free && (home < 0 || b.bytes < buffers[home].bytes)) home = i;
    });
    if (home < 0) home = buffers.push({ bytes: bufferBytes(bytes(slot)), lives: [] }) - 1;
    buffers[home].lives.push([from, to]);
    of[slot] = home;
  }
  return { buffers: buffers.map((b) => b.bytes), of };
}

/** Room for whole vectors of four, and never nothing. */
export const bufferBytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);
