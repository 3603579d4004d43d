// Groups the equations of a graph into kernels. A kernel is a root primitive, a chain of elementwise work over one
// domain with reductions of its values, or a matrix product or convolution with such a chain as its epilogue.
//
// Equations are taken in order. An elementwise equation joins the kernels that make its operands, if they work on the
// same domain and joining makes no cycle; otherwise it starts a kernel. A reduction joins the kernel that makes its
// operand, or one that already reads it. View equations make no kernel; they are read through strides (views.ts).
// Constants and comparisons are lazy: each kernel that needs one computes it anew, since a mask costs more to store
// than to recompute.

import { type Shape, sizeOf } from '../dtype.ts';
import { sameShape } from '../primitives/rules.ts';
import type { Equation, Graph, Var } from './graph.ts';
import { type Reading, reshapeStrides, Views } from './views.ts';

export interface KernelReduction {
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
}

class Group implements Kernel {
  root: Equation | null = null;
  steps: Equation[] = [];
  reductions: KernelReduction[] = [];
  readings = new Map<Var, Reading>();
  rootReads: Var[] = [];
  copy: Kernel['copy'] = null;
  mergedInto: Group | null = null;
  constructor(
    public domain: Shape,
    public position: number,
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

const EPILOGUE_ROOTS = new Set(['dot', 'conv', 'convGradInput']);
const REDUCTIONS = new Set(['sum', 'max', 'min']);

/** Constants and comparisons: cheaper to compute anew than to keep. */
export const isCheap = (e: Equation): boolean =>
  e.primitive.kind === 'elementwise' && (e.primitive.name === 'full' || e.outputs[0].dtype === 'bool');

export interface Fused {
  readonly kernels: readonly Kernel[];
  readonly views: Views;
  readonly definition: ReadonlyMap<Var, Equation>;
}

export const fuse = (graph: Graph): Fused => new Fuser(graph).run();

class Fuser {
  private readonly definition = new Map<Var, Equation>();
  private readonly views = new Views(this.definition);
  private readonly groups: Group[] = [];
  /** The group that makes a value, in memory or in registers. */
  private readonly maker = new Map<Var, Group>();
  private readonly readers = new Map<Var, Set<Group>>();

  constructor(private readonly graph: Graph) {}

  run(): Fused {
    const { equations, outputs } = this.graph;
    for (const e of equations) for (const v of e.outputs) this.definition.set(v, e);
    equations.forEach((e, i) => {
      if (e.primitive.kind === 'view' || this.isLazy(e.outputs[0])) return;
      if (e.primitive.kind === 'elementwise') this.placeElementwise(e, i);
      else if (REDUCTIONS.has(e.primitive.name)) this.placeReduction(e, i);
      else this.placeRoot(e, i);
    });
    for (const v of outputs) this.written(v, equations.length);
    return { kernels: this.ordered(), views: this.views, definition: this.definition };
  }

  /** Computed anew wherever it is used, until something needs it in memory. */
  private isLazy(v: Var): boolean {
    const e = this.definition.get(v);
    return e !== undefined && isCheap(e) && !this.maker.has(v);
  }

  // ---- the three kinds ----------------------------------------------------------------------------------------------

  private placeElementwise(e: Equation, position: number): void {
    const operands = this.operandsOf(e);
    const size = sizeOf(e.outputs[0].shape);
    let home: Group | null = null;
    for (const x of operands) {
      const g = this.elementMaker(x);
      if (g === null || g === home || sizeOf(g.domain) !== size) continue;
      if (!this.canRead(g, operands) || this.wouldCycle(g, this.basesFor(g, operands))) continue;
      if (home === null) home = g;
      else {
        const merged: Group | null = this.merge(home, g);
        if (merged && !this.wouldCycle(merged, this.basesFor(merged, operands))) home = merged;
      }
    }
    home ??= this.start(e.outputs[0].shape, position);
    this.addReadings(home, operands, position);
    home.steps.push(e);
    home.position = Math.max(home.position, position);
    this.maker.set(e.outputs[0], home);
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
    const fits = (g: Group): boolean => {
      const mapped = g.root === null && g.copy === null ? mapAxes(x.shape, axes, g.domain) : null;
      return mapped !== null && (g.reductions.length === 0 || sameShape(g.reductions[0].axes, mapped));
    };
    const maker = this.elementMaker(x);
    if (maker) return fits(maker) ? maker : null;
    // Made elsewhere: join a kernel that reads the same memory in the same order.
    const flat = this.views.flat(x);
    for (const reader of this.readers.get(flat) ?? []) {
      const g = resolve(reader);
      if (fits(g) && !this.wouldCycle(g, [flat])) return g;
    }
    return null;
  }

  private placeRoot(e: Equation, position: number): void {
    const reads = e.inputs.map((x) => this.written(x, position));
    const g = this.start(e.outputs[0].shape, position);
    g.root = e;
    g.rootReads = reads;
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
      this.maker.set(flat, g);
      this.views.copied.add(flat);
    }
    return flat;
  }

  // ---- joining ------------------------------------------------------------------------------------------------------

  private start(domain: Shape, position: number): Group {
    const g = new Group(domain, position);
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
    const v = this.views.flat(x);
    const g = this.makerOf(v);
    if (g === undefined || g.copy !== null || g.reductions.some((r) => r.equation.outputs[0] === v))
      return null;
    if (g.root?.outputs.includes(v) && !EPILOGUE_ROOTS.has(g.root.primitive.name)) return null;
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
      if (reading.base === this.views.flat(x)) {
        const set = this.readers.get(reading.base);
        if (set) set.add(g);
        else this.readers.set(reading.base, new Set([g]));
      }
    }
  }
  /** Would g, if it also read `bases`, depend on itself? */
  private wouldCycle(g: Group, bases: Iterable<Var>): boolean {
    const visited = new Set<Group>();
    const reaches = (v: Var): boolean => {
      const from = this.makerOf(v);
      if (from === undefined) {
        // Not in memory yet: it depends on what it would be made from.
        const e = this.definition.get(v);
        return e !== undefined && e.inputs.some(reaches);
      }
      if (from === g) return true;
      if (visited.has(from)) return false;
      visited.add(from);
      for (const r of from.reads()) if (reaches(r)) return true;
      return false;
    };
    for (const v of bases) if (reaches(v)) return true;
    return false;
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
    return into;
  }

  // ---- order --------------------------------------------------------------------------------------------------------

  /** Kernels such that each comes after those it reads from, otherwise in the order of the graph. */
  private ordered(): Kernel[] {
    const alive = this.groups.filter((g) => g.mergedInto === null).sort((a, b) => a.position - b.position);
    const order = new Map(this.graph.equations.map((e, i) => [e, i]));
    const done = new Set<Group>();
    const out: Kernel[] = [];
    const visit = (g: Group): void => {
      if (done.has(g)) return;
      done.add(g);
      for (const v of g.reads()) {
        const from = this.makerOf(v);
        if (from && from !== g) visit(from);
      }
      g.steps.sort((a, b) => (order.get(a) as number) - (order.get(b) as number));
      out.push(g);
    };
    for (const g of alive) visit(g);
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
