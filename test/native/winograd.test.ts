// Convolutions large enough for Winograd's transforms: how far they may be from the exact ones, and that the exact
// switch is exact.
import { afterAll, expect, test } from 'vitest';
import * as lt from '../../index.ts';
import { hasCpu } from './support.ts';

afterAll(() => lt.close());

const shapes = [
  { n: 2, h: 8, c: 32, o: 32 },
  { n: 1, h: 7, c: 48, o: 64 },
  { n: 3, h: 5, c: 64, o: 96 },
  { n: 16, h: 16, c: 32, o: 64 },
];

async function products(
  exact: boolean,
  s: (typeof shapes)[number],
  poison?: number,
): Promise<Float32Array[]> {
  await lt.init({ device: 'cpu', exact });
  const [a, b, d] = lt.random.split(lt.random.key(s.c), 3);
  const pixels = (await lt.random.normal(a, [s.n, s.h, s.h, s.c]).data()) as Float32Array;
  if (poison !== undefined) pixels[0] = poison;
  const x = lt.tensor(pixels, { shape: [s.n, s.h, s.h, s.c] });
  const w = lt.random.normal(b, [3, 3, s.c, s.o]);
  const dy = lt.random.normal(d, [s.n, s.h, s.h, s.o]);
  const [y, pullback] = lt.vjp((p: lt.Tensor, q: lt.Tensor) => lt.conv2d(p, q, { padding: 1 }), x, w);
  return Promise.all([y, ...pullback(dy)].map((t: lt.Tensor) => t.data() as Promise<Float32Array>));
}

test.skipIf(!hasCpu).each(shapes)(
  '$n images of $h pixels, $c to $o channels: within 1e-5 of the largest value',
  async (s) => {
    const fast = await products(false, s);
    const exact = await products(true, s);
    fast.forEach((y, k) => {
      const top = exact[k].reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      const worst = y.reduce((m, v, i) => Math.max(m, Math.abs(v - exact[k][i])), 0);
      expect(worst).toBeLessThan(1e-5 * top);
    });
  },
);

test.skipIf(!hasCpu)('a NaN reaches only the results that see it, if exactness is asked for', async () => {
  const [exact] = await products(true, shapes[0], Number.NaN);
  const [fast] = await products(false, shapes[0], Number.NaN);
  const seen = (y: Float32Array) => y.reduce((n, v) => n + (Number.isNaN(v) ? 1 : 0), 0);
  // The pixel in the corner is seen by 2x2 results in each of 32 channels.
  expect(seen(exact)).toBe(4 * 32);
  expect(seen(fast)).toBeGreaterThanOrEqual(4 * 32);
});
