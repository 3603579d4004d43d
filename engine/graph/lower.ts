// From fused kernels to the planned program a backend receives: every value gets a slot, every kernel becomes an
// instruction, and temporaries are placed in one arena so that values alive at the same time never overlap.

import { bytesOf, sizeOf } from '../dtype.ts';
import type { ElementwiseName, RootName } from '../primitives/index.ts';
import type { Instruction, Loop, Operand, Program, Reduction, Slot, Step, Store, View } from '../program.ts';
import { type Fused, fuse, isCheap, type Kernel } from './fuse.ts';
import type { Equation, Graph, Var } from './graph.ts';
import { readsOf, writesOf } from './touches.ts';
import { reshapeStrides } from './views.ts';

/** Where one result of the compiled function comes from. */
export type ResultSource = { readonly output: number } | { readonly input: number };

interface Lowered {
  readonly program: Program;
  /** For each result of the graph: an output of the program, or an input handed through. */
  readonly results: readonly ResultSource[];
}

/**
 * `donated`: inputs whose memory may be reused for results; `prologues`: the roots whose kernels compute operands while
 * they fetch them.
 */
export function lower(
  graph: Graph,
  label: string,
  donated: readonly number[] = [],
  prologues: readonly RootName[] = [],
): Lowered {
  const fused = fuse(graph, prologues);
  const slots = new SlotTable(graph, fused);
  const instructions = fused.kernels.map((k) => instructionOf(k, fused, slots));
  const donations = slots.donate(donated, instructions);
  const arenaBytes = slots.plan(instructions);
  return {
    program: {
      label,
      slots: slots.list,
      instructions,
      arenaBytes,
      inputs: slots.inputs,
      outputs: slots.outputVars.length,
      donations,
    },
    results: slots.results,
  };
}

class SlotTable {
  readonly list: { -readonly [K in keyof Slot]: Slot[K] }[] = [];
  readonly inputs: number;
  readonly outputVars: Var[] = [];
  readonly results: ResultSource[];
  private readonly of = new Map<Var, number>();
  private readonly needed = new Set<Var>();

  constructor(
    graph: Graph,
    private readonly fused: Fused,
  ) {
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
    for (const k of fused.kernels) {
      for (const r of k.readings.values()) this.needed.add(r.base);
      if (k.copy?.source) this.needed.add(k.copy.source.base);
      k.root?.inputs.forEach((x, n) => {
        const made = k.prologues.get(n);
        if (made) for (const r of made.readings.values()) this.needed.add(r.base);
        else this.needed.add(fused.views.flat(x));
      });
    }
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
    return this.stored(v) && this.fused.maker(v) === k;
  }
  slot(v: Var): number {
    return this.of.get(v) ?? this.add(v, 'temporary', -1);
  }
  operand(x: Var): Operand {
    return { slot: this.slot(this.fused.views.flat(x)), shape: x.shape, dtype: x.dtype };
  }

  /**
   * Pairs results with donated inputs of the same type and size. Safe if the input is read by nothing after the
   * instruction that writes the result, and by that instruction only element for element.
   */
  donate(donated: readonly number[], instructions: readonly Instruction[]): [number, number][] {
    const pairs: [number, number][] = [];
    const free = new Set(donated);
    const writtenAt = new Map<number, number>();
    const readAt = new Map<number, number>();
    const dense = new Map<number, boolean>();
    instructions.forEach((instruction, i) => {
      for (const { slot } of writesOf(instruction)) writtenAt.set(slot, i);
      const onlyDense = new Map<number, boolean>();
      for (const { slot, inStep } of readsOf(instruction))
        onlyDense.set(slot, (onlyDense.get(slot) ?? true) && inStep);
      for (const [slot, ok] of onlyDense) {
        readAt.set(slot, i);
        dense.set(slot, ok);
      }
    });
    const handedThrough = new Set(this.results.flatMap((r) => ('input' in r ? [r.input] : [])));
    this.list.forEach((out, o) => {
      if (out.kind !== 'output') return;
      const at = writtenAt.get(o);
      if (at === undefined) return;
      for (const input of free) {
        const inn = this.list[input];
        if (inn.size !== out.size || inn.dtype !== out.dtype || handedThrough.has(input)) continue;
        const last = readAt.get(input) ?? -1;
        if (last > at || (last === at && !dense.get(input))) continue;
        pairs.push([out.index, input]);
        free.delete(input);
        return;
      }
    });
    return pairs;
  }

