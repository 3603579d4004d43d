// What an instruction has to do at least: its arithmetic, and the bytes that must come from memory and go back to it
// once. Counted from the planned program, whatever the backend makes of it; with the machine's ceilings that gives the
// shortest time there can be, which measured times are compared with (the roofline model: Williams, Waterman and
// Patterson, 2009).

import type { Ceilings } from '../engine/backend.ts';
import { bytesOf, sizeOf } from '../engine/dtype.ts';
import type { Body, Instruction, Program } from '../engine/program.ts';

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
export function productFlops({ root, inputs, outputs, params }: Instruction): number {
  const [a, b] = inputs;
  const [y] = outputs;
  switch (root) {
    case 'dot':
      return 2 * sizeOf(y.shape) * (a.shape.at(params.transposeA ? -2 : -1) as number);
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
      const factors = inputs.slice(root === 'attention' ? 4 : 5).filter((_, f) => f % 2 === 0);
      const width = [a, y, ...factors].reduce((sum, o) => sum + o.shape[2], 0);
      return 2 * a.shape[0] * pairsOf(a.shape[1], b.shape[1], params.sees as string) * width;
    }
    default:
      return 0;
  }
}

/** Steps that compute nothing: constants, and changes of type. */
const FREE: ReadonlySet<string> = new Set(['full', 'convert']);
const REDUCTIONS: ReadonlySet<string | null> = new Set(['sum', 'max', 'min', 'argmax', 'argmin', 'moments']);

/** Of instructions that are done as one: what only they hand on to each other need not go through memory. */
export function workOf(program: Program, ...done: readonly Instruction[]): Work {
  const others = program.instructions.filter((i) => !done.includes(i));
  const needed = new Set(others.flatMap((i) => [...readsOf(i)].map((r) => r.slot)));
  const made = new Set<number>();
  const { slots } = program;
  let flops = 0;
  let bytes = 0;
  // A slot that is read through several views, or several times, comes from memory once.
  const read = new Map<number, number>();
  for (const i of done) {
    flops += flopsOf(i);
    for (const { slot, elements } of readsOf(i))
      if (!made.has(slot))
        read.set(slot, Math.min(slots[slot].size, Math.max(read.get(slot) ?? 0, elements)));
    for (const { slot, elements } of writesOf(i)) {
      made.add(slot);
      const handed = done.length > 1 && slots[slot].kind === 'temporary' && !needed.has(slot);
      if (!handed) bytes += elements * bytesOf(slots[slot].dtype);
    }
  }
  for (const [slot, elements] of read) bytes += elements * bytesOf(slots[slot].dtype);
  return { flops, bytes };
}

const bodiesOf = (i: Instruction): Body[] => [...(i.prologues ?? []), i.body].flatMap((b) => b ?? []);

function flopsOf(i: Instruction): number {
  const steps = (b: Body): number =>
    sizeOf(b.shape) * (b.steps.filter((s) => !FREE.has(s.op)).length + b.reductions.length);
  const root = productFlops(i) + (REDUCTIONS.has(i.root) ? sizeOf(i.inputs[0].shape) : 0);
  return bodiesOf(i).reduce((sum, b) => sum + steps(b), root);
}

interface Touched {
  readonly slot: number;
  readonly elements: number;
}
function* readsOf(i: Instruction): Iterable<Touched> {
  for (const o of i.inputs) if (o.slot >= 0) yield { slot: o.slot, elements: sizeOf(o.shape) };
  for (const { shape, inputs } of bodiesOf(i))
    for (const v of inputs)
      yield { slot: v.slot, elements: sizeOf(shape.filter((_, d) => v.strides[d] !== 0)) };
}
function* writesOf(i: Instruction): Iterable<Touched> {
  for (const o of i.outputs) if (o.slot >= 0) yield { slot: o.slot, elements: sizeOf(o.shape) };
  for (const { shape, stores, reductions } of bodiesOf(i)) {
    for (const s of stores) yield { slot: s.slot, elements: sizeOf(shape) };
    for (const r of reductions)
      yield { slot: r.slot, elements: sizeOf(shape.filter((_, d) => !r.axes.includes(d))) };
  }
}

/** The shortest time in seconds: arithmetic at its ceiling or traffic at its own, whichever takes longer. */
export const shortest = ({ flops, bytes }: Work, { gflops, triadGBs }: Ceilings): number =>
  Math.max(flops / gflops, bytes / triadGBs) / 1e9;

const opsOf = ({ steps, reductions }: Body): string => {
  const counted = steps.filter((s) => !FREE.has(s.op)).map((s) => s.op as string);
  const ops = [...counted, ...new Set(reductions.map((r) => `reduce ${r.op}`))];
  const shown = ops.length > 4 ? [...ops.slice(0, 3), `${ops.length - 3} more`] : ops;
  return shown.join(', ') || 'copy';
};

/** An instruction in a line: its root, operands with what computes them, the shape of its result, what is fused to it. */
export function nameOf({ root, inputs, outputs, prologues, body }: Instruction): string {
  const parts: string[] = [];
  if (root) {
    const operands = inputs.map((o, k) => {
      const made = prologues?.[k];
      return `${o.shape.join('x') || '1'}${made ? ` (${opsOf(made)})` : ''}`;
    });
    parts.push(`${root} ${operands.join(' ')} -> ${outputs[0].shape.join('x') || '1'}`);
  }
  if (body) parts.push(`${root ? '+ ' : `${body.shape.join('x') || '1'}: `}${opsOf(body)}`);
  return parts.join(' ');
}
