// Makes a traced graph smaller without changing what it computes: dead code, common subexpressions, constants, neutral
// elements, chains of views, work on broadcast operands done before broadcasting, work on the gradient of a max-pool done
// before it is scattered, sums in their simplest form. Only the last changes the order of floating-point operations.

import { allocate, type DType, isFloat, roundTo, type Shape, sizeOf } from '../dtype.ts';
import { primitives } from '../primitives/index.ts';
import type { ParamsOf, PrimitiveName, ViewName } from '../primitives/names.ts';
import { sameShape } from '../primitives/rules.ts';
import type { Primitive } from '../primitives/types.ts';
import { compute } from '../reference.ts';
import {
  type Equation,
  type EquationOf,
  equationOf,
  type Graph,
  isElementwise,
  isOp,
  isView,
  Var,
} from './graph.ts';

/** What building an equation needs to know of its operands. */
class Builder {
  readonly equations: Equation[] = [];
  private readonly definition = new Map<Var, Equation>();
  private readonly seen = new Map<string, readonly Var[]>();
  private readonly ids = new Map<Var, number>();

  private id(v: Var): number {
    let n = this.ids.get(v);
    if (n === undefined) {
      n = this.ids.size;
      this.ids.set(v, n);
    }
    return n;
  }
  def(v: Var): Equation | undefined {
    return this.definition.get(v);
  }
  /** The equation that makes v, if it is a call of `name`. */
  is<K extends PrimitiveName>(v: Var, name: K): Extract<Equation, { op: K }> | undefined {
    const e = this.definition.get(v);
    return isOp(e, name) ? e : undefined;
  }
  /** The value of a constant-filled v. */
  constant(v: Var): number | undefined {
    return this.is(v, 'full')?.params.value;
  }
  emit(primitive: Primitive, inputs: readonly Var[], params: object): readonly Var[] {
    const outputs = primitive.shape(inputs, params).map((a) => new Var(a.shape, a.dtype));
    const e = equationOf(primitive, inputs, params, outputs);
    const simpler = rewrite(this, e);
    if (simpler) return simpler;
    const key = `${primitive.name} ${inputs.map((v) => this.id(v)).join(',')} ${keyOf(params)}`;
    const known = this.seen.get(key);
    if (known) return known;
    this.equations.push(e);
    for (const v of outputs) this.definition.set(v, e);
    this.seen.set(key, outputs);
    return outputs;
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

const NEUTRAL_RIGHT: Partial<Record<PrimitiveName, number>> = { add: 0, sub: 0, mul: 1, div: 1 };
const NEUTRAL_LEFT: Partial<Record<PrimitiveName, number>> = { add: 0, mul: 1 };

/** Values that are what `e` would compute, where they are found or made more cheaply. */
function rewrite(b: Builder, e: Equation): readonly Var[] | null {
  const { primitive, inputs, outputs } = e;
  const [x, y] = inputs;
  switch (e.op) {
    case 'identity':
      return [x];
    case 'convert': {
      const { dtype } = e.params;
      if (x.dtype === dtype) return [x];
      // Halves that were widened are halves still.
      const inner = dtype === 'float16' ? b.is(x, 'convert') : undefined;
      if (inner?.inputs[0].dtype === dtype && isFloat(x.dtype)) return [inner.inputs[0]];
      break;
    }
    case 'neg': {
      const inner = b.is(x, 'neg');
      if (inner) return [inner.inputs[0]];
      break;
    }
    case 'select':
      if (inputs[1] === inputs[2]) return [inputs[1]];
      return maskBeforeScatter(b, inputs);
    case 'sum':
      return rewriteSum(b, x, e.params.axes, outputs[0].shape);
  }
  if (isView(e)) return e.op === 'barrier' ? null : rewriteView(b, e);
  if (!isElementwise(e) || inputs.length === 0) return null;

  const constants = inputs.map((v) => b.constant(v));
  if (constants.every((c) => c !== undefined)) {
    // Compute one element as the reference would.
    const one = inputs.map((v, i) => ({
      shape: [],
      dtype: v.dtype,
      // As it lies in memory: rounded to its type.
      data: roundTo(allocate(v.dtype, 1).fill(constants[i] as number), v.dtype),
    }));
    const { dtype } = outputs[0];
    const [value] = compute(primitive, one, e.params, [{ shape: [], dtype }])[0];
    return b.full(x.shape, value, dtype);
  }
  // -0 + 0 is 0, so only x + (-0) and x - 0 are neutral for the sign of zero; we accept x + 0 = x.
  if (y !== undefined && isFloat(x.dtype)) {
    if (e.op in NEUTRAL_RIGHT && constants[1] === NEUTRAL_RIGHT[e.op]) return [x];
    if (e.op in NEUTRAL_LEFT && constants[0] === NEUTRAL_LEFT[e.op]) return [y];
    if (e.op === 'mul' && constants[1] === -1) return b.call('neg', [x], {});
    if (e.op === 'mul' && constants[0] === -1) return b.call('neg', [y], {});
    const negated = e.op === 'add' || e.op === 'sub' ? b.is(y, 'neg') : undefined;
    if (negated) return b.call(e.op === 'add' ? 'sub' : 'add', [x, negated.inputs[0]], {});
  }
  return beforeBroadcast(b, e);
}

/**
 * sum(-x) is -sum(x); sum(x * c) is sum(x) * c where c does not vary along the summed axes. The gradients of
 * normalisation layers are full of these, and without them each costs a pass over the whole tensor.
 */
function rewriteSum(b: Builder, x: Var, axes: readonly number[], out: Shape): readonly Var[] | null {
  if (axes.every((a) => x.shape[a] === 1)) return b.call('reshape', [x], { shape: out });
  const negated = b.is(x, 'neg');
  if (negated) return b.call('neg', b.call('sum', negated.inputs, { axes }), {});
  const scattered = sumBeforeScatter(b, x, axes, out);
  if (scattered) return scattered;
  const product = b.is(x, 'mul');
  // The sum alone might be beyond float16 where the sum of products is not.
  if (!product || !isFloat(x.dtype) || x.dtype === 'float16') return null;
  for (const [factor, rest] of [product.inputs, [...product.inputs].reverse()]) {
    const c = b.constant(factor);
    const total = () => b.call('sum', [rest], { axes })[0];
    if (c !== undefined) return b.call('mul', [total(), b.full(out, c, x.dtype)[0]], {});
    const e = b.is(factor, 'broadcast');
    if (!e) continue;
    const { dims } = e.params;
    const [small] = e.inputs;
    if (dims.some((d, i) => axes.includes(d) && small.shape[i] !== 1)) continue;
    // Axes of the small factor that survive, as axes of the result.
    const kept = dims.map((d, i) => ({ d, i })).filter(({ d }) => !axes.includes(d));
    const squeezed = b.call('reshape', [small], { shape: kept.map(({ i }) => small.shape[i]) })[0];
    const to = kept.map(({ d }) => d - axes.filter((a) => a < d).length);
    return b.call('mul', [total(), b.call('broadcast', [squeezed], { shape: out, dims: to })[0]], {});
  }
  return null;
}

const behindReshape = (b: Builder, v: Var): Var => b.is(v, 'reshape')?.inputs[0] ?? v;

/** Where v is the gradient of a max-pool, in whatever shape: the scatter to the maxima, and the pool. */
function pooledScatter(
  b: Builder,
  v: Var,
): { scatter: EquationOf<'scatterAlong'>; pool: EquationOf<'maxPool'> } | null {
  const scatter = b.is(behindReshape(b, v), 'scatterAlong');
  const pool = scatter && b.is(behindReshape(b, scatter.inputs[1]), 'maxPool');
  if (!pool) return null;
  const { axis, size } = scatter.params;
  const [, height, width, channels] = pool.inputs[0].shape;
  // It sees the pixels of one image after the other, channels last: every position is inside.
  const fits = size === height * width && sizeOf(scatter.inputs[0].shape.slice(axis + 1)) === channels;
  return fits ? { scatter, pool } : null;
}

/**
 * The gradient of maxPool(y) with y = relu(x) is select(0 < y, spread, 0), where `spread` scatters each update to the
 * maximum of its window. The value there is what the pool returned, so the small updates can be masked in place of the
 * large result, and y need not be kept for the backward pass.
 */
function maskBeforeScatter(b: Builder, [mask, spread, zero]: readonly Var[]): readonly Var[] | null {
  const less = b.is(mask, 'less');
  const found = pooledScatter(b, spread);
  if (!less || !found || b.constant(zero) !== 0 || b.constant(less.inputs[0]) !== 0) return null;
  const { scatter, pool } = found;
  if (behindReshape(b, pool.inputs[0]) !== behindReshape(b, less.inputs[1])) return null;
  const [updates, positions] = scatter.inputs;
  const { shape, dtype } = updates;
  const pooled = b.call('reshape', [pool.outputs[0]], { shape })[0];
  const positive = b.call('less', [b.full(shape, 0, dtype)[0], pooled], {})[0];
  const masked = b.call('select', [positive, updates, b.full(shape, 0, dtype)[0]], {})[0];
  const result = b.call('scatterAlong', [masked, positions], scatter.params)[0];
  return b.call('reshape', [result], { shape: spread.shape });
}

/** The sum over all pixels of a max-pool's gradient (that of a bias) is the sum of what was scattered. */
function sumBeforeScatter(b: Builder, x: Var, axes: readonly number[], out: Shape): readonly Var[] | null {
  const found = pooledScatter(b, x);
  if (!found) return null;
  const [updates] = found.scatter.inputs;
  const { axis, size } = found.scatter.params;
  const kept = x.shape.length - 1 - axes.length;
  // Leading axes and the channels stay; what is between goes, whole images of it.
  const channels = x.shape[x.shape.length - 1];
  const samples = sizeOf(x.shape.slice(0, kept));
  const images = sizeOf(updates.shape.slice(0, axis)) / samples;
  const between = axes.every((a, i) => a === kept + i) && channels === sizeOf(updates.shape.slice(axis + 1));
  if (!between || !Number.isInteger(images) || sizeOf(axes.map((a) => x.shape[a])) !== images * size)
    return null;
  const lines = b.call('reshape', [updates], { shape: [samples, images * updates.shape[axis], channels] });
  return b.call('reshape', b.call('sum', lines, { axes: [1] }), { shape: out });
}

/** op(broadcast(a), broadcast(b), constant) is broadcast(op(a, b, constant)) when both come from the same smaller shape. */
function beforeBroadcast(b: Builder, { primitive, inputs, params }: Equation): readonly Var[] | null {
  let from: { shape: Shape; params: ParamsOf<'broadcast'> } | null = null;
  for (const v of inputs) {
    if (b.constant(v) !== undefined) continue;
    const e = b.is(v, 'broadcast');
    if (!e) return null;
    if (from === null) from = { shape: e.inputs[0].shape, params: e.params };
    else if (!sameShape(from.shape, e.inputs[0].shape) || !sameShape(from.params.dims, e.params.dims))
      return null;
  }
  if (from === null) return null;
  const small = inputs.map((v) => {
    const c = b.constant(v);
    return c === undefined
      ? (b.is(v, 'broadcast') as Equation).inputs[0]
      : b.full((from as { shape: Shape }).shape, c, v.dtype)[0];
  });
  const [result] = b.emit(primitive, small, params);
  return b.call('broadcast', [result], from.params);
}

function rewriteView(b: Builder, e: Extract<Equation, { op: ViewName }>): readonly Var[] | null {
  const [x] = e.inputs;
  const { shape: out } = e.outputs[0];
  const c = b.constant(x);
  if (c !== undefined) return b.full(out, c, x.dtype);
  switch (e.op) {
    case 'reshape': {
      if (sameShape(x.shape, out)) return [x];
      const inner = b.is(x, 'reshape');
      if (inner) return b.call('reshape', [inner.inputs[0]], e.params);
      return null;
    }
    case 'transpose': {
      const { perm } = e.params;
      if (perm.every((p, i) => p === i)) return [x];
      const inner = b.is(x, 'transpose');
      if (inner)
        return b.call('transpose', [inner.inputs[0]], {
          perm: perm.map((p) => inner.params.perm[p]),
        });
      // Moving axes of size 1 only is a reshape.
      const moved = perm.filter((p) => x.shape[p] !== 1);
      if (moved.every((p, i) => i === 0 || p > moved[i - 1])) return b.call('reshape', [x], { shape: out });
      return null;
    }
    case 'broadcast': {
      const { dims } = e.params;
      if (sizeOf(out) === sizeOf(x.shape)) return b.call('reshape', [x], { shape: out });
      const inner = b.is(x, 'broadcast');
      if (inner) {
        const inside = inner.params.dims.map((d) => dims[d]);
        return b.call('broadcast', [inner.inputs[0]], { shape: out, dims: inside });
      }
      return null;
    }
    case 'flip': {
      const axes = e.params.axes.filter((a) => x.shape[a] > 1);
      return axes.length === 0 ? [x] : null;
    }
    case 'slice':
      return sameShape(x.shape, out) ? [x] : null;
    default:
      return null;
  }
}

export function simplify(graph: Graph): Graph {
  const b = new Builder();
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
