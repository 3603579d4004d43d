// The linear probe for forgotten classes: what a fresh head, trained on frozen features, still tells of them. Features are those
// before the last linear layer, or of an earlier one (layers.ts).

import { layerAt, layerFeatures, layersOf } from '../layers.ts';
import { int, list, section, text } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { stratified } from '../random.ts';
import { shareInterval } from '../statistics/distributions.ts';
import { meanInterval } from '../statistics/interval.ts';
import type { Logistic } from '../statistics/logistic.ts';
import { joinPoints, selectPoints } from '../statistics/points.ts';
import { choosePenalty, fitProbe, type Probe } from '../statistics/probe.ts';
import type { Points } from '../statistics/rbf.ts';
import { spreadOf } from '../statistics/spread.ts';
import type { Split } from '../types.ts';
import { defineAudit } from './define.ts';
import type { AuditInput, Curve, Figure } from './record.ts';
import { DIVERGED, drawnRows, finitePoints, NO_TEST, pause } from './rows.ts';
import type { Features, NetworkOf } from './subject.ts';

/** Shots that have a number of their own. */
const SHOTS = [1, 5, 20, 100] as const;
type Shot = `probe_${(typeof SHOTS)[number]}`;

const shot = (k: number): Figure => ({
  label: `Probe, ${k}-shot`,
  about: `Accuracy on T_f of a probe trained on R and ${k} of F for each forgotten class; mean over draws.`,
  unit: '%',
  target: 'retrain',
  digits: 1,
});

/** Features of a layer above which a probe of it is left out of the curve. */
const MAX_FEATURES = 1024;

/** What features are taken from: the input of the last linear layer, or a layer's output, averaged over pixels. */
const featuresAt = async (path: string, { own, signal }: AuditInput, split: Split): Promise<Features> =>
  path === 'last'
    ? own.features(split, { signal })
    : (await layerFeatures(own.network as NetworkOf, split, [path], { signal }))[path];

/** Percent of rows called what they are. */
function right(probe: Probe, points: Points, labels: ArrayLike<number>): number {
  const said = probe.predict(points);
  return (100 * said.reduce((sum, label, i) => sum + Number(label === labels[i]), 0)) / said.length;
}

