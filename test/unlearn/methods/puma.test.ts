// PUMA on a convex loss, against re-fits with the weights it chose; how weights are chosen is reweight.test.ts.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { makeSplit, takeSplit } from '../../../unlearn/data/split.ts';
import { influence } from '../../../unlearn/influence.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { pictures } from '../../../unlearn/tasks/denoising.ts';
import { tasks } from '../../../unlearn/tasks/index.ts';
import { cloud, flatOf, lossOn, PENALTY, regression, softmaxModel, variablesOf } from '../convex.ts';
import { disposeAll, valuesOf } from '../problems.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const N = 120;
const data = cloud(N, 3);
const validation = cloud(60, 4);
const model = softmaxModel();
const fitter = regression(data);
const w = fitter.fit();
const solve = { damping: PENALTY, tolerance: 1e-12, iterations: 60, batchSize: 120 } as const;
/** One step of first order, as in the paper. */
const exact = { ...solve, steps: 1, secondOrder: false } as const;
const splitAt = (gone: readonly number[]) => {
  const kept = [...Array(N).keys()].filter((i) => !gone.includes(i));
  return { forget: takeSplit(data, gone), retain: takeSplit(data, kept), kept };
};
const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.hypot(...Array.from(a, (v, i) => v - b[i]));

/** The method's result beside what is known of it. */
async function run(gone: readonly number[], options: Parameters<typeof methods.puma>[0] = {}) {
  const { forget, retain, kept } = splitAt(gone);
  const variables = variablesOf(w);
  const input = { model, variables, forget, retain, validation, key: lt.random.key(1) };
  const result = await methods.puma({ ...exact, ...options }).unlearn(input);
  const after = await flatOf(result.variables);
  disposeAll(result.variables);
  return { ...result, after, kept, details: result.details as unknown as Details };
}
interface Details {
  criteria: { before: number; after: number; changePredicted: number; changeByRemovalAlone: number }[];
  steps: { reweighted: number; norm: number; largest: number; residuals: number[]; indefinite: boolean }[];
}
/** The points of largest phi: leaving one out makes the loss on the validation samples larger. */
async function mostHelpful(count: number) {
  const phi = await influence({ model, variables: variablesOf(w), data, criterion: validation, ...exact });
  return { phi, gone: [...phi.keys()].sort((a, b) => phi[b] - phi[a]).slice(0, count) };
}

