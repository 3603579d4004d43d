// The prototype attack: rows of the last layer for the forgotten classes are replaced by means of a few features. It needs no
// training, and brings back at once what was only unlearned in the last layer.

import { headOf } from '../methods/head.ts';
import { int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { stratified } from '../random.ts';
import { meanInterval } from '../statistics/interval.ts';
import { selectPoints } from '../statistics/points.ts';
import {
  ALPHAS,
  type Answered,
  answeredBy,
  attackedAccuracies,
  centredAccuracies,
  centreOf,
  FORMS,
  plainAccuracy,
  prototypeOf,
  rowLength,
} from '../statistics/prototypes.ts';
import { defineAudit } from './define.ts';
import type { Figure } from './record.ts';
import { DIVERGED, drawnRows, finitePoints, NO_TEST, pause } from './rows.ts';
import type { Features, NetworkOf } from './subject.ts';

const SHOTS = [1, 5, 20] as const;
/** Points of accuracy on R that an attack may cost. */
const ALLOWED = 1;

/** In the order in which a sweep has them. */
const ATTACKS = [...FORMS.flatMap((form) => ALPHAS.map((alpha) => `${form}, alpha ${alpha}`)), 'centred'];

/** What an attack makes of a set: its mean over draws and each draw's. */
interface Outcome {
  readonly name: string;
  readonly mean: number;
  readonly each: readonly number[];
}

const figure = (label: string, about: string): Figure => {
  return { label, about, unit: '%', target: 'retrain', digits: 1 };
};
const shot = (k: number): Figure =>
  figure(`Prototypes, ${k}-shot`, `The same with ${k} samples of each forgotten class.`);

export const prototypes = defineAudit({
  name: 'prototypes',
  title: 'Prototype attack',
  definition:
    'Accuracy on the forgotten classes after their rows of the last layer were mixed with the mean feature of a few forgotten samples: the best attack among those that cost at most one point of accuracy on R.',
  formula:
    'w_c ← α t + (1 − α) w_c, b_c ← α β + (1 − α) b_c; p = mean of h over k of F, of length 1; cosine: t = p, β = 0; scaled: t = s p, β = 0, s the mean length of the rows; l2: t = 2p, β = −1; centred: t = s p with the mean of h over R taken off before, α = 1, β as large as R allows; max over α ∈ {0, ¼, ½, 0.8, 1}, form and k of acc(T_f), acc(R) at most 1 point lower',
  source:
    'Prototypical relearning, released code of Seung-B/Spotter-Unlearning (forms cosine and l2, α, k = 5). Scaled and centred rows, the sweep, the bound on R and T_f are ours.',
  fools:
    'Features that tell the classes apart without having seen them: retrain is not at 0, so the distance to it counts. The best of many attacks is taken on the samples it is judged on, which flatters the attacker a little, and every model alike.',
  certainty: 'Student’s interval over the draws of the k samples; not over trainings: use several seeds.',
  cost: 'One pass over R, F and T for features; no training.',
  tasks: 'class',
  needs: ['network'],
  uses: [],
  options: section('How the attack is drawn.', {
    draws: opt(int('Draws of the k samples.', 1, 100), 5),
    samples: opt(int('Samples of R, and of F, that it is judged on at most.', 20, 100_000), 2000),
  }),
  gives: {
    prototypes: figure('Prototypes', 'Accuracy on T_f after the best attack.'),
    prototypes_1: shot(1),
    prototypes_5: shot(5),
    prototypes_20: shot(20),
    prototypes_forget: figure('Prototypes, F', 'Accuracy on F after the attack that is best there.'),
  },
  async audit({ draws, samples }, input) {
    const { own, sets, goneClasses, seed, signal } = input;
    const { forget, retain, gone } = sets;
    const notes = gone ? [] : [NO_TEST];
    const layer = await layerOf(own.network as NetworkOf);
    const answered = async (features: Features, most: number): Promise<Answered | null> => {
      const points = finitePoints(features);
      if (!points) return null;
      const rows = stratified(features.labels, Math.min(most, points.n), seed, 0x70726f74);
      const labels = rows.map((row) => features.labels[row]);
      return answeredBy(layer, selectPoints(points, rows), labels);
    };
    const known = await own.features(forget, { signal });
    const source = finitePoints(known);
    const R = await answered(await own.features(retain, { signal }), samples);
    const F = await answered(known, samples);
    const Tf = gone && (await answered(await own.features(gone, { signal }), gone.size));
    if (!source || !R || !F || (gone && !Tf)) return { values: NOTHING, notes: [DIVERGED] };

    const least = plainAccuracy(R) - ALLOWED;
    const length = rowLength(layer);
    const centre = centreOf(R.points);
    /** Of one set, the attacks with k samples that leave enough of R; doing nothing is one of them. */
    const attacks = async (k: number): Promise<Record<'gone' | 'forget', Outcome[]> | null> => {
      const sweeps: Record<'R' | 'F' | 'Tf', number[][]> = { R: [], F: [], Tf: [] };
      for (let draw = 0; draw < draws; draw++) {
        await pause(input);
        const rows = drawnRows(forget.labels, goneClasses, k, seed, draw);
        if (!rows) return null;
        const ofClass = (c: number) => rows.filter((row) => forget.labels[row] === c);
        const means = new Map(goneClasses.map((c) => [c, prototypeOf(source, ofClass(c))]));
        const away = new Map(goneClasses.map((c) => [c, prototypeOf(source, ofClass(c), centre)]));
        const sets = [R, F, ...(Tf ? [Tf] : [])];
        const centred = centredAccuracies(R, sets, away, length, ALLOWED);
        const [ofR, ofF, ofTf] = sets.map((set, i) => [
          ...attackedAccuracies(set, means, length),
          centred[i],
        ]);
        sweeps.R.push(ofR);
        sweeps.F.push(ofF);
        if (Tf) sweeps.Tf.push(ofTf);
      }
      const outcomes = (set: Answered, sweep: readonly number[][]): Outcome[] => [
        { name: 'no change', mean: plainAccuracy(set), each: [] },
        ...ATTACKS.flatMap((attack, i) => {
          const at = (all: readonly number[][]) => all.map((one) => one[i]);
          if (mean(at(sweeps.R)) < least) return [];
          const each = at(sweep);
          return [{ name: `${attack}, ${k} samples`, mean: mean(each), each }];
        }),
      ];
      return { gone: Tf ? outcomes(Tf, sweeps.Tf) : [], forget: outcomes(F, sweeps.F) };
    };

    const values: Record<Name, number | null> = { ...NOTHING };
    const intervals: Partial<Record<Name, readonly [number, number]>> = {};
    const all: Record<'gone' | 'forget', Outcome[]> = { gone: [], forget: [] };
    const put = (name: Name, outcomes: readonly Outcome[]): Outcome | null => {
      if (outcomes.length === 0) return null;
      const best = outcomes.reduce((a, b) => (b.mean > a.mean ? b : a));
      values[name] = best.mean;
      const interval = meanInterval(best.each);
      if (interval) intervals[name] = interval;
      return best;
    };
    for (const k of SHOTS) {
      const found = await attacks(k);
      if (!found) {
        notes.push(`A forgotten class has fewer than ${k} samples.`);
        continue;
      }
      put(`prototypes_${k}`, found.gone);
      all.gone.push(...found.gone);
      all.forget.push(...found.forget);
    }
    const best = put('prototypes', all.gone);
    const onF = put('prototypes_forget', all.forget);
    if (best) notes.push(`Best on T_f: ${best.name}.`);
    if (onF) notes.push(`Best on F: ${onF.name}.`);
    return { values, intervals, notes };
  },
});

const NOTHING = {
  prototypes: null,
  prototypes_1: null,
  prototypes_5: null,
  prototypes_20: null,
  prototypes_forget: null,
};
type Name = keyof typeof NOTHING;

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The last linear layer as numbers. */
async function layerOf({ model, variables }: NetworkOf) {
  const { weight, bias } = headOf('prototypes', model, variables.params);
  return { weight: Float64Array.from(await weight.data()), bias: Float64Array.from(await bias.data()) };
}