export const probe = defineAudit({
  name: 'probe',
  title: 'Linear probe of forgotten classes',
  definition:
    'Accuracy on test samples of the forgotten classes of a new linear head, trained on the frozen features of the audited network with retained samples and all, or a few, of the forgotten ones.',
  formula:
    'acc(T_f; argmax W′h + b), (W, b) = argmin Σ_i w_i CE(W′h_i + b, y_i) + λ/2 |W|² over R ∪ F, or R and k of F for each class; h standardised, w_i the same sum for each class',
  source:
    'The question is that of "linear probe recovery" (arXiv 2604.08271, arXiv 2605.20282). Training set, weights, penalty and shots are ours.',
  fools:
    'Features that tell the classes apart without having seen them: on easy data a retrained network reaches 70 to 90 % with all of F, so the distance to retrain counts, and few shots say more than many. Features of very small width hold less than earlier layers may: `layer: all` asks these too. A network whose earlier layers were destroyed looks forgetful: look at T_r too.',
  certainty:
    'With all of F: the exact binomial interval over T_f. With few shots: Student’s interval over the draws of shots. Neither is over trainings: use several seeds.',
  cost: 'One pass over R, F and T for features, and with `all` one more and a regression for each layer; then 25 logistic regressions on at most `samples` rows: of 1,000 rows about 6 s for 96 features and 30 s for 512.',
  tasks: 'class',
  needs: ['network'],
  uses: [],
  options: section('How the probe is trained.', {
    shots: opt(
      list(
        int('Samples of each forgotten class.', 1),
        'Samples of each forgotten class that the attacker has; 1, 5, 20 and 100 have a number of their own, others lie on the curve.',
        'a list of whole numbers, such as [1, 5, 20, 100]',
      ),
      [...SHOTS],
    ),
    draws: opt(int('Draws of the shots.', 1, 100), 5),
    layer: opt(
      text(
        'Where features are taken: `last`, the input of the last linear layer; a layer by its path in the weights, such as `features.3`, averaged over pixels; `all`: as `last`, with a curve of the full probe over all layers.',
      ),
      'last',
    ),
    samples: opt(int('Training samples of the probe at most, evenly over the classes.', 20, 100_000), 1000),
  }),
  gives: {
    probe: {
      label: 'Probe',
      about: 'Accuracy on T_f of a probe trained on R and F.',
      unit: '%',
      target: 'retrain',
      digits: 1,
    },
    probe_kept: {
      label: 'Probe, T_r',
      about: 'Accuracy of the same probe on T_r.',
      unit: '%',
      target: null,
      digits: 1,
    },
    probe_1: shot(1),
    probe_5: shot(5),
    probe_20: shot(20),
    probe_100: shot(100),
  },
  async audit({ shots, draws, samples, layer }, input) {
    const { own, sets, classes: K, goneClasses, seed } = input;
    const network = own.network as NetworkOf;
    const place = layer === 'all' ? 'last' : layer;
    if (place !== 'last') layerAt('probe', layersOf(network, sets.forget.shape), place);
    const { forget, retain, gone, kept } = sets;
    const nothing = {
      probe: null,
      probe_kept: null,
      probe_1: null,
      probe_5: null,
      probe_20: null,
      probe_100: null,
    };
    if (!gone || gone.size === 0) return { values: nothing, notes: [NO_TEST] };
    const pointsAt = async (path: string, split: Split) => finitePoints(await featuresAt(path, input, split));
    const [R, F, Tf, Tr] = [
      await pointsAt(place, retain),
      await pointsAt(place, forget),
      await pointsAt(place, gone),
      await pointsAt(place, kept),
    ];
    if (!R || !F || !Tf || !Tr) return { values: nothing, notes: [DIVERGED] };

    const all = joinPoints(R, F);
    const labels = Int32Array.from([...retain.labels, ...forget.labels]);
    const chosen = stratified(labels, Math.min(samples, all.n), seed, 0x70726f62);
    const base = chosen.filter((row) => row < R.n);
    const trained = (rows: Int32Array, l2: number, start?: Logistic) =>
      fitProbe(selectPoints(all, rows), labelsOf(rows), K, l2, start);
    const labelsOf = (rows: Int32Array) => rows.map((row) => labels[row]);
    const l2 = choosePenalty(selectPoints(all, chosen), labelsOf(chosen), K, seed);
    await pause(input);
    const full = trained(chosen, l2);
    const value = right(full, Tf, gone.labels);
    const hits = Math.round((value / 100) * Tf.n);
    const [low, high] = shareInterval(hits, Tf.n);

    const values: Record<keyof typeof nothing, number | null> = {
      ...nothing,
      probe: value,
      probe_kept: right(full, Tr, kept.labels),
    };
    const intervals: Partial<Record<keyof typeof nothing, readonly [number, number]>> = {
      probe: [100 * low, 100 * high],
    };
    const points: [number, number][] = [];
    const notes: string[] = [];
    let start = full.model;
    for (const [at, k] of [...shots].sort((a, b) => a - b).entries()) {
      const accuracies: number[] = [];
      for (let draw = 0; draw < draws; draw++) {
        const rows = drawnRows(forget.labels, goneClasses, k, seed, draw);
        if (!rows) break;
        await pause(input);
        const attacked = trained(Int32Array.from([...base, ...rows.map((row) => R.n + row)]), l2, start);
        start = attacked.model;
        accuracies.push(right(attacked, Tf, gone.labels));
        const fraction = (at + (draw + 1) / draws) / shots.length;
        input.onProgress?.({ phase: 'probe', fraction });
      }
      const spread = spreadOf(accuracies);
      if (!spread) {
        notes.push(`A forgotten class has fewer than ${k} samples.`);
        continue;
      }
      points.push([k, spread.mean]);
      if (!SHOTS.some((one) => one === k)) continue;
      values[`probe_${k}` as Shot] = spread.mean;
      const interval = meanInterval(accuracies);
      if (interval) intervals[`probe_${k}` as Shot] = interval;
    }
    const curve: Curve = {
      name: 'Linear probe',
      x: 'forgotten samples for each class',
      y: 'accuracy on T_f, %',
      points,
    };
    const curves = [curve];
    if (layer === 'all') {
      const names: string[] = [];
      const heights: [number, number][] = [];
      for (const { path, shape } of layersOf(network, forget.shape)) {
        const width = shape.length === 3 ? shape[2] : shape.reduce((a, b) => a * b, 1);
        if (width > MAX_FEATURES) continue;
        await pause(input);
        const [inR, inF, asked] = [
          await pointsAt(path, retain),
          await pointsAt(path, forget),
          await pointsAt(path, gone),
        ];
        if (!inR || !inF || !asked) continue;
        const points = selectPoints(joinPoints(inR, inF), chosen);
        heights.push([
          heights.length + 1,
          right(fitProbe(points, labelsOf(chosen), K, l2), asked, gone.labels),
        ]);
        names.push(path);
      }
      const [x, y] = ['layer, in the order of computation', 'accuracy on T_f, %'];
      curves.push({ name: 'Linear probe by layer', x, y, points: heights });
      notes.push(`Layers of the curve, all with one penalty: ${names.join(', ')}.`);
    }
    return { values, intervals, curves, notes };
  },
});
