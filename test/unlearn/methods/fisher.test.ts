// The three variants of Fisher forgetting against their formulas, with the same random numbers; the class that is reset.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { accuracyOn, CLASSES, cut, stripes, tinyMlp } from '../problems.ts';
import { byLabel, flat, forward, mean, model, type Sample, square, sumOf, variables } from '../regression.ts';
import { problem } from './kit.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const data = stripes(14);
const wholeClass = cut(data, 2);
/** Every class stays. */
const some = {
  forget: takeSplit(data, [0, 2, 4]),
  retain: takeSplit(data, [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
};
const classes = [...Array(CLASSES).keys()];

const information = {
  official: (all: Sample[]) => mean(all.map((s) => sumOf(classes.map((y) => square(byLabel(s, y), s.p[y]))))),
  batch: (all: Sample[]) =>
    sumOf(classes.map((y) => square(mean(all.map((s) => byLabel(s, y))), mean(all.map((s) => s.p))[y]))),
  empirical: (all: Sample[]) => mean(all.map((s) => square(byLabel(s, s.y)))),
};

describe.each(['official', 'batch', 'empirical'] as const)('%s', (variant) => {
  test.each([
    ['a class', 'inverse', wholeClass, [2]],
    ['some samples', 'root', some, []],
  ] as const)('%s, variance %s', async (_, variance, { forget, retain }, gone: readonly number[]) => {
    const v = variables();
    const key = lt.random.key(9);
    const alpha = 1e-6;
    const input = { model, variables: v, forget, retain, key };
    const options = { variant, variance, alpha, batchSize: 100 };
    const { variables: after, details, cost } = await methods.fisher(options).unlearn(input);
    const [before, now] = [await flat(v.params), await flat(after.params)];
    // The draws: a key for each parameter, in the order of paths (bias, weight).
    const keys = lt.random.split(key, 2);
    const draws = [
      ...(await lt.random.normal(keys[1], [36, CLASSES]).data()),
      ...(await lt.random.normal(keys[0], [CLASSES]).data()),
    ];
    const F = information[variant](await forward(retain, v));
    const scaled = (inverse: number) => (variance === 'root' ? Math.sqrt(alpha * inverse) : alpha * inverse);
    const clamped = F.map((f) => scaled(Math.min(1 / (f + 1e-8), 1e2)));
    // Over the inputs of a class: every CLASSES-th of the 36 rows.
    const even = (k: number) => mean(Array.from({ length: 36 }, (_, j) => [clamped[CLASSES * j + k]]))[0];
    now.forEach((value, j) => {
      const [bias, k] = [j >= 36 * CLASSES, j % CLASSES];
      let [centre, deviation] = [before[j], 0];
      if (variant === 'empirical') deviation = Math.min(Math.sqrt(scaled(1 / F[j])), 1e-3) * (bias ? 10 : 1);
      else {
        const lost = gone.includes(k);
        if (lost) centre = 0;
        deviation = Math.sqrt(10 * (lost ? 1e-4 : bias ? clamped[j] : even(k)));
      }
      expect(Math.abs(value - centre - deviation * draws[j])).toBeLessThan(1e-11);
    });
    expect(details.resetClasses).toEqual(variant === 'empirical' ? [] : gone);
    expect(cost.samplesVisited).toBe((variant === 'empirical' ? 1 : CLASSES) * retain.size);
  });
});

test('noise forgets a class, or several, and leaves what depends little on the noisy weights', async () => {
  await lt.init({ device: 'reference' });
  const input = await problem(tinyMlp(), 15);
  const kept = cut(stripes(72), 0);
  const cases = [
    { sets: input, alpha: 3e-4, gone: [1] },
    { sets: { ...input, forget: kept.retain, retain: kept.forget }, alpha: 1e-2, gone: [1, 2] },
  ];
  for (const { sets, alpha, gone } of cases) {
    const { variables: after, details } = await methods.fisher({ alpha }).unlearn(sets);
    expect(details.resetClasses).toEqual(gone);
    expect(await accuracyOn(input.model, after, sets.forget)).toBeLessThan(20);
    expect(await accuracyOn(input.model, after, sets.retain)).toBeGreaterThan(80);
  }
});
