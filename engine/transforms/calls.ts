// Calls whose meaning is a function: checkpoint and customVjp. Both act only where a tape is recorded; everywhere else
// they are the function they stand for. Batching a call gives the call of the batched function (and rules).
//
// Under differentiation a call gives its value, and one linear call on the tangents. On a tape the linear call stays a
// single entry, and its transpose is what we want: for checkpoint, run the function again and pull back; for customVjp,
// the user's rule. Anywhere else (forward mode) the linear call of checkpoint expands into an ordinary jvp.

import { type Aval, isFloat, showAval } from '../dtype.ts';
import { check, LetheError } from '../error.ts';
import { fillLike } from '../primitives/elementwise.ts';
import { barrier } from '../primitives/order.ts';
import { sum } from '../primitives/reduce.ts';
import { aval, ensureBatched, sameShape } from '../primitives/rules.ts';
import type { MaybeZero } from '../primitives/types.ts';
import { Tensor } from '../tensor.ts';
import { bind, type CallPrimitive } from '../trace.ts';
import { flatten, type Leaf, showDef, type TreeDef, unflatten } from '../tree.ts';
import { asTensor, expectFunction, type Fn, jvp, vjp } from './autodiff.ts';
import { withBatch } from './vmap.ts';

type Flat = (xs: readonly Tensor[]) => Tensor[];
interface CallParams {
  /** The function on flat lists of tensors. */
  flat: Flat;
  /** Set by the jvp rule: types of the results, and which primals have tangents. */
  outputs?: readonly Aval[];
  active?: readonly boolean[];
}
/** customVjp's rules on flat lists; residuals are a tree that only the two of them look into. */
interface CustomParams extends CallParams {
  readonly name: string;
  forward(xs: readonly Tensor[]): { outs: Tensor[]; residuals: Leaf };
  backward(residuals: Leaf, cts: readonly Tensor[]): MaybeZero[];
  residuals?: Leaf;
}

const notHere = (): never => {
  throw new LetheError('state', 'a call has no kernel of its own');
};

const callRecord = (
  name: string,
  rest: Pick<CallPrimitive, 'jvp' | 'transpose' | 'expand' | 'batch'>,
): CallPrimitive => ({
  name,
  kind: 'view',
  shape: (_, params) => [...((params as CallParams).outputs ?? [])],
  reference: notHere,
  samples: [],
  ...rest,
});

const activeOf = (tangents: readonly MaybeZero[]): { active: boolean[]; given: Tensor[] } => ({
  active: tangents.map((t) => t !== null),
  given: tangents.filter((t): t is Tensor => t !== null),
});
const spreadTangents = (
  primals: readonly Tensor[],
  active: readonly boolean[],
  given: readonly Tensor[],
): Tensor[] => {
  let next = 0;
  return primals.map((p, i) => (active[i] ? given[next++] : fillLike(p, 0)));
};

/** The function of whole batches: every result carries the batch as axis 0. */
const batchFlat =
  (flat: Flat, batched: readonly boolean[], size: number): Flat =>
  (xs) => {
    const ys = withBatch(xs, batched, size, flat, (r) => r);
    return ys.values.map((y, i) => ensureBatched(y, ys.batched[i], size));
  };

const checkpointPrimitive = callRecord('checkpoint', {
  expand: (xs, params) => (params as CallParams).flat(xs),
  batch: (xs, batched, params, size) =>
    bind(checkpointPrimitive, xs, { flat: batchFlat((params as CallParams).flat, batched, size) }),
  transpose: 'nonlinear',
  jvp: (primals, tangents, params) => {
    const p = params as CallParams;
    const outs = bind(checkpointPrimitive, primals, params);
    const { active, given } = activeOf(tangents);
    const linear: CallParams = { flat: p.flat, active, outputs: outs.map((y) => aval(y.shape, y.dtype)) };
    return { outs, tangents: bind(checkpointLinear, [...primals, ...given], linear) };
  },
});

