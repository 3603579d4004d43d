// checkGradients: are the derivatives right? Everything runs in float64 on a reference backend of its own, where a
// central difference of step h is good to about h squared. Forward mode is compared with differences along random
// directions, reverse mode with forward mode through inner products; where they disagree, every operation that was
// computed is checked by itself, on the operands it met, and the one that is wrong is named.

import { Device } from './device.ts';
import { capturedBy, DoubleWorld, isConcrete } from './double.ts';
import { type Aval, isFloat, showAval } from './dtype.ts';
import { LetheError } from './error.ts';
import { settle } from './options.ts';
import { add, mul, sum } from './primitives/apply.ts';
import { createReferenceBackend } from './reference.ts';
import { type Concrete, scope, Tensor } from './tensor.ts';
import { bind } from './trace.ts';
import { asTensor, expectArray, grad, jvp, runNow, vjp } from './transforms/autodiff.ts';
import type { Fn } from './transforms/signatures.ts';
import { flatten, type Leaf, unflatten } from './tree.ts';

/** Options of checkGradients. */
export interface GradientOptions {
  /** 1: first derivatives. 2: these, and the derivatives of the gradient. Default 1. */
  order?: 1 | 2;
  /** Largest relative error allowed. Default 1e-6. */
  tolerance?: number;
  /** Step of the differences. Default 1e-5. */
  epsilon?: number;
  /** A whole number or a random key: another one takes other random directions. Default 0. */
  key?: number | Tensor;
}
/** One comparison of two ways to a derivative, along one random direction. */
export interface GradientCheck {
  /** 1: of the first derivative. 2: of the derivative of the gradient. */
  readonly order: 1 | 2;
  /** Which two ways were compared: forward mode, reverse mode, central differences. */
  readonly what:
    | 'forward against differences'
    | 'reverse against forward'
    | 'reverse against differences'
    | 'forward over reverse against differences'
    | 'reverse over reverse against forward over reverse'
    | 'reverse over reverse against differences';
  /** Relative error; null if the check was left out. */
  readonly error: number | null;
  /** Why it was left out. */
  readonly skipped?: string;
}
/** What checkGradients found. */
export interface GradientReport {
  /** True: a check that fails throws. */
  readonly ok: boolean;
  /** All comparisons, in the order they were made. */
  readonly checks: readonly GradientCheck[];
  /** The largest relative error of all checks. */
  readonly worst: number;
}

const DIRECTIONS = 2;

/**
 * Checks the derivatives of f at args. Everything runs in float64 on a reference backend of its own, where a central
 * difference of step h is good to about h squared. Forward mode is compared with differences along random directions,
 * reverse mode with forward mode through inner products; where they disagree, every operation that was computed is
 * checked by itself, and the one that is wrong is named.
 *
 * Float tensors among the leaves of args are the variables; others, and numbers, are constants. Works on any device,
 * and takes along what f captured. Functions with a
 * customVjp have no forward mode: their reverse mode is compared with differences.
 * @throws Rejects with 'value' naming the operation that is wrong, or saying that f is not differentiable at this
 * point; also without a float tensor among the arguments.
 */
export async function checkGradients(
  f: Fn,
  args: readonly Leaf[],
  options?: GradientOptions,
): Promise<GradientReport> {
  const { order, tolerance, epsilon, key } = settle('checkGradients', options, {
    order: 1,
    tolerance: 1e-6,
    epsilon: 1e-5,
    key: 0,
  });
  expectArray('checkGradients', 'the arguments', args);
  const { leaves, def } = flatten<Leaf>(args);
  for (const x of leaves)
    if (x instanceof Tensor && !isConcrete(x))
      throw new LetheError('state', `checkGradients: needs concrete arguments, found ${x}`);
  const tensors = leaves.filter(isConcrete);
  if (!tensors.some((x) => isFloat(x.dtype)))
    throw new LetheError('value', 'checkGradients: no float tensor among the arguments');

  const flat = (xs: readonly Tensor[]): Tensor[] => {
    let next = 0;
    const given = leaves.map((x) => (x instanceof Tensor ? xs[next++] : x));
    const out = flatten<Leaf>(runNow('checkGradients', f, unflatten(def, given)));
    return out.leaves.map((y) => asTensor(y, 'checkGradients'));
  };
  const seed =
    typeof key === 'number' ? key : Array.from(await key.data()).reduce((a, b) => (a * 31 + b) >>> 0, 7);
  // What f captures, and what the backward rules of a customVjp capture.
  const captured = new Set([
    ...capturedBy(tensors, flat),
    ...capturedBy(tensors, (xs) => {
      const [ys, pull] = vjp((...v: Tensor[]) => flat(v), ...xs);
      return pull(ys).filter((g) => g !== null);
    }),
  ]);

  return scope(async () => {
    const world = new DoubleWorld(new Device(createReferenceBackend(), 'float64'));
    await world.admit(captured);
    const values = await Promise.all(tensors.map(async (x) => world.place(await x.data(), x)));
    const probe = new Probe(world, epsilon, generator(seed));
    const { checks, steps } = await probe.all(flat, values, order);
    const failed = checks.find((c) => !(c.error === null || c.error <= tolerance));
    if (failed) {
      const where = `order ${failed.order}, ${failed.what}: relative error ${show(failed.error)}`;
      throw new LetheError(
        'value',
        `checkGradients: ${await blame(probe, steps, failed.order, tolerance)} (${where})`,
      );
    }
    return { ok: true, checks, worst: Math.max(0, ...checks.map((c) => c.error ?? 0)) };
  });
}

