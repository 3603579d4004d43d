// What a page in a browser runs: the core of the conformance suite through navigator.gpu, from compiled modules as they
// are, without a bundler. Each check returns what is wrong; nothing, if all is well. The other side is browser.test.ts.

import { primitives } from '../../engine/primitives/index.ts';
import * as lt from '../../index.ts';
import { createWebGpuBackend, type WebGpuBackend } from '../../kernels/index.ts';
import { type Case, casesFor, problemWith } from '../conformance/cases.ts';
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
} from '../conformance/values.ts';

let gpu: WebGpuBackend;

/** Opens the backend; what it says of itself. */
export async function open(): Promise<WebGpuBackend['info']> {
  gpu = await createWebGpuBackend({ allowSoftware: true });
  return gpu.info;
}

/** Waits for everything and closes the device. Rejects if anything failed. */
export async function close(): Promise<void> {
  await gpu.sync();
  await gpu.close();
}

/** What `auto` takes where the only adapter is software, and what is said of the device that needs Node. */
export async function choice(): Promise<{ auto: string; cpu: string }> {
  const { device } = await lt.init({ device: 'auto' });
  const cpu = await lt.init({ device: 'cpu' }).then(
    () => 'opened',
    (error: Error) => error.message,
  );
  await lt.close();
  return { auto: device, cpu };
}

/** Two tasks that take turns, and what is found to compute on. */
export async function tasks(): Promise<{ other: unknown; scoped: string; devices: string[] }> {
  await lt.init({ device: 'reference' });
  const turn = (): Promise<void> => new Promise((go) => setTimeout(go));
  const made: lt.Tensor[] = [];
  const open = lt.scope(async () => {
    made.push(lt.ones([2]));
    await turn();
    await turn();
  });
  await turn();
  const x = lt.tensor([1, 2]);
  await open;
  const scoped = await made[0].array().then(String, (error: Error) => error.message);
  const devices = await lt.findDevices();
  const other = await x.array();
  await lt.close();
  return { other, scoped, devices: devices.filter((d) => d.available).map((d) => d.name) };
}

export interface Outcome {
  readonly cases: number;
  readonly problems: readonly string[];
}

async function outcomeOf(cases: readonly Case[]): Promise<Outcome> {
  const problems: string[] = [];
  for (const c of cases) {
    const problem = await problemWith(c, gpu, 'float32');
    if (problem !== null) problems.push(problem);
  }
  return { cases: cases.length, problems };
}

/** The values of every primitive on every sample, and its gradient on the first sample that has one. */
export function everyPrimitive(): Promise<Outcome> {
  const cases = Object.entries(primitives).flatMap(([name, p]) => {
    const all = casesFor(name, p);
    const gradient = all.find((c) => c.what.endsWith(', gradient'));
    return [...all.filter((c) => c.what.endsWith(', value')), ...(gradient ? [gradient] : [])];
  });
  return outcomeOf(cases);
}

const operands = (shapes: readonly (readonly number[])[], float: Float): lt.Tensor[] =>
  shapes.map((shape, i) => make(elements({ shape }, 20 + i), shape, float));

/** A matrix product with tiles to spare, and the gradient of the gradient of a convolution with its pooling. */
export function products(): Promise<Outcome> {
  const net = (x: lt.Tensor, w: lt.Tensor) =>
    lt.maxPool2d(lt.tanh(lt.conv2d(x, w, { padding: 'same' })), { size: 2 }).sum();
  const first = lt.grad(net, [0, 1]);
  const lengthOf = (x: lt.Tensor, w: lt.Tensor) =>
    first(x, w)
      .map((g: lt.Tensor) => lt.sum(lt.square(g)))
      .reduce((a: lt.Tensor, b: lt.Tensor) => a.add(b));
  return outcomeOf([
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
export async function training(): Promise<Outcome> {
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
  const problem = mismatch(await on(gpu, 'float32', () => train('float32')), want, bound);
  return { cases: 1, problems: problem === null ? [] : [`training: ${problem}`] };
}
