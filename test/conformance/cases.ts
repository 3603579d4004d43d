// Every primitive, on every sample of its record, under every transformation: functions of tensors with operands to run
// them on. Runs wherever the engine does: in the tests and in a browser.

import type { Backend } from '../../engine/backend.ts';
import { isFloat } from '../../engine/dtype.ts';
import * as lt from '../../engine/index.ts';
import type { Primitive, Sample } from '../../engine/primitives/types.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { bind } from '../../engine/trace.ts';
import {
  elements,
  epsilonOf,
  type Float,
  make,
  mismatch,
  on,
  operandsOf,
  operandType,
  oracle,
  paramsFor,
  read,
  termsIn,
  type Values,
} from './values.ts';

export type Flat = (xs: Tensor[]) => Tensor[];
export const BATCH = 2;

/** A case is a function of tensors and the operands it runs on, built for a float type. */
export interface Case {
  readonly what: string;
  build(float: Float): { f: Flat; xs: Tensor[] };
}

export const call =
  (p: Primitive, params: object): Flat =>
  (xs) =>
    bind(p, xs, params);
export const differentiable = (p: Primitive, s: Sample<object>): number[] =>
  p.jvp === 'constant'
    ? []
    : s.operands.flatMap((o, i) => (o.dtype === undefined || isFloat(o.dtype) ? [i] : []));

/** Sum of the float results times fixed weights: a scalar to differentiate. */
const weighted =
  (f: Flat, float: Float) =>
  (xs: Tensor[]): Tensor => {
    let total: Tensor = lt.full([], 0, float);
    f(xs).forEach((y, k) => {
      if (!isFloat(y.dtype)) return;
      const weights = make(elements({ shape: y.shape }, 900 + k), y.shape, y.dtype);
      total = total.add(y.mul(weights).sum());
    });
    return total;
  };
/** Gradient with respect to the operands `wrt`, as a flat function of all operands. */
export const gradient = (f: Flat, float: Float, wrt: readonly number[]): Flat => {
  const loss = weighted(f, float);
  return (xs) => lt.grad((...args: Tensor[]) => loss(args), wrt)(...xs);
};
export const batchedOperands = (s: Sample<object>, batched: readonly boolean[], float: Float): Tensor[] =>
  s.operands.map((o, i) => {
    if (!batched[i]) return make(elements(o, 1 + 31 * i), o.shape, operandType(o, float));
    const rows = Array.from({ length: BATCH }, (_, b) => [...elements(o, 1 + 31 * i + 1000 * b)]).flat();
    return make(rows, [BATCH, ...o.shape], operandType(o, float));
  });
export const mapped = (f: Flat, batched: readonly boolean[]): Flat => {
  const g = lt.vmap((...xs: Tensor[]) => f(xs), { inAxes: batched.map((b) => (b ? 0 : null)) });
  return (xs) => g(...xs);
};
/** Which of n operands are batched: each choice; of more than four operands one, all but one, all. */
export function subsets(n: number): boolean[][] {
  const each = Array.from({ length: 2 ** n - 1 }, (_, m) =>
    Array.from({ length: n }, (_v, i) => ((m + 1) >> i) % 2 === 1),
  );
  return n <= 4 ? each : each.filter((s) => [1, n - 1, n].includes(s.filter((b) => b).length));
}

export function casesFor(name: string, p: Primitive): Case[] {
  return p.samples.flatMap((s, n) => {
    const title = `${name} sample ${n}${s.note ? ` (${s.note})` : ''}`;
    const wrt = differentiable(p, s);
    const f = (float: Float) => call(p, paramsFor(s.params, float));
    const plain = (what: string, g: (float: Float) => Flat): Case => ({
      what: `${title}, ${what}`,
      build: (float) => ({ f: g(float), xs: operandsOf(s, float) }),
    });
    const all = s.operands.map(() => true);
    const cases = [plain('value', f)];
    for (const batched of subsets(s.operands.length))
      cases.push({
        what: `${title}, vmap over ${batched.map((b) => (b ? 'x' : '.')).join('')}`,
        build: (float) => ({ f: mapped(f(float), batched), xs: batchedOperands(s, batched, float) }),
      });
    if (wrt.length === 0) return cases;
    cases.push(
      plain('jvp', (float) => (xs) => {
        const tangents = xs.map((x, i) => make(elements({ shape: x.shape }, 500 + i), x.shape, float));
        return lt.jvp((...a: Tensor[]) => f(float)(a), xs, tangents)[1];
      }),
      plain('gradient', (float) => gradient(f(float), float, wrt)),
      plain('gradient of gradient', (float) => gradient(gradient(f(float), float, wrt), float, wrt)),
      plain('derivative of gradient', (float) => (xs) => {
        const tangents = xs.map((x, i) => make(elements({ shape: x.shape }, 500 + i), x.shape, float));
        return lt.jvp((...a: Tensor[]) => gradient(f(float), float, wrt)(a), xs, tangents)[1];
      }),
      {
        what: `${title}, vmap of gradient`,
        build: (float) => ({
          f: mapped(gradient(f(float), float, wrt), all),
          xs: batchedOperands(s, all, float),
        }),
      },
    );
    return cases;
  });
}

const expected = new Map<string, Promise<Values[]>>();
const want = (c: Case): Promise<Values[]> => {
  let known = expected.get(c.what);
  if (known === undefined) {
    known = on(oracle, 'float64', async () => {
      const { f, xs } = c.build('float64');
      return read(f(xs));
    });
    expected.set(c.what, known);
  }
  return known;
};

/** Runs a case on a backend, operation by operation and compiled. Null if both give what the oracle gives, else how not. */
export async function problemWith(c: Case, backend: Backend, float: Float): Promise<string | null> {
  const correct = await want(c);
  return on(backend, float, async () => {
    const { f, xs } = c.build(float);
    const bound = epsilonOf(float) * (16 + 2 * termsIn(f, xs));
    const eager = mismatch(await read(f(xs)), correct, bound);
    const compiled = lt.jit((...args: Tensor[]) => f(args), { name: c.what });
    const replayed = mismatch(await read(compiled(...xs)), correct, bound);
    compiled.dispose();
    for (const x of xs) x.dispose();
    if (eager !== null) return `${c.what}: ${eager}`;
    return replayed === null ? null : `${c.what}, compiled: ${replayed}`;
  });
}
