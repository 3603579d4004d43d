// U-LiRA as an audit: for each forgotten sample, does the model answer as models do that were trained on it and unlearned it, or as
// models that never saw it? The mathematics is statistics/lira.ts, the models are worlds.ts.

import { choice, num, section } from '../options/fields.ts';
import { opt } from '../options/training.ts';
import { Stream } from '../random.ts';
import { type LiraInput, liraScores } from '../statistics/lira.ts';
import type { Scored } from '../statistics/roc.ts';
import { scoresOf } from './asked.ts';
import { attackFigures, attackFinding, unmeasured } from './attack.ts';
import { defineAudit } from './define.ts';
import type { Figure } from './record.ts';
import { pause } from './rows.ts';
import { allRows, fewest, marginsOf, seenBy, type Wanted, type Worlds, worldsOf } from './worlds.ts';

const name = 'ulira';
/** Models a world below which there is no variance to speak of. */
const MIN_MODELS = 2;
/** Models a world below which the attack is called weak. */
const MODELS_FOR_STRONG = 16;
/** Models a world below which these are not drawn again: too many draws would hold one model alone. */
const MODELS_TO_REDRAW = 4;
/** Draws of models; from each samples are drawn five times. */
const DRAWS = 200;

const accuracy = (about: string): Figure => ({
  label: 'U-LiRA accuracy',
  about,
  unit: '%',
  target: 'retrain',
  digits: 1,
});
const gives = {
  ...attackFigures(name, 'U-LiRA'),
  ulira_accuracy: accuracy(
    'Share of targets that the attack calls rightly at 1/2, forgotten and unseen ones counting alike; 50 is chance.',
  ),
  ulira_efficacy_auc: {
    label: 'U-LiRA AUC, efficacy',
    about:
      'The AUC where "never seen" is models that unlearned nothing: it also finds what unlearning did to everyone.',
    unit: '0 to 1',
    target: 'retrain',
    digits: 3,
  } satisfies Figure,
};

