// Makes a traced graph smaller without changing what it computes: dead code goes, equal equations are one, and named rules
// (rules/) rewrite single calls: constants, neutral elements, chains of views, work on broadcast operands done before
// broadcasting, sums in their simplest form.

import type { DType, Shape } from '../dtype.ts';
import { primitives } from '../primitives/index.ts';
import type { ParamsOf, PrimitiveName } from '../primitives/names.ts';
import type { Primitive } from '../primitives/types.ts';
import { type Equation, equationOf, type Graph, isOp, Var } from './graph.ts';
import { RULES } from './rules/index.ts';
import type { Builder, Rule } from './rules/rule.ts';

class GraphBuilder implements Builder {
  readonly equations: Equation[] = [];
  private readonly definition = new Map<Var, Equation>();
  private readonly seen = new Map<string, readonly Var[]>();
  private readonly ids = new Map<Var, number>();
  /** Those of the rules that are for a primitive. */
  private readonly rulesFor = new Map<Primitive, readonly Rule[]>();

  constructor(private readonly rules: readonly Rule[]) {}

  private id(v: Var): number {
    let n = this.ids.get(v);
    if (n === undefined) {
      n = this.ids.size;
      this.ids.set(v, n);
    }
    return n;
  }
  is<K extends PrimitiveName>(v: Var, name: K): Extract<Equation, { op: K }> | undefined {
    const e = this.definition.get(v);
    return isOp(e, name) ? e : undefined;
  }
  constant(v: Var): number | undefined {
    return this.is(v, 'full')?.params.value;
  }
  emit(primitive: Primitive, inputs: readonly Var[], params: object): readonly Var[] {
    const outputs = primitive.shape(inputs, params).map((a) => new Var(a.shape, a.dtype));
    const e = equationOf(primitive, inputs, params, outputs);
    const simpler = this.simpler(e);
    if (simpler) return simpler;
    const key = `${primitive.name} ${inputs.map((v) => this.id(v)).join(',')} ${keyOf(params)}`;
    const known = this.seen.get(key);
    if (known) return known;
    this.equations.push(e);
    for (const v of outputs) this.definition.set(v, e);
    this.seen.set(key, outputs);
    return outputs;
  }
  private simpler(e: Equation): readonly Var[] | null {
    let own = this.rulesFor.get(e.primitive);
    if (own === undefined) {
      own = this.rules.filter((r) => r.of(e.primitive));
      this.rulesFor.set(e.primitive, own);
    }
    for (const r of own) {
      const result = r.apply(this, e);
      if (result) return result;
    }
    return null;
  }
  call<K extends PrimitiveName>(name: K, inputs: readonly Var[], params: ParamsOf<K>): readonly Var[] {
    return this.emit(primitives[name], inputs, params);
  }
  full(shape: Shape, value: number, dtype: DType): readonly Var[] {
    return this.call('full', [], { shape, value, dtype });
  }
}

/** JSON does not tell -0, NaN and infinities apart; two constants are merged only if they are the same value. */
const keyOf = (params: object): string =>
  JSON.stringify(params, (_, v) =>
    typeof v === 'number' && (!Number.isFinite(v) || Object.is(v, -0))
      ? `#${Object.is(v, -0) ? '-0' : v}`
      : v,
  );

/** `rules`: those to apply, by default all. */
export function simplify(graph: Graph, rules: readonly Rule[] = RULES): Graph {
  const b = new GraphBuilder(rules);
  const now = new Map<Var, Var>();
  const current = (v: Var): Var => now.get(v) ?? v;
  for (const e of graph.equations) {
    const outputs = b.emit(e.primitive, e.inputs.map(current), e.params);
    e.outputs.forEach((v, i) => {
      now.set(v, outputs[i]);
    });
  }
  return withoutDeadCode({ ...graph, equations: b.equations, outputs: graph.outputs.map(current) });
}

function withoutDeadCode(graph: Graph): Graph {
  const needed = new Set<Var>(graph.outputs);
  const kept: Equation[] = [];
  for (let i = graph.equations.length - 1; i >= 0; i--) {
    const e = graph.equations[i];
    if (!e.outputs.some((v) => needed.has(v))) continue;
    kept.push(e);
    for (const v of e.inputs) needed.add(v);
  }
  return {
    ...graph,
    equations: kept.reverse(),
    constants: graph.constants.filter((c) => needed.has(c.variable)),
  };
}
