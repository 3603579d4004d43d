// Groups the equations of a graph into kernels. A kernel is a root primitive, a chain of elementwise work over one
// domain with reductions of its values, or a matrix product or convolution with such a chain as its epilogue.
//
// Equations are taken in order. An elementwise equation joins the kernels that make its operands, if they work on the
// same domain and joining makes no cycle; otherwise it starts a kernel. A reduction joins the kernel that makes its
// operand, or one that already reads it. View equations make no kernel; they are read through strides (views.ts).
// Constants and comparisons are lazy: each kernel that needs one computes it anew, since a mask costs more to store
// than to recompute.

import type { Capabilities } from '../backend.ts';
import { type Shape, sizeOf, stridesOf } from '../dtype.ts';
import type { RootName } from '../primitives/index.ts';
import { sameShape } from '../primitives/rules.ts';
import type { Equation, Graph, Var } from './graph.ts';
import { type Node, Order } from './order.ts';
import { placePrologues } from './prologues.ts';
import { type Reading, reshapeStrides, Views } from './views.ts';

interface KernelReduction {
  readonly equation: Equation;
  readonly op: 'sum' | 'max' | 'min';
  /** Axes of the kernel's domain. */
  readonly axes: readonly number[];
}

export interface Kernel {
  /** Shape of the elementwise domain; for a root with an epilogue, the root's result. */
  readonly domain: Shape;
  readonly root: Equation | null;
  /** Elementwise equations in order. */
  readonly steps: readonly Equation[];
  readonly reductions: readonly KernelReduction[];
  /** How each operand that comes from memory is read. */
  readonly readings: ReadonlyMap<Var, Reading>;
  /** A view or constant written out: `target` gets the elements of `source` (null: the constant of target). */
  readonly copy: { readonly target: Var; readonly source: Reading | null } | null;
  /** The root's operands that are computed while they are fetched, by their number. */
  readonly prologues: ReadonlyMap<number, Prologue>;
}

/** Elementwise work on an operand, over its shape. */
interface Prologue {
  readonly value: Var;
  readonly shape: Shape;
  readonly steps: readonly Equation[];
  readonly readings: ReadonlyMap<Var, Reading>;
}

export class Group implements Kernel, Node {
  root: Equation | null = null;
  steps: Equation[] = [];
  reductions: KernelReduction[] = [];
  readings = new Map<Var, Reading>();
  rootReads: Var[] = [];
  copy: Kernel['copy'] = null;
  prologues = new Map<number, Prologue>();
  mergedInto: Group | null = null;
  readonly dependents = new Set<Group>();
  constructor(
    public domain: Shape,
    public position: number,
    public order: number,
  ) {}
  /** Values in memory that are read. */
  *reads(): Iterable<Var> {
    yield* this.rootReads;
    for (const r of this.readings.values()) yield r.base;
    if (this.copy?.source) yield this.copy.source.base;
  }
}

const resolve = (g: Group): Group => {
  let at = g;
  while (at.mergedInto !== null) at = at.mergedInto;
  return at;
};

const REDUCTIONS = new Set(['sum', 'max', 'min']);

/** Constants and comparisons: cheaper to compute anew than to keep. */
export const isCheap = (e: Equation): boolean =>
  e.primitive.kind === 'elementwise' && (e.primitive.name === 'full' || e.outputs[0].dtype === 'bool');

export interface Fused {
  readonly kernels: readonly Kernel[];
  readonly views: Views;
  readonly definition: ReadonlyMap<Var, Equation>;
  /** The kernel that writes a value (or keeps it in registers). */
  maker(v: Var): Kernel | undefined;
}

export const fuse = (graph: Graph, can: Capabilities): Fused => new Fuser(graph, can).run();

class Fuser {
  private readonly definition = new Map<Var, Equation>();
  private readonly views = new Views(this.definition);
  private readonly groups: Group[] = [];
  /** The group that makes a value, in memory or in registers. */
  private readonly maker = new Map<Var, Group>();
  private readonly readers = new Map<Var, Set<Group>>();
  private readonly order = new Order<Group>((g) => this.sourcesOf(g), resolve);

