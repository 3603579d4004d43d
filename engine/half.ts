// IEEE 754 half precision on the host, where JavaScript may have no type for it: 11 significant bits, normal numbers from
// 2^-14 to 65504, below them multiples of 2^-24. Numbers are rounded to nearest, ties to even, as devices do it.

const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);

/** The nearest half; beyond 65504 by half a step or more an infinity. Keeps the sign of zero, and NaN. */
export function roundHalf(x: number): number {
  const size = Math.abs(x);
  if (!(size < 65520)) return Number.isNaN(x) ? x : x > 0 ? Infinity : -Infinity;
  number[0] = size;
  const exponent = Math.max(-14, ((words[1] >>> 20) & 0x7ff) - 1023);
  // A double of this size has the step of the result, so that adding it rounds.
  const anchor = 1.5 * 2 ** (42 + exponent);
  const rounded = size + anchor - anchor;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** The 16 bits of the nearest half. */
export function halfBits(x: number): number {
  const size = Math.abs(roundHalf(x));
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  if (Number.isNaN(size)) return 0x7e00;
  if (size === Infinity) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  number[0] = size;
  const exponent = ((words[1] >>> 20) & 0x7ff) - 1023;
  // The leading bit, which is not stored, counts the exponent up by one.
  return sign | (((exponent + 14) << 10) + size * 2 ** (10 - exponent));
}

/** The number that 16 bits stand for: exact. */
export function halfToNumber(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const fraction = h & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Elements as a device stores them. */
export const toHalves = (data: ArrayLike<number>): Uint16Array<ArrayBuffer> => {
  const halves = new Uint16Array(data.length);
  for (let i = 0; i < halves.length; i++) halves[i] = halfBits(data[i]);
  return halves;
};
export const fromHalves = (halves: Uint16Array): Float32Array<ArrayBuffer> => {
  const data = new Float32Array(halves.length);
  for (let i = 0; i < data.length; i++) data[i] = halfToNumber(halves[i]);
  return data;
};
