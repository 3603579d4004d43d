// SSD's rule by the definition, and what it comes to.
import { expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { accuracyOn, cut, stripes, tinyMlp } from '../problems.ts';
import { byLabel, chain, flat, forward, mean, model, type Sample, variables } from '../regression.ts';
import { problem } from './kit.ts';

test.each([
  ['loss', {}],
  ['loss', { alpha: 2, lambda: 0.5, exponent: 2 }],
  ['output', { alpha: 1, lambda: 3, lowerBound: 0.7 }],
] as const)(
  'importance by the %s, %o: theta min((lambda F_D / F_f)^exponent, lowerBound)',
  async (kind, given) => {
    await lt.init({ device: 'reference', dtype: 'float64' });
    const data = stripes(14);
    const { forget, retain } = cut(data, 2);
    const v = variables();
    const input = { model, variables: v, forget, retain, key: lt.random.key(1) };
    // One batch of each set, so that no order matters.
    const options = { alpha: 1.5, importance: kind, batchSize: 100, ...given };
    const after = await methods.ssd(options).unlearn(input);

    const gradient = (s: Sample) =>
      kind === 'loss'
        ? byLabel(s, s.y)
        : chain(
            s,
            s.z.map((z) => 2 * z),
          );
    const importance = async (of: typeof data) =>
      mean((await forward(of, v)).map(gradient)).map((g) => (kind === 'loss' ? g * g : Math.abs(g)));
    const [all, own, before, now] = [
      await importance(data),
      await importance(forget),
      await flat(v.params),
      await flat(after.variables.params),
    ];
    const { alpha, lambda, exponent, lowerBound } = methods.ssd(options).options;
    let dampened = 0;
    now.forEach((value, j) => {
      const hit = own[j] > alpha * all[j];
      if (hit) dampened++;
      const factor = hit ? Math.min(((lambda * all[j]) / own[j]) ** exponent, lowerBound) : 1;
      expect(Math.abs(value - before[j] * factor)).toBeLessThan(1e-9);
    });
    expect(dampened).toBeGreaterThan(0);
    expect(dampened).toBeLessThan(now.length);
    expect(after.details).toEqual({ dampened, share: dampened / now.length });
    expect(after.cost).toMatchObject({ gradientSteps: 1, samplesVisited: 14 + forget.size });
  },
);

test('it forgets a class, or two at once, and keeps the rest', async () => {
  await lt.init({ device: 'reference' });
  const input = await problem(tinyMlp(), 15);
  const { variables: one } = await methods.ssd({ alpha: 3, lambda: 0.3 }).unlearn(input);
  expect(await accuracyOn(input.model, one, input.forget)).toBeLessThan(40);
  expect(await accuracyOn(input.model, one, input.retain)).toBeGreaterThan(80);
  // Everything but class 0.
  const two = cut(stripes(72), 0);
  const swapped = { ...input, forget: two.retain, retain: two.forget };
  const { variables: both } = await methods.ssd({ alpha: 1.2, lambda: 0.3 }).unlearn(swapped);
  expect(await accuracyOn(input.model, both, swapped.forget)).toBeLessThan(40);
  expect(await accuracyOn(input.model, both, swapped.retain)).toBeGreaterThan(80);
});
