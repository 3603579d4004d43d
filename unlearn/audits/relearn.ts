// Relearning: the model is trained on a little of what it forgot. What was only hidden comes back in fewer steps than what
// was never learned. The protocols are relearnData.ts, the numbers statistics/relearn.ts, the training the project's loop.

import * as lt from '../../index.ts';
import { choice, int, list, num, section } from '../options/fields.ts';
import { fraction, opt } from '../options/training.ts';
import { predictor } from '../predict.ts';
import { NORMAL_95 } from '../statistics/interval.ts';
import { predictions } from '../statistics/outputs.ts';
import { type Height, heightOver, stepsBack } from '../statistics/relearn.ts';
import { disposeTree } from '../train/feed.ts';
import { Diverged } from '../train/guard.ts';
import { measuredAt } from '../train/hooks.ts';
import { meanLoss, type Objective } from '../train/objective.ts';
import type { Pass } from '../train/schedule.ts';
import { tune } from '../train/tune.ts';
import type { Split } from '../types.ts';
import { defineAudit } from './define.ts';
import type { AuditInput, Curve, Finding } from './record.ts';
import { PROTOCOLS, type Protocol, type RelearnData, relearnDataOf } from './relearnData.ts';
import type { NetworkOf, Subject } from './subject.ts';

const name = 'relearn';
/** Steps after which is measured, as far as training goes, and after the last. */
const POINTS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** What a model answers on the samples asked, 100 or 0 for each. */
interface Answers {
  /** Right, of the samples asked. */
  readonly asked: Float64Array;
  /** Right, of the samples of kept classes. */
  readonly kept: Float64Array;
  /** What counts against it: of T_r those taken for a forgotten class; where samples were forgotten, those of T that are right. */
  readonly against: Float64Array;
}

