// PUMA: take samples away and give the others other weights, so that what the model is judged by stays as it is. With J
// the mean loss over all n training samples, g_i a sample's gradient and H the curvature of J, adding sum lambda_i l_i to J
// moves the weights by -H^-1 G lambda and a criterion C by -phi^T lambda, phi_i = g_i^T H^-1 grad C (../influence.ts).
// Removal is lambda_i = -1/n; the lambda of the others are chosen so that phi^T lambda is about 0 (reweight.ts). Then
//   w' = w - eta (H + damping)^-1 G lambda
// Source: Wu, Hashemi and Srinivasa, AAAI 2022. No code was published; what is ours is said in docs/methods/puma.md.

import { check } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { type Influences, influencesBy } from '../influence.ts';
import { choice, int, num, type OptionsOf, section } from '../options/fields.ts';
import { fraction, opt } from '../options/training.ts';
import { reduction } from '../reduce.ts';
import { byClass } from '../tasks/classification.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Samples, Task, Tensors } from '../tasks/record.ts';
import { weighted, weightedTask } from '../tasks/weighted.ts';
import { type Judge, valueAt } from '../train/criterion.ts';
import { curvatureOf, type Solved } from '../train/curvature.ts';
import { aliasesOf, disposeTree } from '../train/feed.ts';
import { networkOf } from '../train/network.ts';
import { seedOf } from '../train/tune.ts';
import { plus, type Vector } from '../train/vectors.ts';
import type { Split } from '../types.ts';
import { define } from './define.ts';
import { inner, l1, minimumNorm, type Removal, ridge, sgd, steepest } from './reweight.ts';

type Params = Variables['params'];

const options = section(
  'Take samples away and re-weight the others so that performance stays as it is (PUMA).',
  {
    batchSize: opt(int('Samples per pass.', 1, 1_000_000), 256),
    eta: opt(num('Times the step; too long a step leaves the range of the expansion.', 0, 1000), 1),
    criteria: opt(
      choice(
        'What is to stay as it is, on the validation samples, or on what is kept where there are none: `mean`: the mean loss; `classes`: that of each class.',
        ['mean', 'classes'],
      ),
      'mean',
    ),
    solver: opt(
      choice(
        'Weights of the others: `minimumNorm`: the smallest that leave no change; `ridge`: a compromise by `mu`; `l1`: as few as do it within `bound`; `sgd`: by stochastic proximal steps with an l1 penalty; `none`: they keep theirs, removal alone.',
        ['minimumNorm', 'ridge', 'l1', 'sgd', 'none'],
      ),
      'minimumNorm',
    ),
    mu: opt(
      num(
        'Of `ridge` and `sgd`: the share of the change that is about left over, for smaller weights.',
        0,
        1000,
      ),
      0.01,
    ),
    bound: opt(
      num('Of `l1` and `sgd`: how far a weight may go from where it is, in weights of a sample.', 1e-9, 1e9),
      1,
    ),
    steps: opt(int('Removed in this many parts, with influences anew for each.', 1, 10_000), 1),
    product: opt(
      choice(
        'Curvature: `gaussNewton` is never negative, and the Hessian itself where the outputs are linear in the weights; `hessian`: the exact one.',
        ['gaussNewton', 'hessian'],
      ),
      'gaussNewton',
    ),
    damping: opt(num('Added to the diagonal of the curvature.', 0, 1e6), 0.01),
    weightDecay: opt(fraction('Of the L2 penalty that the original was trained with: added likewise.'), 0),
    iterations: opt(int('Conjugate-gradient iterations at most, for each solution.', 1, 10_000), 30),
    tolerance: opt(num('Stop where the residual is this share of the right-hand side.', 0, 1), 1e-3),
  },
);

/** The sizes of sets do not say how many classes there are: for estimates. */
const CLASSES = 10;

