// What is measured: each case is prepared once and then run many times. A case knows the arithmetic it does (counted from
// its planned program, as if every convolution were done directly), how a peer is asked for the same work, and how right
// its result has to be. `cases` is the list for a CPU; bench/gpu/ draws up others from the same kinds.

import { type DType, sizeOf } from '../engine/dtype.ts';
import * as lt from '../index.ts';
import { attention } from './attention.ts';
import { type Case, compiled, disposeAll, type Float, flopsOf, input, normTolerance } from './case.ts';
import { labels, uniform, weightScale } from './inputs.ts';
import { normalisations } from './norms.ts';

export { type Case, disposeAll, type Float, flopsOf, type Prepared } from './case.ts';

// ---- products and convolutions ---------------------------------------------------------------------------------------

const bitsOf = (dtype: Float): number => (dtype === 'float16' ? 11 : 24);
/** Sums are in float32 whatever the type; operands and results are rounded to it. */
const productTolerance = (terms: number, dtype: Float): number =>
  normTolerance(terms) + (dtype === 'float16' ? 4 * 2 ** -bitsOf(dtype) : 0);

export const matmul = (
  m: number,
  n = m,
  k = m,
  {
    name = `matmul ${m === n && n === k ? m : `${m}x${k} x ${k}x${n}`}`,
    dtype = 'float32' as Float,
  }: { name?: string; dtype?: Float } = {},
): Case => ({
  suite: 'matmul',
  name: dtype === 'float32' ? name : `${name} ${dtype}`,
  peer: { case: 'matmul', m, n, k, dtype },
  size: m * n,
  tolerance: productTolerance(k, dtype),
  exact(at) {
    const [row, column] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let i = 0; i < k; i++) sum += uniform(0, row * k + i) * uniform(1, i * n + column);
    return sum;
  },
  prepare: () => compiled(lt.matmul, [input(0, [m, k], 1, dtype), input(1, [k, n], 1, dtype)]),
});

export interface ConvShape {
  c: number;
  o: number;
  h: number;
  k: number;
  stride: number;
}
export const DIRECTIONS = ['forward', 'input', 'weight'] as const;
export type Direction = (typeof DIRECTIONS)[number];
const N = 128;

export function convolution(shape: ConvShape, direction: Direction, n = N, dtype: Float = 'float32'): Case {
  const { c, o, h, k, stride } = shape;
  const label = direction === 'forward' ? 'forward' : `${direction} gradient`;
  const out = h / stride;
  const size = { forward: n * out * out * o, input: n * h * h * c, weight: k * k * c * o }[direction];
  const terms = { forward: k * k * c, input: k * k * o, weight: n * out * out }[direction];
  return {
    suite: 'convolution',
    name: `${k}x${k}${stride > 1 ? `/${stride}` : ''} ${c === o ? c : `${c}-${o}`}@${h} ${label}${n === N ? '' : `, batch ${n}`}${dtype === 'float32' ? '' : ` ${dtype}`}`,
    peer: { case: 'conv', n, c, o, h, k, stride, direction, dtype },
    size,
    // Winograd's transforms, which the CPU uses, add and subtract before they multiply: they lose two more bits.
    tolerance: 4 * productTolerance(terms, dtype),
    exact: (at) => exactConvolution(shape, direction, n, at),
    prepare() {
      const x = input(0, [n, h, h, c], 1, dtype);
      const w = input(1, [k, k, c, o], weightScale(k * k * c), dtype);
      const dy = input(2, [n, out, out, o], 1, dtype);
      const y = (a: lt.Tensor, b: lt.Tensor) => lt.conv2d(a, b, { stride, padding: Math.floor(k / 2) });
      const all = [x, w, dy];
      if (direction === 'forward') return compiled(y, [x, w], all);
      if (direction === 'input')
        return compiled(
          (b: lt.Tensor, d: lt.Tensor) =>
            lt.vjp((a: lt.Tensor) => y(a, b), lt.zeros(x.shape, dtype as DType))[1](d)[0],
          [w, dy],
          all,
        );
      return compiled(
        (a: lt.Tensor, d: lt.Tensor) =>
          lt.vjp((b: lt.Tensor) => y(a, b), lt.zeros(w.shape, dtype as DType))[1](d)[0],
        [x, dy],
        all,
      );
    },
  };
}

