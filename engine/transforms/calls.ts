// Calls whose meaning is a function: checkpoint and customVjp. Both act only where a tape is recorded; everywhere else
// they are the function they stand for.
//
// Under differentiation a call gives its value, and one linear call on the tangents. On a tape the linear call stays a
// single entry, and its transpose is what we want: for checkpoint, run the function again and pull back; for customVjp,
// the user's rule. Anywhere else (forward mode) the linear call of checkpoint expands into an ordinary jvp.

import { type Aval, isFloat } from '../dtype.ts';
import { LetheError } from '../error.ts';
import { fillLike } from '../primitives/elementwise.ts';
import { barrier } from '../primitives/order.ts';
import { aval } from '../primitives/rules.ts';
import type { MaybeZero } from '../primitives/types.ts';
import { Tensor } from '../tensor.ts';
import { bind, type CallPrimitive } from '../trace.ts';
import { flatten, type Leaf, sameStructure, showDef, type TreeDef, unflatten } from '../tree.ts';
import { type Fn, jvp, vjp } from './autodiff.ts';

interface CallParams {
  /** The function on flat lists of tensors. */
  flat: (xs: readonly Tensor[]) => Tensor[];
  /** Set by the jvp rule: types of the results, and which primals have tangents. */
  outputs?: readonly Aval[];
  active?: readonly boolean[];
  /** customVjp only. */
  backward?: (residuals: Leaf, cts: readonly Tensor[]) => MaybeZero[];
  residuals?: Leaf;
}

const notHere = (): never => {
  throw new LetheError('state', 'a call has no kernel of its own');
};

const callRecord = (
  name: string,
  rest: Pick<CallPrimitive, 'jvp' | 'transpose' | 'expand'>,
): CallPrimitive => ({
  name,
  kind: 'view',
  shape: (_, params) => [...((params as CallParams).outputs ?? [])],
  batch: notHere,
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

const checkpointPrimitive = callRecord('checkpoint', {
  expand: (xs, params) => (params as CallParams).flat(xs),
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
  f: Fn,
  def: TreeDef,
  statics: readonly Leaf[],
): { flat: (xs: readonly Tensor[]) => Tensor[]; out: () => TreeDef } {
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
      return result.leaves;
    },
    out: () => out as TreeDef,
  };
}

/**
 * Rematerialisation: the same function, but reverse mode keeps only its arguments and runs it a second time when its
 * gradient is needed. Trades time (one more forward pass of f) for the memory of f's intermediate values.
 */
export function checkpoint(f: Fn): Fn {
  return (...args) => {
    const { leaves, def } = flatten<Leaf>(args);
    const { flat, out } = flatFunction(f, def, leaves);
    const ys = bind(
      checkpointPrimitive,
      leaves.filter((x) => x instanceof Tensor),
      { flat },
    );
    return unflatten(out(), ys);
  };
}

const customPrimitive = callRecord('customVjp', {
  expand: (xs, params) => (params as CallParams).flat(xs),
  transpose: 'nonlinear',
  jvp: (primals, tangents, params) => {
    const p = params as CallParams & {
      forward: (xs: readonly Tensor[]) => { outs: Tensor[]; residuals: Leaf };
    };
    const { outs, residuals } = p.forward(primals);
    const { active, given } = activeOf(tangents);
    const linear: CallParams = {
      flat: p.flat,
      backward: p.backward,
      residuals,
      active,
      outputs: outs.map((y) => aval(y.shape, y.dtype)),
    };
    return { outs, tangents: bind(customLinear, given, linear) };
  },
});

const customLinear = callRecord('customVjpLinear', {
  jvp: notHere,
  expand: () => {
    throw new LetheError(
      'state',
      'customVjp: this function has only a reverse rule; forward mode (jvp, hvp) cannot pass through it',
    );
  },
  transpose: (cotangents, _, params) => {
    const { backward, residuals, outputs = [], active = [] } = params as CallParams;
    const cts = cotangents.map((c, i) => c ?? fillLike(outputs[i] as Tensor, 0));
    return (backward?.(residuals, cts) ?? []).filter((_g, i) => active[i]);
  },
});

/**
 * A function with its own reverse rule. `forward(...args)` returns [output, residuals]; `backward(residuals, cotangent)`
 * returns an array with one gradient tree for each argument (null for arguments without one). The backward rule is
 * itself differentiable, so higher reverse orders work; forward mode does not, and says so.
 */
export function customVjp(
  f: Fn,
  rules: { forward: Fn; backward: (residuals: Leaf, cotangent: Leaf) => readonly Leaf[] },
): Fn {
  return (...args) => {
    const { leaves, def } = flatten<Leaf>(args);
    const primal = flatFunction(f, def, leaves);
    let outDef: TreeDef | undefined;
    const params = {
      flat: (xs: readonly Tensor[]) => {
        const ys = primal.flat(xs);
        outDef = primal.out();
        return ys;
      },
      forward: (xs: readonly Tensor[]) => {
        let next = 0;
        const result = rules.forward(
          ...unflatten(
            def,
            leaves.map((x) => (x instanceof Tensor ? xs[next++] : x)),
          ),
        );
        if (!Array.isArray(result) || result.length !== 2)
          throw new LetheError('value', 'customVjp: forward must return [output, residuals]');
        const out = flatten<Leaf>(result[0]);
        outDef = out.def;
        return { outs: out.leaves, residuals: result[1] };
      },
      backward: (residuals: Leaf, cts: readonly Tensor[]): MaybeZero[] => {
        const given = rules.backward(residuals, unflatten(outDef as TreeDef, cts));
        if (!Array.isArray(given) || given.length !== args.length)
          throw new LetheError(
            'value',
            `customVjp: backward must return an array with one gradient for each of the ${args.length} arguments`,
          );
        return args.flatMap((arg, i) => {
          const part = flatten<Leaf>(arg);
          const tensors = part.leaves.filter((x) => x instanceof Tensor);
          if (given[i] === null || given[i] === undefined) return tensors.map(() => null);
          const grads = flatten<Leaf>(given[i]);
          if (!sameStructure(grads.def, part.def))
            throw new LetheError(
              'value',
              `customVjp: gradient ${i} is ${showDef(grads.def)}, expected ${showDef(part.def)}`,
            );
          return grads.leaves.filter(
            (_, k) => part.leaves[k] instanceof Tensor && isFloat(part.leaves[k].dtype),
          );
        });
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