const show = (error: number | null): string => (error ?? Number.NaN).toExponential(1);

// ---- measuring -------------------------------------------------------------------------------------------------------

type Flat = (xs: readonly Tensor[]) => Tensor[];
type Vectors = readonly Float64Array[];
type Steps = ReturnType<DoubleWorld['run']>['steps'];

/** Normal enough numbers from a seed. */
function generator(seed: number): () => number {
  let s = (seed * 2654435761 + 88675123) >>> 0;
  const uniform = (): number => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => uniform() + uniform() + uniform() + uniform() - 2;
}

const dot = (a: Vectors, b: Vectors): number =>
  a.reduce((t, x, k) => x.reduce((u, v, i) => u + v * b[k][i], t), 0);
const largest = (a: Vectors): number =>
  a.reduce((m, x) => x.reduce((n, v) => (Math.abs(v) > n || Number.isNaN(v) ? Math.abs(v) : n), m), 0);
const combine = (a: Vectors, b: Vectors, f: (x: number, y: number) => number): Float64Array[] =>
  a.map((x, k) => x.map((v, i) => f(v, b[k][i])));
const floats = (xs: readonly Tensor[]): Tensor[] => xs.filter((x) => isFloat(x.dtype));

class Probe {
  constructor(
    readonly world: DoubleWorld,
    readonly epsilon: number,
    private readonly normal: () => number,
  ) {}

  /** A random vector of length 1 like the float tensors among `like`. */
  direction(like: readonly Aval[]): Float64Array[] {
    const v = like
      .filter((x) => isFloat(x.dtype))
      .map((x) => Float64Array.from({ length: x.shape.reduce((a, b) => a * b, 1) }, this.normal));
    const length = Math.sqrt(dot(v, v)) || 1;
    return v.map((x) => x.map((e) => e / length));
  }
  /** `like` with its float tensors replaced by vectors. */
  tensors(like: readonly Aval[], vectors: Vectors): Concrete[] {
    let next = 0;
    return like.map((x) => (isFloat(x.dtype) ? this.world.place(vectors[next++], x) : (x as Concrete)));
  }
  /** The float results of g, on the host. */
  async values(g: () => readonly Tensor[]): Promise<Float64Array[]> {
    return scope(async () => {
      const { result } = this.world.run(() => floats(g()));
      return Promise.all(result.map(async (y) => Float64Array.from(await y.data())));
    });
  }
  /** g at `at + step * v`, and central or one-sided differences. */
  async near(
    g: Flat,
    at: readonly Concrete[],
    x: Vectors,
    v: Vectors,
    step: number,
  ): Promise<Float64Array[]> {
    return this.values(() =>
      g(
        this.tensors(
          at,
          combine(x, v, (a, b) => a + step * b),
        ),
      ),
    );
  }

  async all(
    f: Flat,
    at: readonly Concrete[],
    order: 1 | 2,
  ): Promise<{ checks: GradientCheck[]; steps: Steps }> {
    const { result: ys, steps } = this.world.run(() => f(at));
    const [custom] = steps.flatMap((c) => customName(c) ?? []);
    const why = custom && `${custom} is a customVjp and has no forward mode`;
    const checks: GradientCheck[] = [];
    const x = await Promise.all(floats(at).map(async (t) => Float64Array.from(await t.data())));
    if (floats(ys).length === 0) return { checks, steps };
    const weights = this.direction(ys);
    for (let d = 0; d < DIRECTIONS; d++) {
      checks.push(...(await this.compare(1, f, at, x, why)));
      if (order === 2)
        checks.push(...(await this.compare(2, this.gradient(f, at, weights), at, x, undefined)));
    }
    return { checks, steps };
  }

  /** The gradient of <weights, f> with respect to the float operands, as a function like f. */
  private gradient(f: Flat, at: readonly Concrete[], weights: Vectors): Flat {
    const wrt = at.flatMap((t, i) => (isFloat(t.dtype) ? [i] : []));
    const loss = (...xs: Tensor[]): Tensor =>
      floats(f(xs))
        .map((y, k) => {
          const w = this.world.place(weights[k], y);
          return sum(mul(y, w), [...y.shape.keys()]);
        })
        .reduce((a, b) => add(a, b));
    const g = grad(loss, wrt);
    return (xs) => g(...xs);
  }

