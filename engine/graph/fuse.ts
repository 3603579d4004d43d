// A pass: groups the equations of a graph into kernels. A kernel is an operation, or a chain of elementwise work over one
// domain with reductions of its values, or a matrix product or convolution with such a chain as its epilogue.
//
// Equations are taken in order. An elementwise equation joins the kernels that make its operands, if they work on the
// same domain and joining makes no cycle; otherwise it starts a kernel. A reduction joins the kernel that makes its
// operand, or one that already reads it. View equations make no kernel; they are read through strides (views.ts).
// Constants and comparisons are lazy: each kernel that needs one computes it anew, since a mask costs more to store
// than to recompute.

import type { Capabilities } from '../backend.ts';
import { type Shape, sizeOf } from '../dtype.ts';
import { sameShape } from '../primitives/rules.ts';
import {
  type ElementwiseEquation,
  type Equation,
  type Graph,
  isElementwise,
  isRoot,
  isView,
  type RootEquation,
  type Var,
} from './graph.ts';
import { type Group, Groups } from './groups.ts';
import type { Fused } from './kernels.ts';
import type { Views } from './views.ts';

type ReductionEquation = Extract<Equation, { op: 'sum' | 'max' | 'min' }>;
const isReduction = (e: Equation): e is ReductionEquation =>
  e.op === 'sum' || e.op === 'max' || e.op === 'min';

export function fuse(graph: Graph, can: Capabilities): Fused {
  const groups = new Groups(graph, can);
  new Fuser(graph, groups).run();
  const { views, definition, maker } = groups;
  const kernels = groups.ordered();
  const makers = new Map([...maker.keys()].map((v) => [v, (groups.makerOf(v) as Group).id]));
  return { graph, kernels, views, definition, maker: makers };
}

/**
 * Elementwise values that only reductions over the same axes use, directly or through others of the kind. They belong
 * into the kernel of the reduction, never into the epilogue of a root, which would have to store them.
 */
function reductionOnly(graph: Graph, views: Views): Map<Var, readonly number[]> {
  const found = new Map<Var, readonly number[]>();
  const uses = new Map<Var, Equation[]>();
  const other = new Set<Var>(graph.outputs.map((v) => views.flat(v)));
  for (const e of graph.equations) {
    if (e.op === 'reshape' || e.op === 'barrier') continue;
    for (const x of e.inputs) {
      const flat = views.flat(x);
      const list = uses.get(flat);
      if (list) list.push(e);
      else uses.set(flat, [e]);
    }
  }
  for (const e of [...graph.equations].reverse()) {
    const [out] = e.outputs;
    if (!isElementwise(e) || other.has(out)) continue;
    const axes = (uses.get(out) ?? []).map((u) =>
      isReduction(u) && sameShape(u.inputs[0].shape, out.shape)
        ? u.params.axes
        : isElementwise(u) && sameShape(u.outputs[0].shape, out.shape)
          ? found.get(u.outputs[0])
          : undefined,
    );
    const [first] = axes;
    if (first && axes.every((a) => a !== undefined && sameShape(a, first))) found.set(out, first);
  }
  return found;
}

class Fuser {
  /** Axes of the reductions that are the only use of a value. */
  private readonly reductionOnly: ReadonlyMap<Var, readonly number[]>;

  constructor(
    private readonly graph: Graph,
    private readonly groups: Groups,
  ) {
    this.reductionOnly = reductionOnly(graph, groups.views);
  }

  run(): void {
    const { graph, groups } = this;
    graph.equations.forEach((e, i) => {
      if (isView(e) || groups.isLazy(e.outputs[0])) return;
      if (isElementwise(e)) this.placeElementwise(e, i);
      else if (isReduction(e)) this.placeReduction(e, i);
      else if (isRoot(e)) this.placeOp(e, i);
    });
    for (const v of graph.outputs) groups.written(v, graph.equations.length);
  }

  private placeElementwise(e: ElementwiseEquation, position: number): void {
    const operands = this.groups.operandsOf(e);
    const [out] = e.outputs;
    const size = sizeOf(out.shape);
    const axes = this.reductionOnly.get(out);
    const makers = operands.map((x) => this.groups.elementMaker(x));
    const candidates = axes
      ? [...makers, ...this.groups.readersFor(operands)].filter(
          (g) => g !== null && this.canReduce(g, out, axes),
        )
      : makers;
    let home: Group | null = null;
    for (const g of candidates) {
      if (g === null || g === home || g.mergedInto !== null || sizeOf(g.domain) !== size) continue;
      if (!this.groups.canRead(g, operands) || this.groups.wouldCycle(g, this.groups.basesFor(g, operands)))
        continue;
      if (home === null) home = g;
      else {
        const merged: Group | null = this.groups.merge(home, g);
        if (merged && !this.groups.wouldCycle(merged, this.groups.basesFor(merged, operands))) home = merged;
      }
    }
    home ??= this.groups.start(out.shape, position);
    this.groups.addReadings(home, operands, position);
    home.steps.push(e);
    home.position = Math.max(home.position, position);
    this.groups.maker.set(out, home);
  }

  private placeReduction(e: ReductionEquation, position: number): void {
    const [x] = e.inputs;
    const { axes } = e.params;
    const home = this.homeOfReduction(x, axes) ?? this.groups.start(x.shape, position);
    this.groups.addReadings(home, this.groups.operandsOf(e), position);
    home.reductions.push({
      equation: e,
      op: e.op,
      axes: mapAxes(x.shape, axes, home.domain) as number[],
    });
    home.position = Math.max(home.position, position);
    this.groups.maker.set(e.outputs[0], home);
  }

  private homeOfReduction(x: Var, axes: readonly number[]): Group | null {
    const maker = this.groups.elementMaker(x);
    if (maker && this.canReduce(maker, x, axes)) return maker;
    // Otherwise join a kernel that reads the same memory in the same order.
    for (const g of this.groups.readersFor([x]))
      if (this.canReduce(g, x, axes) && !this.groups.wouldCycle(g, [this.groups.views.flat(x)])) return g;
    return null;
  }
  /** May g reduce a value shaped like x over these axes? */
  private canReduce(g: Group, x: Var, axes: readonly number[]): boolean {
    if (g.op !== null || g.copy !== null) return false;
    const mapped = mapAxes(x.shape, axes, g.domain);
    return mapped !== null && (g.reductions.length === 0 || sameShape(g.reductions[0].axes, mapped));
  }
  private placeOp(e: RootEquation, position: number): void {
    const reads = e.inputs.map((x) => this.groups.written(x, position));
    const g = this.groups.start(e.outputs[0].shape, position);
    g.op = e;
    g.operands = reads;
    for (const v of reads) this.groups.readsFrom(g, v);
    for (const v of e.outputs) this.groups.maker.set(v, g);
  }
}

/** Axes of `shape` as axes of `domain`, where the two differ by axes of size 1 only. */
function mapAxes(shape: Shape, axes: readonly number[], domain: Shape): number[] | null {
  if (sameShape(shape, domain)) return [...axes];
  const real = shape.map((d, i) => ({ d, i })).filter((x) => x.d !== 1);
  const there = domain.map((d, i) => ({ d, i })).filter((x) => x.d !== 1);
  if (real.length !== there.length || real.some((x, k) => x.d !== there[k].d)) return null;
  return real.flatMap((x, k) => (axes.includes(x.i) ? [there[k].i] : []));
}
