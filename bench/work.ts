// What an instruction has to do at least: its arithmetic, and the bytes that must come from memory and go back to it
// once. Counted from the planned program, whatever the backend makes of it; with the machine's ceilings that gives the
// shortest time there can be, which measured times are compared with (the roofline model: Williams, Waterman and
// Patterson, 2009).

import type { Ceilings } from '../engine/backend.ts';
import { bytesOf, sizeOf } from '../engine/dtype.ts';
import { loopsOf, readsOf, writesOf } from '../engine/graph/touches.ts';
import type { Instruction, Loop, Program, Rows, Step } from '../engine/program.ts';

export interface Work {
  /** Two for each multiply-add of a product, one for each elementwise step or reduced element. */
  readonly flops: number;
  /** Every element that is read or written, once. */
  readonly bytes: number;
}

/** Pairs of a query and a key that it sees: all, those up to its number, those from it on. */
function pairsOf(queries: number, keys: number, sees: string): number {
  const r = Math.min(queries, keys);
  if (sees === 'past') return (r * (r + 1)) / 2 + (queries - r) * keys;
  return sees === 'future' ? r * keys - (r * (r - 1)) / 2 : queries * keys;
}

/** Multiply-adds of a product, a convolution or attention, times two, as if done directly; 0 for all else. */
export function productFlops(i: Instruction): number {
  if (i.kind !== 'op') return 0;
  const { inputs } = i;
  const [a, b] = inputs;
  const [y] = i.outputs;
  switch (i.op) {
    case 'dot':
      return 2 * sizeOf(y.shape) * (a.shape.at(i.params.transposeA ? -2 : -1) as number);
    // [kh, kw, C / groups] products for each element of the convolution's result.
    case 'conv':
      return 2 * sizeOf(y.shape) * sizeOf(b.shape.slice(1, 4));
    case 'convGradInput':
      return 2 * sizeOf(a.shape) * sizeOf(b.shape.slice(1, 4));
    case 'convGradWeight':
      return 2 * sizeOf(b.shape) * sizeOf(y.shape.slice(1, 4));
    // Scores, factors, and the sum over values, for each pair that is seen.
    case 'attention':
    case 'attentionSum': {
      const factors = inputs.slice(i.op === 'attention' ? 4 : 5).filter((_, f) => f % 2 === 0);
      const width = [a, y, ...factors].reduce((sum, o) => sum + o.shape[2], 0);
      return 2 * a.shape[0] * pairsOf(a.shape[1], b.shape[1], i.params.sees) * width;
    }
    default:
      return 0;
  }
}

/** Steps that compute nothing: constants, and changes of type. */
const FREE: ReadonlySet<string> = new Set(['full', 'convert']);
const REDUCTIONS: ReadonlySet<string> = new Set(['sum', 'max', 'min', 'argmax', 'argmin', 'moments']);

export function workOf({ slots }: Program, i: Instruction): Work {
  // A slot that is read through several views, or several times, comes from memory once.
  const read = new Map<number, number>();
  for (const { slot, elements } of readsOf(i))
    read.set(slot, Math.min(slots[slot].size, Math.max(read.get(slot) ?? 0, elements)));
  let bytes = 0;
  for (const [slot, elements] of [...read, ...writesOf(i).map((w) => [w.slot, w.elements] as const)])
    bytes += elements * bytesOf(slots[slot].dtype);
  return { flops: flopsOf(i), bytes };
}

/** A step of values of rows counts once a row. */
function rowFlops({ shape, axes, values }: Rows): number {
  const rows = sizeOf(shape.filter((_, d) => !axes.includes(d)));
  return values.reduce((sum, v) => {
    if (v.kind === 'load' || (v.kind === 'step' && FREE.has(v.step.op))) return sum;
    return sum + (v.kind === 'step' && v.perRow ? rows : sizeOf(shape));
  }, 0);
}

function flopsOf(i: Instruction): number {
  const steps = (b: Loop): number =>
    sizeOf(b.shape) * (b.steps.filter((s) => !FREE.has(s.op)).length + b.reductions.length);
  if (i.kind === 'rows') return rowFlops(i.rows);
  const reduced = i.kind === 'op' && REDUCTIONS.has(i.op) ? sizeOf(i.inputs[0].shape) : 0;
  return loopsOf(i).reduce((sum, b) => sum + steps(b), productFlops(i) + reduced);
}

/** The shortest time in seconds: arithmetic at its ceiling or traffic at its own, whichever takes longer. */
export const shortest = ({ flops, bytes }: Work, { gflops, triadGBs }: Ceilings): number =>
  Math.max(flops / gflops, bytes / triadGBs) / 1e9;

const listed = (ops: readonly string[]): string => {
  const shown = ops.length > 4 ? [...ops.slice(0, 3), `${ops.length - 3} more`] : ops;
  return shown.join(', ') || 'copy';
};
const counted = (steps: readonly Step[]): string[] => steps.map((s) => s.op).filter((op) => !FREE.has(op));
const opsOf = ({ steps, reductions }: Loop): string =>
  listed([...counted(steps), ...new Set(reductions.map((r) => `reduce ${r.op}`))]);
const rowOpsOf = ({ values }: Rows): string =>
  listed(
    values.flatMap((v) =>
      v.kind === 'step' ? counted([v.step]) : v.kind === 'reduction' ? [`reduce ${v.op}`] : [],
    ),
  );

/** An instruction in a line: the operation, operands with what computes them, the shape of its result, its epilogue. */
export function nameOf(i: Instruction): string {
  const shown = (shape: readonly number[]): string => shape.join('x') || '1';
  if (i.kind === 'loop') return `${shown(i.loop.shape)}: ${opsOf(i.loop)}`;
  if (i.kind === 'rows') return `${shown(i.rows.shape)} by rows: ${rowOpsOf(i.rows)}`;
  const operands = i.inputs.map((o, k) => {
    const made = i.prologues[k];
    return `${shown(o.shape)}${made ? ` (${opsOf(made)})` : ''}`;
  });
  const epilogue = i.epilogue ? ` + ${opsOf(i.epilogue)}` : '';
  return `${i.op} ${operands.join(' ')} -> ${shown(i.outputs[0].shape)}${epilogue}`;
}
