import { expect, it } from 'vitest';
import type { DType } from '../../engine/dtype.ts';
import { logUnit, philox4x32, sinCosTwoPi } from '../../engine/primitives/random-math.ts';
import { describeCpu, runRoot, sameBits, withThreads } from './support.ts';

const key = { shape: [2], dtype: 'uint32' as DType, data: Uint32Array.of(0x12345678, 0x9abcdef0) };

function reference(distribution: string, k: Uint32Array, n: number): Uint32Array | Float32Array {
  const out = distribution === 'bits' ? new Uint32Array(n) : new Float32Array(n);
  for (let block = 0; block * 4 < n; block++) {
    const w = philox4x32([block, 0, 0, 0], k);
    for (let j = 0; j < 4 && block * 4 + j < n; j++) {
      const i = block * 4 + j;
      if (distribution === 'bits') out[i] = w[j];
      else if (distribution === 'uniform') out[i] = (w[j] >>> 8) * 2 ** -24;
      else {
        const pair = j & 2;
        const radius = Math.sqrt(-2 * logUnit(((w[pair] >>> 8) + 1) * 2 ** -24));
        const [sine, cosine] = sinCosTwoPi((w[pair + 1] >>> 8) * 2 ** -24);
        out[i] = radius * (j & 1 ? sine : cosine);
      }
    }
  }
  return out;
}

describeCpu('random', () => {
  it('is Philox4x32-10 (known answers of the Random123 distribution)', () => {
    expect([...philox4x32([0, 0, 0, 0], [0, 0])]).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const ones = 0xffffffff;
    expect([...philox4x32([ones, ones, ones, ones], [ones, ones])]).toEqual([
      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
    ]);
    expect([
      ...philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    ]).toEqual([0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
  });

  it('has an accurate logarithm, sine and cosine', () => {
    for (let k = 1; k <= 2 ** 24; k = Math.ceil(k * 1.0007)) {
      const exact = Math.log(k * 2 ** -24);
      expect(Math.abs(logUnit(k * 2 ** -24) - exact)).toBeLessThanOrEqual(
        4e-16 * Math.max(1e-8, Math.abs(exact)),
      );
    }
    for (let j = 0; j < 2 ** 24; j += 16411) {
      const v = j * 2 ** -24;
      const [s, c] = sinCosTwoPi(v);
      expect(Math.abs(s - Math.sin(2 * Math.PI * v))).toBeLessThan(1e-15);
      expect(Math.abs(c - Math.cos(2 * Math.PI * v))).toBeLessThan(1e-15);
    }
  });

  for (const distribution of ['bits', 'uniform', 'normal']) {
    it(`${distribution}: the native version gives the same bits as TypeScript, a million times`, async () => {
      const shape = [1_000_003];
      const dtype: DType = distribution === 'bits' ? 'uint32' : 'float32';
      const want = reference(distribution, key.data, shape[0]);
      for (const threads of [1, 2]) {
        const got = await withThreads(threads, (b) =>
          runRoot(b, 'random', { shape, distribution }, [key], [{ shape, dtype }]),
        );
        expect(sameBits(got, [want])).toBe(true);
      }
    });
  }

  it('treats every key on its own', async () => {
    const keys = { shape: [3, 2], dtype: 'uint32' as DType, data: Uint32Array.of(1, 2, 3, 4, 5, 6) };
    const [got] = await withThreads(2, (b) =>
      runRoot(
        b,
        'random',
        { shape: [5, 3], distribution: 'normal' },
        [keys],
        [{ shape: [3, 5, 3], dtype: 'float32' }],
      ),
    );
    for (let k = 0; k < 3; k++)
      expect(got.slice(k * 15, k * 15 + 15)).toEqual(
        reference('normal', keys.data.slice(2 * k, 2 * k + 2), 15),
      );
  });
});