export const relearn = defineAudit({
  name,
  title: 'Relearning',
  definition:
    'The model is trained on a little of what it forgot, with several learning rates; the one that brings it back fastest counts.',
  formula:
    'area = mean height of m over ln(1 + step). Classes: m = accuracy on T_f − share of T_r taken for a forgotten class. Samples: m = accuracy on F held out − accuracy on T. steps = first with m ≥ m(θ_o) − 0.1 (m(θ_o) − m(θ at step 0))',
  source:
    'Ours: protocols, measure, points and area. From memory of the papers: relearn time is an idea of Golatkar et al. 2020, and steps to a margin around the original that of the anamnesis index of Chundawat et al. 2023; here the margin is a tenth of what is missing.',
  fools:
    'A small network relearns anything fast, so only the distance from retrain counts, and a value below retrain’s is no proof of forgetting: a head that hides a class behind a very large negative bias takes longer than retrain although the features know all. With `beside: nothing` and a class, every model ends by naming that class for everything, so that m falls to 0. With `all` the samples trained on are those asked, which any network learns.',
  certainty:
    'The interval of the area is over the samples asked, at the learning rate that was chosen. The samples trained on, their order and the choice of the rate are not in it; other seeds show these.',
  cost: 'One training of `steps` steps for each learning rate, with passes over at most 2 `evaluated` samples at each point.',
  tasks: 'any',
  needs: ['network'],
  uses: ['original'],
  options: section('How a model is made to learn again.', {
    protocol: opt(
      choice(
        'What is trained on: `half` a random half of F, `kShot` a few of F for each class, `all` of F, or `retainOnly` R. What of F is not trained on is asked; where classes went, T_f is. `auto`: `half` where samples went, `kShot` where classes went.',
        ['auto', ...PROTOCOLS],
      ),
      'auto',
    ),
    beside: opt(
      choice(
        'What each step sees beside them, with a loss of the same weight: `retain` as many of R as a batch has, or `nothing`.',
        ['retain', 'nothing'],
      ),
      'retain',
    ),
    shots: opt(int('Samples of each forgotten class with `kShot`, such as 1, 5 or 20.', 1, 100_000), 5),
    learningRates: opt(
      list(
        num('Learning rate.', 1e-9, 1000),
        'Learning rates to try; that with the largest area counts.',
        'a list of learning rates, such as [0.001, 0.01]',
      ),
      [1e-4, 1e-3, 1e-2],
    ),
    steps: opt(int('Steps of SGD.', 1, 5000), 200),
    batchSize: opt(int('Samples per step; with `kShot` a step takes all shots.', 1, 1_000_000), 64),
    momentum: opt(fraction('Momentum of SGD; it starts from nothing.'), 0.9),
    weightDecay: opt(fraction('L2 penalty added to the gradient.'), 5e-4),
    batchNorm: opt(
      choice('Batch-norm statistics: `frozen` keeps them, `train` moves them with the batches.', [
        'frozen',
        'train',
      ]),
      'frozen',
    ),
    evaluated: opt(
      int('Most samples of each set that are asked, each class with its share.', 1, 10_000_000),
      1000,
    ),
  }),
  gives: {
    relearn_area: {
      label: 'Relearned',
      about: 'Mean of m over ln(1 + step), at the learning rate where it is largest.',
      unit: 'points',
      target: 'retrain',
      digits: 2,
    },
    relearn_steps: {
      label: 'Steps',
      about:
        'Steps until nine tenths of what is missing to the original are back, to the next point; nothing where it takes more steps than were made.',
      unit: 'steps',
      target: 'retrain',
      digits: 0,
    },
    relearn_kept: {
      label: 'T_r after',
      about: 'Accuracy on test samples of kept classes after the last step.',
      unit: '%',
      target: null,
      digits: 2,
    },
  },

  async audit(options, input): Promise<Finding<keyof typeof nothing & string>> {
    const protocol = protocolOf(options, input);
    const data = relearnDataOf(protocol, options, input);
    if (typeof data === 'string') return { values: nothing, notes: [data] };
    const points = POINTS.filter((point) => point < options.steps).concat(options.steps);
    const { train, asked } = data;
    const notes = [
      `Protocol ${protocol}: trained on ${train.size} forgotten samples, ${asked.size} samples asked.`,
    ];
    const { model, variables } = input.own.network!;
    const batch = protocol === 'kShot' ? train.size : options.batchSize;
    let best: { readonly answers: readonly Answers[]; readonly rate: number; readonly area: Height } | null =
      null;
    for (const rate of options.learningRates) {
      const setting = { ...options, learningRate: rate, batch };
      const answers = await courseOf({ model, variables }, data, points, setting, input);
      if (answers === null) {
        notes.push(`With learning rate ${rate} training diverged.`);
        continue;
      }
      const area = areaOf(points, answers);
      if (best === null || area.mean > best.area.mean) best = { answers, rate, area };
    }
    if (best === null) return { values: nothing, notes };

    const { answers, rate, area } = best;
    notes.push(`Fastest with learning rate ${rate}.`);
    const curve = answers.map(measureOf);
    const goal = input.original ? measureOf(await answersOf(input.original, data, input)) : null;
    const steps = goal === null ? null : stepsBack(points, curve, goal);
    if (goal === null) notes.push('Without the original there is no goal to count steps to.');
    else if (steps === null) notes.push(`Not back after ${options.steps} steps: > ${options.steps}.`);
    const { mean, error } = area;
    const kept = answers.map((at) => meanOf(at.kept));
    const drawn = (name: string, y: string, values: readonly number[]): Curve => ({
      name,
      x: 'step',
      y,
      points: points.map((point, i) => [point, values[i]] as const),
    });
    const isClass = input.goneClasses.length > 0;
    return {
      values: { relearn_area: mean, relearn_steps: steps, relearn_kept: kept[kept.length - 1] },
      ...(Number.isFinite(error) && {
        intervals: { relearn_area: [mean - NORMAL_95 * error, mean + NORMAL_95 * error] },
      }),
      curves: [
        drawn('m', 'relearned, points', curve),
        drawn(
          isClass ? 'T_f' : 'F held out',
          'accuracy, %',
          answers.map((at) => meanOf(at.asked)),
        ),
        drawn(isClass ? 'T_r' : 'T', 'accuracy, %', kept),
      ],
      notes,
    };
  },
});

