// The derivative transformations users call: jvp, vjp, grad, valueAndGrad, hvp, stopGradient. All take functions of
// trees of tensors, compose with each other, with vmap and with jit, and may be nested to any order.

import { isPromise } from '../context.ts';
import { isFloat, showAval } from '../dtype.ts';
import { check, describe, LetheError } from '../error.ts';
import { settle } from '../options.ts';
import { convert, full, identity } from '../primitives/apply.ts';
import { aval } from '../primitives/rules.ts';
import type { Call, MaybeZero } from '../primitives/types.ts';
import { floatType } from '../runtime.ts';
import { Concrete, scope, Tensor } from '../tensor.ts';
import { bind, depth, withTrace } from '../trace.ts';
import { flatten, type Leaf, sameStructure, showDef, type TreeDef, unflatten } from '../tree.ts';
import { JvpTrace } from './jvp.ts';
import type { Argnums, Args, Chosen, Fn, Result, Scalar } from './signatures.ts';
import { type Linear, TapeTrace } from './tape.ts';

/** Leaves of results, tangents and cotangents: tensors, or numbers as scalars of the device's float type. */
export const asTensor = (x: unknown, what: string): Tensor => {
  if (x instanceof Tensor) return x;
  if (typeof x === 'number') return full([], x, floatType());
  throw new LetheError('value', `${what}: every leaf must be a tensor, found ${String(x)}`);
};

const zerosLike = (x: Tensor): Tensor => full(x.shape, 0, x.dtype);

/** Frees what was made on the way when nothing outside is tracing; a plain call otherwise. */
export const tidy = <R>(f: () => R): R => (depth() === 0 ? scope(f) : f());

/**
 * Forward-mode derivative: [f(...primals), derivative of f at primals along tangents], or [output, tangent, aux] with
 * `hasAux`. `tangents` has the structure, shapes and types of `primals`; leaves of integer type take any tangent
 * (ignored). Costs about twice f; memory does not grow with depth.
 * @throws 'value' where the structures differ, 'shape' where shapes or types do; what f throws.
 */
export function jvp<A extends Args, R, X>(
  f: (...args: A) => readonly [R, X],
  primals: readonly [...A],
  tangents: readonly [...A],
  options: { hasAux: true },
): [Result<R>, Result<R>, X];
export function jvp<A extends Args, R>(
  f: (...args: A) => R,
  primals: readonly [...A],
  tangents: readonly [...A],
  options?: { hasAux?: false },
): [Result<R>, Result<R>];
export function jvp(
  f: Fn,
  primals: readonly unknown[],
  tangents: readonly unknown[],
  options?: { hasAux?: boolean },
): Leaf {
  return jvpNamed('jvp', f, primals, tangents, options);
}

/** Throws 'value' unless what a transformation is to transform are functions. */
export const expectFunction = (name: string, ...functions: readonly unknown[]): void => {
  for (const f of functions)
    check(typeof f === 'function', 'value', () => `${name}: expected a function, got ${describe(f)}`);
};
/** f of args. Throws 'value' where f is asynchronous: what happens after an await cannot be traced. */
export function runNow(name: string, f: Fn, args: readonly unknown[]): Leaf {
  const result: Leaf = f(...args);
  if (!isPromise(result)) return result;
  // What goes on after the await fails for want of a trace: of that the error below has told already.
  result.then(undefined, () => {});
  throw new LetheError(
    'value',
    `${name}: the function returned a promise, expected a synchronous function; await before the call, or use its result`,
  );
}
/** Throws 'value' unless `list` is an array: one entry for each argument of f. */
export const expectArray = (name: string, what: string, list: unknown): void =>
  check(
    Array.isArray(list),
    'value',
    () => `${name}: ${what} must be an array with one entry for each argument, got ${describe(list)}`,
  );

