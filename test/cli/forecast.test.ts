// How long a run has still to go, told by plans that are wrong and by progress that is right.

import { describe, expect, it } from 'vitest';
import { Forecast } from '../../cli/forecast.ts';
import type { RunEvent } from '../../unlearn/run/log.ts';

interface Work {
  readonly id: string;
  /** Seconds, as planned and as it is. */
  readonly planned: [make: number, evaluate: number];
  readonly real: [make: number, evaluate: number];
  readonly state?: 'done' | 'evaluate' | 'resume';
  readonly record?: object;
}

/** Goes through a run; tells at every half second what the forecast says and how long it really is. */
function follow(works: readonly Work[], { fails = '', preparation = false } = {}) {
  const forecast = new Forecast();
  const cells = works.map(({ id, planned: [make, evaluate], state = 'todo', record = null }) => {
    const seconds = state === 'done' ? 0 : state === 'evaluate' ? evaluate : make + evaluate;
    const estimate = { seconds, evaluation: state === 'done' ? 0 : evaluate, bytes: 0 };
    return { id, label: id.slice(7), state, record, estimate };
  });
  forecast.take({ type: 'plan', cells: cells as never }, 0);
  const points: { now: number; said: number | undefined; done: number; cell: string }[] = [];
  let now = 0;
  for (const [i, { id, real, state }] of works.entries()) {
    if (state === 'done') {
      forecast.take({ type: 'skip', cell: id, index: i + 1, total: works.length }, now);
      continue;
    }
    for (const [n, action] of (['train', 'evaluate'] as const).entries()) {
      if (action === 'train' && state === 'evaluate') continue;
      const place = { cell: id, action };
      forecast.take({ type: 'start', ...place, index: i + 1, total: works.length }, now);
      const heard = (progress: object) =>
        forecast.take({ type: 'progress', ...place, progress } as RunEvent, now);
      if (preparation && n === 0) heard({ phase: 'neighbour search', fraction: 0.9 });
      const from = state === 'resume' && n === 0 ? 0.5 : 0;
      for (let at = from * real[n]; at < real[n]; at += 0.5, now += 0.5) {
        heard({ phase: action, fraction: at / real[n], ...(n === 0 ? { epoch: 1, epochs: 2 } : {}) });
        points.push({ now, said: forecast.left(now), done: forecast.done(now), cell: id });
      }
      if (id === fails && n === 0) break;
      forecast.take({ type: 'end', ...place, seconds: real[n] }, now);
    }
  }
  return points.map((p) => ({ ...p, truth: now - p.now }));
}

const seeds = (planned: [number, number], real: [number, number]): Work[] =>
  [0, 1, 2].flatMap((seed) =>
    ['original', 'retrain', 'finetune'].map((label) => ({ id: `seed-${seed}-${label}`, planned, real })),
  );

describe('the time a run has still to go', () => {
  it('is that of the plan before anything was measured', () => {
    const [first] = follow(seeds([30, 2], [30, 2]));
    expect(first.said).toBeCloseTo(9 * 32, 6);
    expect(first.done).toBe(0);
  });

  it('is the true one all along where the plan is right', () => {
    for (const { said, truth } of follow(seeds([30, 2], [30, 2]))) expect(said).toBeCloseTo(truth, 6);
  });

  it('is near the truth soon where all takes three times as long as planned', () => {
    const points = follow(seeds([10, 1], [30, 3]));
    expect(points[0].said).toBeCloseTo(9 * 11, 6);
    // Evaluation is known from the first one on; until then it is a small part.
    for (const { now, said = 0, truth } of points)
      if (now > 2.5) expect(Math.abs(said - truth)).toBeLessThan(0.1 * truth + 3);
  });

  it('takes a method to be as long as it was from the seed before', () => {
    const works = [0, 1].flatMap((seed): Work[] => [
      { id: `seed-${seed}-original`, planned: [20, 1], real: [20, 1] },
      { id: `seed-${seed}-odd`, planned: [5, 1], real: [50, 1] },
    ]);
    for (const { cell, said = 0, truth } of follow(works))
      if (cell.startsWith('seed-1')) expect(said).toBeCloseTo(truth, 6);
  });

  it('knows what is done already, half done, or failed', () => {
    const [original, retrain, ...rest] = seeds([30, 2], [30, 2]);
    const works: Work[] = [
      { ...original, planned: [10, 1], state: 'done', record: { cost: { seconds: 30 } } },
      { ...retrain, state: 'resume' },
      { ...rest[0], state: 'evaluate' },
      ...rest.slice(1),
    ];
    const points = follow(works);
    for (const { now, said = 0, truth } of points) if (now > 2.5) expect(said).toBeCloseTo(truth, 6);
    const failed = follow(seeds([30, 2], [30, 2]), { fails: 'seed-0-finetune' });
    for (const { cell, said, truth } of failed)
      if (!cell.startsWith('seed-0')) expect(said).toBeCloseTo(truth, 6);
  });

  it('does not take a preparation for the whole of a method', () => {
    for (const { said, truth } of follow(seeds([30, 2], [30, 2]), { preparation: true }))
      expect(said).toBeCloseTo(truth, 6);
  });

  it('is not told without a plan and before there is progress', () => {
    const forecast = new Forecast();
    expect(forecast.left(0)).toBeUndefined();
    forecast.take({ type: 'start', cell: 'a', action: 'train', index: 1, total: 1 }, 0);
    expect(forecast.left(1)).toBeUndefined();
    for (const [now, fraction] of [
      [1, 0],
      [11, 0.25],
    ])
      forecast.take(
        { type: 'progress', cell: 'a', action: 'train', progress: { phase: 'train', fraction } },
        now,
      );
    expect(forecast.left(11)).toBeCloseTo(30, 6);
    expect(forecast.done(11)).toBe(0.25);
  });
});

it('a preparation is a part of its own, known from the first seed on', () => {
  const forecast = new Forecast();
  const cell = (seed: number) => ({
    id: `seed-${seed}-sisa`,
    label: 'sisa',
    state: 'todo',
    record: null,
    prepared: {},
    isPrepared: false,
    estimate: { seconds: 22, evaluation: 2, bytes: 0 },
  });
  forecast.take({ type: 'plan', cells: [cell(0), cell(1)] as never }, 0);
  expect(forecast.left(0)).toBe(44);
  let now = 0;
  for (const [action, seconds] of [
    ['prepare', 10],
    ['unlearn', 4],
    ['evaluate', 2],
  ] as const) {
    forecast.take({ type: 'start', cell: 'seed-0-sisa', action, index: 1, total: 2 }, now);
    now += seconds;
    forecast.take({ type: 'end', cell: 'seed-0-sisa', action, seconds }, now);
  }
  expect(forecast.left(now)).toBe(16);
});
