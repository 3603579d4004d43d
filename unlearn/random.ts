// A counter-based generator for choices made on the host: shuffles, splits, augmentation, drawn pictures.
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): 32-bit integer arithmetic
// only, so the same bits on every machine, and any word can be had without the ones before it. It is not the
// engine's generator for tensors, and it is not for secrets.

import { check } from '../engine/error.ts';

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** The high 32 bits of a 32 x 32 bit product, from four 16-bit ones. */
function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = a0 * b1 + (middle & 0xffff);
  // Multiples of 2^16 below 2^49: the division is exact, Math.floor drops the fraction.
  return a1 * b1 + Math.floor(middle / 65536) + Math.floor(carry / 65536);
}

/** Philox4x32-10: four 32-bit words into `out` from a counter of four words and a key of two. */
export function philox(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
  out: Uint32Array,
): void {
  for (let round = 0; round < 10; round++) {
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    const high0 = mulHigh(MULTIPLIER_0, c0 >>> 0);
    const high1 = mulHigh(MULTIPLIER_1, c2 >>> 0);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Refuses anything but an integer in 0 .. 2^53 - 1. */
export function checkSeed(seed: number): void {
  check(
    Number.isSafeInteger(seed) && seed >= 0,
    'value',
    () => `seed: expected an integer from 0 to 2^53 - 1, got ${String(seed)}`,
  );
}

/** Words of one stream, in order. A stream is named by a seed and up to three integers below 2^32. */
export class Stream {
  readonly #words = new Uint32Array(4);
  readonly #key0: number;
  readonly #key1: number;
  #block = 0;
  #used = 4;

  constructor(
    seed: number,
    readonly a = 0,
    readonly b = 0,
    readonly c = 0,
  ) {
    checkSeed(seed);
    this.#key0 = seed >>> 0;
    this.#key1 = Math.floor(seed / 4294967296);
  }

  /** The next word: a uniform integer in 0 .. 2^32 - 1. */
  word(): number {
    if (this.#used === 4) {
      philox(this.#block++, this.a, this.b, this.c, this.#key0, this.#key1, this.#words);
      this.#used = 0;
    }
    return this.#words[this.#used++];
  }

  /** A uniform integer in 0 .. n - 1, without bias; 1 <= n <= 2^32. */
  below(n: number): number {
    const limit = 4294967296 - (4294967296 % n);
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % n;
  }

  /** A uniform number in [low, high): one word, exactly rounded operations only. */
  between(low: number, high: number): number {
    return low + (high - low) * (this.word() / 4294967296);
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.word() / 4294967296 < p;
  }
}

/** 0 .. n - 1 in random order (Fisher-Yates), depending only on n, the seed and the stream's name. */
export function permutation(n: number, seed: number, a = 0, b = 0, c = 0): Int32Array {
  const stream = new Stream(seed, a, b, c);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = stream.below(i + 1);
    const swapped = order[i];
    order[i] = order[j];
    order[j] = swapped;
  }
  return order;
}

/**
 * `count` of the samples with these labels, as positions in ascending order: each class within one sample of its share,
 * chosen by the seed and the stream.
 * @throws LetheError 'value' where there are fewer than `count`.
 */
export function stratified(labels: ArrayLike<number>, count: number, seed: number, stream = 0): Int32Array {
  check(
    Number.isInteger(count) && count >= 1 && count <= labels.length,
    'value',
    () => `sample size: expected an integer from 1 to ${labels.length}, got ${count}`,
  );
  const byClass = new Map<number, number[]>();
  for (const p of permutation(labels.length, seed, stream, 0, 0x73747261)) {
    const members = byClass.get(labels[p]);
    if (members) members.push(p);
    else byClass.set(labels[p], [p]);
  }
  // The i-th of a class of n stands at (i + 1/2) / n: the first `count` of this order are an even share of each.
  const ranked: { place: number; label: number; position: number }[] = [];
  for (const [label, members] of byClass) {
    members.forEach((position, i) => {
      ranked.push({ place: (i + 0.5) / members.length, label, position });
    });
  }
  ranked.sort((a, b) => a.place - b.place || a.label - b.label);
  return Int32Array.from(ranked.slice(0, count), (r) => r.position).sort();
}