  /** Axes of the reductions that are the only use of a value. */
  private readonly reductionOnly = new Map<Var, readonly number[]>();

  constructor(
    private readonly graph: Graph,
    private readonly can: Capabilities,
  ) {}

  run(): Fused {
    const { equations, outputs } = this.graph;
    for (const e of equations) for (const v of e.outputs) this.definition.set(v, e);
    this.findReductionOnly();
    equations.forEach((e, i) => {
      if (e.primitive.kind === 'view' || this.isLazy(e.outputs[0])) return;
      if (e.primitive.kind === 'elementwise') this.placeElementwise(e, i);
      else if (REDUCTIONS.has(e.primitive.name)) this.placeReduction(e, i);
      else this.placeRoot(e, i);
    });
    for (const v of outputs) this.written(v, equations.length);
    const groups = this.ordered();
    rematerialise(groups, this.views, this.definition, outputs);
    const kernels = placePrologues(groups, this.views, outputs, this.can.prologues);
    return { kernels, views: this.views, definition: this.definition, maker: (v) => this.makerOf(v) };
  }

  /** Computed anew wherever it is used, until something needs it in memory. */
  private isLazy(v: Var): boolean {
    const e = this.definition.get(v);
    return e !== undefined && isCheap(e) && !this.maker.has(v);
  }

  /**
   * Elementwise values that only reductions over the same axes use, directly or through others of the kind. They belong
   * into the kernel of the reduction, never into the epilogue of a root, which would have to store them.
   */
  private findReductionOnly(): void {
    const uses = new Map<Var, Equation[]>();
    const other = new Set<Var>(this.graph.outputs.map((v) => this.views.flat(v)));
    for (const e of this.graph.equations) {
      if (e.primitive.name === 'reshape' || e.primitive.name === 'barrier') continue;
      for (const x of e.inputs) {
        const flat = this.views.flat(x);
        const list = uses.get(flat);
        if (list) list.push(e);
        else uses.set(flat, [e]);
      }
    }
    for (const e of [...this.graph.equations].reverse()) {
      const [out] = e.outputs;
      if (e.primitive.kind !== 'elementwise' || other.has(out)) continue;
      const axes = (uses.get(out) ?? []).map((u) =>
        REDUCTIONS.has(u.primitive.name) && sameShape(u.inputs[0].shape, out.shape)
          ? (u.params as { axes: readonly number[] }).axes
          : u.primitive.kind === 'elementwise' && sameShape(u.outputs[0].shape, out.shape)
            ? this.reductionOnly.get(u.outputs[0])
            : undefined,
      );
      const [first] = axes;
      if (first && axes.every((a) => a !== undefined && sameShape(a, first)))
        this.reductionOnly.set(out, first);
    }
  }

  // ---- the three kinds ----------------------------------------------------------------------------------------------

  private placeElementwise(e: Equation, position: number): void {
    const operands = this.operandsOf(e);
    const [out] = e.outputs;
    const size = sizeOf(out.shape);
    const axes = this.reductionOnly.get(out);
    const makers = operands.map((x) => this.elementMaker(x));
    const candidates = axes
      ? [...makers, ...this.readersFor(operands)].filter((g) => g !== null && this.canReduce(g, out, axes))
      : makers;
    let home: Group | null = null;
    for (const g of candidates) {
      if (g === null || g === home || g.mergedInto !== null || sizeOf(g.domain) !== size) continue;
      if (!this.canRead(g, operands) || this.wouldCycle(g, this.basesFor(g, operands))) continue;
      if (home === null) home = g;
      else {
        const merged: Group | null = this.merge(home, g);
        if (merged && !this.wouldCycle(merged, this.basesFor(merged, operands))) home = merged;
      }
    }
    home ??= this.start(out.shape, position);
    this.addReadings(home, operands, position);
    home.steps.push(e);
    home.position = Math.max(home.position, position);
    this.maker.set(out, home);
  }

