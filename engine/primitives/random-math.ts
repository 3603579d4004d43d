// The arithmetic under `random`: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) and
// the logarithm, sine and cosine of Box-Muller. Only exact integer operations and correctly rounded double ones in a
// fixed order, never Math.log and its like, whose last bits differ between machines: native/src/loops/random_math.h does the
// same operations and gives the same bits. Change both or neither.

// High and low word of a 32 x 32 bit product.
function multiplyHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const middle = ah * bl + ((al * bl) >>> 16);
  const cross = al * bh + (middle & 0xffff);
  return (ah * bh + Math.floor(middle / 65536) + (cross >>> 16)) >>> 0;
}

/** Four random words from a counter of four words and a key of two: plain numbers, so that `map` may leave integers. */
export function philox4x32(
  counter: ArrayLike<number>,
  key: ArrayLike<number>,
): [number, number, number, number] {
  let c0 = counter[0] >>> 0;
  let c1 = counter[1] >>> 0;
  let c2 = counter[2] >>> 0;
  let c3 = counter[3] >>> 0;
  let k0 = key[0] >>> 0;
  let k1 = key[1] >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/**
 * ln u for u = k * 2^-24 with an integer 1 <= k <= 2^24, as 2 atanh((m - 1) / (m + 1)) + e ln 2 with m in
 * (sqrt 1/2, sqrt 2].
 */
export function logUnit(u: number): number {
  const k = u * 16777216;
  let e = 31 - Math.clz32(k);
  let m = k / 2 ** e;
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: these very bits, as in C++
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e += 1;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let p = 2 / 21;
  p = p * z + 2 / 19;
  p = p * z + 2 / 17;
  p = p * z + 2 / 15;
  p = p * z + 2 / 13;
  p = p * z + 2 / 11;
  p = p * z + 2 / 9;
  p = p * z + 2 / 7;
  p = p * z + 2 / 5;
  p = p * z + 2 / 3;
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: these very bits, as in C++
  return (e - 24) * 0.6931471805599453 + s * (2 + z * p);
}

/** [sin, cos] of 2 pi v for 0 <= v < 1, v a multiple of 2^-24: the quarter turn is split off exactly, then Taylor. */
export function sinCosTwoPi(v: number): [sine: number, cosine: number] {
  const turns = v * 4;
  const quarter = Math.floor(turns + 0.5);
  const t = (turns - quarter) * 1.5707963267948966;
  const z = t * t;
  let s = -1 / 1307674368000;
  s = s * z + 1 / 6227020800;
  s = s * z - 1 / 39916800;
  s = s * z + 1 / 362880;
  s = s * z - 1 / 5040;
  s = s * z + 1 / 120;
  s = s * z - 1 / 6;
  const si = t + t * z * s;
  let c = 1 / 20922789888000;
  c = c * z - 1 / 87178291200;
  c = c * z + 1 / 479001600;
  c = c * z - 1 / 3628800;
  c = c * z + 1 / 40320;
  c = c * z - 1 / 720;
  c = c * z + 1 / 24;
  c = c * z - 0.5;
  const co = 1 + z * c;
  switch (quarter & 3) {
    case 0:
      return [si, co];
    case 1:
      return [co, -si];
    case 2:
      return [-si, -co];
    default:
      return [-co, si];
  }
}
