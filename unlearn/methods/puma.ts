// PUMA: take samples away and give the others other weights, so that what the model is judged by stays as it is. With J
// the mean loss over all n training samples, g_i a sample's gradient and H the curvature of J, adding sum lambda_i l_i to J
// moves the weights by -H^-1 G lambda and a criterion C by -phi^T lambda, phi_i = g_i^T H^-1 grad C (../influence.ts).
// Removal is lambda_i = -1/n; the lambda of the others are chosen so that phi^T lambda is about 0 (reweight.ts). Then
//   w' = w - eta (H + damping)^-1 G lambda
// Removal by one such step errs by about the share of curvature that goes with the samples. Source: Wu, Hashemi and Srinivasa, AAAI 2022. No code was published; what is ours is said in docs/methods/puma.md.

import * as v from 'valibot';
import { check } from '../../engine/error.ts';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { type Influences, influencesBy } from '../influence.ts';
import { bool, choice, int, num, type OptionsOf, section } from '../options/fields.ts';
import { fraction, maskable, opt } from '../options/training.ts';
import { byClass } from '../tasks/classification.ts';
import { defaultTask } from '../tasks/index.ts';
import type { Samples, Task } from '../tasks/record.ts';
import { joined, reweighted } from '../tasks/views.ts';
import { type Judge, valueAt } from '../train/criterion.ts';
import { type Curvature, curvatureOf, type Solved } from '../train/curvature.ts';
import { aliasesOf, disposeTree } from '../train/feed.ts';
import { type Params, weightedGradient } from '../train/gradients.ts';
import { seedOf } from '../train/tune.ts';
import { within } from '../train/update.ts';
import { plus, type Vector } from '../train/vectors.ts';
import type { Split } from '../types.ts';
import { define } from './define.ts';
import { inner, type Removal, reweight } from './reweight.ts';

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
    steps: v.optional(
      int(
        'Removed in this many parts, with influences anew for each. By default 1; 10 for a network of one dense layer, whose loss is convex.',
        1,
        10_000,
      ),
    ),
    product: opt(
      choice(
        'Curvature: `gaussNewton` is never negative, and the Hessian itself where the outputs are linear in the weights; `hessian`: the exact one.',
        ['gaussNewton', 'hessian'],
      ),
      'gaussNewton',
    ),
    secondOrder: v.optional(
      bool(
        'Take the curvature of the step with the new weights; the paper drops the difference. By default false; true for a network of one dense layer.',
      ),
    ),
    damping: opt(num('Added to the diagonal of the curvature.', 0, 1e6), 0.01),
    weightDecay: opt(fraction('Of the L2 penalty that the original was trained with: added likewise.'), 0),
    iterations: opt(int('Conjugate-gradient iterations at most, for each solution.', 1, 10_000), 30),
    tolerance: opt(num('Stop where the residual is this share of the right-hand side.', 0, 1), 1e-3),
    ...maskable,
  },
);