  private placeReduction(e: Equation, position: number): void {
    const [x] = e.inputs;
    const { axes } = e.params as { axes: readonly number[] };
    const home = this.homeOfReduction(x, axes) ?? this.start(x.shape, position);
    this.addReadings(home, this.operandsOf(e), position);
    home.reductions.push({
      equation: e,
      op: e.primitive.name as 'sum',
      axes: mapAxes(x.shape, axes, home.domain) as number[],
    });
    home.position = Math.max(home.position, position);
    this.maker.set(e.outputs[0], home);
  }

  private homeOfReduction(x: Var, axes: readonly number[]): Group | null {
    const maker = this.elementMaker(x);
    if (maker && this.canReduce(maker, x, axes)) return maker;
    // Otherwise join a kernel that reads the same memory in the same order.
    for (const g of this.readersFor([x]))
      if (this.canReduce(g, x, axes) && !this.wouldCycle(g, [this.views.flat(x)])) return g;
    return null;
  }
  /** May g reduce a value shaped like x over these axes? */
  private canReduce(g: Group, x: Var, axes: readonly number[]): boolean {
    if (g.root !== null || g.copy !== null) return false;
    const mapped = mapAxes(x.shape, axes, g.domain);
    return mapped !== null && (g.reductions.length === 0 || sameShape(g.reductions[0].axes, mapped));
  }
  /** What readers of the same memory share: not the memory itself if a barrier stands before it. */
  private readAs(x: Var): Var {
    for (let at = x; ; ) {
      const e = this.definition.get(at);
      if (e?.primitive.name !== 'reshape' || this.views.copied.has(at)) return at;
      at = e.inputs[0];
    }
  }
  /** Kernels that read one of the operands from memory, element for element. */
  private readersFor(operands: readonly Var[]): Group[] {
    return operands.flatMap((x) => [...(this.readers.get(this.readAs(x)) ?? [])].map(resolve));
  }

  private placeRoot(e: Equation, position: number): void {
    const reads = e.inputs.map((x) => this.written(x, position));
    const g = this.start(e.outputs[0].shape, position);
    g.root = e;
    g.rootReads = reads;
    for (const v of reads) this.readsFrom(g, v);
    for (const v of e.outputs) this.maker.set(v, g);
  }

  /** The dense value that holds x in memory (under another shape perhaps); writes views and lazy values out. */
  private written(x: Var, position: number): Var {
    const flat = this.views.flat(x);
    const e = this.definition.get(flat);
    if (e === undefined || this.maker.has(flat)) return flat;
    if (e.primitive.kind === 'elementwise' && e.primitive.name !== 'full') {
      const g = this.start(flat.shape, position);
      this.maker.set(flat, g);
      this.addReadings(g, this.operandsOf(e), position);
      g.steps.push(e);
    } else {
      const source = e.primitive.name === 'full' ? null : this.views.reading(flat);
      if (source) this.written(source.base, position);
      const g = this.start(flat.shape, position);
      g.copy = { target: flat, source };
      if (source) this.readsFrom(g, source.base);
      this.maker.set(flat, g);
      this.views.copied.add(flat);
    }
    return flat;
  }

  // ---- joining ------------------------------------------------------------------------------------------------------

