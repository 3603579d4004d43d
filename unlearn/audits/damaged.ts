// Does what was forgotten come back when the weights are rounded to few bits, or the smallest of them pruned? A method that moved
// weights only a little past a threshold is undone by it. The damages are unlearn/damage.ts.

import { damages } from '../damage.ts';
import { section } from '../options/fields.ts';
import { shareInterval } from '../statistics/distributions.ts';
import { meanInterval } from '../statistics/interval.ts';
import { nonFinite, predictions } from '../statistics/outputs.ts';
import { meanOf } from '../statistics/spread.ts';
import { disposeTree } from '../train/feed.ts';
import type { Split } from '../types.ts';
import { unmeasured } from './attack.ts';
import { defineAudit } from './define.ts';
import type { AuditInput, Figure, Finding } from './record.ts';
import { NO_TEST, pause } from './rows.ts';
import { type NetworkOf, networkSubject, type Subject } from './subject.ts';

type Damage = keyof typeof damages;
const DAMAGES = Object.keys(damages) as readonly Damage[];

const after = (label: string, about: string): Figure => ({
  label,
  about,
  unit: '%',
  target: 'retrain',
  digits: 1,
});
const gives = {
  damaged: {
    label: 'Comes back',
    about:
      'Accuracy on T_f, or on F where samples were forgotten, after the damage that leaves most of it, minus that of the model as it is.',
    unit: 'points',
    target: 'retrain',
    digits: 1,
  },
  damaged_int8: after('After 8 bits', 'That accuracy with weights rounded to 8 bits.'),
  damaged_int4: after('After 4 bits', 'That accuracy with weights rounded to 4 bits.'),
  damaged_pruned: after('After pruning', 'That accuracy with the smallest tenth of the weights set to 0.'),
  damaged_q: {
    label: 'Q, 4 bits',
    about:
      'Likeness of that accuracy before (a) and after (b) rounding to 4 bits, 1 − |a − b| / (a + b); 1 where it stays, and where both are 0.',
    unit: '0 to 1',
    target: 'higher',
    digits: 3,
  },
  damaged_kept: {
    label: 'Least on T_r',
    about:
      'Least accuracy on T_r (on T where samples were forgotten) over the damages: whether one broke the model.',
    unit: '%',
    target: null,
    digits: 1,
  },
} satisfies Record<string, Figure>;
type Name = keyof typeof gives;

export const damaged = defineAudit({
  name: 'damaged',
  title: 'After rounding and pruning',
  definition:
    'Accuracy on the forgotten data after the weights were rounded to 8 and to 4 bits, and after a tenth of them was pruned: nobody teaches the model anything, so what comes back was there.',
  formula:
    'max over damages of m(d(θ_u)) − m(θ_u); m = acc(T_f) where classes were forgotten, acc(F) where samples were; Q = 1 − |a − b| / (a + b), a = m(θ_u), b = m(θ_u at 4 bits)',
  source:
    'That metrics of forgetting are tried with rounded weights is OpenUnlearning’s meta-evaluation, as another’s code has it (4-bit NF4); the symmetric Q is that code’s page’s. Ours: even grids by tensor in the place of NF4, 8 bits, pruning, accuracy as the measure, and the largest gain.',
  fools:
    'A damage moves accuracy on everything, so only the distance from retrain counts; a model that falls on T_r was broken by it, and shows nothing. It finds what lies just below a threshold: what was hidden more deeply, behind a last layer that never names a class, stays hidden. Where samples were forgotten accuracy on F falls with that on T.',
  certainty:
    'Accuracies: the exact binomial interval over the samples asked. The gain: Student’s interval over samples, asked before and after, for the damage that was largest; the largest of three is a little high for every model alike. Nothing is drawn, so the rest is trainings: use several seeds.',
  cost: 'Four passes over T_f (or F) and T_r.',
  tasks: 'any',
  needs: ['network'],
  uses: [],
  options: section('Rounded and pruned weights. It has no options.', {}),
  gives,
  async audit(_, input): Promise<Finding<Name>> {
    const { own, sets, goneClasses } = input;
    const asked = goneClasses.length > 0 ? sets.gone : sets.forget;
    if (!asked || asked.size === 0) return { values: unmeasured(gives), notes: [NO_TEST] };
    const { model, variables } = own.network as NetworkOf;
    if (nonFinite(await own.answers(asked, { signal: input.signal }), input.classes) > 0)
      return {
        values: unmeasured(gives),
        notes: ['As it is, the network gives no usable answer to some samples: nothing can come back.'],
      };
    const before = await right(own, asked, input);
    const found: { damage: Damage; asked: number[]; kept: number[] }[] = [];
    for (const [i, damage] of DAMAGES.entries()) {
      await pause(input);
      const broken = await damages[damage](variables);
      try {
        const subject = networkSubject(damage, { model, variables: broken });
        found.push({
          damage,
          asked: await right(subject, asked, input),
          kept: await right(subject, sets.kept, input),
        });
      } finally {
        disposeTree(broken);
      }
      input.onProgress?.({ phase: 'damaged', fraction: (i + 1) / DAMAGES.length });
    }
    const gains = found.map((one) => one.asked.map((hit, i) => hit - before[i]));
    const most = gains.reduce((a, b) => (meanOf(b) > meanOf(a) ? b : a));
    const accuracies = Object.fromEntries(
      found.map((one) => [`damaged_${one.damage}`, meanOf(one.asked)]),
    ) as Record<`damaged_${Damage}`, number>;
    const exact = found.map(({ damage, asked: hits }) => {
      const bounds = shareInterval(hits.filter((hit) => hit > 0).length, hits.length);
      return [`damaged_${damage}`, bounds.map((share) => 100 * share)];
    });
    const bounds = meanInterval(most);
    const [a, b] = [meanOf(before), accuracies.damaged_int4];
    return {
      values: {
        ...accuracies,
        damaged: meanOf(most),
        damaged_q: a + b > 0 ? 1 - Math.abs(a - b) / (a + b) : 1,
        damaged_kept: sets.kept.size > 0 ? Math.min(...found.map(({ kept }) => meanOf(kept))) : null,
      },
      intervals: { ...Object.fromEntries(exact), ...(bounds && { damaged: bounds }) },
      notes: [`As it is: ${a.toFixed(1)} %. Most is left by ${found[gains.indexOf(most)].damage}.`],
    };
  },
});

/** 100 where the model is right, 0 where it is not. */
async function right(subject: Subject, split: Split, { classes, signal }: AuditInput): Promise<number[]> {
  const outputs = await subject.answers(split, { signal });
  return Array.from(predictions(outputs, classes), (label, i) => (label === outputs.labels[i] ? 100 : 0));
}