/** Operands: all primals, then the tangents of the active ones. */
const checkpointLinear = callRecord('checkpointLinear', {
  jvp: notHere,
  // Met by a batch only in forward mode: on a tape the batch is inside the operands.
  batch: (operands, batched, params, size) =>
    batchFlat((xs) => checkpointLinear.expand(xs, params), batched, size)(operands),
  expand: (operands, params) => {
    const { flat, active = [] } = params as CallParams;
    const primals = operands.slice(0, active.length);
    const tangents = spreadTangents(primals, active, operands.slice(active.length));
    return jvp((...xs: Tensor[]) => flat(xs), primals, tangents)[1];
  },
  transpose: (cotangents, operands, params) => {
    const { flat, active = [], outputs = [] } = params as CallParams;
    const primals = operands.slice(0, active.length) as Tensor[];
    const cts = cotangents.map((c, i) => c ?? fillLike(outputs[i] as Tensor, 0));
    // The barrier ties the second run to the cotangent: it cannot be merged with the first, nor start before it is due.
    const held = barrier([...primals, ...cts]);
    const [, pullback] = vjp((...xs: Tensor[]) => flat(xs), ...held.slice(0, primals.length));
    const grads = pullback(held.slice(primals.length)) as MaybeZero[];
    return [...primals.map(() => null), ...grads.filter((_, i) => active[i])];
  },
});

/** Flattens a function of trees; the structure of its result is known after the first run. */
function flatFunction(
  what: string,
  f: Fn,
  def: TreeDef,
  statics: readonly Leaf[],
): { flat: Flat; out: () => TreeDef } {
  let out: TreeDef | undefined;
  return {
    flat: (xs) => {
      let next = 0;
      const result = flatten<Leaf>(
        f(
          ...unflatten(
            def,
            statics.map((s) => (s instanceof Tensor ? xs[next++] : s)),
          ),
        ),
      );
      out = result.def;
      return result.leaves.map((y) => asTensor(y, what));
    },
    out: () => out as TreeDef,
  };
}

/**
 * Rematerialisation: the same function, but reverse mode keeps only its arguments and runs it a second time when its
 * gradient is needed. Trades time (one more forward pass of f) for the memory of f's intermediate values.
 */
export function checkpoint(f: Fn): Fn {
  expectFunction('checkpoint', f);
  return (...args) => {
    const { leaves, def } = flatten<Leaf>(args);
    const { flat, out } = flatFunction('checkpoint', f, def, leaves);
    const ys = bind(
      checkpointPrimitive,
      leaves.filter((x) => x instanceof Tensor),
      { flat },
    );
    return unflatten(out(), ys);
  };
}

const customPrimitive = callRecord('customVjp', {
  expand: (xs, params) => (params as CustomParams).flat(xs),
  batch: (xs, batched, params, size) =>
    bind(customPrimitive, xs, batchRules(params as CustomParams, batched, size)),
  transpose: 'nonlinear',
  jvp: (primals, tangents, params) => {
    const p = params as CustomParams;
    const { outs, residuals } = p.forward(primals);
    const { active, given } = activeOf(tangents);
    const outputs = outs.map((y) => aval(y.shape, y.dtype));
    const linear: CustomParams = { ...p, residuals, active, outputs };
    return { outs, tangents: bind(customLinear, given, linear) };
  },
});

const noForward = (_: unknown, params: object): never => {
  throw new LetheError(
    'state',
    `customVjp: ${(params as CustomParams).name} has only a reverse rule; forward mode (jvp) cannot pass through it`,
  );
};

const customLinear = callRecord('customVjpLinear', {
  jvp: notHere,
  expand: noForward,
  batch: (xs, _, params) => noForward(xs, params),
  transpose: (cotangents, _, params) => {
    const { backward, residuals, outputs = [], active = [] } = params as CustomParams;
    const cts = cotangents.map((c, i) => c ?? fillLike(outputs[i] as Tensor, 0));
    return backward(residuals, cts).filter((_g, i) => active[i]);
  },
});

/** Rules for whole batches. An operand without the batch receives the sum of all samples' gradients. */
function batchRules(p: CustomParams, batched: readonly boolean[], size: number): CustomParams {
  return {
    ...p,
    flat: batchFlat(p.flat, batched, size),
    forward: (xs) => {
      const run = withBatch(xs, batched, size, p.forward, ({ outs, residuals }) => [
        ...outs,
        ...flatten<Leaf>(residuals).leaves.filter((r) => r instanceof Tensor),
      ]);
      const { outs, residuals } = run.result;
      return {
        outs: outs.map((_, i) => ensureBatched(run.values[i], run.batched[i], size)),
        residuals: {
          tree: flatten<Leaf>(residuals),
          values: run.values.slice(outs.length),
          batched: run.batched.slice(outs.length),
        },
      };
    },
    backward: (residuals, cts) => {
      const { tree, values, batched: carried } = residuals;
      const run = withBatch(
        [...values, ...cts],
        [...carried, ...cts.map(() => true)],
        size,
        (xs) => {
          let next = 0;
          const own = unflatten(
            tree.def,
            tree.leaves.map((r: Leaf) => (r instanceof Tensor ? xs[next++] : r)),
          );
          return p.backward(own, xs.slice(values.length));
        },
        (grads) => grads.filter((g) => g !== null),
      );
      let next = 0;
      return run.result.map((g, i) => {
        if (g === null) return null;
        const all = ensureBatched(run.values[next], run.batched[next], size);
        next++;
        return batched[i] ? all : sum(all, [0]);
      });
    },
  };
}