  private start(domain: Shape, position: number): Group {
    const g = new Group(domain, position, this.order.last());
    this.groups.push(g);
    return g;
  }
  private makerOf(v: Var): Group | undefined {
    const g = this.maker.get(v);
    return g && resolve(g);
  }
  /** What e needs, lazy operands replaced by what they need. */
  private operandsOf(e: Equation): Var[] {
    return e.inputs.flatMap((x) => {
      const flat = this.views.flat(x);
      return this.isLazy(flat) ? this.operandsOf(this.definition.get(flat) as Equation) : [x];
    });
  }
  /** The group where x is an element-for-element value: a step, or the only result of a root that takes epilogues. */
  private elementMaker(x: Var): Group | null {
    if (this.views.held(x)) return null;
    const v = this.views.flat(x);
    const g = this.makerOf(v);
    if (g === undefined || g.copy !== null || g.reductions.some((r) => r.equation.outputs[0] === v))
      return null;
    if (g.root?.outputs.includes(v) && !this.can.epilogues.includes(g.root.primitive.name as RootName))
      return null;
    return g;
  }
  private basesFor(g: Group, operands: readonly Var[]): Var[] {
    return operands.filter((x) => this.elementMaker(x) !== g).map((x) => this.views.reading(x).base);
  }
  /** Every operand must be expressible over g's domain. */
  private canRead(g: Group, operands: readonly Var[]): boolean {
    return operands.every(
      (x) =>
        sameShape(x.shape, g.domain) ||
        this.elementMaker(x) === g ||
        reshapeStrides(x.shape, this.views.reading(x).strides, g.domain) !== null,
    );
  }
  private addReadings(g: Group, operands: readonly Var[], position: number): void {
    for (const x of operands) {
      if (this.elementMaker(x) === g || g.readings.has(x)) continue;
      const reading = this.views.reading(x);
      // A reading may stand on a view or lazy value that has to be written out first.
      this.written(reading.base, position);
      g.readings.set(x, reading);
      this.readsFrom(g, reading.base);
      if (reading.base === this.views.flat(x)) {
        const name = this.readAs(x);
        const set = this.readers.get(name);
        if (set) set.add(g);
        else this.readers.set(name, new Set([g]));
      }
    }
  }
  private readsFrom(g: Group, v: Var): void {
    const from = this.makerOf(v);
    if (from) this.order.precede(from, g);
  }
  private *sourcesOf(g: Group): Iterable<Group> {
    for (const v of g.reads()) {
      const from = this.makerOf(v);
      if (from && from !== g) yield from;
    }
  }
  /** Would g, if it also read `bases`, depend on itself? */
  private wouldCycle(g: Group, bases: Iterable<Var>): boolean {
    // A value that is not in memory yet depends on what it would be made from.
    const makers = new Set<Group>();
    const values = new Set(bases);
    for (const v of values) {
      const from = this.makerOf(v);
      if (from) makers.add(from);
      else for (const x of this.definition.get(v)?.inputs ?? []) values.add(x);
    }
    return this.order.wouldCycle(g, makers);
  }
  /** One group out of two on domains of one size; null if they cannot be one. */
  private merge(a: Group, b: Group): Group | null {
    if (a.root && b.root) return null;
    const [into, from] = b.root ? [b, a] : [a, b];
    if (from.copy || into.copy || (into.root && from.reductions.length)) return null;
    const [r, s] = [into.reductions[0], from.reductions[0]];
    if (r && s && !(sameShape(into.domain, from.domain) && sameShape(r.axes, s.axes))) return null;
    if (!sameShape(into.domain, from.domain)) {
      if (s) return null;
      for (const [x, reading] of from.readings)
        if (this.elementMaker(x) !== into && reshapeStrides(x.shape, reading.strides, into.domain) === null)
          return null;
    }
    const external = (x: Group, y: Group) => [
      ...x.rootReads,
      ...[...x.readings].filter(([v]) => this.elementMaker(v) !== y).map(([, q]) => q.base),
    ];
    // A path between the two through a third kernel or through memory forbids it.
    if (this.wouldCycle(into, external(from, into)) || this.wouldCycle(from, external(into, from)))
      return null;
    into.steps.push(...from.steps);
    into.reductions.push(...from.reductions);
    for (const [x, reading] of from.readings) into.readings.set(x, reading);
    from.mergedInto = into;
    for (const x of [...into.readings.keys()]) if (this.elementMaker(x) === into) into.readings.delete(x);
    into.position = Math.max(into.position, from.position);
    this.order.merged(into, from);
    return into;
  }

  // ---- order --------------------------------------------------------------------------------------------------------