const nothing = { relearn_area: null, relearn_steps: null, relearn_kept: null };

/** The protocol that `auto` stands for. */
function protocolOf(
  { protocol }: { readonly protocol: 'auto' | Protocol },
  { goneClasses }: AuditInput,
): Protocol {
  if (protocol !== 'auto') return protocol;
  return goneClasses.length > 0 ? 'kShot' : 'half';
}

interface Settings {
  readonly steps: number;
  /** Samples per step of what is relearned; beside it, `batchSize`. */
  readonly batch: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly batchNorm: 'frozen' | 'train';
}

/** Trains a copy, and asks it at each point; null where training diverges. */
async function courseOf(
  { model, variables }: NetworkOf,
  data: RelearnData,
  points: readonly number[],
  { steps, batch, batchSize, learningRate, momentum, weightDecay, batchNorm }: Settings,
  input: AuditInput,
): Promise<readonly Answers[] | null> {
  const { seed, signal, onProgress } = input;
  const forward = predictor(model);
  const found: Answers[] = [];
  const ask = measuredAt(points, async (now) => {
    const answers: Subject['answers'] = async (split, how) => ({
      logits: await forward.logits(now, split, how),
      labels: split.labels,
    });
    found.push(await answersOf({ answers }, data, input));
  });
  const { train, beside } = data;
  const again = { set: train, batchSize: batch };
  const sets: Pass['sets'] = beside ? { again, beside: { set: beside } } : { again };
  const passes = [{ name: 'again', sets, steps, objective: beside ? both : meanLoss('again') }];
  const options = { epochs: 1, batchSize, learningRate, momentum, weightDecay, batchNorm };
  const key = lt.random.key(seed);
  try {
    const how = { name, model, variables, passes, hooks: [ask], signal, onProgress };
    disposeTree((await tune(options, key, how)).variables);
    return found;
  } catch (error) {
    if (error instanceof Diverged) return null;
    throw error;
  } finally {
    key.dispose();
    forward.dispose();
  }
}

/** The mean loss on what comes back, and that on what is kept beside it. */
const both: Objective = ({ params, state }, batches, context) => {
  const again = meanLoss('again')({ params, state }, batches, context);
  const beside = meanLoss('beside')({ params, state: again.state }, batches, context);
  return { loss: again.loss.add(beside.loss), state: beside.state };
};

async function answersOf(
  { answers }: Pick<Subject, 'answers'>,
  data: RelearnData,
  { classes, goneClasses, signal }: AuditInput,
): Promise<Answers> {
  const share = (labels: ArrayLike<number>, is: (label: number, i: number) => boolean) =>
    Float64Array.from(labels, (label, i) => (is(label, i) ? 100 : 0));
  const predicted = async (split: Split) => predictions(await answers(split, { signal }), classes);
  const [onAsked, onKept] = [await predicted(data.asked), await predicted(data.kept)];
  const kept = share(onKept, (label, i) => label === data.kept.labels[i]);
  return {
    asked: share(onAsked, (label, i) => label === data.asked.labels[i]),
    kept,
    against: goneClasses.length > 0 ? share(onKept, (label) => goneClasses.includes(label)) : kept,
  };
}

const meanOf = (values: Float64Array): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** m, in points. */
const measureOf = ({ asked, against }: Answers): number => meanOf(asked) - meanOf(against);

function areaOf(points: readonly number[], answers: readonly Answers[]): Height {
  const over = (of: 'asked' | 'against') =>
    heightOver(
      points,
      answers.map((at) => at[of]),
    );
  const [asked, against] = [over('asked'), over('against')];
  return { mean: asked.mean - against.mean, error: Math.hypot(asked.error, against.error) };
}
