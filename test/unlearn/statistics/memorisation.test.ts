// Memorisation on small tables whose answer is counted by hand, and on simulated models with a known truth.
import { expect, test } from 'vitest';
import { Stream } from '../../../unlearn/random.ts';
import { memorisation } from '../../../unlearn/statistics/memorisation.ts';

test('shares of right answers with the sample and without it', () => {
  // Columns: learned by heart, known anyway, never right, right only without, always trained on, never trained on.
  const members = [
    [1, 1, 1, 1, 1, 0],
    [1, 0, 1, 0, 1, 0],
    [0, 1, 0, 1, 1, 0],
    [0, 0, 0, 0, 1, 0],
  ];
  const hits = [
    [1, 1, 0, 0, 1, 1],
    [1, 1, 0, 1, 0, 1],
    [0, 1, 0, 0, 1, 0],
    [1, 1, 0, 1, 1, 1],
  ];
  const { scores, inside, outside, noise } = memorisation(hits, members);
  expect([...scores]).toEqual([0.5, 0, 0, -1, Number.NaN, Number.NaN]);
  expect([...inside]).toEqual([1, 1, 0, 0, 0.75, Number.NaN]);
  expect([...outside]).toEqual([0.5, 1, 0, 1, Number.NaN, 0.75]);
  // Two models inside and two outside: sqrt(1 / 8 + 1 / 8).
  expect([...noise]).toEqual([0.5, 0.5, 0.5, 0.5, Number.NaN, Number.NaN]);
});

test('of simulated models it finds the truth, and its error is within the stated noise', () => {
  const stream = new Stream(3);
  const [models, size] = [64, 400];
  const truth = Array.from({ length: size }, () => {
    const outside = stream.between(0, 1);
    return { outside, inside: stream.between(outside, 1) };
  });
  const members = Array.from({ length: models }, () => Uint8Array.from(truth, () => stream.word() & 1));
  const hits = members.map((of) =>
    Uint8Array.from(of, (member, i) => Number(stream.chance(member ? truth[i].inside : truth[i].outside))),
  );
  const { scores, noise } = memorisation(hits, members);
  const errors = truth.map(({ inside, outside }, i) => (scores[i] - (inside - outside)) / noise[i]);
  const mean = errors.reduce((a, b) => a + b, 0) / size;
  const square = errors.reduce((a, b) => a + b * b, 0) / size;
  // Each error has mean 0 and at most variance 1: four standard errors of a mean of 400, 4 / sqrt(400).
  expect(Math.abs(mean)).toBeLessThan(0.2);
  expect(square).toBeLessThan(1);
  // The bound is not idle: of these shares the variance is more than a third of it.
  expect(square).toBeGreaterThan(1 / 3);
});

test('no models give no scores; lists that disagree are refused', () => {
  expect(memorisation([], []).scores).toHaveLength(0);
  expect(() => memorisation([[1, 0]], [])).toThrow(RangeError);
  expect(() => memorisation([[1, 0]], [[1]])).toThrow(/2 samples each, got 1 and 1 models/);
});
