// L2UL (Cha, Cho, Hwang, Lee, Moon and Moon, "Learning to Unlearn: Instance-wise Unlearning for Pre-trained Classifiers", AAAI
// 2024) needs the forget set alone: climb its loss, and hold the network where it is by two means,
//   minimise -w_f l(theta; D_f) + w_a l(theta; x', y') + lambda / 2 sum_i (1 - Omega_i) (theta_i - theta_o,i)^2
// x' is an image of D_f changed so that the original takes it for a random class y'; Omega_i is how much the original's answers
// depend on weight i. Variants of another code are options; see docs/methods/l2ul.md.

import * as v from 'valibot';
import type { Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { bool, choice, int, num, section } from '../options/fields.ts';
import { batchNorm, opt, tuning } from '../options/training.ts';
import { disposeTree } from '../train/feed.ts';
import type { Objective } from '../train/objective.ts';
import { passedOn, tune } from '../train/tune.ts';
import { capped, lossCap } from './ascent.ts';
import { define } from './define.ts';
import { driftOf, stiffness } from './importance.ts';
import { towardsRandom } from './targeted.ts';

const name = 'l2ul';

export const l2ul = define({
  name,
  title: 'L2UL',
  paper:
    'Cha, Cho, Hwang, Lee, Moon and Moon, "Learning to Unlearn: Instance-wise Unlearning for Pre-trained Classifiers", AAAI 2024',
  kind: 'approximate',
  tasks: ['classification'],
  startsFrom: 'original',
  options: section(
    'Climb the loss on the forget set; adversarial images and the weights that matter hold the rest in place (L2UL).',
    {
      ...tuning({ epochs: 10, batchSize: 16, learningRate: 1e-3, weightDecay: 1e-4 }),
      adversaries: opt(int('Adversarial images of each forgotten sample.', 1, 1000), 20),
      radius: opt(
        num('How far an adversarial image may go: Euclidean length, in [0, 1] pixels.', 0.001, 100),
        4,
      ),
      stepSize: opt(num('Length of a step of the search for them.', 1e-5, 100), 0.1),
      steps: opt(int('Steps of the search for them.', 1, 10_000), 100),
      excludeTrueLabel: opt(
        bool("Never draw a sample's own label as the class an adversarial image is to be taken for."),
        true,
      ),
      forgetWeight: v.optional(
        num('Weight of the climbed loss. By default the share of forgotten samples in a batch.', 0, 1000),
      ),
      adversaryWeight: v.optional(
        num('Weight of the loss on adversarial images. By default their share of a batch.', 0, 1000),
      ),
      adversaryMode: opt(
        choice(
          'Batch normalisation of adversarial images: `train` in one batch with the samples, `eval` by the running statistics.',
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
      lossCap,
      batchNorm,
    },
  ),
  inherits: [],
  search: { learningRate: { from: 1e-5, to: 1e-2, log: true }, epochs: [5, 10, 20] },
  cost: ({ forget }, { epochs, adversaries, steps, lambda }) => ({
    // The search, the importance of weights, and steps that see each sample with its adversarial images.
    train: forget * (adversaries * steps + (lambda > 0 ? 1 : 0) + epochs * (1 + adversaries)),
    infer: forget * adversaries,
  }),
  forgetStatistics: (options) => options.batchNorm === 'train',

  async forget(options, input) {
    const { adversaries, adversaryMode, lambda, lossCap: cap } = options;
    const { forgetWeight = 1 / (1 + adversaries), adversaryWeight = adversaries / (1 + adversaries) } =
      options;
    const { variables: original, forget } = input;
    const started = performance.now();
    const { change, success, visited } = await towardsRandom(name, options, input);
    const importance = lambda > 0 ? await stiffness(input, options.importanceBatch) : null;
    const before = (performance.now() - started) / 1000;
    const objective: Objective = (variables, { forget: batch }, { network }) => {
      const { images, labels, adversarial, targets } = batch;
      const [n] = labels.shape;
      const answers = (): { gone: lt.Tensor; held: lt.Tensor; state: Variables['state'] } => {
        if (adversaryMode === 'eval') {
          const { output: gone, state } = network(variables, images);
          return { gone, held: network(variables, adversarial, { train: false }).output, state };
        }
        const { output, state } = network(variables, lt.concat([images, adversarial]));
        const [rows, classes] = output.shape;
        const held = lt.slice(output, [n, 0], [rows - n, classes]);
        return { gone: lt.slice(output, [0, 0], [n, classes]), held, state };
      };
      const { gone, held, state } = answers();
      const climbed = capped(lt.crossEntropy(gone, labels, { reduction: 'none' }), cap).mean();
      const kept = lt.crossEntropy(held, targets).mul(adversaryWeight);
      const loss = kept.sub(climbed.mul(forgetWeight));
      if (importance === null) return { loss, state };
      const drift = driftOf(variables.params, original.params, importance).mul(lambda / 2);
      return { loss: loss.add(drift), state };
    };
    try {
      const { variables, cost, history } = await tune(options, input.key, {
        name,
        ...passedOn(input),
        passes: [{ name: 'forget', sets: { forget: { set: forget, change } }, objective }],
        advice:
          'ascent has no upper end: lower the learning rate, take fewer epochs, or set lossCap (such as 5)',
      });
      return {
        variables,
        cost: {
          ...cost,
          seconds: cost.seconds + before,
          samplesVisited: cost.samplesVisited * (1 + adversaries) + visited + (importance ? forget.size : 0),
        },
        details: { adversarialSuccess: success, history },
      };
    } finally {
      disposeTree(importance);
    }
  },
});
