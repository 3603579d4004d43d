// Which values lie in memory, and the slot of each: arguments, results, and what one kernel writes for another.

import { sizeOf } from '../dtype.ts';
import type { Instruction, Loop, Operand, Rows, Slot } from '../program.ts';
import type { Var } from './graph.ts';
import { type Fused, type Kernel, readBy } from './kernels.ts';
import { slotsRead, slotsWritten } from './touches.ts';

/** Where one result of the compiled function comes from. */
export type ResultSource = { readonly output: number } | { readonly input: number };

export class SlotTable {
  readonly list: Slot[] = [];
  readonly inputs: number;
  readonly outputVars: Var[] = [];
  readonly results: ResultSource[];
  private readonly of = new Map<Var, number>();
  private readonly needed = new Set<Var>();

  constructor(private readonly fused: Fused) {
    const { graph } = fused;
    const inputs = [...graph.inputs, ...graph.constants.map((c) => c.variable)];
    this.inputs = inputs.length;
    inputs.forEach((v, index) => {
      this.add(v, 'input', index);
    });
    this.results = graph.outputs.map((v) => {
      const base = fused.views.flat(v);
      const at = inputs.indexOf(base);
      if (at >= 0) return { input: at };
      let output = this.outputVars.indexOf(base);
      if (output < 0) {
        output = this.outputVars.push(base) - 1;
        this.add(base, 'output', output);
      }
      return { output };
    });
    for (const k of fused.kernels) for (const v of readBy(k)) this.needed.add(v);
  }
  private add(v: Var, kind: Slot['kind'], index: number): number {
    const n = this.list.push({ kind, dtype: v.dtype, size: sizeOf(v.shape), index, offset: 0 }) - 1;
    this.of.set(v, n);
    return n;
  }
  /** Must v be in memory? */
  stored(v: Var): boolean {
    return this.needed.has(v) || this.outputVars.includes(v);
  }
  /** Is v in memory, and k the kernel that writes it? (Rematerialised steps appear in several kernels.) */
  storedBy(k: Kernel, v: Var): boolean {
    return this.stored(v) && this.fused.maker.get(v) === k.id;
  }
  slot(v: Var): number {
    return this.of.get(v) ?? this.add(v, 'temporary', -1);
  }
  operand(x: Var): Operand {
    return { slot: this.slot(this.fused.views.flat(x)), shape: x.shape, dtype: x.dtype };
  }
}

/** Without temporaries that nothing touches any more: slots and instructions with new numbers. */
export function withoutUnused(
  slots: readonly Slot[],
  instructions: readonly Instruction[],
): { slots: readonly Slot[]; instructions: readonly Instruction[] } {
  const used = new Set(instructions.flatMap((i) => [...slotsRead(i), ...slotsWritten(i)]));
  const kept = slots.flatMap((s, n) => (s.kind !== 'temporary' || used.has(n) ? [n] : []));
  if (kept.length === slots.length) return { slots, instructions };
  const now = new Map(kept.map((n, k) => [n, k]));
  const moved = <T extends { readonly slot: number }>(x: T): T => ({ ...x, slot: now.get(x.slot) ?? -1 });
  const loop = (l: Loop): Loop => ({
    ...l,
    inputs: l.inputs.map(moved),
    stores: l.stores.map(moved),
    reductions: l.reductions.map(moved),
  });
  const rows = (r: Rows): Rows => ({
    ...r,
    values: r.values.map((v) => (v.kind === 'load' ? { ...v, view: moved(v.view) } : v)),
    stores: r.stores.map(moved),
    columns: r.columns.map(moved),
  });
  const instruction = (i: Instruction): Instruction => {
    if (i.kind === 'loop') return { ...i, loop: loop(i.loop) };
    if (i.kind === 'rows') return { ...i, rows: rows(i.rows) };
    return {
      ...i,
      inputs: i.inputs.map(moved),
      outputs: i.outputs.map(moved),
      prologues: i.prologues.map((p) => p && loop(p)),
      epilogue: i.epilogue && loop(i.epilogue),
    };
  };
  return { slots: kept.map((n) => slots[n]), instructions: instructions.map(instruction) };
}
