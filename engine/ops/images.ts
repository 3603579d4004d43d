// Convolution, pooling and resizing of images [N, H, W, C].

import { showAval } from '../dtype.ts';
import { check } from '../error.ts';
import { settle } from '../options.ts';
import * as prim from '../primitives/apply.ts';
import type { PoolParams } from '../primitives/names.ts';
import { upload } from '../runtime.ts';
import { expectTensors, type Tensor } from '../tensor.ts';
import { CONV_DEFAULTS, type Pair, pair } from './common.ts';
import { div, mul } from './elementwise.ts';
import { mean } from './reduce.ts';

/**
 * What is added around images before a window moves over them. 'valid': nothing. 'same': as much as makes the result
 * size / stride, rounded up; the odd pixel goes to the bottom and right. Or pixels: a whole number, [vertical,
 * horizontal], or [[top, bottom], [left, right]].
 */
export type Padding =
  | 'same'
  | 'valid'
  | Pair
  | readonly [readonly [number, number], readonly [number, number]];
/** Options of convolutions. */
export interface ConvOptions {
  /** Pixels that the window moves at a time; whole numbers from 1. Default 1. */
  stride?: Pair;
  /** Zeros around the images. Default 'valid'. */
  padding?: Padding;
  /** Distance of neighbouring weights in pixels; whole numbers from 1. Default 1. */
  dilation?: Pair;
  /**
   * Channels are cut into so many groups, and each filter sees one of them; divides channels and filters. Default 1.
   */
  groups?: number;
}

type Sides = readonly [readonly [number, number], readonly [number, number]];

function paddingOf(
  op: string,
  padding: Padding,
  image: readonly number[],
  window: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): Sides {
  if (padding === 'valid') return paddingOf(op, 0, image, window, stride, dilation);
  if (padding === 'same') {
    const one = (i: number): readonly [number, number] => {
      const total = Math.max(
        0,
        (Math.ceil(image[i] / stride[i]) - 1) * stride[i] + (window[i] - 1) * dilation[i] + 1 - image[i],
      );
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    };
    return [one(0), one(1)];
  }
  const both = typeof padding === 'number' ? [padding, padding] : padding;
  const sides = Array.isArray(both) ? both.map((p) => (typeof p === 'number' ? [p, p] : p)) : [];
  check(
    sides.length === 2 &&
      sides.every((p) => Array.isArray(p) && p.length === 2 && p.every((n) => Number.isInteger(n) && n >= 0)),
    'value',
    () =>
      `${op}: padding is ${JSON.stringify(padding)}, expected 'same', 'valid', a whole number, [vertical, horizontal] or [[top, bottom], [left, right]]`,
  );
  return sides as unknown as Sides;
}

/** A window that no place in the image can hold would give an empty result: a mistake, unless the image itself is empty. */
function checkFit(
  op: string,
  x: Tensor,
  window: readonly number[],
  dilation: readonly number[],
  padding: Sides,
): void {
  for (const i of [0, 1]) {
    const extent = (window[i] - 1) * dilation[i] + 1;
    const size = x.shape[i + 1];
    const [before, after] = padding[i];
    check(
      size === 0 || size + before + after >= extent,
      'shape',
      () =>
        `${op}: a window ${extent} ${i === 0 ? 'high' : 'wide'} does not fit images ${showAval(x)} with padding ${before} and ${after}`,
    );
  }
}

/**
 * Cross-correlation (what networks call convolution) of images [N, H, W, C] with weights [kh, kw, C / groups, O]: [N,
 * OH, OW, O], where OH = floor((H + top + bottom - dilation * (kh - 1) - 1) / stride) + 1. Both have one float type;
 * sums are accumulated in float32 or better. Small float32 kernels may be computed by Winograd's transforms (Lavin and
 * Gray 2016) on device 'cpu': see `exact` of init.
 * @throws 'shape' where shapes do not fit, 'dtype' for integers or two types, 'value' for impossible options.
 */