export const ulira = defineAudit({
  name,
  title: 'U-LiRA',
  definition:
    'The attacker runs the audited method on models of his own. For each target he then knows how models answer that were trained on it and unlearned it, and how models answer that never saw it, and asks which of the two this model’s answer is like.',
  formula:
    'Λ(x) = q_u(φ) / (q_u(φ) + q_out(φ)), φ = z_y - log Σ_{j≠y} exp z_j under the audited model; q_u over references trained on x that unlearned it, q_out over references never trained on x: after they unlearned others (privacy), or before (efficacy)',
  source:
    'Hayes et al., "Inexact Unlearning Needs More Careful Evaluations to Avoid a False Sense of Privacy" (arXiv 2403.01218); both games and kernels of RULI (arXiv 2506.13009). Ours: one pool of targets for all references, T in the place of further unseen samples, and Student’s t in the place of Gaussians below 32 models.',
  fools:
    'Few models: with two or four a world the attack is weak, and 0.5 says little. References are trained on half of all samples, and forget a larger share of them than the audited model did: where a method depends on either, its worlds are not quite the model’s own. Unseen targets are test samples: where D_f is not drawn like them (mislabelled, hard) the class mix alone does not make them alike. With a whole class forgotten every reference loses the class, so all answers for it are alike: 0.5 there says only that; efficacy is left out, as references without the sample still know its class. It looks at outputs alone.',
  certainty:
    '95 % bootstrap on two levels, 200 draws of the pairs of references and from each five of targets; over targets alone below 4 models a world. Rates reach to the exact binomial interval. The audited model stays as it is: its spread over seeds comes on top. On the original it is the value of doing nothing; on retrain, of which nothing is run, that of further retrained models in two halves, so with half as many. 16 models a world are our floor for belief, 64 for a claim. The audited model must not be among the references.',
  cost: 'One unlearning and two passes over D_f, T and at most 1,000 samples of D_r for each reference, shared with KLoM and the forgetting score.',
  tasks: 'any',
  needs: ['references', 'unlearn'],
  uses: ['retrain', 'retrains'],
  options: section('Attack by likelihood ratios against models that unlearned the sample (U-LiRA).', {
    density: opt(
      choice(
        '`student`: Student’s t, shrunk towards all targets; `gaussian`: one for each target; `kernel`: a Gaussian around each model’s answer; `auto`: `student` below 32 models a world, then `gaussian`.',
        ['auto', 'student', 'gaussian', 'kernel'],
      ),
      'auto',
    ),
    bandwidth: opt(num('With `kernel`: standard deviation of each, in units of φ.', 0.001, 100), 1),
  }),
  gives,
  async audit({ density, bandwidth }, input) {
    const { own, sets, goneClasses, seed } = input;
    const worlds = await worldsOf(input);
    const seen = {
      forget: (await seenBy(own, sets.forget, input)).margins,
      test: (await seenBy(own, sets.test, input)).margins,
      kept: (await seenBy(own, worlds.kept, input)).margins,
    };
    const part = (
      set: Wanted['set'],
      rows: Int32Array,
      out: Wanted['state'],
      given: Worlds = worlds,
    ): LiraInput => ({
      own: Float64Array.from(rows, (row) => seen[set][row]),
      unlearned: marginsOf(given, { set, state: 'after', members: true }, rows),
      out: marginsOf(given, { set, state: out, members: false }, rows),
      density,
      bandwidth,
    });
    const rows = { forget: allRows(sets.forget), test: worlds.targets, kept: allRows(worlds.kept) };
    // One call for both sides: the prior is that of all targets.
    const attack = (out: Wanted['state'], given: Worlds = worlds) => {
      const [members, others] = [
        part('forget', rows.forget, out, given),
        part('test', rows.test, out, given),
      ];
      const scores = liraScores({
        ...members,
        own: [...Array.from(members.own), ...Array.from(others.own)],
        unlearned: [...members.unlearned, ...others.unlearned],
        out: [...members.out, ...others.out],
      });
      return { members: scores.subarray(0, sets.forget.size), others: scores.subarray(sets.forget.size) };
    };
    const models = (['forget', 'test'] as const)
      .map((set) => part(set, rows[set], 'after'))
      .reduce((least, { unlearned, out }) => Math.min(least, fewest(unlearned), fewest(out)), Infinity);
    if (models < MIN_MODELS || rows.test.length === 0)
      return {
        values: unmeasured(gives),
        notes: [
          rows.test.length === 0
            ? 'No test sample is of the forgotten classes: there is no unseen target.'
            : `A target has ${models} models in a world, expected ${MIN_MODELS} or more: take more ${worlds.from}.`,
        ],
      };

    /** Pairs drawn again, so that every target keeps as many models in each world. */
    const redrawn = async (out: Wanted['state']) => {
      const pairs = worlds.models.length >> 1;
      const drawn: Scored[] = [];
      for (let draw = 0; models >= MODELS_TO_REDRAW && draw < DRAWS; draw++) {
        const stream = new Stream(seed, draw, 0, 0x756c7261);
        const again = Array.from({ length: pairs }, () => stream.below(pairs));
        const some = again.flatMap((pair) => worlds.models.slice(2 * pair, 2 * pair + 2));
        if (draw % 10 === 0) await pause(input);
        drawn.push(attack(out, { ...worlds, models: some }));
      }
      return drawn;
    };

    const privacy = attack('after');
    const found = attackFinding(name, privacy.members, privacy.others, seed, await redrawn('after'));
    const share = (scores: Float64Array, is: (score: number) => boolean) =>
      scores.filter(is).length / scores.length;
    const right =
      (share(privacy.members, (score) => score > 0.5) + share(privacy.others, (score) => score <= 0.5)) / 2;
    const classwise = goneClasses.length > 0;
    const efficacy = attack('before');
    const again = classwise ? [] : await redrawn('before');
    const effective = attackFinding('efficacy', efficacy.members, efficacy.others, seed, again);
    const bounds = effective.intervals.efficacy_auc;
    const notes = [
      ...found.notes,
      `${models} models a world${models < MODELS_FOR_STRONG ? ` make a weak attack: ${MODELS_FOR_STRONG} are our floor for belief` : ''}.`,
    ];
    if (models < MODELS_TO_REDRAW)
      notes.push(`Intervals are over targets alone: drawing models again takes ${MODELS_TO_REDRAW} a world.`);
    if (classwise)
      notes.push('Efficacy is left out: references that never saw a sample still know its class.');
    const about = 'Looks like a member that was unlearned (1) or never seen (0).';
    const keeps = part('kept', rows.kept, 'after');
    // Retrained models were all trained on what stayed: none never saw it.
    const keepable =
      worlds.from === 'references' &&
      Math.min(fewest(keeps.unlearned), fewest(keeps.out)) >= MIN_MODELS &&
      rows.kept.length > 0;
    return {
      values: {
        ...found.values,
        ulira_accuracy: found.values.ulira_auc === null ? null : 100 * right,
        ulira_efficacy_auc: classwise ? null : effective.values.efficacy_auc,
      },
      intervals: { ...found.intervals, ...(bounds && !classwise && { ulira_efficacy_auc: bounds }) },
      samples: [
        scoresOf('forget', about, sets.forget.ids, privacy.members),
        ...(keepable
          ? [
              scoresOf(
                'retain',
                'Looks like a member that stayed (1) or never seen (0), among models that unlearned others.',
                worlds.kept.ids,
                liraScores(keeps),
              ),
            ]
          : []),
      ],
      notes,
    };
  },
});
