// KLoM where models are trainings of the very forget set: what a method made of it under several seeds, against retrained models of
// several seeds. So it holds for forgotten classes, of which references on halves of the data would know too much. One model is
// placed among a few retrained ones by a form of ours. The mathematics is statistics/klom.ts,
// statistics/forgettingScore.ts and statistics/mmd.ts.

import { section } from '../options/fields.ts';
import { stratified } from '../random.ts';
import { finalScore, pointsOf as pointsFor, sampleEpsilon } from '../statistics/forgettingScore.ts';
import { meanInterval } from '../statistics/interval.ts';
import { halves, klom as klomOf, sharedKlom } from '../statistics/klom.ts';
import { twoSampleMmd } from '../statistics/mmd.ts';
import { pointsOf } from '../statistics/points.ts';
import { meanOf } from '../statistics/spread.ts';
import type { Split } from '../types.ts';
import { scoresOf } from './asked.ts';
import { unmeasured } from './attack.ts';
import { keptSample } from './candidates.ts';
import { defineAudit } from './define.ts';
import type { AuditInput, Figure } from './record.ts';
import { ALONE, pause, peersOf } from './rows.ts';
import type { Subject } from './subject.ts';
import { type Seen, seenBy } from './worlds.ts';

/** Models a side below which a histogram, or a rate, says nothing; and below which relabelling them does not. */
const [LEAST, FEWEST] = [8, 4];
/** Samples that models are compared on by the test. */
const QUERIES = 200;

const nats = (label: string, about: string, target: Figure['target']): Figure => {
  return { label, about, unit: 'nats', target, digits: 3 };
};
const gives = {
  klom_shared: nats(
    'KLoM, shared',
    'Mean over the forgotten samples of the divergence estimated from this model and the retrained ones, one variance for all samples; 0 in the mean for a retrained model. Ours.',
    'retrain',
  ),
  klom_shared_kept: nats(
    'KLoM, shared, others',
    'The same on test samples of which nothing was forgotten.',
    null,
  ),
  klom_shared_floor: nats(
    'KLoM, shared, floor',
    'The largest that one of the other retrained models reaches in the place of the audited one, beside the rest.',
    null,
  ),
  klom_seeds: nats(
    'KLoM over seeds',
    'Mean over the forgotten samples, by histograms over all seeds of the row; it is of the row, and the same for each of its seeds.',
    'lower',
  ),
  klom_seeds_floor: nats(
    'KLoM over seeds, floor',
    'The same between two halves of the retrained models: what chance gives with half as many.',
    null,
  ),
  klom_seeds_p: {
    label: 'p, seeds',
    about:
      'Of no difference between trainings of the row and retrained models: relabellings of models that lie as far apart.',
    unit: '0 to 1',
    target: 'higher',
    digits: 3,
  },
  forgetting_seeds: {
    label: 'Forgetting score, seeds',
    about: 'The score of the NeurIPS 2023 challenge by the paper’s points, over all seeds of the row.',
    unit: '0 to 1',
    target: 'higher',
    digits: 3,
  },
} satisfies Record<string, Figure>;

