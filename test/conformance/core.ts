// The core of the conformance suite, for where the test runner is not: in a browser, on an emulated processor. Each check
// returns what is wrong; nothing, if all is well.

import type { Backend } from '../../engine/backend.ts';
import { primitives } from '../../engine/primitives/index.ts';
import * as lt from '../../index.ts';
import { type Case, casesFor, problemWith } from './cases.ts';
import {
  elements,
  epsilonOf,
  type Float,
  make,
  mismatch,
  on,
  oracle,
  read,
  termsIn,
  type Values,
} from './values.ts';

export interface Outcome {
  readonly cases: number;
  readonly problems: readonly string[];
}

async function outcomeOf(backend: Backend, cases: readonly Case[]): Promise<Outcome> {
  const problems: string[] = [];
  for (const c of cases) {
    const problem = await problemWith(c, backend, 'float32');
    if (problem !== null) problems.push(problem);
  }
  return { cases: cases.length, problems };
}

/** The values of every primitive on every sample, and its gradient on the first sample that has one. */
export function everyPrimitive(backend: Backend): Promise<Outcome> {
  const cases = Object.entries(primitives).flatMap(([name, p]) => {
    const all = casesFor(name, p);
    const gradient = all.find((c) => c.what.endsWith(', gradient'));
    return [...all.filter((c) => c.what.endsWith(', value')), ...(gradient ? [gradient] : [])];
  });
  return outcomeOf(backend, cases);
}

const operands = (shapes: readonly (readonly number[])[], float: Float): lt.Tensor[] =>
  shapes.map((shape, i) => make(elements({ shape }, 20 + i), shape, float));

/** A matrix product with tiles to spare, and the gradient of the gradient of a convolution with its pooling. */
export function products(backend: Backend): Promise<Outcome> {
  const net = (x: lt.Tensor, w: lt.Tensor) =>
    lt.maxPool2d(lt.tanh(lt.conv2d(x, w, { padding: 'same' })), { size: 2 }).sum();
  const first = lt.grad(net, [0, 1]);
  const lengthOf = (x: lt.Tensor, w: lt.Tensor) =>
    first(x, w)
      .map((g: lt.Tensor) => lt.sum(lt.square(g)))
      .reduce((a: lt.Tensor, b: lt.Tensor) => a.add(b));
  return outcomeOf(backend, [
    {
      what: 'matmul',
      build: (float) => ({
        f: ([a, b]) => [lt.matmul(a, b)],
        xs: operands(
          [
            [130, 70],
            [70, 190],
          ],
          float,
        ),
      }),
    },
    {
      what: 'gradient of gradient of a convolution',
      build: (float) => ({
        f: ([x, w]) => lt.grad(lengthOf, [0, 1])(x, w),
        xs: operands(
          [
            [2, 8, 8, 3],
            [3, 3, 3, 5],
          ],
          float,
        ),
      }),
    },
  ]);
}

const STEPS = 4;

/** Training steps of a small CNN with batch normalisation: everything trained is what the oracle has trained. */
export async function training(backend: Backend): Promise<Outcome> {
  const model = lt.nn.sequential([
    lt.nn.conv2d(6, { size: 3, padding: 'same' }),
    lt.nn.batchNorm(),
    lt.nn.relu(),
    lt.nn.maxPool({ size: 2, stride: 2 }),
    lt.nn.flatten(),
    lt.nn.dense(4),
  ]);
  const optimiser = lt.optim.sgd({ learningRate: 0.05, momentum: 0.9 });
  let bound = 0;
  const train = async (float: Float): Promise<Values[]> => {
    const [x] = operands([[8, 6, 6, 2]], float);
    const y = lt.tensor(Int32Array.from({ length: 8 }, (_, i) => i % 4));
    const { params, state } = model.init(lt.random.key(3), x.shape);
    const { leaves, def } = lt.tree.flatten<lt.Tensor>([params, state, optimiser.init(params)] as never);
    const step = (...flat: lt.Tensor[]): lt.Tensor[] => {
      // biome-ignore lint/suspicious/noExplicitAny: the tree that was flattened above
      const [params, state, momentum] = lt.tree.unflatten(def, flat) as any;
      const loss = (p: typeof params) => {
        const { output, state: next } = model.apply({ params: p, state }, x, { train: true });
        return [lt.crossEntropy(output, y), next];
      };
      const [[, next], grads] = lt.valueAndGrad(loss, { hasAux: true })(params);
      const updated = optimiser.update(grads, momentum, params);
      return lt.tree.flatten<lt.Tensor>([updated.params, next, updated.state] as never).leaves;
    };
    bound = STEPS * epsilonOf('float32') * (16 + 2 * termsIn((xs) => step(...xs), leaves));
    const compiled = lt.jit(step, { donate: leaves.map((_, i) => i) });
    let now: lt.Tensor[] = leaves;
    for (let i = 0; i < STEPS; i++) now = compiled(...now) as lt.Tensor[];
    const values = await read(now);
    compiled.dispose();
    for (const t of [x, y, ...now]) t.dispose();
    return values;
  };
  const want = await on(oracle, 'float64', () => train('float64'));
  const problem = mismatch(await on(backend, 'float32', () => train('float32')), want, bound);
  return { cases: 1, problems: problem === null ? [] : [`training: ${problem}`] };
}
