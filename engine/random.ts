/**
 * Random numbers with explicit keys. A key is a uint32[2] tensor; the same key gives the same numbers, always and on
 * every backend. Never use a key twice: split it.
 *
 * @module
 */

import { full, tensor } from './create.ts';
import { below, type DType, isFloat, type Shape } from './dtype.ts';
import { check, describe } from './error.ts';
import * as ops from './ops/index.ts';
import { convert, less, random, reshape, slice, sort } from './primitives/apply.ts';
import { floatType } from './runtime.ts';
import type { Tensor } from './tensor.ts';

/**
 * A key, uint32[2], from a whole number from 0 to 2^53 - 1.
 * @throws 'value' for other seeds.
 */
export function key(seed: number): Tensor {
  check(
    Number.isSafeInteger(seed) && seed >= 0,
    'value',
    () => `random.key: the seed must be a whole number from 0 to 2^53 - 1, got ${seed}`,
  );
  return tensor(Uint32Array.of(seed >>> 0, Math.floor(seed / 2 ** 32)));
}

/**
 * `count` new keys, uint32[2] each, from one that is used up by it.
 * @throws 'value' unless count is a positive integer.
 */
export function split(from: Tensor, count = 2): Tensor[] {
  check(
    Number.isInteger(count) && count > 0,
    'value',
    () => `random.split: count must be a positive integer, got ${count}`,
  );
  const words = random(from, { shape: [count, 2], distribution: 'bits', dtype: 'uint32' });
  return Array.from({ length: count }, (_, i) => reshape(slice(words, [i, 0], [1, 2], [1, 1]), [2]));
}
/**
 * A key for each whole number, from one key: folding in an epoch or a step. The key may be folded with
 * other numbers, but serves nothing else.
 * @throws 'value' unless data is a whole number from 0 to 2^53 - 1.
 */
export function foldIn(from: Tensor, data: number): Tensor {
  check(
    Number.isSafeInteger(data) && data >= 0,
    'value',
    () => `random.foldIn: needs a whole number, got ${data}`,
  );
  // Two rounds of the generator: the key is scrambled before data is added to it, or neighbouring seeds would meet
  // (seed 1 with data 2 would be seed 2 with data 1).
  const mixed = ops.add(
    random(from, { shape: [2], distribution: 'bits', dtype: 'uint32' }),
    tensor(Uint32Array.of(data >>> 0, (Math.floor(data / 2 ** 32) ^ 0x9e3779b9) >>> 0)),
  );
  return random(mixed, { shape: [2], distribution: 'bits', dtype: 'uint32' });
}

const floatOf = (dtype: DType | undefined): DType => {
  const d = dtype ?? floatType();
  check(isFloat(d), 'dtype', () => `random: ${d} is no float type`);
  return d;
};

/**
 * Standard normal numbers (mean 0, variance 1), of a float type; default the device's.
 * @throws 'dtype' for other types.
 */
export const normal = (k: Tensor, shape: Shape, dtype?: DType): Tensor =>
  random(k, { shape, distribution: 'normal', dtype: floatOf(dtype) });

/**
 * Uniform in [low, high) (default [0, 1)), of a float type (default the device's), in steps of 2^-24 (float16: 2^-11)
 * of the range; low where the two are equal.
 * @throws 'value' where low is above high, 'dtype' for other types.
 */
export function uniform(k: Tensor, shape: Shape, low = 0, high = 1, dtype?: DType): Tensor {
  check(
    low <= high,
    'value',
    () => `random.uniform: needs low <= high, got ${describe(low)} and ${describe(high)}`,
  );
  const u = random(k, { shape, distribution: 'uniform', dtype: floatOf(dtype) });
  if (low === 0 && high === 1) return u;
  // Where the range is small beside its ends, the largest u round up to high.
  const x = ops.add(ops.mul(u, high - low), low);
  return low < high ? ops.minimum(x, below(high, x.dtype)) : x;
}

/**
 * int32, uniform in [low, high).
 * @throws 'value' unless low and high are whole numbers, low < high, and at most 2^24 apart.
 */
export function randint(k: Tensor, shape: Shape, low: number, high: number): Tensor {
  check(
    Number.isInteger(low) && Number.isInteger(high) && high > low && high - low <= 2 ** 24,
    'value',
    () => `random.randint: needs whole numbers low < high, at most 2^24 apart, got ${low} and ${high}`,
  );
  // u * range is exact in float64 and rounds to at most range in float32: clip the one case that would reach it.
  const u = random(k, { shape, distribution: 'uniform', dtype: floatType() });
  return ops.minimum(ops.add(convert(ops.floor(ops.mul(u, high - low)), 'int32'), low), high - 1);
}

/** bool, true with probability p: never for p <= 0, always for p >= 1. */
export const bernoulli = (k: Tensor, p: number, shape: Shape): Tensor =>
  less(random(k, { shape, distribution: 'uniform', dtype: floatType() }), full(shape, p, floatType()));

/**
 * 0 to n - 1 in random order, int32[n].
 * @throws 'value' unless n is a whole number from 0 to 2^24.
 */
export function permutation(k: Tensor, n: number): Tensor {
  check(
    Number.isInteger(n) && n >= 0 && n <= 2 ** 24,
    'value',
    () => `random.permutation: n must be 0 to 2^24, got ${n}`,
  );
  // Sorting random words; ties (one pair in 2^32) keep their order, which biases nothing that can be seen.
  return sort(random(k, { shape: [n], distribution: 'bits', dtype: 'uint32' }))[1];
}