/** The sizes of sets do not say how many classes there are: for estimates. */
const CLASSES = 10;
/** Of a network of one dense layer, whose loss is convex: with them it ends near the re-fit (docs/methods/puma.md). */
const CONVEX = { steps: 10, secondOrder: true };
const AS_PAPER = { steps: 1, secondOrder: false };

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
  // The networks of recipes have more than one layer.
  cost: ({ forget, retain }, { criteria, iterations, steps = AS_PAPER.steps }) => {
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
    const { model, variables, forget, retain, validation, mask, signal, onProgress } = input;
    const base = (input.task ?? defaultTask()) as unknown as Task;
    const { state } = variables;
    const usual = isDenseLayer(variables.params) ? CONVEX : AS_PAPER;
    const { secondOrder = usual.secondOrder } = options;
    const started = performance.now();
    const judges = judgesOf(options.criteria, validation?.size ? validation : retain, base);
    const seed = await seedOf(input.key);
    const n = forget.size + retain.size;
    const steps = Math.min(options.steps ?? usual.steps, forget.size);
    const { task, samples } = joined<Samples>(base, [forget, retain]);
    const moved = lt.jit((p: Params, x: Vector) => within(mask, plus(p, x, -eta / n) as Params, p), {
      name: 'puma step',
    });
    const how = { batchSize, signal };
    const all = steps * (judges.length + 1) * iterations;
    let done = 0;
    const say = (part: number) => onProgress?.({ phase: 'PUMA', fraction: Math.min(1, part) });
    const solve = {
      solver: 'conjugateGradients',
      iterations,
      tolerance,
      onIteration: () => say(++done / all),
    } as const;

    /** In units of 1 / n, as lambda and the bound are: 1 is a sample's weight in the mean loss. */
    const weights = new Float64Array(n).fill(1);
    const judging = { model, task, data: samples, criteria: judges, solve, ...how };
    const parts: Part[] = [];
    const first = (found: Influences) => (parts[0]?.found ?? found).values;

    /** Removes the forgotten samples of these positions. */
    const remove = async (at: Variables, from: number, to: number): Promise<Part> => {
      const curvatures: Curvature[] = [];
      const curvatureNow = () => {
        // A weight below 0 has no part in it, so that it stays positive.
        const now = reweighted(
          task,
          weights.map((weight) => Math.max(0, weight)),
        );
        const shift = { product, damping, weightDecay };
        const one = curvatureOf({ model, task: now, variables: at, samples, ...shift, ...how });
        curvatures.push(one);
        return one;
      };
      const made: unknown[] = [];
      try {
        const before = curvatureNow();
        const found = await influencesBy(before, { ...judging, variables: at });
        const counted = before.samplesVisited;
        const removed = found.phi.map((row) => -row.subarray(from, to).reduce((a, b) => a + b, 0));
        const problem: Removal = {
          influences: found.phi.map((row) => row.subarray(forget.size)),
          // What the parts before moved the criteria by is made up for, too.
          removal: removed.map((a, c) => a - (eta > 0 ? (n / eta) * (found.values[c] - first(found)[c]) : 0)),
        };
        const lambda = reweight(problem, { ...options, seed });
        const change = new Float64Array(n).fill(-1, from, to);
        change.set(lambda, forget.size);
        const right = await weightedGradient({ model, task, variables: at, samples, ...how }, change);
        made.push(right);
        change.forEach((more, i) => (weights[i] += more));
        const after = secondOrder ? curvatureNow() : before;
        const solved = await after.solve(right, solve);
        made.push(solved.x);
        const products = curvatures.reduce((sum, { samplesVisited }) => sum + samplesVisited, 0);
        const samplesVisited = found.samplesVisited - counted + products + n;
        return {
          params: moved(at.params, solved.x),
          found,
          solved,
          problem,
          removed,
          lambda,
          samplesVisited,
        };
      } finally {
        disposeTree(made);
        for (const curvature of curvatures) curvature.dispose();
      }
    };

    let params = aliasesOf(variables.params) as Params;
    try {
      for (let k = 0; k < steps; k++) {
        const [from, to] = [k, k + 1].map((edge) => Math.floor((edge * forget.size) / steps));
        const part = await remove({ params, state }, from, to);
        disposeTree(params);
        ({ params } = part);
        parts.push(part);
      }
      const after = [];
      for (const judge of judges)
        after.push(await valueAt(judge, { model, variables: { params, state }, ...how }));
      say(1);
      const values = after.map(({ value }) => value);
      const visited = [...parts.map((part) => part.samplesVisited), ...after.map(({ samples }) => samples)];
      const cost = {
        seconds: (performance.now() - started) / 1000,
        gradientSteps: steps,
        samplesVisited: visited.reduce((a, b) => a + b, 0),
      };
      const details = told(parts, values, eta / n);
      return { variables: { params, state: aliasesOf(state) }, cost, details };
    } catch (error) {
      disposeTree(params);
      throw error;
    } finally {
      moved.dispose();
    }
  },
});

/** Whether there is one weight, a matrix, with or without a bias: then the outputs are linear in the parameters. */
function isDenseLayer(params: Params): boolean {
  const ranks = lt.tree.flatten<lt.Tensor>(params).leaves.map(({ shape }) => shape.length);
  return ranks.filter((rank) => rank > 1).join() === '2' && ranks.length <= 2;
}

/** One part of the removal. */
interface Part {
  readonly params: Params;
  readonly found: Influences;
  readonly solved: Solved;
  readonly problem: Removal;
  /** phi^T lambda of the samples that went, one number a criterion. */
  readonly removed: readonly number[];
  readonly lambda: Float64Array;
  readonly samplesVisited: number;
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

/** What goes into results: per criterion, and per part of the removal. */
function told(parts: readonly Part[], after: readonly number[], scale: number) {
  const sums = (f: (part: Part, c: number) => number) =>
    after.map((_, c) => parts.reduce((sum, part) => sum + f(part, c), 0));
  const before = parts[0].found.values;
  const alone = sums(({ removed }, c) => -scale * removed[c]);
  const made = sums(({ problem, lambda }, c) => -scale * inner(problem.influences[c], lambda));
  return {
    criteria: after.map((value, c) => ({
      before: before[c],
      after: value,
      changePredicted: alone[c] + made[c],
      changeByRemovalAlone: alone[c],
    })),
    steps: parts.map(({ found, solved, lambda }) => ({
      reweighted: lambda.reduce((count, one) => count + (one === 0 ? 0 : 1), 0),
      norm: Math.sqrt(inner(lambda, lambda)),
      largest: lambda.reduce((most, one) => Math.max(most, Math.abs(one)), 0),
      residuals: [...found.residuals, solved.residual],
      iterations: [...found.iterations, solved.residuals.length],
      indefinite: found.indefinite.some(Boolean) || solved.indefinite,
    })),
  };
}
