// RMIA as an audit: are forgotten samples likelier under the model than under models that never saw them, more than others are?
// The mathematics is statistics/rmia.ts.

import * as v from 'valibot';
import { num, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { DEFAULT_A, rmiaScores, type Said, type Signals, tunedA } from '../statistics/rmia.ts';
import { askAll, scoresOf, take } from './asked.ts';
import { attackFigures, attackFinding, unmeasured } from './attack.ts';
import { sidesOf } from './candidates.ts';
import { defineAudit } from './define.ts';
import type { Figure } from './record.ts';

const name = 'rmia';
const gives = {
  ...attackFigures(name, 'RMIA'),
  rmia_retain_auc: {
    label: 'RMIA AUC, retained',
    about: 'The same for retained samples: what membership looks like in this model.',
    unit: '0 to 1',
    target: 'retrain',
    digits: 3,
  } satisfies Figure,
  rmia_a: {
    label: 'a',
    about: 'The a that was used.',
    unit: '0 to 1',
    target: null,
    digits: 1,
  } satisfies Figure,
};

export const rmia = defineAudit({
  name,
  title: 'RMIA',
  definition:
    'An attacker with a few models of his own asks of each forgotten sample: does this model find it likelier than models that never saw it do, and more so than it does for other samples? A sample’s score is the share of other samples that it beats.',
  formula:
    'score(x) = share of z with (p(x) / p̄(x)) / (p(z) / p̄(z)) > γ; p: softmax of the true label; p̄(x) = ((1 + a) p_out(x) + 1 - a) / 2, p_out: mean over references not trained on x; AUC of D_f against unseen samples of its class mix',
  source:
    'Zarifzadeh, Liu and Shokri, ICML 2024 (arXiv 2312.03262), offline, and its released code. Ours: the mean over the references there are in place of zero padding; a by attacking every reference; unseen samples and population are halves of T.',
  fools:
    'It looks at outputs alone: what a changed last layer hides stays unseen. References are trained on half of all samples, the model on more: it finds everything likelier than they do, which the population is there to cancel. Below 0.5 the model finds forgotten samples less likely than unseen ones: they are told as surely as above it, and the distance from retrain counts, not the lowest value. Where D_f is not drawn like T (mislabelled, hard) the class mix alone does not make them alike. With a whole class forgotten every p(x) of it is near 0, for unseen samples too: 0.5 says only that these look alike.',
  certainty:
    '95 % bootstrap over samples, forgotten and unseen each on their own, this one model as it is; the spread over seeds comes on top. Rates at 1 % and 0.1 % need 100 and 1,000 unseen samples to exist at all, and ten times as many to be steady.',
  cost: 'One pass of the model and of each reference over D_f, T and at most 1,000 samples of D_r; references are trained once for all audits. One to four are enough for the AUC.',
  tasks: 'any',
  needs: ['references'],
  uses: [],
  options: section('Attack by likelihood ratios against a population (RMIA).', {
    gamma: opt(num('How much likelier than another sample one must be to beat it.', 0.01, 100), 1),
    a: v.optional(
      num(
        'How far references that saw a sample differ from those that did not: 1 not at all, 0 they are certain. By default chosen by attacking the references with each other; 0.3 with a single one.',
        0,
        1,
      ),
    ),
  }),
  gives,
  async audit({ gamma, a: stated }, input) {
    const { sets, seed } = input;
    const { forget, kept, test } = await askAll(input);
    const sides = sidesOf(sets.forget, sets.test, seed);
    const [members, others] = [take(forget, sides.members), take(test, sides.others)];
    const population = take(test, sides.population);
    if (sides.population.length === 0)
      return { values: unmeasured(gives), notes: ['There are no test samples to compare with.'] };
    const tuned = others.own.length > 0 ? tunedA(joined(members, others), population, gamma) : null;
    const a = stated ?? tuned ?? DEFAULT_A;
    const score = (asked: Signals) => rmiaScores(asked, population, { a, gamma });

    const found = attackFinding(name, score(members), score(others), seed);
    const alike = sidesOf(kept.split, sets.test, seed);
    const known = attackFinding(
      'rmia_retain',
      score(take(kept, alike.members)),
      score(take(test, alike.others)),
      seed,
    );
    const [value, bounds] = [known.values.rmia_retain_auc, known.intervals.rmia_retain_auc];
    const notes = [...found.notes];
    if (tuned === null && stated === undefined && others.own.length > 0)
      notes.push(`One reference cannot be attacked with another: a is ${DEFAULT_A}, the released code’s.`);
    const about = 'Share of unseen samples that it looks more like a member than.';
    return {
      values: { ...found.values, rmia_retain_auc: value, rmia_a: a },
      intervals: { ...found.intervals, ...(bounds && { rmia_retain_auc: bounds }) },
      samples: [
        scoresOf('forget', about, sets.forget.ids, score(forget)),
        scoresOf('retain', about, kept.split.ids, score(kept)),
      ],
      notes,
    };
  },
});

/** What references say of both. */
const joined = (one: Said, other: Said): Said => {
  const both = (a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]) =>
    a.map((row, r) => Float64Array.from([...Array.from(row), ...Array.from(b[r])]));
  return {
    references: both(one.references, other.references),
    members: both(one.members, other.members),
  };
};
