// From fused kernels to instructions: values become numbers, readings become views of slots.

import type { Instruction, Loop, Operand, Reduction, Step, Store, View } from '../program.ts';
import { type ElementwiseEquation, type Equation, isElementwise, type Var } from './graph.ts';
import { type Fused, isCheap, type Kernel, type Prologue } from './kernels.ts';
import type { SlotTable } from './slots.ts';
import { reshapeStrides } from './views.ts';

export function instructionOf(k: Kernel, fused: Fused, slots: SlotTable): Instruction {
  const loop = (): Loop => new LoopBuilder(k, fused, slots).build();
  const { op } = k;
  if (op === null) return { kind: 'loop', loop: loop() };
  const epilogue = k.steps.length === 0 ? null : loop();
  const nowhere = (v: Var): Operand => ({ slot: -1, shape: v.shape, dtype: v.dtype });
  const kept = (v: Var): boolean => epilogue === null || slots.stored(v);
  const prologue = (n: number): Loop | null => {
    const made = k.prologues.get(n);
    return made ? prologueLoop(k, made, fused, slots) : null;
  };
  // Name and parameters come from one equation, which has them in pairs.
  return {
    kind: 'op',
    op: op.op,
    params: op.params,
    inputs: op.inputs.map((x, n) => (k.prologues.has(n) ? nowhere(x) : slots.operand(x))),
    outputs: op.outputs.map((v) => (kept(v) ? slots.operand(v) : nowhere(v))),
    prologues: k.prologues.size === 0 ? [] : op.inputs.map((_, n) => prologue(n)),
    epilogue,
  } as Instruction;
}

function prologueLoop(k: Kernel, made: Prologue, fused: Fused, slots: SlotTable): Loop {
  const { shape: domain, steps, readings, value } = made;
  const alone: Kernel = {
    id: k.id,
    domain,
    op: null,
    operands: [],
    steps,
    reductions: [],
    readings,
    copy: null,
    prologues: new Map(),
  };
  return new LoopBuilder(alone, fused, slots).build(value);
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
        : this.stepOnce(this.fused.definition.get(target) as ElementwiseEquation);
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
    const results = k.op ? 1 : 0;
    const number = (ref: Ref): number =>
      ref.kind === 'input'
        ? ref.index
        : ref.kind === 'result'
          ? this.inputs.length
          : this.inputs.length + results + ref.index;
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

  private step(e: ElementwiseEquation): Ref {
    const refs = e.inputs.map((x) => this.value(x));
    const [out] = e.outputs;
    this.refs.push(refs);
    const step: Step = {
      op: e.op,
      args: [],
      dtype: out.dtype,
      ...(e.op === 'full' ? { value: e.params.value } : {}),
    };
    return { kind: 'step', index: this.steps.push(step) - 1 };
  }
  private stepOnce(e: ElementwiseEquation): Ref {
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
    if (e && isElementwise(e) && this.own.has(e)) return this.stepOnce(e);
    if (k.op?.outputs[0] === flat) return { kind: 'result', index: 0 };
    const reading = k.readings.get(x);
    if (reading) {
      const strides = reshapeStrides(x.shape, reading.strides, k.domain);
      if (strides === null) throw new Error(`fusion: ${e?.op ?? 'input'} cannot be read over the domain`);
      return this.input(reading.base, strides, reading.offset);
    }
    if (e && isCheap(e)) return this.stepOnce(e);
    throw new Error(`fusion: no reading recorded for the result of ${e?.op ?? 'an input'}`);
  }
}

type Ref = { readonly kind: 'input' | 'result' | 'step'; readonly index: number };