export const klomSeeds = defineAudit({
  name: 'klomSeeds',
  title: 'KLoM over seeds',
  definition:
    'How far the margins of forgotten samples under the unlearned model are from those under models retrained without them, in the spread that retrained models of different seeds have; and, where there are many seeds, the divergence between both distributions over trainings.',
  formula:
    'shared: mean over F of ½ ((M_u − mean_r M_r)²/s² − 1 − 1/n_r), s² the variance of M_r over models, pooled over samples; over seeds: KL(hist M_u(x) || hist M_r(x)), M = z_y − log Σ_{j≠y} exp z_j clipped to ±100, 20 equal bins over the joint range (10 below 50 models), M_r’s bins at least 1e-5; p: MMD² between models as vectors of margins, 999 relabellings',
  source:
    'Over seeds: Georgiev et al., "Attribute-to-Delete" (ICLR 2025), whose two distributions are of models unlearned from several originals and of several retrained ones (100 each); score: arXiv 2406.09073. Ours: the shared form, the closed last bin, 10 bins, the floors, and the test (two groups of models, after MMD of Gretton et al. 2012).',
  fools:
    'Margins alone are compared: what is hidden behind the last layer stays unseen. The shared form takes Gaussians of one variance: a method whose models vary more than retrained ones counts that as distance, and its variance rests on few trainings, whose samples move together. Over-forgetting and under-forgetting both raise it: look at UA for the side. Rows of one original and several of the method’s own seeds are not several trainings, and only one of them is taken for each original.',
  certainty:
    'Shared: Student’s interval over samples, which share their models, so too narrow; the floor and the retrained row say what one training more or less does. It takes two retrained models beside the audited one, and the floor three. Over seeds: null below 8 trainings a side (the paper has 100), the test below 4; its p is at least 1/70 with 4 a side and 1/12,870 with 8.',
  cost: 'One pass over F, T and at most 1,000 samples of R for each model; the retrained models are trained once for all audits.',
  tasks: 'any',
  needs: ['retrains'],
  uses: ['retrain', 'repeats'],
  options: section('Margins beside those of retrained models of other seeds. It has no options.', {}),
  gives,
  async audit(_, input) {
    const { own, retrain, repeats, sets, seed } = input;
    const peers = peersOf(input);
    const ofRetrain = own === retrain;
    // All that never saw F but the audited one; and the two groups that the distributions are of, which share no model.
    const others = [...peers, ...(repeats?.retrain ?? [])];
    const [row, oracles] = [[own, ...(repeats?.own ?? [])], ofRetrain ? peers : others];
    if (others.length < 2)
      return {
        values: unmeasured(gives),
        notes: [
          ofRetrain
            ? ALONE
            : 'One retrained model has no spread: it takes two beside the audited one (bank: retrains).',
        ],
      };
    const kept = keptSample(sets, seed);
    const known = new Map<Subject, Looked>();
    for (const subject of new Set([...row, ...others])) {
      await pause(input);
      known.set(subject, await lookedAt(subject, { forget: sets.forget, kept, test: sets.kept }, input));
    }
    const seen = (subject: Subject) => known.get(subject) as Looked;
    const margins = (some: readonly Subject[], set: keyof Looked) =>
      some.map((subject) => seen(subject)[set].margins);
    const shared = (subject: Subject, beside: readonly Subject[], set: keyof Looked) =>
      sharedKlom(seen(subject)[set].margins, margins(beside, set));
    const scores = shared(own, others, 'forget');
    const floors =
      others.length < 3
        ? []
        : others.map((one) =>
            meanOf(
              shared(
                one,
                others.filter((other) => other !== one),
                'forget',
              ),
            ),
          );
    const bounds = meanInterval(scores);
    const few = Math.min(row.length, oracles.length);
    return {
      values: {
        ...unmeasured(gives),
        klom_shared: meanOf(scores),
        klom_shared_kept: sets.kept.size > 0 ? meanOf(shared(own, others, 'test')) : null,
        klom_shared_floor: floors.length > 0 ? Math.max(...floors) : null,
        klom_seeds_p: few < FEWEST ? null : testOf(margins(row, 'forget'), margins(oracles, 'forget'), input),
        ...(few >= LEAST && overSeeds(row.map(seen), oracles.map(seen))),
      },
      ...(bounds && { intervals: { klom_shared: bounds } }),
      notes: [
        `Beside ${others.length} retrained models.`,
        few < LEAST
          ? `${row.length} trainings of this row against ${oracles.length} retrained ones: a histogram needs ${LEAST} of each.`
          : `${row.length} trainings of this row against ${oracles.length} retrained ones.`,
      ],
      samples: [
        scoresOf(
          'forget',
          'KLoM, shared, in nats: how far from retrained models; 0 in the mean for one of these.',
          sets.forget.ids,
          scores,
        ),
      ],
    };
  },
});

type Looked = Readonly<Record<'forget' | 'kept' | 'test', Seen>>;

const lookedAt = async (
  subject: Subject,
  { forget, kept, test }: Readonly<Record<keyof Looked, Split>>,
  input: AuditInput,
): Promise<Looked> => ({
  forget: await seenBy(subject, forget, input),
  kept: await seenBy(subject, kept, input),
  test: await seenBy(subject, test, input),
});

/** p of the two groups of models: a row is a model, its margins on some samples, evenly over the classes. */
function testOf(
  row: readonly Float64Array[],
  oracles: readonly Float64Array[],
  { sets: { forget }, seed }: AuditInput,
): number {
  const queries = stratified(forget.labels, Math.min(QUERIES, forget.size), seed, 0x6b6c6f6d);
  const group = (models: readonly Float64Array[]) =>
    pointsOf(
      models.flatMap((margins) => Array.from(queries, (i) => margins[i])),
      queries.length,
    );
  return twoSampleMmd(group(row), group(oracles), { seed }).p;
}

/** What both papers compute, of enough models. */
function overSeeds(row: readonly Looked[], oracles: readonly Looked[]) {
  const bySample = (models: readonly Looked[]) =>
    Array.from(models[0].forget.margins, (_, i) => models.map(({ forget }) => forget.margins[i]));
  const [u, r] = [bySample(row), bySample(oracles)];
  const models = Math.min(row.length, oracles.length);
  const right = (some: readonly Looked[], set: 'kept' | 'test') =>
    meanOf(some.flatMap((one) => Array.from(one[set].right)));
  const accuracy = (set: 'kept' | 'test') => ({ unlearned: right(row, set), retrained: right(oracles, set) });
  const [retain, test] = [accuracy('kept'), accuracy('test')];
  const quality = meanOf(u.map((values, i) => pointsFor(sampleEpsilon(values, r[i]), models)));
  return {
    klom_seeds: meanOf(u.map((values, i) => klomOf(values, r[i]))),
    klom_seeds_floor: meanOf(r.map((values) => klomOf(...halves(values)))),
    forgetting_seeds:
      retain.retrained > 0 && test.retrained > 0 ? finalScore({ quality, retain, test }) : null,
  };
}
