// Calls whose meaning is a function: checkpoint and customVjp. Both act only where a tape is recorded; everywhere else
// they are the function they stand for. Batching a call gives the call of the batched function (and rules).
//
// The function is traced once, when it is called, and what it closes over becomes operands of the call: a call that is
// batched or differentiated later so misses nothing. From then on it is a graph of its operands alone.
//
// Under differentiation a call gives its value, and one linear call on the tangents. On a tape the linear call stays a
// single entry, and its transpose is what we want: for checkpoint, run the function again and pull back; for customVjp,
// the user's rule. Anywhere else (forward mode) the linear call of checkpoint expands into an ordinary jvp.

import { type Aval, isFloat, showAval } from '../dtype.ts';
import { check, LetheError } from '../error.ts';
import { type Lifted, lift, replay } from '../graph/graph.ts';
import { fillLike } from '../primitives/elementwise.ts';
import { barrier } from '../primitives/order.ts';
import { sum } from '../primitives/reduce.ts';
import { aval, ensureBatched, sameShape } from '../primitives/rules.ts';
import type { MaybeZero } from '../primitives/types.ts';
import { Concrete, scope, Tensor } from '../tensor.ts';
import { bind, type CallPrimitive, depth, isStaging } from '../trace.ts';
import { flatten, type Leaf, showDef, type TreeDef, unflatten } from '../tree.ts';
import { asTensor, expectFunction, jvp, runNow, vjp } from './autodiff.ts';
import type { Args, Fn, Partly } from './signatures.ts';
import { withBatch } from './vmap.ts';

/** A function of its operands alone. */
type Closed = (xs: readonly Tensor[]) => Tensor[];
interface CallParams {
  readonly run: Closed;
  /** Types of the results. */
  readonly outputs: readonly Aval[];
}
/** A call on tangents: its operands end with the tangents of the operands where `active` holds. */
interface LinearParams extends CallParams {
  readonly active: readonly boolean[];
}

const notHere = (): never => {
  throw new LetheError('state', 'a call has no kernel of its own');
};

const callRecord = (
  name: string,
  rest: Pick<CallPrimitive, 'linear' | 'jvp' | 'transpose' | 'expand' | 'batch'>,
): CallPrimitive => ({
  name,
  kind: 'view',
  shape: (_, params) => [...(params as CallParams).outputs],
  reference: notHere,
  samples: [],
  ...rest,
});

const typesOf = (ys: readonly Aval[]): Aval[] => ys.map((y) => aval(y.shape, y.dtype));
const batchTypes = (ys: readonly Aval[], size: number): Aval[] =>
  ys.map((y) => aval([size, ...y.shape], y.dtype));

/** Runs work on the operands of a call. What it makes on the way is given back at once where nothing traces it. */
const within = <R>(operands: readonly Tensor[], work: () => R): R =>
  !isStaging() && operands.every((x) => x instanceof Concrete) ? scope(work) : work();

const activeOf = (tangents: readonly MaybeZero[]): { active: boolean[]; given: Tensor[] } => ({
  active: tangents.map((t) => t !== null),
  given: tangents.filter((t): t is Tensor => t !== null),
});
/** The function of the active operands alone; the others stand in it as they are. */
const ofActive =
  (run: Closed, primals: readonly Tensor[], active: readonly boolean[]) =>
  (...xs: Tensor[]): Tensor[] => {
    let next = 0;
    return run(primals.map((p, i) => (active[i] ? xs[next++] : p)));
  };
/** Results of integer type have no tangent. */
const floatsOnly = (outs: readonly Tensor[], tangents: readonly Tensor[]): MaybeZero[] =>
  tangents.map((t, i) => (isFloat(outs[i].dtype) ? t : null));

/** The function of whole batches: every result carries the batch as axis 0. */
const batchRun =
  (run: Closed, batched: readonly boolean[], size: number): Closed =>
  (xs) => {
    const ys = withBatch(xs, batched, size, run, (r) => r);
    return ys.values.map((y, i) => ensureBatched(y, ys.batched[i], size));
  };

const checkpointPrimitive = callRecord('checkpoint', {
  linear: false,
  expand: (xs, params) => within(xs, () => (params as CallParams).run(xs)),
  batch: (xs, batched, params, size) => {
    const { run, outputs } = params as CallParams;
    const whole: CallParams = { run: batchRun(run, batched, size), outputs: batchTypes(outputs, size) };
    return bind(checkpointPrimitive, xs, whole);
  },
  transpose: 'nonlinear',
  jvp: (primals, tangents, params) => {
    const outs = bind(checkpointPrimitive, primals, params);
    const { active, given } = activeOf(tangents);
    const linear: LinearParams = { ...(params as CallParams), active };
    return { outs, tangents: floatsOnly(outs, bind(checkpointLinear, [...primals, ...given], linear)) };
  },
});

