// IAM as an audit: where each forgotten sample stands between never seen and fitted. The mathematics is statistics/iam.ts.

import { int, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { iamScores, iamSignal } from '../statistics/iam.ts';
import { meanInterval } from '../statistics/interval.ts';
import type { Signals } from '../statistics/rmia.ts';
import { meanOf } from '../statistics/spread.ts';
import { askAll, scoresOf, take } from './asked.ts';
import { attackFigures, attackFinding, unmeasured } from './attack.ts';
import { sidesOf } from './candidates.ts';
import { defineAudit } from './define.ts';
import type { Figure } from './record.ts';

const name = 'iam';
const gives = {
  ...attackFigures(name, 'IAM'),
  iam_membership: {
    label: 'IAM',
    about:
      'Mean over the forgotten samples: 0 as never seen, 1 as fitted. One minus it is the paper’s unlearning score.',
    unit: '0 to 1',
    target: 'retrain',
    digits: 3,
  },
  iam_excess: {
    label: 'IAM excess',
    about:
      'Mean over the forgotten samples of the own signal minus that of references which never saw them; below 0 the model is less sure than one that never saw them. Ours.',
    unit: '0 to 1',
    target: 'retrain',
    digits: 3,
  },
} satisfies Record<string, Figure>;

export const iam = defineAudit({
  name,
  title: 'IAM',
  definition:
    'Puts each forgotten sample on the way from "as under models that never saw it" to "as under models on their own training samples", by the model’s confidence in its label.',
  formula:
    's(p) = (g(p) - g(0)) / (g(1) - g(0)), g(p) = -ln(0.01 - ln(0.00001 + p)); m(x) = Σ α′ Gumbel(s(x); mean_k s_k(x) + α (s_fit - s_k(x)), sd) / Σ α′ over α on a grid, α′ the next; s_k: references not trained on x, s_fit: references on their own members',
  source:
    'Interpolated approximate measurement (arXiv 2506.06112), offline, and its released code. Ours: s_fit over the members of each reference in T, and the excess.',
  fools:
    'Over-forgetting: below the references m stays at 0, so read the excess with it. With a whole class forgotten every method sits at 0, and so does bare confidence: it says nothing there. It looks at outputs alone. References are trained on half of all samples, and so are less sure than a model that was trained on more: unseen samples have an excess too, so compare with retrain’s.',
  certainty:
    '95 % bootstrap over samples for the attack’s numbers, Student’s interval over forgotten samples for the means; this one model as it is. By the paper’s sweep the AUC is within a point with one reference and steady from four to eight.',
  cost: 'One pass of the model and of each reference over D_f, T and at most 1,000 samples of D_r, shared with RMIA.',
  tasks: 'any',
  needs: ['references'],
  uses: [],
  options: section('Place between never seen and fitted (IAM).', {
    grid: opt(int('Points on the way; 16 do.', 2, 10_000), 100),
  }),
  gives,
  async audit({ grid }, input) {
    const { sets, seed } = input;
    const { forget, test } = await askAll(input);
    const fit = fitted(test);
    const sides = sidesOf(sets.forget, sets.test, seed);
    const members = judged(forget, Int32Array.from(sets.forget.ids.keys()));
    const others = judged(test, sides.others);
    if (fit === null || members.length === 0)
      return {
        values: unmeasured(gives),
        notes: ['References saw every forgotten sample, or no test sample: nothing to place between.'],
      };
    // Both sides in one call: what they are measured by is the deviation over all.
    const [own, out] = [take(forget, members), take(test, others)].reduce<[number[], number[][]]>(
      ([own, out], asked) => [
        [...own, ...Array.from(asked.own, iamSignal)],
        [...out, ...outOf(asked)],
      ],
      [[], []],
    );
    const { membership, excess } = iamScores({ own, out, fit, grid });
    const count = members.length;
    const attacked = new Set(sides.members);
    const found = attackFinding(
      name,
      membership.subarray(0, count).filter((_, i) => attacked.has(members[i])),
      membership.subarray(count),
      seed,
    );
    const means = { iam_membership: membership.subarray(0, count), iam_excess: excess.subarray(0, count) };
    const bounds = Object.entries(means).flatMap(([key, values]) => {
      const interval = meanInterval(values);
      return interval ? [[key, interval]] : [];
    });
    const notes = [...found.notes];
    if (count < sets.forget.size)
      notes.push(
        `${sets.forget.size - count} of ${sets.forget.size} forgotten samples were seen by every reference: left out.`,
      );
    return {
      values: {
        ...found.values,
        iam_membership: meanOf(means.iam_membership),
        iam_excess: meanOf(means.iam_excess),
      },
      intervals: { ...found.intervals, ...Object.fromEntries(bounds) },
      samples: [
        scoresOf(
          'forget',
          'Place between never seen (0) and fitted (1).',
          members.map((row) => sets.forget.ids[row]),
          means.iam_membership,
        ),
      ],
      notes,
    };
  },
});

/** Signals of references that were not trained on the sample, of each. */
const outOf = ({ own, references, members }: Signals): number[][] =>
  Array.from(own, (_, i) => references.flatMap((row, r) => (members[r][i] === 0 ? [iamSignal(row[i])] : [])));

/** Of these rows those that some reference was not trained on. */
const judged = ({ members }: Signals, rows: Int32Array): Int32Array =>
  rows.filter((i) => members.some((row) => row[i] === 0));

/** Mean signal of references on test samples that they were trained on, each reference counting once; null where there are none. */
function fitted({ references, members }: Signals): number | null {
  const means = references.flatMap((row, r) => {
    const own = Array.from(row).flatMap((p, i) => (members[r][i] !== 0 ? [iamSignal(p)] : []));
    return own.length > 0 ? [meanOf(own)] : [];
  });
  return means.length > 0 ? meanOf(means) : null;
}