/** jvp in the words of the transformation that was called. */
function jvpNamed(
  name: 'jvp' | 'hvp',
  f: Fn,
  primals: readonly unknown[],
  tangents: readonly unknown[],
  options?: { hasAux?: boolean },
): Leaf {
  const what = name === 'jvp' ? 'tangent' : 'vector';
  const { hasAux } = settle(name, options, { hasAux: false });
  expectFunction(name, f);
  expectArray(name, 'primals', primals);
  expectArray(name, `${what}s`, tangents);
  const p = flatten<Leaf>(primals as Leaf);
  const t = flatten<Leaf>(tangents as Leaf);
  check(
    sameStructure(p.def, t.def),
    'value',
    () => `${name}: ${what}s are ${showDef(t.def)}, expected the structure of the primals ${showDef(p.def)}`,
  );
  return tidy(() =>
    withTrace(
      (level) => new JvpTrace(level),
      (trace) => {
        const duals = p.leaves.map((x, i) => {
          if (!(x instanceof Tensor)) return x;
          if (!isFloat(x.dtype)) return x;
          const tangent = asTensor(t.leaves[i], name);
          check(
            tangent.dtype === x.dtype &&
              tangent.shape.length === x.shape.length &&
              tangent.shape.every((d, k) => d === x.shape[k]),
            'shape',
            () => `${name}: ${what} ${i} is ${showAval(tangent)}, expected ${showAval(x)}`,
          );
          return trace.dual(x, tangent);
        });
        const result = runNow(name, f, unflatten(p.def, duals));
        const [output, aux] = hasAux ? result : [result, undefined];
        const out = flatten<Leaf>(output);
        const ys = out.leaves.map((y) => asTensor(y, name));
        const primal = unflatten(
          out.def,
          ys.map((y) => trace.primal(y)),
        );
        const tangent = unflatten(
          out.def,
          ys.map((y) => trace.tangent(y) ?? zerosLike(y)),
        );
        if (!hasAux) return [primal, tangent];
        return [primal, tangent, mapTensors(aux, (y) => trace.primal(y))];
      },
    ),
  );
}

const mapTensors = (tree: Leaf, f: (x: Tensor) => Tensor): Leaf => {
  const { leaves, def } = flatten<Leaf>(tree);
  return unflatten(
    def,
    leaves.map((x) => (x instanceof Tensor ? f(x) : x)),
  );
};

interface Linearised {
  ys: Tensor[];
  def: TreeDef;
  aux: Leaf;
  /** Cotangents of the float inputs `wanted` from cotangents of ys. */
  pullback(cotangents: readonly MaybeZero[]): MaybeZero[];
}

/** Runs f once for `name`, recording the tangents of the leaves where `wanted` holds. */
function linearise(
  name: 'vjp' | 'grad',
  f: (leaves: Leaf[]) => Leaf,
  leaves: readonly Leaf[],
  wanted: readonly boolean[],
  hasAux: boolean,
): Linearised {
  return withTrace(
    (level) => new TapeTrace(level),
    (tape) =>
      withTrace(
        (level) => new JvpTrace(level),
        (trace) => {
          const inputs: Linear[] = [];
          const duals = leaves.map((x, i) => {
            if (!wanted[i]) return x;
            const v = tape.variable(x);
            inputs.push(v);
            return trace.dual(x, v);
          });
          const result = runNow(name, f, [duals]);
          const [output, aux] = hasAux ? result : [result, undefined];
          const out = flatten<Leaf>(output);
          const ys = out.leaves.map((y) => asTensor(y, 'vjp'));
          const tangents = ys.map((y) => trace.tangent(y));
          return {
            ys: ys.map((y) => trace.primal(y)),
            def: out.def,
            aux: mapTensors(aux, (y) => trace.primal(y)),
            pullback: (cts) => tape.transpose(inputs, tangents, cts),
          };
        },
      ),
  );
}

/**
 * Reverse-mode derivative: [f(...primals), pullback], where pullback takes cotangents (a tree like f's result) and
 * returns an array with one tree of cotangents for each argument; leaves that are no floats get null. The pullback may
 * be called many times; it holds the intermediate values until it is garbage.
 * @throws The pullback: 'value' where the structure of the cotangents is not that of the result, 'shape' where a shape
 * is not.
 */
