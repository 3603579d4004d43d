// The examples run, do what they say, and leave no device open.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeCpu } from './native/support.ts';

const folder = fileURLToPath(new URL('../examples/', import.meta.url));

beforeAll(() => {
  process.env.LETHE_QUICK = '1';
  for (const method of ['log', 'table'] as const)
    vi.spyOn(console, method).mockImplementation(() => undefined);
});
afterAll(() => {
  delete process.env.LETHE_QUICK;
  vi.restoreAllMocks();
});

const example = (name: string): Promise<Record<string, unknown>> => import(`${folder}${name}.js`);

test('every example is tested', () => {
  expect(readdirSync(folder).filter((f) => /\.m?js$/.test(f))).toEqual([
    'forget-class.js',
    'hvp.js',
    'next-best.mjs',
    'per-sample-gradients.js',
    'train-cnn.js',
  ]);
});

// On the reference they would take hours.
describeCpu('examples', () => {
  test('train-cnn learns', async () => {
    const { accuracy } = await example('train-cnn');
    expect(accuracy).toBeGreaterThan(25);
  });

  test('per-sample gradients average to the batch gradient', async () => {
    const { difference } = await example('per-sample-gradients');
    expect(difference).toBeLessThan(1e-5);
  });

  test('the curvature is that of differences of gradients', async () => {
    const { curvature, difference } = (await example('hvp')) as { curvature: number; difference: number };
    expect(curvature).toBeGreaterThan(0);
    expect(Math.abs(curvature - difference)).toBeLessThan(0.02 * curvature);
  });

  test('forgetting a class with the library', async () => {
    const { table } = (await example('forget-class')) as { table: Record<string, Record<string, number>> };
    expect(Object.keys(table)).toEqual(['original', 'retrain', 'finetune', 'boundaryShrink']);
    expect(table.retrain['stars, test']).toBe(0);
  });
});
