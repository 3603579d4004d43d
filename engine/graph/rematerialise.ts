// A pass: values that follow cheaply from what is in memory anyway are computed again by those who read them, rather than
// stored: one operation on one value of full size, the other operands being constants or broadcast. Then a normalised
// value, say, is not written beside the value it came from, for the backward pass to read: the reader subtracts the mean
// again.

import { stridesOf } from '../dtype.ts';
import type { ElementwiseEquation, Var } from './graph.ts';
import { type Draft, draftOf, type Fused, madeBy } from './kernels.ts';
import { type Reading, reshapeStrides } from './views.ts';

/** Who reads a value, and as what. */
interface Use {
  readonly k: Draft;
  readonly operand: Var;
  readonly dense: boolean;
}

export function rematerialise(fused: Fused): Fused {
  const kernels = fused.kernels.map(draftOf);
  const pass = new Rematerialiser(fused, kernels);
  for (const k of kernels) for (const e of [...k.steps]) pass.tryStep(k, e);
  return { ...fused, kernels };
}

class Rematerialiser {
  private readonly kept: ReadonlySet<Var>;
  private readonly readers = new Map<Var, Use[]>();
  private readonly asOperand = new Set<Var>();

  constructor(
    private readonly fused: Fused,
    kernels: readonly Draft[],
  ) {
    const { graph, views } = fused;
    this.kept = new Set(graph.outputs.map((v) => views.flat(v)));
    for (const k of kernels) {
      for (const v of k.operands) this.asOperand.add(v);
      if (k.copy?.source) this.asOperand.add(k.copy.source.base);
      for (const [x, r] of k.readings) this.note(k, x, r);
    }
  }

  private note(k: Draft, operand: Var, reading: Reading): void {
    const list = this.readers.get(reading.base) ?? [];
    list.push({ k, operand, dense: this.fused.views.flat(operand) === reading.base });
    this.readers.set(reading.base, list);
  }
  private isStored(v: Var): boolean {
    const { kept, asOperand, readers, fused } = this;
    return kept.has(v) || asOperand.has(v) || (readers.get(v)?.length ?? 0) > 0 || !fused.definition.has(v);
  }

  /** Moves a step of k to all who read its result, if nobody needs it otherwise. */
  tryStep(k: Draft, e: ElementwiseEquation): void {
    const [v] = e.outputs;
    const uses = this.readers.get(v) ?? [];
    if (uses.length === 0 || uses.some((u) => !u.dense) || this.kept.has(v) || this.asOperand.has(v)) return;
    const needs = this.needsOf(k, e);
    if (needs === null) return;
    const fits = uses.every((u) =>
      needs.every(([x, r]) => reshapeStrides(x.shape, r.strides, u.k.domain) !== null),
    );
    if (!fits) return;
    for (const u of uses) {
      u.k.readings.delete(u.operand);
      if (!u.k.steps.includes(e)) u.k.steps.unshift(e);
      for (const [x, r] of needs)
        if (!u.k.readings.has(x)) {
          u.k.readings.set(x, r);
          this.note(u.k, x, r);
        }
    }
    this.readers.delete(v);
  }

  /** Readings of e's operands as another kernel would need them; null unless one is large, and in memory anyway. */
  private needsOf(k: Draft, e: ElementwiseEquation): [Var, Reading][] | null {
    const { views, definition } = this.fused;
    const made = new Set(madeBy(k));
    const needs: [Var, Reading][] = [];
    let large = 0;
    for (const x of e.inputs) {
      const flat = views.flat(x);
      if (definition.get(flat)?.op === 'full') continue;
      const own = k.readings.get(x);
      if (own) {
        const broadcast = own.strides.some((s, d) => s === 0 && x.shape[d] > 1);
        needs.push([x, own]);
        if (broadcast) continue;
        if (flat !== own.base || !this.isStored(own.base)) return null;
      } else {
        if (!made.has(flat) || !this.isStored(flat)) return null;
        needs.push([x, { base: flat, strides: stridesOf(x.shape), offset: 0 }]);
      }
      large += 1;
    }
    return large === 1 ? needs : null;
  }
}
