// What is measured: each case is prepared once and then run many times. A case knows the arithmetic it does (counted from
// its planned program, as if every convolution were done directly) and how the peer is asked for the same work.

import type { Program } from '../engine/program.ts';
import * as lt from '../index.ts';
import { productFlops } from './work.ts';

export interface Prepared {
  /** Enqueues one run; what it returns is disposed by the caller once the device has finished. */
  run(): unknown;
  /** Floating-point operations of one run: 2 for each multiply-add of a product or convolution. */
  flops: number;
  /** What is run. */
  program: Program;
  dispose(): void;
}
export interface Case {
  readonly suite: 'matmul' | 'convolution' | 'training' | 'derivatives';
  readonly name: string;
  /** The request to the peer; null where it has nothing comparable. */
  readonly peer: Record<string, unknown> | null;
  prepare(): Prepared;
}

/** Arithmetic of all products and convolutions of a program. */
export const flopsOf = (program: Program): number =>
  program.instructions.reduce((sum, i) => sum + productFlops(i), 0);

const [seed] = [7];
const normal = (n: number, shape: readonly number[]): lt.Tensor =>
  lt.random.normal(lt.random.key(seed + n), shape);

function compiled(
  f: (...xs: never[]) => unknown,
  args: readonly unknown[],
  keep: readonly unknown[] = args,
): Prepared {
  const g = lt.jit(f as never);
  const program = g.program(...args);
  return {
    program,
    flops: flopsOf(program),
    run: () => g(...args),
    dispose() {
      g.dispose();
      disposeAll(keep);
    },
  };
}
export function disposeAll(tree: unknown): void {
  lt.tree.map((x: unknown) => (x instanceof lt.Tensor ? x.dispose() : undefined), tree);
}

// ---- products and convolutions ---------------------------------------------------------------------------------------

const matmul = (
  m: number,
  n: number,
  k: number,
  name = `matmul ${m === n && n === k ? m : `${m}x${k} x ${k}x${n}`}`,
): Case => ({
  suite: 'matmul',
  name,
  peer: { case: 'matmul', m, n, k },
  prepare: () => compiled(lt.matmul, [normal(0, [m, k]), normal(1, [k, n])]),
});

interface ConvShape {
  c: number;
  o: number;
  h: number;
  k: number;
  stride: number;
}
const N = 128;
function convolution({ c, o, h, k, stride }: ConvShape, direction: 'forward' | 'input' | 'weight'): Case {
  const label = direction === 'forward' ? 'forward' : `${direction} gradient`;
  return {
    suite: 'convolution',
    name: `${k}x${k}${stride > 1 ? `/${stride}` : ''} ${c === o ? c : `${c}-${o}`}@${h} ${label}`,
    peer: { case: 'conv', n: N, c, o, h, k, stride, direction },
    prepare() {
      const x = normal(0, [N, h, h, c]);
      const w = normal(1, [k, k, c, o]);
      const dy = normal(2, [N, h / stride, h / stride, o]);
      const y = (a: lt.Tensor, b: lt.Tensor) => lt.conv2d(a, b, { stride, padding: Math.floor(k / 2) });
      const all = [x, w, dy];
      if (direction === 'forward') return compiled(y, [x, w], all);
      if (direction === 'input')
        return compiled(
          (b: lt.Tensor, d: lt.Tensor) => lt.vjp((a: lt.Tensor) => y(a, b), lt.zeros(x.shape))[1](d)[0],
          [w, dy],
          all,
        );
      return compiled(
        (a: lt.Tensor, d: lt.Tensor) => lt.vjp((b: lt.Tensor) => y(a, b), lt.zeros(w.shape))[1](d)[0],
        [x, dy],
        all,
      );
    },
  };
}
const RESNET: ConvShape[] = [
  { c: 64, o: 64, h: 32, k: 3, stride: 1 },
  { c: 128, o: 128, h: 16, k: 3, stride: 1 },
  { c: 256, o: 256, h: 8, k: 3, stride: 1 },
  { c: 512, o: 512, h: 4, k: 3, stride: 1 },
];
const OTHERS: ConvShape[] = [
  { c: 64, o: 128, h: 32, k: 3, stride: 2 },
  { c: 128, o: 256, h: 16, k: 3, stride: 2 },
  { c: 256, o: 512, h: 8, k: 3, stride: 2 },
  { c: 64, o: 128, h: 32, k: 1, stride: 2 },
  { c: 3, o: 64, h: 32, k: 3, stride: 1 },
  { c: 3, o: 32, h: 32, k: 3, stride: 1 },
  { c: 32, o: 64, h: 16, k: 3, stride: 1 },
];

// ---- models ----------------------------------------------------------------------------------------------------------