export function conv2d(x: Tensor, w: Tensor, options?: ConvOptions): Tensor {
  expectTensors('conv2d', x, w);
  const { stride, padding, dilation, groups } = settle('conv2d', options, CONV_DEFAULTS);
  check(
    x.ndim === 4 && w.ndim === 4 && x.shape[3] === w.shape[2] * groups && w.shape[3] % groups === 0,
    'shape',
    () =>
      `conv2d: needs images [N, H, W, C] and weights [kh, kw, C / groups, O], got ${showAval(x)} and ${showAval(w)} with groups ${groups}`,
  );
  const [s, d] = [pair('conv2d', 'stride', stride), pair('conv2d', 'dilation', dilation)];
  const p = paddingOf('conv2d', padding, x.shape.slice(1, 3), w.shape.slice(0, 2), s, d);
  checkFit('conv2d', x, w.shape, d, p);
  const y = prim.conv(prim.reshape(x, [1, ...x.shape]), prim.reshape(w, [1, ...w.shape]), {
    stride: s,
    padding: p,
    dilation: d,
    groups,
  });
  return prim.reshape(y, y.shape.slice(1));
}

/** Options of convTranspose2d. */
export interface ConvTransposeOptions extends ConvOptions {
  /**
   * Rows added at the bottom and columns added at the right of the result: first those that padding would cut off, then
   * zeros. Each less than the stride or the dilation; 0 with padding 'same'. Default 0.
   */
  outputPadding?: Pair;
}
/**
 * Transposed convolution: the linear map that is conv2d's input gradient, with weights [kh, kw, O / groups, C] for
 * images [N, H, W, C] giving O channels (PyTorch's ConvTranspose2d). Without padding the result has (H - 1) * stride +
 * dilation * (kh - 1) + 1 + outputPadding rows; padding cuts that many off; 'same' gives H * stride.
 * @throws 'shape' where shapes do not fit, 'dtype' for integers or two types, 'value' for impossible options.
 */
export function convTranspose2d(x: Tensor, w: Tensor, options?: ConvTransposeOptions): Tensor {
  const op = 'convTranspose2d';
  expectTensors(op, x, w);
  const { stride, padding, dilation, groups, outputPadding } = settle(op, options, {
    ...CONV_DEFAULTS,
    outputPadding: 0,
  });
  check(
    x.ndim === 4 && w.ndim === 4 && x.shape[3] === w.shape[3] && x.shape[3] % groups === 0,
    'shape',
    () =>
      `convTranspose2d: needs images [N, H, W, C] and weights [kh, kw, O / groups, C], got ${showAval(x)} and ${showAval(w)} with groups ${groups}`,
  );
  const [s, d] = [pair(op, 'stride', stride), pair(op, 'dilation', dilation)];
  const extra = pair(op, 'outputPadding', outputPadding, 0);
  check(
    extra.every((n, i) => n < Math.max(s[i], d[i])),
    'value',
    () => `${op}: outputPadding is ${JSON.stringify(outputPadding)}, expected less than stride or dilation`,
  );
  check(
    padding !== 'same' || extra.every((n) => n === 0),
    'value',
    () => `${op}: outputPadding with padding 'same', which says the size; expected one of the two`,
  );
  const [image, window] = [x.shape.slice(1, 3), w.shape.slice(0, 2)];
  const whole = image.map((n, i) => n * s[i]);
  const p = paddingOf(op, padding, padding === 'same' ? whole : image, window, s, d);
  const less = (i: 0 | 1): readonly [number, number] => [p[i][0], Math.max(0, p[i][1] - extra[i])];
  const cut: Sides = [less(0), less(1)];
  const reach = (i: 0 | 1): number =>
    (image[i] - 1) * s[i] + d[i] * (window[i] - 1) + 1 - cut[i][0] - cut[i][1];
  const size = padding === 'same' ? whole : [reach(0), reach(1)];
  check(
    size.every((n) => n >= 0),
    'shape',
    () => `${op}: padding ${JSON.stringify(padding)} cuts more off images ${showAval(x)} than there is`,
  );
  const y = prim.convGradInput(prim.reshape(x, [1, ...x.shape]), prim.reshape(w, [1, ...w.shape]), {
    stride: s,
    padding: cut,
    dilation: d,
    groups,
    inputSize: [size[0], size[1]],
  });
  const beyond = extra.map((n, i) => Math.max(0, n - p[i][1]));
  const none = [0, 0, 0, 0];
  return prim.pad(prim.reshape(y, y.shape.slice(1)), none, [0, ...beyond, 0], none);
}