/** Operands: all primals, then the tangents of the active ones. */
const checkpointLinear = callRecord('checkpointLinear', {
  linear: true,
  jvp: notHere,
  // Met by a batch only in forward mode: on a tape the batch is inside the operands.
  batch: (operands, batched, params, size) =>
    batchRun((xs) => checkpointLinear.expand(xs, params), batched, size)(operands),
  expand: (operands, params) => {
    const { run, active } = params as LinearParams;
    const primals = operands.slice(0, active.length);
    const f = ofActive(run, primals, active);
    const along = primals.filter((_, i) => active[i]);
    return within(operands, () => jvp(f, along, operands.slice(active.length))[1]);
  },
  transpose: (cotangents, operands, params) => {
    const { run, active, outputs } = params as LinearParams;
    const primals = operands.slice(0, active.length) as Tensor[];
    const cts = cotangents.map((c, i) => c ?? fillLike(outputs[i] as Tensor, 0));
    const again = (): MaybeZero[] => {
      // The barrier ties the second run to the cotangent: it cannot be merged with the first, nor start before it is due.
      const held = barrier([...primals, ...cts]);
      const f = ofActive(run, held.slice(0, primals.length), active);
      const [, pullback] = vjp(f, ...held.filter((_, i) => active[i]));
      return pullback(held.slice(primals.length)) as MaybeZero[];
    };
    return [...primals.map(() => null), ...within([...primals, ...cts], again)];
  },
});

/** The tensors among the leaves of the arguments, and the way back to arguments. */
function argumentsOf(args: readonly Leaf[]): {
  tensors: Tensor[];
  rebuild: (xs: readonly Tensor[]) => Leaf[];
} {
  const { leaves, def } = flatten<Leaf>(args);
  return {
    tensors: leaves.filter((x) => x instanceof Tensor),
    rebuild: (xs) => {
      let next = 0;
      return unflatten(
        def,
        leaves.map((x) => (x instanceof Tensor ? xs[next++] : x)),
      );
    },
  };
}

/** A result of trees: its leaves as tensors. */
const resultOf = (what: string, tree: Leaf): { leaves: Tensor[]; def: TreeDef } => {
  const { leaves, def } = flatten<Leaf>(tree);
  return { leaves: leaves.map((y) => asTensor(y, what)), def };
};

/**
 * Rematerialisation: the same function, but reverse mode keeps only its arguments, and the values f closes over, and runs
 * it a second time when its gradient is needed. Trades time (one more forward pass of f) for the memory of f's
 * intermediate values. Under a transformation f is traced once, as by `jit`: it may close over anything, but cannot look
 * at elements.
 */
export function checkpoint<F extends Fn>(f: F): F;
export function checkpoint(f: Fn): Fn {
  expectFunction('checkpoint', f);
  return (...args) => {
    if (depth() === 0) return f(...args);
    const { tensors, rebuild } = argumentsOf(args);
    const { graph, captured, result } = lift(
      'checkpoint',
      tensors,
      (xs) => resultOf('checkpoint', runNow('checkpoint', f, rebuild(xs))),
      ({ leaves }) => leaves,
    );
    const params: CallParams = { run: (xs) => replay(graph, xs), outputs: typesOf(graph.outputs) };
    return unflatten(result.def, bind(checkpointPrimitive, [...tensors, ...captured], params));
  };
}

/** customVjp's rules as functions of operands; residuals are a tree that only the two of them look into. */
interface Rules {
  readonly forward: (xs: readonly Tensor[]) => { outs: Tensor[]; residuals: Leaf };
  readonly backward: (residuals: Leaf, cts: readonly Tensor[]) => MaybeZero[];
}
interface CustomParams extends CallParams, Rules {
  readonly name: string;
  /** How many operands are arguments; those behind them were captured, and have no rule. */
  readonly arity: number;
}
interface CustomLinearParams extends CustomParams, LinearParams {
  readonly residuals: Leaf;
}

const customPrimitive = callRecord('customVjp', {
  linear: false,
  expand: (xs, params) => within(xs, () => (params as CustomParams).run(xs)),
  batch: (xs, batched, params, size) =>
    bind(customPrimitive, xs, batchRules(params as CustomParams, batched, size)),
  transpose: 'nonlinear',
  jvp: (primals, tangents, params) => {
    const p = params as CustomParams;
    check(
      tangents.slice(p.arity).every((t) => t === null),
      'state',
      () =>
        `customVjp: ${p.name} or a rule of it closes over a value that is being differentiated, for which there is no rule; pass it as an argument, or its stopGradient`,
    );
    const { outs, residuals } = p.forward(primals);
    const { active, given } = activeOf(tangents.slice(0, p.arity));
    const linear: CustomLinearParams = { ...p, residuals, active };
    return { outs, tangents: floatsOnly(outs, bind(customLinear, given, linear)) };
  },
});

const noForward = (_: unknown, params: object): never => {
  throw new LetheError(
    'state',
    `customVjp: ${(params as CustomParams).name} has only a reverse rule; forward mode (jvp) cannot pass through it`,
  );
};

const customLinear = callRecord('customVjpLinear', {
  linear: true,
  jvp: notHere,
  expand: noForward,
  batch: (xs, _, params) => noForward(xs, params),
  transpose: (cotangents, _, params) => {
    const { backward, residuals, outputs, active } = params as CustomLinearParams;
    const cts = cotangents.map((c, i) => c ?? fillLike(outputs[i] as Tensor, 0));
    return backward(residuals, cts).filter((_g, i) => active[i]);
  },
});

