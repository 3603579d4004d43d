// A pass: which operands of products are computed while they are fetched, rather than stored. An activation between two layers is
// written once and read by each product it goes into, forward and, for the gradient of the weights, backward; where it
// follows by a few cheap operations from one array that is in memory anyway (the result of the convolution before it, that
// batch-norm's gradient needs too), fetching that array and doing the operations again saves the pass that would have
// written it, and its memory. The price is the operations, once for every time an element is fetched: a product fetches
// each element several times, so they have to be few and simple, and the readers few.

import { type Shape, sizeOf } from '../dtype.ts';
import type { RootName } from '../primitives/names.ts';
import { COST } from '../primitives/table.ts';
import { type ElementwiseEquation, isElementwise, type RootEquation, type Var } from './graph.ts';
import { type Draft, draftOf, type Fused, type Kernel } from './kernels.ts';
import { type Reading, reshapeStrides, type Views } from './views.ts';

/** What an operation may cost to be worth doing again. */
const CHEAP_COST = 1;
const MOST_STEPS = 6;
const MOST_READERS = 3;

/** A value as elementwise work on what is in memory. */
interface Recipe {
  /** The array of its size that is read. */
  readonly base: Var;
  readonly steps: readonly ElementwiseEquation[];
  readonly readings: ReadonlyMap<Var, Reading>;
}

/** How k computes v, if that is cheap and reads one array of v's size, the rest being broadcast. */
function recipeOf(v: Var, k: Kernel, views: Views): Recipe | null {
  const made = new Map(k.steps.map((e) => [e.outputs[0], e]));
  const steps = new Set<ElementwiseEquation>();
  const readings = new Map<Var, Reading>();
  const large = new Set<Var>();
  const needs = (x: Var): boolean => {
    const own = made.get(views.flat(x));
    const reading = own ? undefined : k.readings.get(x);
    if (reading) {
      const broadcast = reading.strides.some((s, d) => s === 0 && x.shape[d] > 1) || sizeOf(x.shape) === 1;
      if (!broadcast) large.add(x);
      readings.set(x, reading);
      return true;
    }
    // What is neither made nor read here is lazy: computed wherever it is used.
    const e = own ?? views.definition.get(views.flat(x));
    if (e === undefined || !isElementwise(e)) return false;
    if (steps.has(e)) return true;
    if (COST[e.op] > CHEAP_COST || !e.inputs.every(needs)) return false;
    steps.add(e);
    return steps.size <= MOST_STEPS;
  };
  if (!needs(v) || large.size !== 1) return null;
  const [x] = large;
  return { base: (readings.get(x) as Reading).base, steps: [...steps], readings };
}

/** Every place where a value is read from memory. */
interface Uses {
  /** By products that could compute it: the kernel and which operand. */
  readonly operands: { readonly k: Draft; readonly index: number }[];
  /** By elementwise work, under the name it is read as. */
  readonly readings: { readonly k: Draft; readonly x: Var }[];
  /** In any other way, as a result too. */
  other: boolean;
}

/**
 * Turns operands into prologues of the products that read them; `ops` are those whose kernels compute operands while
 * they fetch them. Elementwise work that also reads such a value does it again as well. Kernels with nothing left to do go.
 */
export function placePrologues(fused: Fused, ops: readonly RootName[]): Fused {
  const kernels = fused.kernels.map(draftOf);
  const pass = new PrologueFinder(fused, kernels, ops);
  return { ...fused, kernels: kernels.filter((k) => pass.keeps(k)) };
}

class PrologueFinder {
  private readonly uses = new Map<Var, Uses>();

  constructor(
    private readonly fused: Fused,
    kernels: readonly Draft[],
    ops: readonly RootName[],
  ) {
    for (const v of fused.graph.outputs) this.of(fused.views.flat(v)).other = true;
    for (const k of kernels) {
      k.operands.forEach((v, index) => {
        if (k.op !== null && ops.includes(k.op.op)) this.of(v).operands.push({ k, index });
        else this.of(v).other = true;
      });
      if (k.copy?.source) this.of(k.copy.source.base).other = true;
      for (const [x, { base }] of k.readings) this.of(base).readings.push({ k, x });
    }
  }

  private of(v: Var): Uses {
    let u = this.uses.get(v);
    if (u === undefined) {
      u = { operands: [], readings: [], other: false };
      this.uses.set(v, u);
    }
    return u;
  }

  /** Hands on what can be computed by k's readers; false if nothing is left to do. */
  keeps(k: Draft): boolean {
    if (k.op !== null || k.copy !== null) return true;
    for (const e of k.steps) this.tryValue(k, e.outputs[0]);
    return (
      k.reductions.length > 0 ||
      k.steps.some(({ outputs: [v] }) => {
        const u = this.uses.get(v);
        return u !== undefined && (u.other || u.operands.length + u.readings.length > 0);
      })
    );
  }

  private tryValue(k: Draft, v: Var): void {
    const { views } = this.fused;
    const u = this.uses.get(v);
    if (u === undefined || u.other || u.operands.length === 0) return;
    if (u.operands.length + u.readings.length > MOST_READERS) return;
    if (u.readings.some(({ x }) => views.flat(x) !== v)) return;
    const recipe = recipeOf(v, k, views);
    if (recipe === null || this.isWayTo(recipe, k)) return;
    const fits = (domain: readonly number[]): boolean =>
      [...recipe.readings].every(([x, r]) => reshapeStrides(x.shape, r.strides, domain) !== null);
    const shapeOf = ({ k: by, index }: Uses['operands'][number]): Shape =>
      (by.op as RootEquation).inputs[index].shape;
    if (!u.operands.every((o) => fits(shapeOf(o))) || !u.readings.every((r) => fits(r.k.domain))) return;
    for (const o of u.operands) {
      const { steps, readings } = recipe;
      o.k.prologues.set(o.index, { value: v, shape: shapeOf(o), steps, readings });
    }
    for (const { k: by, x } of u.readings) this.compute(recipe, by, x);
    // From now on whatever v is made of is read by v's readers, as part of products: not to be turned again.
    for (const r of recipe.readings.values()) this.of(r.base).other = true;
    this.uses.delete(v);
  }

  /** Elementwise work that is there for one value only (exponentials on their way to a softmax) would be stored in its place. */
  private isWayTo({ base }: Recipe, k: Draft): boolean {
    const { other, operands, readings } = this.of(base);
    const alone = !other && operands.length === 0 && readings.every((r) => r.k === k);
    return alone && this.fused.definition.get(base)?.primitive.kind === 'elementwise';
  }

  /** Elementwise work that reads a value as x does the recipe in its place. */
  private compute(recipe: Recipe, by: Draft, x: Var): void {
    by.readings.delete(x);
    by.steps.unshift(...recipe.steps.filter((e) => !by.steps.includes(e)));
    for (const [y, r] of recipe.readings)
      if (!by.readings.has(y)) {
        by.readings.set(y, r);
        this.of(r.base).readings.push({ k: by, x: y });
      }
  }
}
