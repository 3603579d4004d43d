// L2UL (Cha, Cho, Hwang, Lee, Moon and Lee, "Learning to Unlearn: Instance-wise Unlearning for Pre-trained Classifiers", AAAI
// 2024) needs the forget set alone: climb its loss, and hold the network where it is by two means,
//   minimise -w_f l(theta; D_f) + w_a l(theta; x', y') + lambda / 2 sum_i (1 - Omega_i) (theta_i - theta_o,i)^2
// x' is an image of D_f changed so that the original takes it for a random class y'; Omega_i is how much the original's answers
// depend on weight i. Structure of a step and weights: the authors' code. See docs/methods/l2ul.md.

import * as v from 'valibot';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { bool, choice, int, num, section } from '../options/fields.ts';
import { batchNorm, maskable, opt, tuning } from '../options/training.ts';
import { disposeTree } from '../train/feed.ts';
import { keepBest, measured } from '../train/hooks.ts';
import type { Objective } from '../train/objective.ts';
import { passedOn, tune } from '../train/tune.ts';
import { capped, lossCap } from './ascent.ts';
import { correctness } from './correctness.ts';
import { define } from './define.ts';
import { driftOf, stiffness } from './importance.ts';
import { towardsRandom } from './targeted.ts';

const name = 'l2ul';
const FACT = 'forgetAccuracy';

export const l2ul = define({
  name,
  title: 'L2UL',
  paper:
    'Cha, Cho, Hwang, Lee, Moon and Lee, "Learning to Unlearn: Instance-wise Unlearning for Pre-trained Classifiers", AAAI 2024',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    'Climb the loss on the forget set; adversarial images and the weights that matter hold the rest in place (L2UL).',
    {
      ...tuning({ epochs: 10, batchSize: 256, learningRate: 1e-3, weightDecay: 1e-4 }),
      forgetBatchSize: opt(
        int('Forgotten samples in a step, beside a batch of adversarial images.', 1, 1_000_000),
        32,
      ),
      adversaries: opt(int('Adversarial images of each forgotten sample.', 1, 1000), 20),
      radius: opt(
        num('How far an adversarial image may go: Euclidean length, in [0, 1] pixels.', 0.001, 100),
        4,
      ),
      stepSize: opt(num('Length of a step of the search for them.', 1e-5, 100), 0.1),
      steps: opt(int('Steps of the search for them.', 1, 10_000), 100),
      randomStart: opt(
        bool('The search starts at a random image within the radius, else at the sample.'),
        true,
      ),
      excludeTrueLabel: opt(
        bool("Never draw a sample's own label as the class an adversarial image is to be taken for."),
        true,
      ),
      forgetWeight: v.optional(
        num("Weight of the climbed loss. By default the forgotten samples' share of a step.", 0, 1000),
      ),
      adversaryWeight: v.optional(
        num('Weight of the loss on adversarial images. By default their share of a step.', 0, 1000),
      ),
      adversaryMode: opt(
        choice(
          'Batch normalisation of adversarial images: `train` by the statistics of their batch, `eval` by the running ones.',
          ['train', 'eval'],
        ),
        'train',
      ),
      lambda: opt(num('Weight of the distance from the original; 0 leaves it out.', 0, 1e6), 1),
      importanceBatch: opt(
        int(
          'Samples whose gradients are averaged before their size is taken: 1 is the definition.',
          1,
          1_000_000,
        ),
        1,
      ),
      untilForgotten: opt(
        bool(
          'Return the first epoch after which no forgotten sample is classified correctly, or else the one with the fewest.',
        ),
        true,
      ),
      lossCap,
      batchNorm,
      ...maskable,
    },
  ),
  inherits: [],
  search: { learningRate: { from: 1e-5, to: 1e-2, log: true }, epochs: [5, 10, 20] },
  cost: ({ forget }, { epochs, batchSize, forgetBatchSize, adversaries, steps, lambda, untilForgotten }) => {
    const all = adversaries * forget;
    const beside = Math.ceil(all / batchSize) * Math.min(forgetBatchSize, forget);
    return {
      // The search, the importance of weights, and the steps.
      train: steps * all + (lambda > 0 ? forget : 0) + epochs * (all + beside),
      infer: all + (untilForgotten ? epochs * forget : 0),
    };
  },
  forgetStatistics: (options) => options.batchNorm === 'train',

  async forget(options, input) {
    const { adversaryMode, forgetBatchSize, lambda, epochs, untilForgotten, lossCap: cap } = options;
    const { model, variables: original, forget, signal } = input;
    const started = performance.now();
    const { draw, success, visited } = await towardsRandom(name, options, input);
    const importance = lambda > 0 ? await stiffness(input, options.importanceBatch) : null;
    const before = (performance.now() - started) / 1000;
    const objective: Objective = (variables, { adversarial, forget: gone }, { network }) => {
      const [a, f] = [adversarial.labels.size, gone.labels.size];
      const { forgetWeight = f / (a + f), adversaryWeight = a / (a + f) } = options;
      const held = network(variables, adversarial.images, adversaryMode === 'eval' ? { train: false } : {});
      const { output, state } = network({ ...variables, state: held.state }, gone.images);
      const kept = lt.crossEntropy(held.output, adversarial.labels).mul(adversaryWeight);
      const climbed = capped(lt.crossEntropy(output, gone.labels, { reduction: 'none' }), cap).mean();
      const loss = kept.sub(climbed.mul(forgetWeight));
      if (importance === null) return { loss, state };
      return {
        loss: loss.add(driftOf(variables.params, original.params, importance).mul(lambda / 2)),
        state,
      };
    };
    const known = correctness(model);
    const accuracy = async (variables: Variables) => {
      const right = await known.of(variables, forget, signal);
      return { [FACT]: right.reduce((a, b) => a + b) / forget.size };
    };
    try {
      const { variables, cost, history } = await tune(options, input.key, {
        name,
        ...passedOn(input),
        passes: [
          {
            name: 'adversarial and forget',
            sets: { adversarial: draw, forget: { set: forget, batchSize: forgetBatchSize } },
            objective,
          },
        ],
        hooks: untilForgotten ? [measured(accuracy), keepBest(FACT, 'lower')] : [],
        advice:
          'ascent has no upper end: lower the learning rate, take fewer epochs, or set lossCap (such as 5)',
      });
      const looked = visited + (importance ? forget.size : 0) + (untilForgotten ? epochs * forget.size : 0);
      return {
        variables,
        cost: { ...cost, seconds: cost.seconds + before, samplesVisited: cost.samplesVisited + looked },
        details: { adversarialSuccess: success, history },
      };
    } finally {
      known.dispose();
      disposeTree(importance);
    }
  },
});