/** Options of pooling. */
export interface PoolOptions {
  /** Size of the window. */
  size: Pair;
  /** Pixels that the window moves at a time. Default: the size of the window. */
  stride?: Pair;
  /** Pixels around the images, on each side fewer than the window has. Default 'valid'. */
  padding?: Padding;
}
const POOL_DEFAULTS = { size: undefined, stride: undefined, padding: 'valid' } as const;
function poolParams(op: string, x: Tensor, options: PoolOptions): PoolParams {
  expectTensors(op, x);
  const { size, stride, padding } = settle(op, options, POOL_DEFAULTS);
  check(x.ndim === 4, 'shape', () => `${op}: needs images [N, H, W, C], got ${showAval(x)}`);
  const [n, s] = [pair(op, 'size', size), pair(op, 'stride', stride ?? size)];
  const p = paddingOf(op, padding, x.shape.slice(1, 3), n, s, [1, 1]);
  checkFit(op, x, n, [1, 1], p);
  return { size: n, stride: s, padding: p };
}
/**
 * Largest element of each window of float images [N, H, W, C]: [N, OH, OW, C], with OH as in conv2d. Padding never
 * wins, NaN does; the gradient goes to the first of equals.
 * @throws 'shape' for other images, 'value' for impossible options.
 */
export const maxPool2d = (x: Tensor, options: PoolOptions): Tensor =>
  prim.maxPool(x, poolParams('maxPool2d', x, options))[0];
/**
 * Mean of each window of float images [N, H, W, C]: [N, OH, OW, C], with OH as in conv2d. Padding is not counted
 * (PyTorch's count_include_pad = False).
 * @throws 'shape' for other images, 'value' for impossible options.
 */
export function avgPool2d(x: Tensor, options: PoolOptions): Tensor {
  const p = poolParams('avgPool2d', x, options);
  const total = prim.sumPool(x, p);
  if (p.padding.flat().every((v) => v === 0)) return mul(total, 1 / (p.size[0] * p.size[1]));
  const counts = prim.sumPool(prim.full([1, x.shape[1], x.shape[2], 1], 1, x.dtype), p);
  return div(total, counts);
}
/** Mean over all pixels: [N, H, W, C] -> [N, C]. */
export const globalAvgPool = (x: Tensor): Tensor => mean(x, [1, 2]);
/**
 * Nearest-neighbour resize of images [N, H, W, C] to [height, width]: row i is row floor(i * H / height), columns
 * likewise.
 * @throws 'shape' for other images, 'value' for a size that is not two positive integers.
 */
export function resizeNearest(x: Tensor, size: readonly [number, number]): Tensor {
  expectTensors('resizeNearest', x);
  check(x.ndim === 4, 'shape', () => `resizeNearest: needs images [N, H, W, C], got ${showAval(x)}`);
  check(
    Array.isArray(size) && size.length === 2 && size.every((n) => Number.isInteger(n) && n > 0),
    'value',
    () => `resizeNearest: needs a size [height, width] of positive integers, got ${JSON.stringify(size)}`,
  );
  const [height, width] = size;
  const [n, h, w, ch] = x.shape;
  if (height % h === 0 && width % w === 0) {
    const [a, b] = [height / h, width / w];
    return prim.reshape(prim.broadcast(x, [n, h, a, w, b, ch], [0, 1, 3, 5]), [n, height, width, ch]);
  }
  const positions = (from: number, to: number): Tensor =>
    upload(
      Int32Array.from({ length: to }, (_, i) => Math.floor((i * from) / to)),
      [to],
      'int32',
    );
  return prim.gather(prim.gather(x, positions(h, height), 1), positions(w, width), 2);
}