export function vjp<A extends Args, R>(
  f: (...args: A) => R,
  ...primals: A
): [Result<R>, (cotangents: R) => A];
export function vjp(f: Fn, ...primals: Args): [Leaf, (cotangents: Leaf) => Leaf[]] {
  expectFunction('vjp', f);
  const args = flatten<Leaf>(primals);
  const wanted = args.leaves.map((x) => x instanceof Tensor && isFloat(x.dtype));
  const lin = linearise('vjp', (leaves) => f(...unflatten(args.def, leaves)), args.leaves, wanted, false);
  const pullback = (cotangents: Leaf): Leaf[] => {
    const ct = flatten<Leaf>(cotangents);
    check(
      sameStructure(ct.def, lin.def),
      'value',
      () => `vjp: cotangents are ${showDef(ct.def)}, expected ${showDef(lin.def)} as the function returned`,
    );
    const cts = ct.leaves.map((c, i) => {
      const y = lin.ys[i];
      const t = asTensor(c, 'vjp');
      check(
        t.shape.length === y.shape.length && t.shape.every((d, k) => d === y.shape[k]),
        'shape',
        () => `vjp: cotangent ${i} is ${showAval(t)}, expected ${showAval(y)}`,
      );
      return isFloat(y.dtype) ? convert(t, y.dtype) : null;
    });
    const found = lin.pullback(cts);
    let next = 0;
    return unflatten(
      args.def,
      args.leaves.map((x, i) => (wanted[i] ? own(found[next++] ?? zerosLike(x)) : null)),
    ) as Leaf[];
  };
  return [unflatten(lin.def, lin.ys), pullback];
}

/** Options of grad and valueAndGrad. */
export interface GradOptions<N extends Argnums = Argnums, Aux extends boolean = boolean> {
  /** Which arguments to differentiate: a position, or several (then the gradients come as an array). Default 0. */
  argnums?: N;
  /** f returns [loss, aux]; aux is passed through undifferentiated. Default false. */
  hasAux?: Aux;
}

const gradOptions = (o: Argnums | GradOptions | undefined): Required<GradOptions> => {
  const given = typeof o === 'number' || Array.isArray(o) ? { argnums: o } : o;
  return settle('grad', given as GradOptions | undefined, { argnums: 0, hasAux: false });
};

/**
 * Value and gradient of a scalar function in one pass: (...args) -> [value, gradient], or [[value, aux], gradient] with
 * `hasAux`. The gradient has the structure, shapes and types of the chosen argument, or is an array of such trees for
 * several. Reverse mode: costs a few times f, and keeps f's intermediate values until it is done (see checkpoint).
 * @throws When it is called: 'shape' if f does not return one float scalar, 'dtype' if the argument has leaves that are
 * no float tensors.
 */
export function valueAndGrad<A extends Args, X, const N extends Argnums = 0>(
  f: (...args: A) => readonly [Scalar, X],
  options: GradOptions<N, true> & { hasAux: true },
): (...args: A) => [[Tensor, X], Chosen<A, N>];
export function valueAndGrad<A extends Args, X, const N extends Argnums = 0>(
  f: (...args: A) => readonly X[],
  options: GradOptions<N, true> & { hasAux: true },
): (...args: A) => [[Tensor, X], Chosen<A, N>];
export function valueAndGrad<A extends Args>(f: (...args: A) => Scalar): (...args: A) => [Tensor, A[0]];
export function valueAndGrad<A extends Args, const N extends Argnums = 0>(
  f: (...args: A) => Scalar,
  options: N | GradOptions<N, false> | undefined,
): (...args: A) => [Tensor, Chosen<A, N>];
export function valueAndGrad(f: Fn, options?: Argnums | GradOptions): Fn {
  expectFunction('grad', f);
  const { argnums, hasAux } = gradOptions(options);
  const chosen = typeof argnums === 'number' ? [argnums] : [...argnums];
  return (...args) =>
    tidy(() => {
      for (const n of chosen)
        check(
          n >= 0 && n < args.length,
          'value',
          () => `grad: argument ${n} was asked for, the function was called with ${args.length}`,
        );
      const parts = chosen.map((n) => flatten<Leaf>(args[n]));
      const leaves = parts.flatMap((p) => p.leaves);
      for (const x of leaves)
        check(
          x instanceof Tensor && isFloat(x.dtype),
          'dtype',
          () =>
            `grad: can only differentiate with respect to float tensors, found ${x instanceof Tensor ? showAval(x) : String(x)}`,
        );
      const lin = linearise(
        'grad',
        (duals) => {
          const full = [...args];
          let at = 0;
          chosen.forEach((n, k) => {
            full[n] = unflatten(parts[k].def, duals.slice(at, at + parts[k].leaves.length));
            at += parts[k].leaves.length;
          });
          return f(...full);
        },
        leaves,
        leaves.map(() => true),
        hasAux,
      );
      const [y] = lin.ys;
      check(
        lin.def.kind === 'leaf' && y.size === 1 && y.ndim === 0 && isFloat(y.dtype),
        'shape',
        () =>
          `grad: the function must return one float scalar, got ${lin.ys.map(showAval).join(', ')}; reduce it (mean, sum) or use vjp`,
      );
      const found = lin.pullback([full([], 1, y.dtype)]).map((g, i) => g ?? zerosLike(leaves[i]));
      let at = 0;
      const grads = parts.map((p) => unflatten(p.def, found.slice(at, (at += p.leaves.length)).map(own)));
      return [hasAux ? [y, lin.aux] : y, typeof argnums === 'number' ? grads[0] : grads];
    });
}