/** The gradients that a backward rule gave for one argument, one for each of its tensors; null where there is none. */
function gradientsFor(name: string, position: number, argument: Leaf, given: Leaf): MaybeZero[] {
  const walk = (arg: Leaf, g: Leaf, path: string): MaybeZero[] => {
    const part = flatten<Leaf>(arg);
    const tensors = part.leaves.filter((x) => x instanceof Tensor) as Tensor[];
    if (g === null || g === undefined) return tensors.map(() => null);
    if (part.def.kind === 'leaf') {
      if (tensors.length === 0 || !isFloat(arg.dtype)) return tensors.map(() => null);
      const y = asTensor(g, `customVjp: gradient ${path} of ${name}`);
      check(
        sameShape(y.shape, arg.shape) && y.dtype === arg.dtype,
        'shape',
        () => `customVjp: gradient ${path} of ${name} is ${showAval(y)}, expected ${showAval(arg)}`,
      );
      return [y];
    }
    const found = flatten<Leaf>(g).def;
    const fits =
      part.def.kind === 'array' ? Array.isArray(g) && g.length === arg.length : found.kind === part.def.kind;
    check(
      fits,
      'value',
      () => `customVjp: gradient ${path} of ${name} is ${showDef(found)}, expected ${showDef(part.def)}`,
    );
    if (part.def.kind === 'array') return arg.flatMap((a: Leaf, i: number) => walk(a, g[i], `${path}[${i}]`));
    return part.def.kind === 'object' ? part.def.keys.flatMap((k) => walk(arg[k], g[k], `${path}.${k}`)) : [];
  };
  return walk(argument, given, String(position));
}

/**
 * A function with its own reverse rule. `forward(...args)` returns [output, residuals]; `backward(residuals, cotangent)`
 * returns an array with one gradient tree for each argument (null for arguments, or leaves, without one). The backward
 * rule is itself differentiable, so higher reverse orders and hvp work; plain forward mode does not, and says so. Under
 * vmap both rules see one sample.
 */
export function customVjp(
  f: Fn,
  rules: { forward: Fn; backward: (residuals: Leaf, cotangent: Leaf) => readonly Leaf[] },
): Fn {
  expectFunction('customVjp', f, rules?.forward, rules?.backward);
  const name = f.name || 'the function';
  return (...args) => {
    const { leaves, def } = flatten<Leaf>(args);
    const primal = flatFunction('customVjp', f, def, leaves);
    let outDef: TreeDef | undefined;
    const params: CustomParams = {
      name,
      flat: (xs) => {
        const ys = primal.flat(xs);
        outDef = primal.out();
        return ys;
      },
      forward: (xs) => {
        let next = 0;
        const result = rules.forward(
          ...unflatten(
            def,
            leaves.map((x) => (x instanceof Tensor ? xs[next++] : x)),
          ),
        );
        if (!Array.isArray(result) || result.length !== 2)
          throw new LetheError('value', `customVjp: forward of ${name} must return [output, residuals]`);
        const out = flatten<Leaf>(result[0]);
        outDef = out.def;
        return { outs: out.leaves.map((y) => asTensor(y, 'customVjp')), residuals: result[1] };
      },
      backward: (residuals, cts) => {
        const given = rules.backward(residuals, unflatten(outDef as TreeDef, cts));
        if (!Array.isArray(given) || given.length !== args.length)
          throw new LetheError(
            'value',
            `customVjp: backward of ${name} must return an array with one gradient for each of the ${args.length} arguments`,
          );
        return args.flatMap((arg, i) => gradientsFor(name, i, arg, given[i]));
      },
    };
    const ys = bind(
      customPrimitive,
      leaves.filter((x) => x instanceof Tensor),
      params,
    );
    return unflatten(outDef as TreeDef, ys);
  };
}
