// Does unlearning expose those who stay? An attacker who has the model before and after asks which samples were trained on and
// kept. What he learns from is what the audited method makes of reference models (worlds.ts).

import { int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { attackRetained, FATES, type Fate, type Pairs } from '../statistics/retained.ts';
import type { Split } from '../types.ts';
import { defineAudit } from './define.ts';
import type { AuditInput } from './record.ts';
import type { Subject } from './subject.ts';
import { type Asked, seenBy, type World, type Worlds, worldsOf } from './worlds.ts';

/** Samples of a fate below which nothing is said. */
const MIN_SAMPLES = 20;

export const retained = defineAudit({
  name: 'retained',
  title: 'Attack on retained samples',
  definition:
    'How much better an attacker who sees the model before and after unlearning tells retained samples from unseen ones than one who sees the original alone.',
  formula:
    'ΔAUC = AUC(R vs T; g(φ_o, φ_u, |φ_u − φ_o|)) − AUC(R vs T; φ_o); g logistic regression, learned on references and what the method makes of them',
  source:
    'The setting is that of TC-UMIA (arXiv 2605.01129), of which no features or models are known. Features, attacker and ΔAUC are ours.',
  fools:
    'A weak attacker: three numbers a sample and a linear rule. No gain with it does not show that there is none. References are trained on half of the samples, so what they show of retained ones may be stronger than in the audited model.',
  certainty:
    'ΔAUC: 95 % of bootstraps over samples, both attackers judged on the same draw. The control is the same attack on the original and retrain. Not over trainings: use several seeds.',
  cost: 'The method is run once on each reference, which all audits that need it share; then a few passes and small regressions.',
  tasks: 'any',
  needs: ['original', 'references', 'unlearn'],
  uses: [],
  options: section('How sure it is.', { bootstraps: opt(int('Bootstraps.', 20, 100_000), 200) }),
  gives: {
    retained: {
      label: 'Retained, ΔAUC',
      about: 'What the unlearned model adds to the attack on retained samples; 0 where it adds nothing.',
      unit: '0 to 1',
      target: 'lower',
      digits: 3,
    },
    retained_auc: {
      label: 'Retained, AUC',
      about: 'Retained against unseen samples, with both models.',
      unit: '0 to 1',
      target: null,
      digits: 3,
    },
    retained_before: {
      label: 'Retained, AUC before',
      about: 'The same with the original alone.',
      unit: '0 to 1',
      target: null,
      digits: 3,
    },
    retained_accuracy: {
      label: 'Three fates',
      about:
        'Accuracy in telling forgotten, retained and unseen samples apart, each weighing the same; 33.3 at chance.',
      unit: '%',
      target: 'lower',
      digits: 1,
    },
    retained_control: {
      label: 'Control, ΔAUC',
      about: 'The same gain with retrain in the place of the audited model.',
      unit: '0 to 1',
      target: null,
      digits: 3,
    },
  },
  async audit({ bootstraps }, input) {
    const { own, retrain, seed, signal } = input;
    const original = input.original as Subject;
    const worlds = await worldsOf(input);
    const rows = rowsOf(worlds, input);
    const shadows = together(worlds.models.map((world) => fatesIn(world, rows, input)));
    const fewest = Math.min(rows.kept.length, rows.test.length, input.sets.forget.size);
    const nothing = {
      retained: null,
      retained_auc: null,
      retained_before: null,
      retained_accuracy: null,
      retained_control: null,
    };
    if (Math.min(fewest, ...FATES.map((fate) => shadows[fate].before.length)) < MIN_SAMPLES)
      return {
        values: nothing,
        notes: [`Fewer than ${MIN_SAMPLES} samples of a fate to learn from or to attack.`],
      };

    const attack = async (after: Subject) => {
      signal?.throwIfAborted();
      const pairs = async (split: Split, at: ArrayLike<number>): Promise<Pairs> => ({
        before: pick((await seenBy(original, split, input)).margins, at),
        after: pick((await seenBy(after, split, input)).margins, at),
      });
      const real = {
        unseen: await pairs(input.sets.test, rows.test),
        retained: await pairs(worlds.kept, rows.kept),
        forgotten: await pairs(input.sets.forget, rows.forget),
      };
      return attackRetained(shadows, real, { bootstraps, seed });
    };
    const found = await attack(own);
    const control = retrain && retrain !== own ? await attack(retrain) : null;
    return {
      values: {
        retained: found.both - found.before,
        retained_auc: found.both,
        retained_before: found.before,
        retained_accuracy: found.accuracy,
        retained_control: control && control.both - control.before,
      },
      intervals: { retained: found.gainInterval },
      notes: control ? [] : ['No control: there is no retrained model beside the audited one.'],
    };
  },
});

type Rows = Readonly<Record<Asked, Int32Array>> & { readonly isTarget: Uint8Array };

/** The rows that are attacked: of R and T those of classes that stay, as a class that goes is told by its label. */
function rowsOf({ kept, targets }: Worlds, { sets, goneClasses }: AuditInput): Rows {
  const staying = ({ labels }: Split) =>
    Int32Array.from(labels.keys()).filter((row) => !goneClasses.includes(labels[row]));
  const isTarget = new Uint8Array(sets.test.size);
  for (const row of targets) isTarget[row] = 1;
  const forget = Int32Array.from(sets.forget.labels.keys());
  return { forget, kept: staying(kept), test: staying(sets.test), isTarget };
}

/** The samples of one reference by what became of them. */
function fatesIn(
  { members, before, after }: World,
  rows: Rows,
  { goneClasses }: AuditInput,
): Record<Fate, Pairs> {
  const found: Record<Fate, { before: number[]; after: number[] }> = {
    unseen: { before: [], after: [] },
    retained: { before: [], after: [] },
    forgotten: { before: [], after: [] },
  };
  for (const set of ['forget', 'kept', 'test'] as const)
    for (const row of rows[set]) {
      const unlearned = set === 'forget' || (set === 'test' && rows.isTarget[row] === 1);
      const fate = members[set][row] === 0 ? 'unseen' : unlearned ? 'forgotten' : 'retained';
      if (fate === 'unseen' && set === 'forget' && goneClasses.length > 0) continue;
      found[fate].before.push(before[set].margins[row]);
      found[fate].after.push(after[set].margins[row]);
    }
  return found;
}

const together = (all: readonly Record<Fate, Pairs>[]): Record<Fate, Pairs> => {
  const of = (fate: Fate): Pairs => ({
    before: all.flatMap((one) => Array.from(one[fate].before)),
    after: all.flatMap((one) => Array.from(one[fate].after)),
  });
  return { unseen: of('unseen'), retained: of('retained'), forgotten: of('forgotten') };
};

const pick = (values: Float64Array, rows: ArrayLike<number>): Float64Array =>
  Float64Array.from(rows, (row) => values[row]);