export const puma = define({
  name: 'puma',
  title: 'PUMA',
  paper:
    'Wu, Hashemi and Srinivasa, "PUMA: Performance Unchanged Model Augmentation for Training Data Removal", AAAI 2022',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  options,
  inherits: ['weightDecay'],
  search: { eta: { from: 0.1, to: 10, log: true }, damping: { from: 1e-3, to: 1, log: true } },
  cost: ({ forget, retain }, { criteria, iterations, steps }) => {
    const n = forget + retain;
    const solutions = 1 + (criteria === 'mean' ? 1 : CLASSES);
    return {
      train: steps * (retain + n + 2 * solutions * (iterations + 1) * n),
      infer: steps * 2 * n + 2 * retain,
    };
  },
  forgetStatistics: () => false,

  async forget(options, input) {
    const { batchSize, eta, iterations, tolerance } = options;
    const { product, damping, weightDecay } = options;
    const { model, variables, forget, retain, validation, signal, onProgress } = input;
    const base = (input.task ?? defaultTask()) as unknown as Task;
    const { state } = variables;
    const started = performance.now();
    const judges = judgesOf(options.criteria, validation?.size ? validation : retain, base);
    const seed = await seedOf(input.key);
    const n = forget.size + retain.size;
    const steps = Math.min(options.steps, forget.size);
    const set = (weightOf: (i: number) => number) => weighted<Samples>([forget, retain], weightOf);
    const task = weightedTask(base);
    const network = networkOf(model);
    const gradient = reduction(
      (batch: Tensors, p: Params) =>
        lt.grad((at: Params) => task.losses(network, { params: at, state }, batch).losses.sum())(p) as Vector,
      { task, name: 'puma gradient' },
    );
    const moved = lt.jit((p: Params, x: Vector) => plus(p, x, -eta / n) as Params, { name: 'puma step' });
    const how = { batchSize, signal };
    const all = steps * (judges.length + 1) * iterations;
    let done = 0;
    const say = (part: number) => onProgress?.({ phase: 'PUMA', fraction: Math.min(1, part) });
    const solve = { iterations, tolerance, onIteration: () => say(++done / all) };

    /** In units of 1 / n, as lambda and the bound are: 1 is a sample's weight in the mean loss. */
    const weights = new Float64Array(n).fill(1);
    const parts: Part[] = [];
    let samplesVisited = 0;
    let at = { params: aliasesOf(variables.params) as Params, state };
    try {
      for (let step = 0; step < steps; step++) {
        const [from, to] = [step, step + 1].map((k) => Math.floor((k * forget.size) / steps));
        const samples = set((i) => weights[i]);
        const curvature = curvatureOf({
          model,
          task,
          variables: at,
          samples,
          product,
          damping,
          weightDecay,
          ...how,
        });
        const made: unknown[] = [];
        try {
          const by = { model, task, variables: at, data: set(() => 1), criteria: judges, solve, ...how };
          const found = await influencesBy(curvature, by);
          const productsBefore = curvature.samplesVisited;
          const problem: Removal = {
            influences: found.phi.map((row) => row.subarray(forget.size)),
            removal: found.phi.map((row) => -row.subarray(from, to).reduce((a, b) => a + b, 0)),
          };
          const lambda = weightsOf(options, problem, seed);
          const change = (i: number) =>
            i >= forget.size ? lambda[i - forget.size] : i >= from && i < to ? -1 : 0;
          const right = await gradient.sum(set(change), [at.params], how);
          made.push(right);
          const solved = await curvature.solve(right, solve);
          made.push(solved.x, at.params);
          at = { params: moved(at.params, solved.x), state };
          for (let i = 0; i < n; i++) weights[i] += change(i);
          samplesVisited += found.samplesVisited + n + curvature.samplesVisited - productsBefore;
          parts.push({ found, solved, problem, lambda });
        } finally {
          disposeTree(made);
          curvature.dispose();
        }
      }
      const after = [];
      for (const one of judges) after.push(await valueAt(one, { model, variables: at, ...how }));
      samplesVisited += after.reduce((sum, { samples }) => sum + samples, 0);
      say(1);
      const details = told(
        parts,
        after.map(({ value }) => value),
        eta / n,
      );
      const seconds = (performance.now() - started) / 1000;
      const cost = { seconds, gradientSteps: steps, samplesVisited };
      return { variables: { params: at.params, state: aliasesOf(state) }, cost, details };
    } catch (error) {
      disposeTree(at.params);
      throw error;
    } finally {
      for (const compiled of [gradient, moved]) compiled.dispose();
    }
  },
});

/** One part of the removal. */
interface Part {
  readonly found: Influences;
  readonly solved: Solved;
  readonly problem: Removal;
  readonly lambda: Float64Array;
}

/** What is to stay as it is. */
function judgesOf(criteria: OptionsOf<typeof options>['criteria'], samples: Samples, task: Task): Judge[] {
  if (criteria === 'mean') return [{ criterion: samples, task }];
  check(
    task.name === 'classification',
    'value',
    () => `puma: criteria 'classes' is for the task classification, got ${task.name}; take 'mean'`,
  );
  return byClass(samples as Split).map((criterion) => ({ criterion, task }));
}

/** lambda of what is kept, in units of 1 / n. mu is taken in units of the problem, so that it means the same for any. */
function weightsOf(
  { solver, mu, bound }: OptionsOf<typeof options>,
  problem: Removal,
  seed: number,
): Float64Array {
  const { influences, removal } = problem;
  const solvers: Record<typeof solver, () => Float64Array> = {
    none: () => new Float64Array(influences[0].length),
    minimumNorm: () => minimumNorm(problem),
    // Of one criterion mu / (1 + mu) of the change is left over.
    ridge: () =>
      ridge(problem, (mu * influences.reduce((sum, row) => sum + inner(row, row), 0)) / removal.length),
    l1: () => l1(problem, bound),
    // Of one criterion mu of the change is left over, if the bound allows; from mu = 1 on all of it is.
    sgd: () => sgd(problem, { penalty: 'l1', mu: mu * steepest(problem), bound, seed }),
  };
  return solvers[solver]();
}

/** What goes into results: per criterion, and per part of the removal. */
function told(parts: readonly Part[], after: readonly number[], scale: number) {
  const sums = (f: (part: Part, c: number) => number) =>
    after.map((_, c) => parts.reduce((sum, part) => sum + f(part, c), 0));
  const before = parts[0].found.values;
  const removed = sums(({ problem }, c) => -scale * problem.removal[c]);
  const made = sums(({ problem, lambda }, c) => -scale * inner(problem.influences[c], lambda));
  return {
    criteria: after.map((value, c) => ({
      before: before[c],
      after: value,
      changePredicted: removed[c] + made[c],
      changeByRemovalAlone: removed[c],
    })),
    steps: parts.map(({ found, solved, lambda }) => ({
      reweighted: lambda.reduce((count, v) => count + (v === 0 ? 0 : 1), 0),
      norm: Math.sqrt(inner(lambda, lambda)),
      largest: lambda.reduce((most, v) => Math.max(most, Math.abs(v)), 0),
      residuals: [...found.residuals, solved.residual],
      iterations: [...found.iterations, solved.residuals.length],
      indefinite: found.indefinite.some(Boolean) || solved.indefinite,
    })),
  };
}