/** Rules for whole batches. An operand without the batch receives the sum of all samples' gradients. */
function batchRules(p: CustomParams, batched: readonly boolean[], size: number): CustomParams {
  return {
    ...p,
    run: batchRun(p.run, batched, size),
    outputs: batchTypes(p.outputs, size),
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

/** Throws 'shape' unless the forward rule gives what the function gives. */
function checkForward(
  name: string,
  primal: Lifted<{ def: TreeDef }>,
  def: TreeDef,
  outputs: readonly Aval[],
): void {
  const show = (d: TreeDef, ys: readonly Aval[]): string => `${showDef(d)} of ${ys.map(showAval).join(', ')}`;
  const [got, want] = [show(def, outputs), show(primal.result.def, primal.graph.outputs)];
  check(
    got === want,
    'shape',
    () => `customVjp: forward of ${name} returns ${got}, the function itself ${want}`,
  );
}

/**
 * A function with its own reverse rule. `forward(...args)` returns [output, residuals]; `backward(residuals, cotangent)`
 * returns an array with one gradient tree for each argument (null for arguments, or leaves, without one). The backward
 * rule is itself differentiable, so higher reverse orders and hvp work; plain forward mode does not, and says so. Under
 * vmap both rules see one sample. Under a transformation f and the rules are traced once; they may close over values, but
 * a value that is being differentiated has to be an argument, since there is no rule for it otherwise: that throws 'state'.
 */
export function customVjp<A extends Args, R, S>(
  f: (...args: A) => R,
  rules: {
    forward: (...args: A) => readonly [R, S];
    backward: (residuals: S, cotangent: R) => { readonly [K in keyof A]: Partly<A[K]> };
  },
): (...args: A) => R;
export function customVjp(
  f: Fn,
  rules: { forward: Fn; backward: (residuals: Leaf, cotangent: Leaf) => readonly Leaf[] },
): Fn {
  expectFunction('customVjp', f, rules?.forward, rules?.backward);
  const name = f.name || 'the function';
  return (...args) => {
    if (depth() === 0) return f(...args);
    const { tensors, rebuild } = argumentsOf(args);
    const primal = lift(
      'customVjp',
      tensors,
      (xs) => resultOf('customVjp', runNow('customVjp', f, rebuild(xs))),
      ({ leaves }) => leaves,
    );
    const forward = lift(
      'customVjp',
      tensors,
      (xs) => {
        const result = runNow('customVjp: forward', rules.forward, rebuild(xs));
        if (!Array.isArray(result) || result.length !== 2)
          throw new LetheError('value', `customVjp: forward of ${name} must return [output, residuals]`);
        return { output: resultOf('customVjp', result[0]), residuals: argumentsOf([result[1]]) };
      },
      ({ output, residuals }) => [...output.leaves, ...residuals.tensors],
    );
    const { output, residuals } = forward.result;
    const { graph, captured } = forward;
    const outputs = graph.outputs.slice(0, output.leaves.length);
    checkForward(name, primal, output.def, outputs);
    const backward = lift(
      'customVjp',
      graph.outputs,
      (xs) => {
        const [own] = residuals.rebuild(xs.slice(outputs.length));
        const cotangent = unflatten(output.def, xs.slice(0, outputs.length));
        const given = runNow('customVjp: backward', rules.backward, [own, cotangent]);
        if (!Array.isArray(given) || given.length !== args.length)
          throw new LetheError(
            'value',
            `customVjp: backward of ${name} must return an array with one gradient for each of the ${args.length} arguments`,
          );
        return args.flatMap((arg, i) => gradientsFor(name, i, arg, given[i]));
      },
      (grads) => grads.filter((g) => g !== null),
    );
    const outside = [...new Set([...primal.captured, ...captured, ...backward.captured])];
    const places = (of: Lifted<unknown>): number[] =>
      of.captured.map((x) => tensors.length + outside.indexOf(x));
    const [forPrimal, forForward, forBackward] = [primal, forward, backward].map(places);
    const operands = (xs: readonly Tensor[], behind: readonly number[]): Tensor[] => [
      ...xs.slice(0, tensors.length),
      ...behind.map((i) => xs[i]),
    ];
    const params: CustomParams = {
      name,
      arity: tensors.length,
      outputs: typesOf(outputs),
      run: (xs) => replay(primal.graph, operands(xs, forPrimal)),
      forward: (xs) => {
        const ys = replay(graph, operands(xs, forForward));
        return {
          outs: ys.slice(0, outputs.length),
          residuals: [...ys.slice(outputs.length), ...forBackward.map((i) => xs[i])],
        };
      },
      backward: (own, cts) => {
        const found = replay(backward.graph, [...cts, ...own]);
        let next = 0;
        return backward.result.map((g) => (g === null ? null : found[next++]));
      },
    };
    return unflatten(output.def, bind(customPrimitive, [...tensors, ...outside], params));
  };
}
