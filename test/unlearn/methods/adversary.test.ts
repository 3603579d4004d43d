// Adversarial images against the same search in plain numbers, and what must hold of any.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import { type AdversaryOptions, adversary } from '../../../unlearn/methods/adversary.ts';
import { predict } from '../../../unlearn/predict.ts';
import { problem } from './kit.ts';
import { chased, linearProblem, logitsOf, pixelsOf, weightsOf } from './linear.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

describe('the search', () => {
  test.each<[string, AdversaryOptions, boolean?]>([
    ['within a ball', { norm: 'l2', radius: 0.5, share: 0.3, steps: 5 }],
    ['within a box', { norm: 'linf', radius: 0.05, share: 0.4, steps: 4 }],
    ['towards a class', { norm: 'l2', radius: 2, share: 0.1, steps: 12, targeted: true }],
    ['from somewhere else', { norm: 'l2', radius: 1, share: 0.1, steps: 3 }, true],
    ['until it errs', { norm: 'l2', radius: 0.6, share: 0.1, steps: 15, stop: true }],
    [
      'until it errs, with radii that double',
      { norm: 'l2', radius: 0.02, share: 0.25, steps: 6, stop: true, doublings: 9 },
    ],
  ])('%s goes where plain numbers go', async (_, options, elsewhere = false) => {
    const { model, variables, forget } = linearProblem(30);
    const w = await weightsOf(variables);
    // What the network answers, or the class after it.
    const labels = Int32Array.from(pixelsOf(forget), (x) => {
      const z = logitsOf(w, x);
      return (z.indexOf(Math.max(...z)) + (options.targeted ? 1 : 0)) % 3;
    });
    const search = adversary(model, options);
    // A last batch that is not full.
    const start = (position: number) =>
      Float32Array.from({ length: 36 }, (_, j) => ((position + 5 * j) % 11) / 10);
    const how = { batchSize: 4, start: elsewhere ? start : undefined };
    const found = await search.find(variables, forget, labels, how);
    search.dispose();
    const radii = new Set<number>();
    pixelsOf(forget).forEach((x, i) => {
      const plain = chased(w, x, labels[i], { ...options, start: elsewhere ? [...start(i)] : undefined });
      const image = found.images.subarray(36 * i, 36 * (i + 1));
      // float32 beside float64, over the steps.
      image.forEach((v, j) => expect(Math.abs(v - plain.x[j])).toBeLessThan(1e-5));
      expect(found.predicted[i]).toBe(plain.predicted);
      expect(found.radii[i]).toBeCloseTo(plain.radius, 6);
      radii.add(found.radii[i]);
    });
    if (options.doublings) expect(radii.size).toBeGreaterThan(1);
    else if (!options.stop) expect(found.visited).toBe(forget.size * (options.steps + 1));
  });

  test('stays in the radius and in [0, 1], finds another class, and does not depend on the batches', async () => {
    const { model, variables, forget } = await problem();
    const options = { norm: 'l2', radius: 0.1, share: 0.2, steps: 10, stop: true, doublings: 8 } as const;
    const search = adversary(model, options);
    const leaks = await lt.findLeaks(async () => {
      const found = await search.find(variables, forget, forget.labels);
      const logits = await predict(model, variables, forget);
      pixelsOf(forget).forEach((x, i) => {
        const image = [...found.images.subarray(36 * i, 36 * (i + 1))];
        const far = Math.sqrt(image.reduce((sum, v, j) => sum + (v - x[j]) ** 2, 0));
        expect(far).toBeLessThanOrEqual(found.radii[i] * (1 + 1e-5));
        for (const v of image) expect(v >= 0 && v <= 1).toBe(true);
        expect(found.predicted[i]).not.toBe(forget.labels[i]);
        const own = [...logits.subarray(3 * i, 3 * i + 3)];
        // What the network errs on already is left as it is.
        if (own.indexOf(Math.max(...own)) !== forget.labels[i]) expect(far).toBe(0);
      });
      const few = takeSplit(forget, [5, 2]);
      const again = await search.find(variables, few, few.labels);
      const both = [5, 2].flatMap((i) => [...found.images.subarray(36 * i, 36 * (i + 1))]);
      again.images.forEach((v, j) => expect(Math.abs(v - both[j])).toBeLessThan(1e-5));
    });
    search.dispose();
    expect(leaks).toEqual([]);
  });
});