type ModelName = 'smallCnn' | 'allCnn' | 'resnet18';
const makeModel = (name: ModelName) =>
  name === 'allCnn' ? lt.nn.allCnn({ classes: 10, width: 'full' }) : lt.nn[name]({ classes: 10 });

interface Setting {
  model: ReturnType<typeof makeModel>;
  variables: ReturnType<ReturnType<typeof makeModel>['init']>;
  x: lt.Tensor;
  y: lt.Tensor;
}
function setting(name: ModelName, n = N): Setting {
  const model = makeModel(name);
  return {
    model,
    variables: model.init(lt.random.key(1), [n, 32, 32, 3]),
    x: normal(0, [n, 32, 32, 3]),
    y: lt.random.randint(lt.random.key(2), [n], 0, 10),
  };
}

function trainingStep(name: ModelName): Case {
  return {
    suite: 'training',
    name: `${name} step, batch ${N}`,
    peer: { case: 'train', model: name, n: N },
    prepare() {
      const { model, variables, x, y } = setting(name);
      const optimizer = lt.optim.sgd({ learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4 });
      const step = lt.jit(
        (params, state, opt, xs, ys) => {
          const [[loss, next], grads] = lt.valueAndGrad(
            (p) => {
              const { output, state: s } = model.apply({ params: p, state }, xs, { train: true });
              return [lt.crossEntropy(output, ys), s];
            },
            { hasAux: true },
          )(params);
          const updated = optimizer.update(grads, opt, params);
          return [updated.params, next, updated.state, loss];
        },
        { donate: [0, 1, 2], name: `${name} step` },
      );
      let now: unknown[] = [variables.params, variables.state, optimizer.init(variables.params)];
      const program = step.program(...now, x, y);
      return {
        program,
        flops: flopsOf(program),
        run() {
          const [params, state, opt, loss] = step(...now, x, y);
          now = [params, state, opt];
          return loss;
        },
        dispose() {
          step.dispose();
          disposeAll([now, x, y]);
        },
      };
    },
  };
}

function derivative(kind: 'fgsm' | 'persample' | 'hvp', label: string): Case {
  return {
    suite: 'derivatives',
    name: `smallCnn ${label}, batch ${N}`,
    peer: { case: kind, model: 'smallCnn', n: N },
    prepare() {
      const { model, variables, x, y } = setting('smallCnn');
      const { params, state } = variables;
      const loss = (p: unknown, xs: lt.Tensor, ys: lt.Tensor) =>
        lt.crossEntropy(model.apply({ params: p as never, state }, xs).output, ys);
      const one = (p: unknown, xs: lt.Tensor, ys: lt.Tensor) =>
        loss(p, xs.reshape([1, ...xs.shape]), ys.reshape([1]));
      switch (kind) {
        case 'fgsm':
          return compiled(
            (p: unknown, xs: lt.Tensor, ys: lt.Tensor) =>
              lt
                .grad((z: lt.Tensor) => loss(p, z, ys))(xs)
                .sign(),
            [params, x, y],
            [variables, x, y],
          );
        case 'persample':
          return compiled(lt.vmap(lt.grad(one), { inAxes: [null, 0, 0] }), [params, x, y], [variables, x, y]);
        default: {
          const vector = lt.tree.map((p: lt.Tensor) => normal(9, p.shape), params);
          return compiled(
            (p: unknown, v: unknown, xs: lt.Tensor, ys: lt.Tensor) =>
              lt.hvp((q: unknown) => loss(q, xs, ys), [p], [v]),
            [params, vector, x, y],
            [variables, vector, x, y],
          );
        }
      }
    },
  };
}

export const cases: readonly Case[] = [
  matmul(512, 512, 512),
  matmul(1024, 1024, 1024),
  matmul(2048, 2048, 2048),
  matmul(128, 128, 4096, 'dense 4096-128'),
  ...[...RESNET, ...OTHERS].flatMap((s) =>
    (['forward', 'input', 'weight'] as const).map((d) => convolution(s, d)),
  ),
  trainingStep('smallCnn'),
  trainingStep('allCnn'),
  trainingStep('resnet18'),
  derivative('fgsm', 'input gradient (FGSM)'),
  derivative('persample', 'per-sample gradients'),
  derivative('hvp', 'Hessian-vector product'),
];

/** The cases whose suite or name contains a text; at least one. */
export function casesLike(filter: string): Case[] {
  const wanted = cases.filter((c) => `${c.suite} ${c.name}`.toLowerCase().includes(filter.toLowerCase()));
  if (wanted.length > 0) return wanted;
  const suites = [...new Set(cases.map((c) => c.suite))].join(', ');
  throw new lt.LetheError('value', `bench: no case contains '${filter}'; suites are ${suites}`);
}
