// Ranks without sorting: which numbers are the largest of many (on the host), and the k-th smallest of them (on the device,
// inside a compiled step). Both are exact, and both walk down the bits of a number from the highest: among numbers that
// are not negative the order of values is the order of their bit patterns.

import type { DType, TypedArray } from '../../engine/dtype.ts';
import * as lt from '../../index.ts';

const DIGITS = 4;
const BASE = 65536;

/**
 * Marks the `count` elements that are largest in absolute value over all arrays together: 1 or 0 for each. Of equals
 * those that come first are taken. Time is linear in the elements; beside the marks it needs a table of 65,536 counts.
 * @param arrays finite numbers.
 * @param count 0 to the number of elements.
 */
export function largest(arrays: readonly TypedArray[], count: number): Int32Array[] {
  const value = new Float64Array(1);
  // The 16-bit digits of the value's bits, the lowest first.
  const digits = new Uint16Array(value.buffer);
  const counts = new Uint32Array(BASE);
  // Digits of the least number that is taken, found from the highest down; how many are still to be found among those that
  // share the digits so far.
  const bound = new Uint16Array(DIGITS);
  let left = count;
  for (let d = DIGITS - 1; d >= 0; d--) {
    counts.fill(0);
    for (const array of arrays)
      for (let i = 0; i < array.length; i++) {
        value[0] = Math.abs(array[i]);
        let above = DIGITS - 1;
        while (above > d && digits[above] === bound[above]) above--;
        if (above === d) counts[digits[d]]++;
      }
    let digit = BASE - 1;
    while (digit > 0 && counts[digit] < left) left -= counts[digit--];
    bound[d] = digit;
  }
  digits.set(bound);
  const least = value[0];
  return arrays.map((array) => {
    const marks = new Int32Array(array.length);
    for (let i = 0; i < array.length; i++) {
      const size = Math.abs(array[i]);
      if (size > least) marks[i] = 1;
      else if (size === least && left > 0) {
        marks[i] = 1;
        left--;
      }
    }
    return marks;
  });
}

/** Of a float type: its powers of two by biased exponent, 0 first, and the bits of its fraction. */
function formOf(dtype: DType): { powers: lt.Tensor; exponentBits: number; fractionBits: number } {
  const [exponentBits, fractionBits] = dtype === 'float64' ? [11, 52] : [8, 23];
  const bias = 2 ** (exponentBits - 1) - 1;
  const powers = Float64Array.from({ length: 2 ** exponentBits }, (_, e) => (e === 0 ? 0 : 2 ** (e - bias)));
  // The pattern of infinity stands for the largest power that is finite.
  powers[powers.length - 1] = powers[powers.length - 2];
  return { powers: lt.tensor(powers, { dtype }), exponentBits, fractionBits };
}

/**
 * The k-th smallest of some numbers, to the bit: the largest number that fewer than k of them are below. It is built
 * bit by bit, each bit costing a pass that counts, 31 for float32. 0 for k = 0 and where it is below the smallest normal
 * number (1.2e-38 for float32). Traceable.
 * @param values [n], float32 or float64, finite and not negative.
 * @param k int32 scalar, 0 to n.
 */
export function kthSmallest(values: lt.Tensor, k: lt.Tensor): lt.Tensor {
  const { powers, exponentBits, fractionBits } = formOf(values.dtype);
  const few = (bound: lt.Tensor): lt.Tensor => values.less(bound).sum().less(k);
  let exponent = lt.zeros([], 'int32');
  for (let bit = exponentBits - 1; bit >= 0; bit--) {
    const next = exponent.add(2 ** bit);
    exponent = lt.where(few(lt.take(powers, next)), next, exponent);
  }
  const power = lt.take(powers, exponent);
  let found = power;
  for (let bit = 1; bit <= fractionBits; bit++) {
    const next = found.add(power.mul(2 ** -bit));
    found = lt.where(few(next), next, found);
  }
  return found;
}
