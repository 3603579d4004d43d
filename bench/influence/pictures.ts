// Influences on a network that is not convex: the time for every training point of Fashion-MNIST, and how soon wrong labels
// are found when samples are inspected in the order of their influence, beside other orders.

import * as lt from '../../index.ts';
import { holdOut, makeSplit } from '../../unlearn/data/split.ts';
import { datasets, influences, reduction, train } from '../../unlearn/index.ts';
import { Stream } from '../../unlearn/random.ts';
import type { Split } from '../../unlearn/types.ts';
import { percent } from './numbers.ts';

export interface PicturesOptions {
  readonly dir: string;
  /** Training pictures of the search for wrong labels. */
  readonly size: number;
  /** Test pictures for the criterion, their labels true. */
  readonly validation: number;
  /** Of the training pictures those that the curvature is taken over. */
  readonly curvature: number;
  readonly epochs: number;
  readonly damping: number;
  readonly iterations: number;
  readonly seed: number;
  /** Share of labels that are changed. */
  readonly share: number;
  /** Also by the norm of each sample's gradient, one by one. */
  readonly norms: boolean;
}

export async function benchPictures(options: PicturesOptions, say: (line: string) => void): Promise<void> {
  const { dir, size, validation, curvature, epochs, damping, iterations, seed, share } = options;
  const whole = await datasets.load('fashion-mnist', { dir });
  const { held } = holdOut(whole.test, validation, seed);
  const clean = size < whole.train.size ? holdOut(whole.train, size, seed).held : whole.train;
  const { data, wrong } = flipped(clean, share, seed, whole.classes.length);
  const model = lt.nn.smallCnn({ classes: whole.classes.length });
  const settings = { epochs, batchSize: 128, learningRate: 0.05, weightDecay: 5e-4 };
  const started = performance.now();
  const trained = await train({ model, data, options: settings, key: lt.random.key(seed), validation: held });
  const { variables } = trained;
  say(
    `\nFashion-MNIST, ${data.size} pictures, ${wrong.size} labels wrong, smallCnn, ${epochs} epochs (${((performance.now() - started) / 1000).toFixed(0)} s): loss ${trained.details.trainLoss.toFixed(3)}, accuracy on ${held.size} others ${trained.history.at(-1)?.validationAccuracy.toFixed(1)}%`,
  );
  const at = {
    model,
    variables,
    data,
    damping,
    weightDecay: settings.weightDecay,
    iterations,
    tolerance: 1e-3,
  };
  const curvatureSamples = curvature < data.size ? holdOut(data, curvature, seed).held : data;
  const busy = process.cpuUsage();
  const found = await influences({ ...at, curvatureSamples, criteria: [held] });
  const { user, system } = process.cpuUsage(busy);
  const cores = (user + system) / 1e6 / (found.seconds.inverse + found.seconds.pass);
  say(
    `influences on their loss, curvature of ${curvatureSamples.size}, damping ${damping}: ${found.seconds.inverse.toFixed(1)} s for the inverse product (${found.iterations[0]} iterations, residual ${found.residuals[0].toExponential(1)}), ${found.seconds.pass.toFixed(1)} s for all ${data.size}; ${cores.toFixed(2)} cores busy`,
  );
  const losses = await lossesOf(model, variables, data);
  const orders = {
    influence: found.phi[0],
    loss: losses.map((v) => -v),
    ...(options.norms
      ? { 'gradient norm': (await gradientNorms(model, variables, data)).map((v) => -v) }
      : {}),
  };
  for (const [name, values] of Object.entries(orders))
    say(
      `  by ${name}: ${[0.1, 0.15, 0.2, 0.3].map((part) => `${percent(shareFound(values, wrong, part))} in the first ${percent(part)}`).join(', ')}`,
    );
}

/** The labels of a share of the samples changed to another class at random. */
function flipped(
  split: Split,
  share: number,
  seed: number,
  classes: number,
): { data: Split; wrong: Set<number> } {
  const stream = new Stream(seed, 0x666c6970);
  const labels = split.labels.slice();
  const wrong = new Set<number>();
  while (wrong.size < Math.round(share * split.size)) {
    const i = stream.below(split.size);
    if (wrong.has(i)) continue;
    wrong.add(i);
    labels[i] = (labels[i] + 1 + stream.below(classes - 1)) % classes;
  }
  return { data: makeSplit({ ...split, labels }), wrong };
}

/** Share of the wrong labels among the first `part` of the samples in ascending order of the values. */
function shareFound(values: Float32Array, wrong: ReadonlySet<number>, part: number): number {
  const first = [...values.keys()]
    .sort((a, b) => values[a] - values[b])
    .slice(0, Math.round(part * values.length));
  return first.filter((i) => wrong.has(i)).length / wrong.size;
}

async function lossesOf(model: lt.nn.Model, variables: lt.nn.Variables, data: Split): Promise<Float32Array> {
  const sweep = reduction(({ images, labels }, v: lt.nn.Variables) =>
    lt.crossEntropy(model.apply(v, images).output, labels, { reduction: 'none' }),
  );
  const rows = await sweep.rows(data, [variables]);
  sweep.dispose();
  return Float32Array.from(rows.data);
}

async function gradientNorms(
  model: lt.nn.Model,
  variables: lt.nn.Variables,
  data: Split,
): Promise<Float32Array> {
  const { params, state } = variables;
  const sweep = reduction(({ images, labels }, p: typeof params) => {
    const one = (image: lt.Tensor, label: lt.Tensor) =>
      lt.grad((at: typeof params) =>
        lt.crossEntropy(
          model.apply({ params: at, state }, image.reshape([1, ...image.shape])).output,
          label.reshape([1]),
        ),
      )(p);
    const gradients = lt.vmap(one, { inAxes: [0, 0] })(images, labels);
    return lt.tree
      .flatten<lt.Tensor>(gradients)
      .leaves.map((g) => g.square().reshape([images.shape[0], -1]).sum(1))
      .reduce((a, b) => a.add(b))
      .sqrt();
  });
  const rows = await sweep.rows(data, [params], { batchSize: 16 });
  sweep.dispose();
  return Float32Array.from(rows.data);
}