  /** Gives temporaries their offsets: largest first, each at the lowest place free over its whole life. */
  plan(instructions: readonly Instruction[]): number {
    const first = new Map<number, number>();
    const last = new Map<number, number>();
    instructions.forEach((instruction, i) => {
      for (const { slot: s } of [...writesOf(instruction), ...readsOf(instruction)]) {
        if (this.list[s].kind !== 'temporary') continue;
        if (!first.has(s)) first.set(s, i);
        last.set(s, i);
      }
    });
    const placed: { begin: number; end: number; from: number; to: number }[] = [];
    let arena = 0;
    const temporaries = [...first.keys()].sort((a, b) => this.bytes(b) - this.bytes(a) || a - b);
    for (const s of temporaries) {
      const [from, to] = [first.get(s) as number, last.get(s) as number];
      const bytes = this.bytes(s);
      let at = 0;
      for (const p of placed.filter((q) => q.from <= to && from <= q.to).sort((a, b) => a.begin - b.begin)) {
        if (p.begin >= at + bytes) break;
        at = Math.max(at, p.end);
      }
      this.list[s].offset = at;
      placed.push({ begin: at, end: at + bytes, from, to });
      arena = Math.max(arena, at + bytes);
    }
    return arena;
  }
  private bytes(s: number): number {
    const { size, dtype } = this.list[s];
    return Math.max(1, Math.ceil((size * bytesOf(dtype)) / 256)) * 256;
  }
}

// ---- kernels ---------------------------------------------------------------------------------------------------------

function instructionOf(k: Kernel, fused: Fused, slots: SlotTable): Instruction {
  if (k.root === null) return { kind: 'loop', loop: new LoopBuilder(k, fused, slots).build() };
  const { root } = k;
  const inputs = root.inputs.map((x, n) =>
    k.prologues.has(n) ? { slot: -1, shape: x.shape, dtype: x.dtype } : slots.operand(x),
  );
  const prologues = k.prologues.size === 0 ? [] : root.inputs.map((_, n) => prologueOf(k, n, fused, slots));
  const epilogue = k.steps.length === 0 ? null : new LoopBuilder(k, fused, slots).build();
  const kept = (v: Var): boolean => epilogue === null || slots.stored(v);
  return {
    kind: 'op',
    op: root.primitive.name as RootName,
    params: root.params as Record<string, unknown>,
    inputs,
    outputs: root.outputs.map((v) =>
      kept(v) ? slots.operand(v) : { slot: -1, shape: v.shape, dtype: v.dtype },
    ),
    prologues,
    epilogue,
  };
}

function prologueOf(k: Kernel, index: number, fused: Fused, slots: SlotTable): Loop | null {
  const made = k.prologues.get(index);
  if (made === undefined) return null;
  const { shape: domain, steps, readings, value } = made;
  const kernel = { domain, root: null, steps, reductions: [], readings, copy: null, prologues: new Map() };
  return new LoopBuilder(kernel, fused, slots).build(value);
}

class LoopBuilder {
  private readonly inputs: View[] = [];
  private readonly inputKeys = new Map<string, number>();
  private readonly steps: Step[] = [];
  /** Values before numbering: inputs are numbered first, but discovered on the way. */
  private readonly values = new Map<Var, Ref>();
  private readonly own: ReadonlySet<Equation>;
  private readonly refs: Ref[][] = [];

  constructor(
    private readonly k: Kernel,
    private readonly fused: Fused,
    private readonly slots: SlotTable,
  ) {
    this.own = new Set(k.steps);
  }

