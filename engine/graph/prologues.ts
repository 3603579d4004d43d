// Which operands of products are computed while they are fetched, rather than stored. An activation between two layers is
// written once and read by each product it goes into, forward and, for the gradient of the weights, backward; where it
// follows by a few cheap operations from one array that is in memory anyway (the result of the convolution before it, that
// batch-norm's gradient needs too), fetching that array and doing the operations again saves the pass that would have
// written it, and its memory. The price is the operations, once for every time an element is fetched: a product fetches
// each element several times, so they have to be few and simple, and the readers few.

import { sizeOf } from '../dtype.ts';
import type { RootName } from '../primitives/names.ts';
import { COST } from '../primitives/table.ts';
import type { Group } from './fuse.ts';
import { type ElementwiseEquation, type Equation, isElementwise, type Var } from './graph.ts';
import { type Reading, reshapeStrides, type Views } from './views.ts';

/** What an operation may cost to be worth doing again. */
const CHEAP = 1;
const MOST_STEPS = 6;
const MOST_READERS = 3;

/** A value as elementwise work on what is in memory. */
interface Recipe {
  /** The array of its size that is read. */
  readonly base: Var;
  readonly steps: readonly ElementwiseEquation[];
  readonly readings: ReadonlyMap<Var, Reading>;
}

/** How g computes v, if that is cheap and reads one array of v's size, the rest being broadcast. */
function recipeOf(v: Var, g: Group, views: Views): Recipe | null {
  const made = new Map(g.steps.map((e) => [e.outputs[0], e]));
  const steps = new Set<ElementwiseEquation>();
  const readings = new Map<Var, Reading>();
  const large = new Set<Var>();
  const needs = (x: Var): boolean => {
    const own = made.get(views.flat(x));
    const reading = own ? undefined : g.readings.get(x);
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
    if (COST[e.op] > CHEAP || !e.inputs.every(needs)) return false;
    steps.add(e);
    return steps.size <= MOST_STEPS;
  };
  if (!needs(v) || large.size !== 1) return null;
  const [x] = large;
  return { base: (readings.get(x) as Reading).base, steps: [...steps], readings };
}

/** Every place where a value is read from memory. */
interface Uses {
  /** By products that could compute it: the group and which operand. */
  readonly operands: { readonly g: Group; readonly index: number }[];
  /** By elementwise work, under the name it is read as. */
  readonly readings: { readonly g: Group; readonly x: Var }[];
  /** In any other way, as a result too. */
  other: boolean;
}

/**
 * Turns operands into prologues of the products that read them; `roots` are those whose kernels compute operands while
 * they fetch them. Elementwise work that also reads such a value does it again as well. Returns the kernels that still
 * have something to do.
 */
export function placePrologues(
  groups: readonly Group[],
  views: Views,
  outputs: readonly Var[],
  roots: readonly RootName[],
): Group[] {
  const uses = new Map<Var, Uses>();
  const of = (v: Var): Uses => {
    let u = uses.get(v);
    if (u === undefined) {
      u = { operands: [], readings: [], other: false };
      uses.set(v, u);
    }
    return u;
  };
  for (const v of outputs) of(views.flat(v)).other = true;
  for (const g of groups) {
    g.rootReads.forEach((v, index) => {
      if (g.root !== null && roots.includes(g.root.op)) of(v).operands.push({ g, index });
      else of(v).other = true;
    });
    if (g.copy?.source) of(g.copy.source.base).other = true;
    for (const [x, { base }] of g.readings) of(base).readings.push({ g, x });
  }
  const needed = (g: Group): boolean =>
    g.root !== null ||
    g.copy !== null ||
    g.reductions.length > 0 ||
    g.steps.some(({ outputs: [v] }) => {
      const u = uses.get(v);
      return u !== undefined && (u.other || u.operands.length + u.readings.length > 0);
    });

  const dropped = new Set<Group>();
  for (const g of groups) {
    if (g.root !== null || g.copy !== null) continue;
    for (const {
      outputs: [v],
    } of g.steps) {
      const u = uses.get(v);
      if (u === undefined || u.other || u.operands.length === 0) continue;
      if (u.operands.length + u.readings.length > MOST_READERS) continue;
      if (u.readings.some(({ x }) => views.flat(x) !== v)) continue;
      const recipe = recipeOf(v, g, views);
      if (recipe === null) continue;
      // Elementwise work that is there for v only (exponentials on their way to a softmax) would be stored in v's place.
      const { other, operands, readings } = of(recipe.base);
      const alone = !other && operands.length === 0 && readings.every((r) => r.g === g);
      if (alone && views.definition.get(recipe.base)?.primitive.kind === 'elementwise') continue;
      const fits = (domain: readonly number[]): boolean =>
        [...recipe.readings].every(([x, r]) => reshapeStrides(x.shape, r.strides, domain) !== null);
      const operand = ({ g: by, index }: Uses['operands'][number]): Var =>
        (by.root as Equation).inputs[index];
      if (!u.operands.every((o) => fits(operand(o).shape)) || !u.readings.every((r) => fits(r.g.domain)))
        continue;
      for (const o of u.operands) {
        const { steps, readings: from } = recipe;
        o.g.prologues.set(o.index, { value: v, shape: operand(o).shape, steps, readings: from });
      }
      for (const { g: by, x } of u.readings) {
        by.readings.delete(x);
        by.steps.unshift(...recipe.steps.filter((e) => !by.steps.includes(e)));
        for (const [y, r] of recipe.readings)
          if (!by.readings.has(y)) {
            by.readings.set(y, r);
            of(r.base).readings.push({ g: by, x: y });
          }
      }
      // From now on whatever v is made of is read by v's readers, as part of products: not to be turned again.
      for (const r of recipe.readings.values()) of(r.base).other = true;
      uses.delete(v);
    }
    if (!needed(g)) dropped.add(g);
  }
  return groups.filter((g) => !dropped.has(g));
}
