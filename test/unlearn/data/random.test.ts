import { describe, expect, it } from 'vitest';
import { permutation, philox, Stream } from '../../../unlearn/random.ts';
import { refuses } from './helpers.ts';

const hex = (words: Uint32Array) => Array.from(words, (w) => w.toString(16).padStart(8, '0')).join(' ');

describe('Philox4x32-10', () => {
  // Random123, tests/kat_vectors: counter, key, output.
  const known = [
    ['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    ['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    ['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ];
  it.each(known)('counter %s key %s', (counter, key, output) => {
    const [c0, c1, c2, c3] = counter.split(' ').map((w) => Number.parseInt(w, 16));
    const [k0, k1] = key.split(' ').map((w) => Number.parseInt(w, 16));
    const out = new Uint32Array(4);
    philox(c0, c1, c2, c3, k0, k1, out);
    expect(hex(out)).toBe(output);
  });
});

describe('Stream', () => {
  it('gives the words of consecutive counters, and streams of other names differ', () => {
    const out = new Uint32Array(4);
    const stream = new Stream(2 ** 40 + 5, 1, 2, 3);
    const words = Uint32Array.from({ length: 8 }, () => stream.word());
    philox(1, 1, 2, 3, 5, 2 ** 8, out);
    expect(hex(words.subarray(4))).toBe(hex(out));
    expect(new Stream(2 ** 40 + 5, 1, 2, 4).word()).not.toBe(words[0]);
  });

  it('is even: chi-square of below(10) over 20,000 draws is below its 0.999 quantile, 27.9', () => {
    const stream = new Stream(3);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) counts[stream.below(10)]++;
    const chi = counts.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0);
    expect(chi).toBeLessThan(27.9);
  });

  it('refuses a seed that is no integer', () =>
    refuses(() => new Stream(0.5), 'value', /^seed: expected an integer from 0 to 2\^53 - 1, got 0\.5$/));
});

describe('permutation', () => {
  it('holds every index once, the same for the same seed', () => {
    const order = permutation(1000, 7);
    expect([...order].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
    expect(permutation(1000, 7)).toEqual(order);
    expect(permutation(1000, 8)).not.toEqual(order);
    expect([...permutation(0, 1)]).toEqual([]);
  });
});
