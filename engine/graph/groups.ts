// The groups that fusion puts equations into (fuse.ts), while it does: who makes a value, who reads it, in which order the
// groups can run, and what may join what.

import type { Capabilities } from '../backend.ts';
import type { Shape } from '../dtype.ts';
import { sameShape } from '../primitives/rules.ts';
import {
  type ElementwiseEquation,
  type Equation,
  type Graph,
  isElementwise,
  type RootEquation,
  type Var,
} from './graph.ts';
import { isCheap, type Kernel, type KernelReduction } from './kernels.ts';
import { type Node, Order } from './order.ts';
import { type Reading, reshapeStrides, Views } from './views.ts';

/** A kernel that grows. */
export class Group implements Kernel, Node {
  op: RootEquation | null = null;
  operands: Var[] = [];
  steps: ElementwiseEquation[] = [];
  reductions: KernelReduction[] = [];
  readings = new Map<Var, Reading>();
  copy: Kernel['copy'] = null;
  readonly prologues = new Map();
  mergedInto: Group | null = null;
  readonly dependents = new Set<Group>();
  constructor(
    readonly id: number,
    public domain: Shape,
    public position: number,
    public order: number,
  ) {}
  /** Values in memory that are read. */
  *reads(): Iterable<Var> {
    yield* this.operands;
    for (const r of this.readings.values()) yield r.base;
    if (this.copy?.source) yield this.copy.source.base;
  }
}

const resolve = (g: Group): Group => {
  let at = g;
  while (at.mergedInto !== null) at = at.mergedInto;
  return at;
};

export class Groups {
  readonly definition = new Map<Var, Equation>();
  readonly views = new Views(this.definition);
  /** The group that makes a value, in memory or in registers. */
  readonly maker = new Map<Var, Group>();
  private readonly all: Group[] = [];
  private readonly readers = new Map<Var, Set<Group>>();
  private readonly order = new Order<Group>((g) => this.sourcesOf(g), resolve);

  constructor(
    private readonly graph: Graph,
    private readonly can: Capabilities,
  ) {
    for (const e of graph.equations) for (const v of e.outputs) this.definition.set(v, e);
  }

  /** Computed anew wherever it is used, until something needs it in memory. */
  isLazy(v: Var): boolean {
    const e = this.definition.get(v);
    return e !== undefined && isCheap(e) && !this.maker.has(v);
  }

  /** What readers of the same memory share: not the memory itself if a barrier stands before it. */
  private readAs(x: Var): Var {
    for (let at = x; ; ) {
      const e = this.definition.get(at);
      if (e?.op !== 'reshape' || this.views.copied.has(at)) return at;
      at = e.inputs[0];
    }
  }
  /** Kernels that read one of the operands from memory, element for element. */
  readersFor(operands: readonly Var[]): Group[] {
    return operands.flatMap((x) => [...(this.readers.get(this.readAs(x)) ?? [])].map(resolve));
  }

  /** The dense value that holds x in memory (under another shape perhaps); writes views and lazy values out. */
  written(x: Var, position: number): Var {
    const flat = this.views.flat(x);
    const e = this.definition.get(flat);
    if (e === undefined || this.maker.has(flat)) return flat;
    if (isElementwise(e) && e.op !== 'full') {
      const g = this.start(flat.shape, position);
      this.maker.set(flat, g);
      this.addReadings(g, this.operandsOf(e), position);
      g.steps.push(e);
    } else {
      const source = e.op === 'full' ? null : this.views.reading(flat);
      if (source) this.written(source.base, position);
      const g = this.start(flat.shape, position);
      g.copy = { target: flat, source };
      if (source) this.readsFrom(g, source.base);
      this.maker.set(flat, g);
      this.views.copied.add(flat);
    }
    return flat;
  }

  // ---- joining ---------------------------------------------------------------------------------------------------------

  start(domain: Shape, position: number): Group {
    const g = new Group(this.all.length, domain, position, this.order.last());
    this.all.push(g);
    return g;
  }
  makerOf(v: Var): Group | undefined {
    const g = this.maker.get(v);
    return g && resolve(g);
  }
  /** What e needs, lazy operands replaced by what they need. */
  operandsOf(e: Equation): Var[] {
    return e.inputs.flatMap((x) => {
      const flat = this.views.flat(x);
      return this.isLazy(flat) ? this.operandsOf(this.definition.get(flat) as Equation) : [x];
    });
  }
  /** The group where x is an element-for-element value: a step, or the only result of an operation that takes epilogues. */
  elementMaker(x: Var): Group | null {
    if (this.views.held(x)) return null;
    const v = this.views.flat(x);
    const g = this.makerOf(v);
    if (g === undefined || g.copy !== null || g.reductions.some((r) => r.equation.outputs[0] === v))
      return null;
    if (g.op?.outputs.includes(v) && !this.can.epilogues.includes(g.op.op)) return null;
    return g;
  }
  basesFor(g: Group, operands: readonly Var[]): Var[] {
    return operands.filter((x) => this.elementMaker(x) !== g).map((x) => this.views.reading(x).base);
  }
  /** Every operand must be expressible over g's domain. */
  canRead(g: Group, operands: readonly Var[]): boolean {
    return operands.every(
      (x) =>
        sameShape(x.shape, g.domain) ||
        this.elementMaker(x) === g ||
        reshapeStrides(x.shape, this.views.reading(x).strides, g.domain) !== null,
    );
  }
  addReadings(g: Group, operands: readonly Var[], position: number): void {
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
  readsFrom(g: Group, v: Var): void {
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
  wouldCycle(g: Group, bases: Iterable<Var>): boolean {
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
  merge(a: Group, b: Group): Group | null {
    if (a.op && b.op) return null;
    const [into, from] = b.op ? [b, a] : [a, b];
    if (from.copy || into.copy || (into.op && from.reductions.length)) return null;
    const [r, s] = [into.reductions[0], from.reductions[0]];
    if (r && s && !(sameShape(into.domain, from.domain) && sameShape(r.axes, s.axes))) return null;
    if (!sameShape(into.domain, from.domain)) {
      if (s) return null;
      for (const [x, reading] of from.readings)
        if (this.elementMaker(x) !== into && reshapeStrides(x.shape, reading.strides, into.domain) === null)
          return null;
    }
    const external = (x: Group, y: Group) => [
      ...x.operands,
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

  // ---- order -----------------------------------------------------------------------------------------------------------

  /** Kernels such that each comes after those it reads from, otherwise in the order of the graph. */
  ordered(): Group[] {
    const alive = this.all.filter((g) => g.mergedInto === null).sort((a, b) => a.position - b.position);
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
