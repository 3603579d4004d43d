// Inputs that every side of a comparison can make for itself: a value is a function of the input's number and of the
// element's, in integer arithmetic that comes out the same in every language (bench/peers/pytorch.py has it once more).

/** Element i of input n: uniform in [-scale, scale), with 24 random bits. */
export function uniform(n: number, i: number, scale = 1): number {
  let h = (Math.imul(i, 0x9e3779b1) + Math.imul(n + 1, 0x7f4a7c15)) | 0;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  h ^= h >>> 15;
  return ((h >>> 8) * 2 ** -23 - 1) * scale;
}

/** `size` elements of input n. */
export function inputs(n: number, size: number, scale = 1): Float32Array {
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = uniform(n, i, scale);
  return values;
}

/** `size` labels of ten classes. */
export const labels = (n: number, size: number): Int32Array =>
  Int32Array.from({ length: size }, (_, i) => Math.floor((uniform(n, i) + 1) * 5));

/** Half the range of weights with so many inputs, which keeps the size of what goes through. */
export const weightScale = (fanIn: number): number => Math.sqrt(3 / fanIn);

/** `count` positions among `size` elements, the same on every side. */
export const positions = (size: number, count = 16): number[] =>
  Array.from({ length: Math.min(size, count) }, (_, i) => Math.floor(((uniform(99, i) + 1) / 2) * size));