/** One element of a convolution or of its gradients, by the definition. */
function exactConvolution(
  { c, o, h, k, stride }: ConvShape,
  direction: Direction,
  n: number,
  at: number,
): number {
  const out = h / stride;
  const low = Math.floor(k / 2);
  const scale = weightScale(k * k * c);
  const x = (i: number, y: number, z: number, a: number): number =>
    y < 0 || y >= h || z < 0 || z >= h ? 0 : uniform(0, ((i * h + y) * h + z) * c + a);
  const w = (y: number, z: number, a: number, b: number): number =>
    uniform(1, ((y * k + z) * c + a) * o + b, scale);
  const dy = (i: number, y: number, z: number, b: number): number =>
    y % 1 !== 0 || z % 1 !== 0 || y < 0 || y >= out || z < 0 || z >= out
      ? 0
      : uniform(2, ((i * out + y) * out + z) * o + b);
  const split = (...sizes: number[]): number[] => {
    let rest = at;
    const digits = sizes.map((s) => {
      const digit = rest % s;
      rest = Math.floor(rest / s);
      return digit;
    });
    return [...digits, rest].reverse();
  };
  let sum = 0;
  if (direction === 'weight') {
    const [ky, kx, a, b] = split(o, c, k);
    for (let i = 0; i < n; i++)
      for (let y = 0; y < out; y++)
        for (let z = 0; z < out; z++)
          sum += x(i, y * stride + ky - low, z * stride + kx - low, a) * dy(i, y, z, b);
    return sum;
  }
  const forward = direction === 'forward';
  const [i, y, z, channel] = forward ? split(o, out, out) : split(c, h, h);
  for (let ky = 0; ky < k; ky++)
    for (let kx = 0; kx < k; kx++)
      for (let other = 0; other < (forward ? c : o); other++)
        sum += forward
          ? x(i, y * stride + ky - low, z * stride + kx - low, other) * w(ky, kx, other, channel)
          : dy(i, (y + low - ky) / stride, (z + low - kx) / stride, other) * w(ky, kx, channel, other);
  return sum;
}

export const RESNET: readonly ConvShape[] = [
  { c: 64, o: 64, h: 32, k: 3, stride: 1 },
  { c: 128, o: 128, h: 16, k: 3, stride: 1 },
  { c: 256, o: 256, h: 8, k: 3, stride: 1 },
  { c: 512, o: 512, h: 4, k: 3, stride: 1 },
];
const OTHERS: readonly ConvShape[] = [
  { c: 64, o: 128, h: 32, k: 3, stride: 2 },
  { c: 128, o: 256, h: 16, k: 3, stride: 2 },
  { c: 256, o: 512, h: 8, k: 3, stride: 2 },
  { c: 64, o: 128, h: 32, k: 1, stride: 2 },
  { c: 3, o: 64, h: 32, k: 3, stride: 1 },
  { c: 3, o: 32, h: 32, k: 3, stride: 1 },
  { c: 32, o: 64, h: 16, k: 3, stride: 1 },
];

// ---- memory ----------------------------------------------------------------------------------------------------------

/** x + y, or a chain of five operations of them that fuses to the same traffic. */
export const elementwise = (n: number, kind: 'add' | 'chain'): Case => ({
  suite: 'memory',
  name: `${kind === 'add' ? 'x + y' : 'relu(x / 2 + y) tanh(y)'}, ${n / 2 ** 20}M elements`,
  peer: { case: 'elementwise', n, operands: kind === 'add' ? 2 : 3 },
  size: n,
  bytes: 12 * n,
  tolerance: 8 * 2 ** -24,
  exact(at) {
    const [x, y] = [uniform(0, at), uniform(1, at)];
    return kind === 'add' ? x + y : Math.max(0, x / 2 + y) * Math.tanh(y);
  },
  prepare: () =>
    compiled(
      (x: lt.Tensor, y: lt.Tensor) => (kind === 'add' ? x.add(y) : x.mul(0.5).add(y).relu().mul(y.tanh())),
      [input(0, [n]), input(1, [n])],
    ),
});

/** The sum of a matrix: over all of it, or along an axis. */
export const reduction = (rows: number, columns: number, axis: 0 | 1 | -1): Case => ({
  suite: 'memory',
  name: `sum ${rows}x${columns}${axis === -1 ? '' : axis === 0 ? ' over rows' : ' over columns'}`,
  peer: { case: 'reduction', rows, columns, axis },
  size: axis === -1 ? 1 : axis === 0 ? columns : rows,
  bytes: 4 * rows * columns,
  tolerance: normTolerance(axis === -1 ? rows * columns : axis === 0 ? rows : columns),
  exact(at) {
    let sum = 0;
    if (axis === -1) for (let i = 0; i < rows * columns; i++) sum += uniform(0, i);
    else if (axis === 0) for (let i = 0; i < rows; i++) sum += uniform(0, i * columns + at);
    else for (let i = 0; i < columns; i++) sum += uniform(0, at * columns + i);
    return sum;
  },
  prepare: () =>
    compiled((x: lt.Tensor) => (axis === -1 ? x.sum() : x.sum(axis)), [input(0, [rows, columns])]),
});

// ---- models ----------------------------------------------------------------------------------------------------------

export type ModelName = 'smallCnn' | 'allCnn' | 'resnet18';
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
  const { params, state } = model.init(lt.random.key(1), [1, 32, 32, 3]);
  // Weights that a peer can make as well: inputs 10, 11, ... in the order of the layers.
  let number = 10;
  const known = lt.tree.map((p: lt.Tensor) => {
    // The small CNN's peers start with biases of zero; in the others these are factors and shifts of batch norm.
    if (p.shape.length < 2 && name !== 'smallCnn') return p;
    p.dispose();
    if (p.shape.length < 2) return lt.zeros(p.shape);
    return input(number++, p.shape, weightScale(sizeOf(p.shape.slice(0, -1))));
  }, params);
  return {
    model,
    variables: { params: known, state },
    x: input(0, [n, 32, 32, 3]),
    y: lt.tensor(labels(1, n)),
  };
}