  /** First derivatives of g along one direction, by every way. */
  private async compare(
    order: 1 | 2,
    g: Flat,
    at: readonly Concrete[],
    x: Vectors,
    noForward: string | undefined,
  ): Promise<GradientCheck[]> {
    const h = this.epsilon;
    const v = this.direction(at);
    const y = await this.values(() => g(at));
    const [up, down] = [await this.near(g, at, x, v, h), await this.near(g, at, x, v, -h)];
    const difference = combine(up, down, (a, b) => (a === b ? 0 : (a - b) / (2 * h)));
    // Differences cannot see less than the rounding of the values themselves.
    const floor = 1e-3 * largest(y) + 1e-9;
    const ct = y.map((e) => e.map(this.normal));

    const pulled = await this.values(() => {
      const [ys, pull] = vjp((...xs: Tensor[]) => floats(g(xs)), ...at);
      return pull(this.tensors(ys, ct)).filter((t) => t !== null);
    });
    const reverse = dot(pulled, v);
    const inner = (way: Vectors): number =>
      Math.abs(reverse - dot(ct, way)) /
      (floor * ct.reduce((n, c) => n + c.length, 0) +
        dot(
          ct.map((c) => c.map(Math.abs)),
          way.map((e) => e.map(Math.abs)),
        ));

    const names =
      order === 1
        ? (['forward against differences', 'reverse against forward', 'reverse against differences'] as const)
        : ([
            'forward over reverse against differences',
            'reverse over reverse against forward over reverse',
            'reverse over reverse against differences',
          ] as const);
    if (noForward)
      return [
        { order, what: names[0], error: null, skipped: noForward },
        { order, what: names[2], error: inner(difference) },
      ];
    const tangents = this.tensors(at, v);
    const pushed = await this.values(() => jvp((...xs: Tensor[]) => floats(g(xs)), at, tangents)[1]);
    const scale = Math.max(largest(pushed), largest(difference), floor);
    const error = largest(combine(pushed, difference, (a, b) => (a === b ? 0 : a - b))) / scale;
    return [
      { order, what: names[0], error },
      { order, what: names[1], error: inner(pushed) },
    ];
  }

  /** How far the derivatives on both sides are apart: near 0 where the function is smooth. */
  async kink(f: Flat, at: readonly Concrete[]): Promise<number> {
    const x = await Promise.all(floats(at).map(async (t) => Float64Array.from(await t.data())));
    const y = await this.values(() => f(at));
    let worst = 0;
    for (let d = 0; d < 3; d++) {
      const v = this.direction(at);
      const [up, down] = [
        await this.near(f, at, x, v, this.epsilon),
        await this.near(f, at, x, v, -this.epsilon),
      ];
      const right = combine(up, y, (a, b) => (a - b) / this.epsilon);
      const left = combine(y, down, (a, b) => (a - b) / this.epsilon);
      worst = Math.max(
        worst,
        largest(combine(right, left, (a, b) => a - b)) / Math.max(largest(right), largest(left), 1e-9),
      );
    }
    return worst;
  }
}

// ---- finding the culprit ---------------------------------------------------------------------------------------------

/** The name of the function with its own rule that a step calls, if it does. */
const customName = ({ operation, params }: Steps[number]): string | null =>
  operation.name === 'customVjp' && 'name' in params ? String(params.name) : null;

/** Checks each operation by itself and says in words which one is wrong. */
async function blame(probe: Probe, steps: Steps, order: 1 | 2, tolerance: number): Promise<string> {
  const seen = new Set<string>();
  let kink: string | null = null;
  for (const step of steps) {
    const { operation, operands, params } = step;
    if (operation.name === 'stopGradient' || operation.name === 'checkpoint') continue;
    if (!operands.some((x) => isFloat(x.dtype) && x.size > 0)) continue;
    const custom = customName(step);
    const name = custom === null ? operation.name : `customVjp of ${custom}`;
    const described = `${name} on ${operands.map(showAval).join(', ')}`;
    const f: Flat = (xs) => bind(operation, xs, params);
    const failed = (await probe.all(f, operands, order)).checks.find(
      (c) => !(c.error === null || c.error <= tolerance),
    );
    if (!failed || seen.has(described)) continue;
    seen.add(described);
    // A rule cannot be right where there is no derivative.
    if ((await probe.kink(f, operands)) > 1e-2) {
      kink ??= described;
      continue;
    }
    const rule =
      custom !== null
        ? 'backward rule'
        : failed.what.startsWith('forward')
          ? `${order === 2 ? 'second derivative' : 'jvp rule'}`
          : `${order === 2 ? 'second derivative (reverse over reverse)' : 'reverse mode'}`;
    return `the ${rule} of ${described} is wrong, by ${show(failed.error)} of its size`;
  }
  if (kink)
    return `the function is not differentiable at this point: ${kink} has a kink there; move the arguments`;
  if (steps.some((c) => c.operation.name === 'stopGradient'))
    return 'every operation is right by itself; the function uses stopGradient, which differences do not respect';
  return 'every operation is right by itself: the function is not differentiable at this point (a kink such as relu at 0, or a tie, within the step), or the tolerance is too small for it';
}