  /** What is stored and reduced; `last`: a value to end with, for a prologue. */
  build(last?: Var): Loop {
    const { k, slots } = this;
    if (last) this.value(last);
    const stores: { ref: Ref; slot: number }[] = [];
    if (k.copy) {
      const { target, source } = k.copy;
      const ref = source
        ? this.input(source.base, source.strides, source.offset)
        : this.stepOnce(this.fused.definition.get(target) as Equation);
      stores.push({ ref, slot: slots.slot(target) });
    }
    const used = this.usedSteps();
    for (const e of k.steps) {
      const [out] = e.outputs;
      // In order, so that long chains need no recursion.
      if (used.has(e)) this.value(out);
      // A step that was moved here from another kernel is stored there, if at all.
      if (slots.storedBy(k, out)) stores.push({ ref: this.value(out), slot: slots.slot(out) });
    }
    const reductions = k.reductions.map((r) => ({ ref: this.value(r.equation.inputs[0]), r }));
    const rootCount = k.root ? 1 : 0;
    const number = (ref: Ref): number =>
      ref.kind === 'input'
        ? ref.index
        : ref.kind === 'root'
          ? this.inputs.length
          : this.inputs.length + rootCount + ref.index;
    return {
      shape: k.domain,
      inputs: this.inputs,
      steps: this.steps.map((s, i) => ({ ...s, args: this.refs[i].map(number) })),
      stores: stores.map(({ ref, slot }): Store => ({ value: number(ref), slot })),
      reductions: reductions.map(
        ({ ref, r }): Reduction => ({
          op: r.op,
          value: number(ref),
          axes: r.axes,
          slot: slots.slot(r.equation.outputs[0]),
        }),
      ),
    };
  }

  /** Steps that a store or a reduction of this kernel needs. */
  private usedSteps(): Set<Equation> {
    const { k, fused, slots } = this;
    const used = new Set<Equation>();
    const need = (x: Var): void => {
      const e = fused.definition.get(fused.views.flat(x));
      if (e && this.own.has(e)) used.add(e);
    };
    for (const e of k.steps) if (slots.storedBy(k, e.outputs[0])) used.add(e);
    for (const r of k.reductions) need(r.equation.inputs[0]);
    // A set grows while it is walked through.
    for (const e of used) for (const x of e.inputs) this.eachLazy(x, need);
    return used;
  }
  /** x, or, where x is computed anew in every kernel, what it is computed from. */
  private eachLazy(x: Var, f: (x: Var) => void): void {
    f(x);
    const e = this.fused.definition.get(this.fused.views.flat(x));
    if (e && !this.own.has(e) && isCheap(e)) for (const y of e.inputs) this.eachLazy(y, f);
  }

  private input(base: Var, strides: readonly number[], offset: number): Ref {
    const slot = this.slots.slot(base);
    const key = `${slot} ${offset} ${strides.join(',')}`;
    let index = this.inputKeys.get(key);
    if (index === undefined) {
      index = this.inputs.push({ slot, dtype: base.dtype, strides, offset }) - 1;
      this.inputKeys.set(key, index);
    }
    return { kind: 'input', index };
  }

  private step(e: Equation): Ref {
    const refs = e.inputs.map((x) => this.value(x));
    const [out] = e.outputs;
    const value = (e.params as { value?: number }).value;
    this.refs.push(refs);
    const step: Step = {
      op: e.primitive.name as ElementwiseName,
      args: [],
      dtype: out.dtype,
      ...(value === undefined ? {} : { value }),
    };
    return { kind: 'step', index: this.steps.push(step) - 1 };
  }
  private stepOnce(e: Equation): Ref {
    const [out] = e.outputs;
    let ref = this.values.get(out);
    if (ref === undefined) {
      ref = this.step(e);
      this.values.set(out, ref);
    }
    return ref;
  }

  private value(x: Var): Ref {
    const { fused, k } = this;
    const flat = fused.views.flat(x);
    const e = fused.definition.get(flat);
    const known = this.values.get(flat);
    if (known) return known;
    if (e && this.own.has(e)) return this.stepOnce(e);
    if (k.root?.outputs[0] === flat) return { kind: 'root', index: 0 };
    const reading = k.readings.get(x);
    if (reading) {
      const strides = reshapeStrides(x.shape, reading.strides, k.domain);
      if (strides === null)
        throw new Error(`fusion: ${e?.primitive.name ?? 'input'} cannot be read over the domain`);
      return this.input(reading.base, strides, reading.offset);
    }
    if (e && isCheap(e)) return this.stepOnce(e);
    throw new Error(`fusion: no reading recorded for the result of ${e?.primitive.name ?? 'an input'}`);
  }
}

type Ref = { readonly kind: 'input' | 'root' | 'step'; readonly index: number };
