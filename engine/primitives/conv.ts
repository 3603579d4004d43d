// Two-dimensional convolution and its two gradients, as three primitives of equal rank. With * the convolution,
//
//   y = conv(x, w)        dx = convGradInput(dy, w)        dw = convGradWeight(x, dy)
//
// are three views of one trilinear form  sum over taps of x * w * dy : each is the derivative of that form with respect
// to the operand it yields. Hence each one's derivatives are the other two, and the set is closed.
//
// Operands have a leading axis B of independent convolutions (see docs/primitives.md). Batching folds into B where both
// operands are batched (per-sample weight gradients: B samples, N = 1), and into N where only the image is.

import { type Aval, allocate, isFloat, type Shape, showAval, sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import type { Tensor } from '../tensor.ts';
import { apply, conv, convGradInput, convGradWeight, moveAxis, reshape } from './apply.ts';
import { ensureBatched, multilinear } from './linear.ts';
import type { ConvParams, ParamsOf } from './names.ts';
import { aval } from './rules.ts';
import type { BatchRule, NDArray, PrimitiveOf, SampleOperand } from './types.ts';
import { isUndefined } from './types.ts';

type ConvName = 'conv' | 'convGradInput' | 'convGradWeight';

/** Output size of one axis; 0 when the window does not fit. */
export const windowCount = (
  n: number,
  window: number,
  stride: number,
  pads: readonly [number, number],
  dilation = 1,
): number => Math.max(0, Math.floor((n + pads[0] + pads[1] - dilation * (window - 1) - 1) / stride) + 1);

const common = ({ stride, padding, dilation, groups }: ConvParams): ConvParams => ({
  stride,
  padding,
  dilation,
  groups,
});

function checkParams(op: string, { stride, padding, dilation, groups }: ConvParams): void {
  const whole = (min: number, ...v: number[]) => v.every((n) => Number.isInteger(n) && n >= min);
  check(
    whole(1, ...stride, ...dilation, groups),
    'value',
    () =>
      `${op}: stride, dilation and groups must be positive integers, got ${stride}, ${dilation}, ${groups}`,
  );
  check(
    whole(0, ...padding.flat()),
    'value',
    () => `${op}: padding must be non-negative integers, got ${JSON.stringify(padding)}`,
  );
}

function checkPair(op: string, a: Aval, b: Aval): void {
  check(
    a.shape.length === 5 && b.shape.length === 5 && a.shape[0] === b.shape[0],
    'shape',
    () =>
      `${op}: needs two operands with five axes and equal first axis, got ${showAval(a)} and ${showAval(b)}`,
  );
  check(
    a.dtype === b.dtype && isFloat(a.dtype),
    'dtype',
    () => `${op}: needs floats of one type, got ${showAval(a)} and ${showAval(b)}`,
  );
}

/** Output [OH, OW] of an image [H, W] under a kernel [kh, kw]. */
const outputSize = (image: readonly number[], kernel: readonly number[], p: ConvParams): [number, number] => [
  windowCount(image[0], kernel[0], p.stride[0], p.padding[0], p.dilation[0]),
  windowCount(image[1], kernel[1], p.stride[1], p.padding[1], p.dilation[1]),
];

// ---- plain loops -----------------------------------------------------------------------------------------------------

/** Calls f(x, w, y) with the flat positions of every product of the trilinear form. */
function eachProduct(
  x: Shape,
  w: Shape,
  y: Shape,
  p: ConvParams,
  f: (x: number, w: number, y: number) => void,
): void {
  const [B, N, H, W, C] = x;
  const [, KH, KW, CG, O] = w;
  const [, , OH, OW] = y;
  const OG = O / p.groups;
  for (let b = 0; b < B; b++)
    for (let n = 0; n < N; n++)
      for (let oh = 0; oh < OH; oh++)
        for (let kh = 0; kh < KH; kh++) {
          const h = oh * p.stride[0] - p.padding[0][0] + kh * p.dilation[0];
          if (h < 0 || h >= H) continue;
          for (let ow = 0; ow < OW; ow++)
            for (let kw = 0; kw < KW; kw++) {
              const v = ow * p.stride[1] - p.padding[1][0] + kw * p.dilation[1];
              if (v < 0 || v >= W) continue;
              const xAt = (((b * N + n) * H + h) * W + v) * C;
              const wAt = ((b * KH + kh) * KW + kw) * CG * O;
              const yAt = (((b * N + n) * OH + oh) * OW + ow) * O;
              for (let g = 0; g < p.groups; g++)
                for (let c = 0; c < CG; c++)
                  for (let o = g * OG; o < (g + 1) * OG; o++) f(xAt + g * CG + c, wAt + c * O + o, yAt + o);
            }
        }
}

function finish(total: Float64Array, out: Aval) {
  const result = allocate(out.dtype, total.length);
  result.set(total);
  return [result];
}

// ---- batching --------------------------------------------------------------------------------------------------------

/**
 * `imageOperands`: operands whose second axis is N (and so is the result's). When all and only they are batched, the
 * batch joins N. Otherwise every operand gets the batch, and it joins B.
 */
const batchConv =
  <K extends ConvName>(name: K, imageOperands: readonly boolean[]): BatchRule<ParamsOf<K>> =>
  (operands, batched, params, size) => {
    const B = operands[0].shape[batched[0] ? 1 : 0];
    if (operands.every((_, i) => batched[i] === imageOperands[i])) {
      // [V, B, N, ...] -> [B, V * N, ...], which moves nothing when B is 1.
      const N = operands[imageOperands.indexOf(true)].shape[2];
      const merged = operands.map((x, i) =>
        batched[i] ? reshape(moveUnit(x, 0, 1), [B, size * N, ...x.shape.slice(3)]) : x,
      );
      const [y] = apply(name, merged, params);
      return [moveUnit(reshape(y, [B, size, N, ...y.shape.slice(2)]), 1, 0)];
    }
    const all = operands.map((x, i) => {
      const full = ensureBatched(x, batched[i], size);
      return reshape(full, [size * full.shape[1], ...full.shape.slice(2)]);
    });
    const [y] = apply(name, all, params);
    return [reshape(y, [size, B, ...y.shape.slice(1)])];
  };

/** moveAxis for neighbouring axes, as a reshape where one of them has a single element. */
function moveUnit(x: Tensor, from: 0 | 1, to: 0 | 1): Tensor {
  const [a, b, ...rest] = x.shape;
  return a === 1 || b === 1 ? reshape(x, [b, a, ...rest]) : moveAxis(x, from, to);
}

// ---- the three -------------------------------------------------------------------------------------------------------

interface Case {
  x: Shape;
  kernel: readonly [number, number];
  o: number;
  p: ConvParams;
  note?: string;
}
const plain: ConvParams = {
  stride: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  dilation: [1, 1],
  groups: 1,
};
const cases: Case[] = [
  {
    x: [1, 2, 5, 5, 3],
    kernel: [3, 3],
    o: 4,
    p: {
      ...plain,
      padding: [
        [1, 1],
        [1, 1],
      ],
    },
  },
  {
    x: [1, 1, 7, 6, 4],
    kernel: [3, 2],
    o: 6,
    p: {
      stride: [2, 1],
      padding: [
        [1, 0],
        [2, 1],
      ],
      dilation: [2, 1],
      groups: 2,
    },
    note: 'uneven, dilated, grouped',
  },
  {
    x: [1, 2, 6, 6, 2],
    kernel: [3, 3],
    o: 3,
    p: {
      ...plain,
      stride: [2, 2],
      padding: [
        [1, 1],
        [1, 1],
      ],
    },
    note: 'stride leaves a rest',
  },
  { x: [2, 1, 4, 4, 3], kernel: [1, 1], o: 5, p: plain, note: 'two independent convolutions' },
  { x: [1, 1, 5, 4, 3], kernel: [3, 3], o: 3, p: { ...plain, groups: 3 }, note: 'depthwise' },
  {
    x: [3, 2, 4, 5, 1],
    kernel: [2, 3],
    o: 1,
    p: {
      ...plain,
      padding: [
        [0, 1],
        [1, 1],
      ],
    },
  },
];
const yShape = (c: Case): Shape => [c.x[0], c.x[1], ...outputSize([c.x[2], c.x[3]], c.kernel, c.p), c.o];
const wShape = (c: Case): Shape => [c.x[0], ...c.kernel, c.x[4] / c.p.groups, c.o];
const samplesFor = <P>(operands: (c: Case) => Shape[], params: (c: Case) => P) =>
  cases.map((c) => ({
    operands: operands(c).map((shape): SampleOperand => ({ shape })),
    params: params(c),
    note: c.note,
  }));

const convPrimitive: PrimitiveOf<'conv'> = {
  name: 'conv',
  kind: 'root',
  shape: ([x, w], p) => {
    checkParams('conv', p);
    checkPair('conv', x, w);
    const [, kh, kw, cg, o] = w.shape;
    check(
      x.shape[4] === cg * p.groups && o % p.groups === 0,
      'shape',
      () =>
        `conv: ${showAval(x)} has ${x.shape[4]} channels in ${p.groups} groups; weights ${showAval(w)} expect ${cg} a group, and ${o} results must divide into the groups`,
    );
    return [aval([x.shape[0], x.shape[1], ...outputSize(x.shape.slice(2, 4), [kh, kw], p), o], x.dtype)];
  },
  jvp: multilinear('conv', [0, 1]),
  transpose: ([ct], [x, w], p) => {
    if (ct === null) return [null, null];
    if (isUndefined(x))
      return [convGradInput(ct, w as Tensor, { ...common(p), inputSize: [x.shape[2], x.shape[3]] }), null];
    return [null, convGradWeight(x, ct, { ...common(p), kernelSize: [w.shape[1], w.shape[2]] })];
  },
  batch: batchConv('conv', [true, false]),
  reference: ([x, w], p, [out]) => {
    const total = new Float64Array(sizeOf(out.shape));
    eachProduct(x.shape, w.shape, out.shape, p, (i, j, k) => {
      total[k] += x.data[i] * w.data[j];
    });
    return finish(total, out);
  },
  samples: samplesFor(
    (c) => [c.x, wShape(c)],
    (c) => c.p,
  ),
};

const convGradInputPrimitive: PrimitiveOf<'convGradInput'> = {
  name: 'convGradInput',
  kind: 'root',
  shape: ([dy, w], p) => {
    checkParams('convGradInput', p);
    checkPair('convGradInput', dy, w);
    const expected = outputSize(p.inputSize, [w.shape[1], w.shape[2]], p);
    check(
      dy.shape[4] === w.shape[4] &&
        w.shape[4] % p.groups === 0 &&
        dy.shape[2] === expected[0] &&
        dy.shape[3] === expected[1],
      'shape',
      () =>
        `convGradInput: ${showAval(dy)} is no result of weights ${showAval(w)} in ${p.groups} groups on ${p.inputSize.join('x')} images; expected ${expected.join('x')} with ${w.shape[4]} channels`,
    );
    return [aval([dy.shape[0], dy.shape[1], ...p.inputSize, w.shape[3] * p.groups], dy.dtype)];
  },
  jvp: multilinear('convGradInput', [0, 1]),
  transpose: ([ct], [dy, w], p) => {
    if (ct === null) return [null, null];
    if (isUndefined(dy)) return [conv(ct, w as Tensor, common(p)), null];
    return [null, convGradWeight(ct, dy, { ...common(p), kernelSize: [w.shape[1], w.shape[2]] })];
  },
  batch: batchConv('convGradInput', [true, false]),
  reference: ([dy, w]: readonly NDArray[], p, [out]) => {
    const total = new Float64Array(sizeOf(out.shape));
    eachProduct(out.shape, w.shape, dy.shape, p, (i, j, k) => {
      total[i] += dy.data[k] * w.data[j];
    });
    return finish(total, out);
  },
  samples: samplesFor(
    (c) => [yShape(c), wShape(c)],
    (c) => ({ ...c.p, inputSize: [c.x[2], c.x[3]] as const }),
  ),
};

const convGradWeightPrimitive: PrimitiveOf<'convGradWeight'> = {
  name: 'convGradWeight',
  kind: 'root',
  shape: ([x, dy], p) => {
    checkParams('convGradWeight', p);
    checkPair('convGradWeight', x, dy);
    const expected = outputSize(x.shape.slice(2, 4), p.kernelSize, p);
    check(
      x.shape[1] === dy.shape[1] &&
        dy.shape[2] === expected[0] &&
        dy.shape[3] === expected[1] &&
        x.shape[4] % p.groups === 0 &&
        dy.shape[4] % p.groups === 0,
      'shape',
      () =>
        `convGradWeight: ${showAval(dy)} is no result of a ${p.kernelSize.join('x')} kernel in ${p.groups} groups on ${showAval(x)}; expected ${expected.join('x')} pixels`,
    );
    return [aval([x.shape[0], ...p.kernelSize, x.shape[4] / p.groups, dy.shape[4]], x.dtype)];
  },
  jvp: multilinear('convGradWeight', [0, 1]),
  transpose: ([ct], [x, dy], p) => {
    if (ct === null) return [null, null];
    if (isUndefined(x))
      return [convGradInput(dy as Tensor, ct, { ...common(p), inputSize: [x.shape[2], x.shape[3]] }), null];
    return [null, conv(x, ct, common(p))];
  },
  batch: batchConv('convGradWeight', [false, false]),
  reference: ([x, dy], p, [out]) => {
    const total = new Float64Array(sizeOf(out.shape));
    eachProduct(x.shape, out.shape, dy.shape, p, (i, j, k) => {
      total[j] += x.data[i] * dy.data[k];
    });
    return finish(total, out);
  },
  samples: samplesFor(
    (c) => [c.x, yShape(c)],
    (c) => ({ ...c.p, kernelSize: c.kernel }),
  ),
};

export const convPrimitives = {
  conv: convPrimitive,
  convGradInput: convGradInputPrimitive,
  convGradWeight: convGradWeightPrimitive,
};