/** Results are the losses of the steps. */
export function trainingStep(name: ModelName, n = N): Case {
  return {
    suite: 'training',
    name: `${name} step, batch ${n}`,
    peer: { case: 'train', model: name, n },
    size: 1,
    // Rounding errors grow from layer to layer and from step to step.
    tolerance: 1e-4,
    prepare() {
      const { model, variables, x, y } = setting(name, n);
      const optimizer = lt.optim.sgd({ learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4 });
      const step = lt.jit(
        (
          params: lt.nn.Variables['params'],
          state: lt.nn.Variables['state'],
          opt: lt.optim.OptimiserState,
          xs: lt.Tensor,
          ys: lt.Tensor,
        ) => {
          const [[loss, next], grads] = lt.valueAndGrad(
            (p: lt.nn.Variables['params']) => {
              const { output, state: s } = model.apply({ params: p, state }, xs, { train: true });
              return [lt.crossEntropy(output, ys), s];
            },
            { hasAux: true },
          )(params);
          const updated = optimizer.update(grads, opt, params);
          return [updated.params, next, updated.state, loss] as const;
        },
        { donate: [0, 1, 2], name: `${name} step` },
      );
      let now: Parameters<typeof step> = [
        variables.params,
        variables.state,
        optimizer.init(variables.params),
        x,
        y,
      ];
      const program = step.program(...now);
      return {
        program,
        flops: flopsOf(program),
        run() {
          const [params, state, opt, loss] = step(...now);
          now = [params, state, opt, x, y];
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

const LABELS = {
  fgsm: 'input gradient (FGSM)',
  persample: 'per-sample gradients',
  hvp: 'Hessian-vector product',
};
export type Derivative = keyof typeof LABELS;

/** What is compared is the sign of the input's gradient, or what belongs to the first convolution's weights. */
export function derivative(kind: Derivative, n = N): Case {
  return {
    suite: 'derivatives',
    name: `smallCnn ${LABELS[kind]}, batch ${n}`,
    peer: { case: kind, model: 'smallCnn', n },
    size: kind === 'fgsm' ? n * 32 * 32 * 3 : (kind === 'persample' ? n : 1) * 3 * 3 * 3 * 32,
    // A sign may flip where a gradient is as good as zero: two of 256 samples.
    tolerance: kind === 'fgsm' ? 0.2 : 1e-3,
    prepare() {
      const { model, variables, x, y } = setting('smallCnn', n);
      const { params, state } = variables;
      type Params = typeof params;
      const loss = (p: Params, xs: lt.Tensor, ys: lt.Tensor) =>
        lt.crossEntropy(model.apply({ params: p, state }, xs).output, ys);
      const one = (p: Params, xs: lt.Tensor, ys: lt.Tensor) =>
        loss(p, xs.reshape([1, ...xs.shape]), ys.reshape([1]));
      switch (kind) {
        case 'fgsm':
          return compiled(
            (p: Params, xs: lt.Tensor, ys: lt.Tensor) =>
              lt
                .grad((z: lt.Tensor) => loss(p, z, ys))(xs)
                .sign(),
            [params, x, y],
            [variables, x, y],
          );
        case 'persample':
          return compiled(lt.vmap(lt.grad(one), { inAxes: [null, 0, 0] }), [params, x, y], [variables, x, y]);
        default: {
          const vector = lt.tree.map((p: lt.Tensor) => input(9, p.shape), params);
          return compiled(
            (p: Params, v: Params, xs: lt.Tensor, ys: lt.Tensor) =>
              lt.hvp((q: Params) => loss(q, xs, ys), [p], [v]),
            [params, vector, x, y],
            [variables, vector, x, y],
          );
        }
      }
    },
  };
}

export const cases: readonly Case[] = [
  matmul(512),
  matmul(1024),
  matmul(2048),
  matmul(128, 128, 4096, { name: 'dense 4096-128' }),
  ...[...RESNET, ...OTHERS].flatMap((s) => DIRECTIONS.map((d) => convolution(s, d))),
  ...[1024, 4096].flatMap((tokens) => [attention(tokens, 'forward'), attention(tokens, 'gradient')]),
  ...normalisations,
  trainingStep('smallCnn'),
  trainingStep('allCnn'),
  trainingStep('resnet18'),
  derivative('fgsm'),
  derivative('persample'),
  derivative('hvp'),
];

/** The cases whose suite or name contains a text; at least one. */
export function casesLike(filter: string): Case[] {
  const wanted = cases.filter((c) => `${c.suite} ${c.name}`.toLowerCase().includes(filter.toLowerCase()));
  if (wanted.length > 0) return wanted;
  const suites = [...new Set(cases.map((c) => c.suite))].join(', ');
  throw new lt.LetheError('value', `bench: no case contains '${filter}'; suites are ${suites}`);
}
