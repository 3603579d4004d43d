// Where temporaries lie: those that are never needed at the same time share memory. Largest first: small ones fill what is
// left. A backend either gives them one arena, in which each has an offset, or whole buffers, where a device lets no buffer
// be read and written in one kernel, whatever the ranges.

/** A temporary: from the step that first touches it to the last one that does, both included. */
interface Temporary {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

/** Temporaries by number, from the numbers that each step touches. */
export function livesOf(
  touched: readonly (readonly number[])[],
  bytesOf: (n: number) => number,
): Map<number, Temporary> {
  const lives = new Map<number, Temporary>();
  touched.forEach((numbers, step) => {
    for (const n of numbers) {
      const { bytes, from } = lives.get(n) ?? { bytes: bytesOf(n), from: step };
      lives.set(n, { bytes, from, to: step });
    }
  });
  return lives;
}

const meets = (a: Temporary, b: Temporary): boolean => a.from <= b.to && b.from <= a.to;

const largestFirst = (lives: ReadonlyMap<number, Temporary>): [number, Temporary][] =>
  [...lives].sort(([a, x], [b, y]) => y.bytes - x.bytes || a - b);

// Steps for which a small temporary keeps its place after its last use, so that a backend may do neighbouring steps in another order:
// nothing is in the way but what they compute.
const STEPS_KEPT = 32;

/** One arena: each at the lowest offset that is free over its whole life, and, up to `small` bytes, for some steps more. */
export function inArena(
  lives: ReadonlyMap<number, Temporary>,
  small = 0,
): {
  readonly offsets: ReadonlyMap<number, number>;
  readonly bytes: number;
} {
  const placed: (Temporary & { readonly begin: number })[] = [];
  const offsets = new Map<number, number>();
  for (const [n, life] of largestFirst(lives)) {
    const t = life.bytes <= small ? { ...life, to: life.to + STEPS_KEPT } : life;
    let begin = 0;
    for (const p of placed.filter((q) => meets(q, t)).sort((a, b) => a.begin - b.begin)) {
      if (p.begin >= begin + t.bytes) break;
      begin = Math.max(begin, p.begin + p.bytes);
    }
    offsets.set(n, begin);
    placed.push({ ...t, begin });
  }
  return { offsets, bytes: placed.reduce((end, p) => Math.max(end, p.begin + p.bytes), 0) };
}

/** Buffers: each temporary in the smallest one that is free over its whole life. */
export function inBuffers(lives: ReadonlyMap<number, Temporary>): {
  /** The buffer of each temporary. */
  readonly of: ReadonlyMap<number, number>;
  /** Bytes of each buffer. */
  readonly buffers: readonly number[];
} {
  const buffers: { readonly bytes: number; readonly inside: Temporary[] }[] = [];
  const of = new Map<number, number>();
  for (const [n, t] of largestFirst(lives)) {
    let home = -1;
    buffers.forEach((b, at) => {
      const free = !b.inside.some((other) => meets(other, t));
      if (free && (home < 0 || b.bytes < buffers[home].bytes)) home = at;
    });
    if (home < 0) home = buffers.push({ bytes: t.bytes, inside: [] }) - 1;
    buffers[home].inside.push(t);
    of.set(n, home);
  }
  return { of, buffers: buffers.map((b) => b.bytes) };
}