  /** Kernels such that each comes after those it reads from, otherwise in the order of the graph. */
  private ordered(): Group[] {
    const alive = this.groups.filter((g) => g.mergedInto === null).sort((a, b) => a.position - b.position);
    const order = new Map(this.graph.equations.map((e, i) => [e, i]));
    for (const g of alive) g.steps.sort((a, b) => (order.get(a) as number) - (order.get(b) as number));
    const done = new Set<Group>();
    const out: Group[] = [];
    for (const g of alive) {
      // Depth first without recursion: programs may be long chains.
      const path = [g];
      while (path.length > 0) {
        const at = path[path.length - 1];
        const missing = [...this.sourcesOf(at)].filter((s) => !done.has(s));
        if (missing.length > 0 && !done.has(at)) path.push(...missing.reverse());
        else {
          path.pop();
          if (!done.has(at)) out.push(at);
          done.add(at);
        }
      }
    }
    return out;
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

/**
 * Recomputes, instead of storing, values that follow cheaply from what is in memory anyway: one operation on one value
 * of full size, the other operands being constants or broadcast. Then a normalised value, say, is not written beside the
 * value it came from, for the backward pass to read: the reader subtracts the mean again.
 */
function rematerialise(
  groups: readonly Group[],
  views: Views,
  definition: ReadonlyMap<Var, Equation>,
  outputs: readonly Var[],
): void {
  const keptForOutput = new Set(outputs.map((v) => views.flat(v)));
  const readers = new Map<Var, { g: Group; operand: Var; dense: boolean }[]>();
  const asRootOperand = new Set<Var>();
  const note = (g: Group, operand: Var, reading: Reading): void => {
    const list = readers.get(reading.base) ?? [];
    list.push({ g, operand, dense: views.flat(operand) === reading.base });
    readers.set(reading.base, list);
  };
  for (const g of groups) {
    for (const v of g.rootReads) asRootOperand.add(v);
    if (g.copy?.source) asRootOperand.add(g.copy.source.base);
    for (const [x, r] of g.readings) note(g, x, r);
  }
  const stored = (v: Var): boolean =>
    keptForOutput.has(v) || asRootOperand.has(v) || (readers.get(v)?.length ?? 0) > 0 || !definition.has(v);

  for (const g of groups) {
    const made = new Set(g.steps.map((e) => e.outputs[0]));
    for (const e of g.steps) {
      const [v] = e.outputs;
      const uses = readers.get(v) ?? [];
      if (uses.length === 0 || uses.some((u) => !u.dense) || keptForOutput.has(v) || asRootOperand.has(v))
        continue;
      // Readings of e's operands as another kernel would need them.
      const needs: [Var, Reading][] = [];
      let large = 0;
      const possible = e.inputs.every((x) => {
        const flat = views.flat(x);
        const def = definition.get(flat);
        if (def?.primitive.name === 'full') return true;
        const own = g.readings.get(x);
        if (own) {
          const broadcast = own.strides.some((s, d) => s === 0 && x.shape[d] > 1);
          large += broadcast ? 0 : 1;
          needs.push([x, own]);
          return broadcast || (flat === own.base && stored(own.base));
        }
        large += 1;
        if (!made.has(flat) && !g.root?.outputs.includes(flat)) return false;
        needs.push([x, { base: flat, strides: stridesOf(x.shape), offset: 0 }]);
        return stored(flat);
      });
      if (!possible || large !== 1) continue;
      const fits = uses.every((u) =>
        needs.every(([x, r]) => reshapeStrides(x.shape, r.strides, u.g.domain) !== null),
      );
      if (!fits) continue;
      for (const u of uses) {
        u.g.readings.delete(u.operand);
        if (!u.g.steps.includes(e)) u.g.steps.unshift(e);
        for (const [x, r] of needs)
          if (!u.g.readings.has(x)) {
            u.g.readings.set(x, r);
            note(u.g, x, r);
          }
      }
      readers.delete(v);
    }
  }
}