/** Two leaves may have received the very same cotangent; each caller-owned tensor must be its own. */
const own = (x: Tensor): Tensor => (x instanceof Concrete ? x.alias() : x);

/**
 * Gradient of a scalar function: (...args) -> gradient, or [gradient, aux] with `hasAux`. See valueAndGrad.
 * @throws When it is called: 'shape' if f does not return one float scalar, 'dtype' if the argument has leaves that are
 * no float tensors.
 */
export function grad<A extends Args, X, const N extends Argnums = 0>(
  f: (...args: A) => readonly [Scalar, X],
  options: GradOptions<N, true> & { hasAux: true },
): (...args: A) => [Chosen<A, N>, X];
export function grad<A extends Args, X, const N extends Argnums = 0>(
  f: (...args: A) => readonly X[],
  options: GradOptions<N, true> & { hasAux: true },
): (...args: A) => [Chosen<A, N>, X];
export function grad<A extends Args>(f: (...args: A) => Scalar): (...args: A) => A[0];
export function grad<A extends Args, const N extends Argnums = 0>(
  f: (...args: A) => Scalar,
  options: N | GradOptions<N, false> | undefined,
): (...args: A) => Chosen<A, N>;
export function grad(f: Fn, options?: Argnums | GradOptions): Fn {
  const both: Fn = valueAndGrad(f, options as GradOptions<Argnums, false>);
  const { hasAux } = gradOptions(options);
  return (...args) =>
    tidy(() => {
      const [value, gradient] = both(...args);
      return hasAux ? [gradient, value[1]] : gradient;
    });
}

/**
 * Hessian-vector product of a scalar function, forward over reverse (Pearlmutter 1994): the derivative of grad(f) at
 * `primals` along `vectors` (an array of trees like `primals`). Returns a tree like the one primal, or an array of them
 * for several. Costs about three gradients; the Hessian is never formed.
 * @throws 'value' where structures differ, 'shape' where shapes do or f does not return one float scalar.
 */
export function hvp<A extends Args>(
  f: (...args: A) => Scalar,
  primals: readonly [...A],
  vectors: readonly [...A],
): A extends [infer Only] ? Only : A;
export function hvp(f: Fn, primals: readonly unknown[], vectors: readonly unknown[]): Leaf {
  expectArray('hvp', 'primals', primals);
  const argnums = primals.map((_, i) => i);
  return tidy(() => {
    const [, product] = jvpNamed('hvp', grad(f, argnums), primals, vectors);
    return primals.length === 1 ? product[0] : product;
  });
}

const stopCall: Call = {
  name: 'stopGradient',
  kind: 'call',
  shape: ([x]) => [aval(x.shape, x.dtype)],
  jvp: 'constant',
  batch: ([x]) => bind(stopCall, [x], {}),
  expand: ([x]) => [identity(x)],
};

/** The same values, treated as constants by every derivative. Takes a tree. */
export function stopGradient<T>(tree: T): T {
  return mapTensors(tree, (x) => bind(stopCall, [x], {})[0]);
}
