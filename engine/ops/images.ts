// Convolution, pooling and resizing of images [N, H, W, C].

import { showAval } from '../dtype.ts';
import { check, LetheError } from '../error.ts';
import * as c from '../primitives/conv.ts';
import * as e from '../primitives/elementwise.ts';
import * as g from '../primitives/gather.ts';
import * as m from '../primitives/movement.ts';
import * as pl from '../primitives/pool.ts';
import { upload } from '../runtime.ts';
import type { Tensor } from '../tensor.ts';
import type { Pair } from './common.ts';
import { div, mul } from './elementwise.ts';
import { mean } from './reduce.ts';

export type Padding =
  | 'same'
  | 'valid'
  | Pair
  | readonly [readonly [number, number], readonly [number, number]];
export interface ConvOptions {
  stride?: Pair;
  /** 'same' (size divided by stride, rounded up; the odd pixel goes last), 'valid', a number, [height, width], or [[top, bottom], [left, right]]. Default 'valid'. */
  padding?: Padding;
  dilation?: Pair;
  groups?: number;
}
export const pair = (x: Pair): readonly [number, number] => (typeof x === 'number' ? [x, x] : x);

function paddingOf(
  padding: Padding,
  image: readonly number[],
  window: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
) {
  if (padding === 'valid')
    return [
      [0, 0],
      [0, 0],
    ] as const;
  if (padding === 'same') {
    const one = (i: number): readonly [number, number] => {
      const total = Math.max(
        0,
        (Math.ceil(image[i] / stride[i]) - 1) * stride[i] + (window[i] - 1) * dilation[i] + 1 - image[i],
      );
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    };
    return [one(0), one(1)] as const;
  }
  if (typeof padding === 'string')
    throw new LetheError('value', `padding is '${padding}', expected 'same', 'valid' or numbers`);
  if (typeof padding === 'number')
    return [
      [padding, padding],
      [padding, padding],
    ] as const;
  const [a, b] = padding;
  return [typeof a === 'number' ? [a, a] : a, typeof b === 'number' ? [b, b] : b] as readonly [
    readonly [number, number],
    readonly [number, number],
  ];
}

/** Cross-correlation of images [N, H, W, C] with weights [kh, kw, C / groups, O]: [N, OH, OW, O]. */
export function conv2d(
  x: Tensor,
  w: Tensor,
  { stride = 1, padding = 'valid', dilation = 1, groups = 1 }: ConvOptions = {},
): Tensor {
  check(
    x.ndim === 4 && w.ndim === 4,
    'shape',
    () =>
      `conv2d: needs images [N, H, W, C] and weights [kh, kw, C / groups, O], got ${showAval(x)} and ${showAval(w)}`,
  );
  const [s, d] = [pair(stride), pair(dilation)];
  const p = paddingOf(padding, x.shape.slice(1, 3), w.shape.slice(0, 2), s, d);
  const y = c.conv(m.reshape(x, [1, ...x.shape]), m.reshape(w, [1, ...w.shape]), {
    stride: s,
    padding: p,
    dilation: d,
    groups,
  });
  return m.reshape(y, y.shape.slice(1));
}

/**
 * Transposed convolution: the linear map that is conv2d's input gradient, with weights [kh, kw, O / groups, C] for images
 * [N, H, W, C] giving O channels. Without padding the result has (H - 1) * stride + dilation * (kh - 1) + 1 + outputPadding rows;
 * 'same' gives H * stride.
 */
export function convTranspose2d(
  x: Tensor,
  w: Tensor,
  {
    stride = 1,
    padding = 'valid',
    dilation = 1,
    groups = 1,
    outputPadding = 0,
  }: ConvOptions & { outputPadding?: Pair } = {},
): Tensor {
  check(
    x.ndim === 4 && w.ndim === 4,
    'shape',
    () =>
      `convTranspose2d: needs images [N, H, W, C] and weights [kh, kw, O / groups, C], got ${showAval(x)} and ${showAval(w)}`,
  );
  const [s, d, extra] = [pair(stride), pair(dilation), pair(outputPadding)];
  const [h, v] = [x.shape[1], x.shape[2]];
  let p: ReturnType<typeof paddingOf>;
  let size: readonly [number, number];
  if (padding === 'same') {
    size = [h * s[0], v * s[1]];
    p = paddingOf('same', size, w.shape.slice(0, 2), s, d);
  } else {
    p = paddingOf(padding, [h, v], w.shape.slice(0, 2), s, d);
    const one = (n: number, i: 0 | 1): number =>
      (n - 1) * s[i] + d[i] * (w.shape[i] - 1) + 1 - p[i][0] - p[i][1] + extra[i];
    size = [one(h, 0), one(v, 1)];
  }
  const y = c.convGradInput(m.reshape(x, [1, ...x.shape]), m.reshape(w, [1, ...w.shape]), {
    stride: s,
    padding: p,
    dilation: d,
    groups,
    inputSize: size,
  });
  return m.reshape(y, y.shape.slice(1));
}

export interface PoolOptions {
  size: Pair;
  /** Default: the window size. */
  stride?: Pair;
  padding?: Padding;
}
function poolParams(
  op: string,
  x: Tensor,
  { size, stride = size, padding = 'valid' }: PoolOptions,
): pl.PoolParams {
  check(x.ndim === 4, 'shape', () => `${op}: needs images [N, H, W, C], got ${showAval(x)}`);
  const [n, s] = [pair(size), pair(stride)];
  return { size: n, stride: s, padding: paddingOf(padding, x.shape.slice(1, 3), n, s, [1, 1]) };
}
/** Largest element of each window; padding never wins, NaN does. */
export const maxPool2d = (x: Tensor, options: PoolOptions): Tensor =>
  pl.maxPool(x, poolParams('maxPool2d', x, options))[0];
/** Mean of each window over the elements inside the image. */
export function avgPool2d(x: Tensor, options: PoolOptions): Tensor {
  const p = poolParams('avgPool2d', x, options);
  const total = pl.sumPool(x, p);
  if (p.padding.flat().every((v) => v === 0)) return mul(total, 1 / (p.size[0] * p.size[1]));
  const counts = pl.sumPool(e.full([1, x.shape[1], x.shape[2], 1], 1, x.dtype), p);
  return div(total, counts);
}
/** Mean over all pixels: [N, H, W, C] -> [N, C]. */
export const globalAvgPool = (x: Tensor): Tensor => mean(x, [1, 2]);
/** Nearest-neighbour resize of [N, H, W, C] to [height, width]; source pixel floor(i * H / height). */
export function resizeNearest(x: Tensor, [height, width]: readonly [number, number]): Tensor {
  check(x.ndim === 4, 'shape', () => `resizeNearest: needs images [N, H, W, C], got ${showAval(x)}`);
  const [n, h, w, ch] = x.shape;
  if (height % h === 0 && width % w === 0) {
    const [a, b] = [height / h, width / w];
    return m.reshape(m.broadcast(x, [n, h, a, w, b, ch], [0, 1, 3, 5]), [n, height, width, ch]);
  }
  const positions = (from: number, to: number): Tensor =>
    upload(
      Int32Array.from({ length: to }, (_, i) => Math.floor((i * from) / to)),
      [to],
      'int32',
    );
  return g.gather(g.gather(x, positions(h, height), 1), positions(w, width), 2);
}