describe('the step', () => {
  test('removal alone is H^-1 of the mean gradient, and nearly the re-fit', async () => {
    const { after, details, cost } = await run([7], { solver: 'none' });
    const refit = fitter.fit(
      Float64Array.from({ length: N }, (_, i) => (i === 7 ? 0 : 1)),
      w,
    );
    expect(distance(after, refit)).toBeLessThan(0.05 * distance(w, refit));
    // To the first order in the weight: a re-fit with 1e-4 of the removal, times 1e4.
    const little = fitter.fit(
      Float64Array.from({ length: N }, (_, i) => (i === 7 ? 1 - 1e-4 : 1)),
      w,
    );
    after.forEach((v, k) => expect(v - w[k]).toBeCloseTo(1e4 * (little[k] - w[k]), 5));
    const [{ residuals, reweighted, indefinite }] = details.steps;
    for (const residual of residuals) expect(residual).toBeLessThan(1e-10);
    expect([reweighted, indefinite]).toEqual([0, false]);
    expect(cost.gradientSteps).toBe(1);
  });

  test('with the curvature of the new weights the step is that of Newton: nearer to the re-fit', async () => {
    const gone = [7, 20, 31];
    const refit = fitter.fit(
      Float64Array.from({ length: N }, (_, i) => (gone.includes(i) ? 0 : 1)),
      w,
    );
    const plain = await run(gone, { solver: 'none' });
    const second = await run(gone, { solver: 'none', secondOrder: true });
    expect(distance(second.after, refit)).toBeLessThan(0.4 * distance(plain.after, refit));
  });

  test('re-weighting: the parameters within 5% of a re-fit with the weights, the criterion where it was', async () => {
    const { phi, gone } = await mostHelpful(1);
    const { after, kept, details } = await run(gone);
    const removal = -phi[gone[0]];
    const square = kept.reduce((sum, i) => sum + phi[i] ** 2, 0);
    const weights = Float64Array.from({ length: N }, (_, i) =>
      gone.includes(i) ? 0 : 1 - (phi[i] * removal) / square,
    );
    const refit = fitter.fit(weights, w);
    expect(distance(after, refit)).toBeLessThan(0.05 * distance(w, refit));
    const [{ before, after: seen, changePredicted, changeByRemovalAlone }] = details.criteria;
    expect(before).toBeCloseTo(lossOn(w, validation), 9);
    expect(seen).toBeCloseTo(lossOn(after, validation), 9);
    expect(changeByRemovalAlone).toBeCloseTo(phi[gone[0]] / N, 9);
    expect(Math.abs(changePredicted)).toBeLessThan(1e-6 * changeByRemovalAlone);
    expect(Math.abs(seen - before)).toBeLessThan(0.1 * changeByRemovalAlone);
    expect(details.steps[0].reweighted).toBe(N - 1);
  });

  test('5% most helpful points: re-weighted, the criterion moves by less than a tenth of what removal does', async () => {
    const { gone } = await mostHelpful(6);
    const plain = await run(gone, { solver: 'none' });
    const change = ({ after }: { after: Float64Array }) => lossOn(after, validation) - lossOn(w, validation);
    expect(change(plain)).toBeGreaterThan(0);
    const refit = fitter.fit(
      Float64Array.from({ length: N }, (_, i) => (gone.includes(i) ? 0 : 1)),
      w,
    );
    expect(change({ after: refit })).toBeGreaterThan(0.5 * change(plain));
    for (const solver of ['minimumNorm', 'ridge', 'l1', 'sgd'] as const)
      expect(Math.abs(change(await run(gone, { solver }))), solver).toBeLessThan(0.1 * change(plain));
  });

  test('l1: few points, no weight beyond the bound; ridge and sgd leave the share mu over', async () => {
    const { gone } = await mostHelpful(6);
    const l1 = (await run(gone, { solver: 'l1', bound: 0.5 })).details;
    expect(l1.steps[0].reweighted).toBeLessThan(30);
    expect(l1.steps[0].largest).toBeCloseTo(0.5, 10);
    await expect(run(gone, { solver: 'l1', bound: 0.001 })).rejects.toThrow(/allow larger ones/);
    for (const [solver, share] of [
      ['ridge', 0.1 / 1.1],
      ['sgd', 0.1],
    ] as const) {
      const [{ changePredicted, changeByRemovalAlone }] = (await run(gone, { solver, mu: 0.1, bound: 1e6 }))
        .details.criteria;
      expect(changePredicted / changeByRemovalAlone, solver).toBeCloseTo(share, 2);
    }
  });

  test('one dense layer has a convex loss: by default ten steps of second order; other networks one of first', async () => {
    const gone = [...Array(10).keys()];
    const { forget, retain } = splitAt(gone);
    const quick = { ...solve, iterations: 2 };
    const of = async (options: object) => {
      const input = { model, variables: variablesOf(w), forget, retain, validation, key: lt.random.key(1) };
      const { variables, details } = await methods.puma({ ...quick, ...options }).unlearn(input);
      return { after: await flatOf(variables), parts: (details as unknown as Details).steps.length };
    };
    const usual = await of({});
    expect(usual).toEqual(await of({ steps: 10, secondOrder: true }));
    expect(usual.parts).toBe(10);
    const deep = lt.nn.mlp({ classes: 3, hidden: [4] });
    const input = { model: deep, variables: deep.init(lt.random.key(1), [1, ...data.shape]), forget, retain };
    const { details } = await methods
      .puma({ iterations: 3, solver: 'none' })
      .unlearn({ ...input, key: lt.random.key(1) });
    expect((details as unknown as Details).steps).toHaveLength(1);
  });

  test('eta scales the step', async () => {
    const [one, two] = [await run([7, 8]), await run([7, 8], { eta: 2 })];
    two.after.forEach((v, k) => expect(v - w[k]).toBeCloseTo(2 * (one.after[k] - w[k]), 12));
    const none = await run([7, 8], { eta: 0 });
    expect(none.after).toEqual(w);
  });

  test('in parts, with influences anew for each: nearer to the re-fit', async () => {
    const { gone } = await mostHelpful(24);
    const refit = fitter.fit(
      Float64Array.from({ length: N }, (_, i) => (gone.includes(i) ? 0 : 1)),
      w,
    );
    const far = [];
    for (const steps of [1, 4]) {
      const { after, details } = await run(gone, { solver: 'none', steps });
      expect(details.steps).toHaveLength(steps);
      far.push(distance(after, refit));
    }
    expect(far[1]).toBeLessThan(0.5 * far[0]);
  });

  test('in parts: what the parts before moved the criterion by is made up for', async () => {
    const { gone } = await mostHelpful(12);
    const [one, four] = [await run(gone), await run(gone, { steps: 4 })];
    const moved = ({ details }: typeof one) =>
      Math.abs(details.criteria[0].after - details.criteria[0].before);
    expect(moved(four)).toBeLessThan(0.2 * moved(one));
  });

  test('a criterion for each class: all stay; without validation samples what is kept is judged by', async () => {
    const { gone } = await mostHelpful(6);
    const { details } = await run(gone, { criteria: 'classes' });
    expect(details.criteria).toHaveLength(3);
    const total = (key: 'changePredicted' | 'changeByRemovalAlone') =>
      details.criteria.reduce((sum, one) => sum + Math.abs(one[key]), 0);
    expect(total('changePredicted')).toBeLessThan(1e-5 * total('changeByRemovalAlone'));
    const { forget, retain } = splitAt(gone);
    const variables = variablesOf(w);
    const result = await methods
      .puma(exact)
      .unlearn({ model, variables, forget, retain, key: lt.random.key(1) });
    expect((result.details as unknown as Details).criteria[0].before).toBeCloseTo(lossOn(w, retain), 9);
    expect(await valuesOf(variables)).toEqual(await valuesOf(variablesOf(w)));
  });

  test('a task without classes has criteria, too, but not one for each class', async () => {
    const bytes = (seed: number) => Uint8Array.from({ length: 3 * 1024 }, (_, i) => (i * seed) % 251);
    const set = (seed: number) =>
      pictures(makeSplit({ shape: [32, 32, 1], images: bytes(seed), labels: new Int32Array(3) }));
    const denoiser = lt.nn.sequential({ conv: lt.nn.conv2d(1, { padding: 1 }) });
    const variables = denoiser.init(lt.random.key(1), [1, 16, 16, 2]);
    const input = { model: denoiser, variables, forget: set(7), retain: set(11), key: lt.random.key(1) };
    const task = tasks.denoising;
    const { details } = await methods.puma({ damping: 1 }).unlearn({ ...input, task });
    const [{ changePredicted, changeByRemovalAlone }] = (details as unknown as Details).criteria;
    expect(Math.abs(changePredicted)).toBeLessThan(1e-5 * Math.abs(changeByRemovalAlone));
    await expect(methods.puma({ criteria: 'classes' }).unlearn({ ...input, task })).rejects.toThrow(
      /for the task classification, got denoising/,
    );
  });
});
