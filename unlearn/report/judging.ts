// How well each metric and audit tells what a model knows, where the recipe says what that is (`truth`): the section of the
// report, and the same as data for lethe report --format json. What the columns are worth is statistics/judging.ts.

import { distance } from '../metrics/record.ts';
import { type Judgement, judge, type Pooled } from '../statistics/judging.ts';
import { spreadOf } from '../statistics/spread.ts';
import type { Results, RunEntry } from '../types.ts';
import { duration, number } from './format.ts';
import { type Html, html } from './html.ts';
import { section } from './sections.ts';
import type { View } from './view.ts';

/** A metric, or a number of an audit, with what it is worth. */
interface Judged extends Judgement {
  /** `ua`, or `probe.probe_5`. */
  readonly key: string;
  /** As tables call it. */
  readonly label: string;
  /** Seconds that the audit took for a model, in the mean; null for a metric, which is part of the evaluation. */
  readonly seconds: number | null;
}

type Truth = Pick<Pooled, 'knows' | 'shows'>;
type Look = (run: RunEntry) => number | null | undefined;

/** What the recipe says is known of each label's model; the original knows all, and retrain is what is compared with. */
function truthsOf({ recipe }: Results): ReadonlyMap<string, Truth> {
  const methods = Array.isArray(recipe?.methods) ? (recipe.methods as Record<string, unknown>[]) : [];
  return new Map(
    methods.flatMap((entry): [string, Truth][] => {
      const { knows, shows = knows } = (entry?.truth ?? {}) as Partial<Truth>;
      const isTruth = typeof knows === 'number' && typeof shows === 'number';
      return isTruth && typeof entry.label === 'string' ? [[entry.label, { knows, shows }]] : [];
    }),
  );
}

/** Worth of every metric and audit on the pool of a recipe; empty where it has none. */
export function judgedOf(results: Results, view: View): Judged[] {
  const truths = truthsOf(results);
  if (truths.size === 0) return [];
  const runs = results.runs ?? [];
  const pool = runs.flatMap((run) => {
    const truth = run.method === 'original' ? { knows: 1, shows: 1 } : truths.get(run.method);
    return truth ? [{ run, truth }] : [];
  });
  const one = (key: string, label: string, seconds: number | null, look: Look): Judged => {
    const away = awayFrom(view.references, look);
    const whole = runs.filter(({ method }) => method === 'original').map(away);
    const none = pool
      .filter(({ truth }) => truth.knows === 0 && truth.shows === 0)
      .map(({ run }) => away(run));
    const side = Math.sign(mean(whole) - mean(none));
    const models = pool.map(
      ({ run, truth }): Pooled => ({
        ...truth,
        rung: run.method,
        score: side === 0 ? Number.NaN : side * away(run),
      }),
    );
    return { key, label, seconds, ...judge(models) };
  };
  const metrics = view.metrics
    .filter(
      ({ column, target, key }) => column && (target === 'retrain' || key === 'avg_gap' || key === 'tow'),
    )
    .map(({ key, label }) => one(key, label, null, ({ metrics }) => metrics[key as keyof typeof metrics]));
  const audits = view.audits.flatMap(({ label, figures }) => {
    const took = pool.flatMap(({ run }) => run.audits?.[label]?.seconds ?? []);
    const seconds = spreadOf(took)?.mean ?? null;
    return figures
      .filter(({ target }) => target !== null)
      .map(({ key, label: head }) =>
        one(`${label}.${key}`, head, seconds, (run) => run.audits?.[label]?.values?.[key]),
      );
  });
  return [...metrics, ...audits].filter(({ measured }) => measured > 0);
}

/** Of those that are there; NaN for none. */
const mean = (list: readonly number[]): number => spreadOf(list)?.mean ?? Number.NaN;

/**
 * Distance from the retrain of the same seed, NaN where one of the two is missing; the value itself where it is a comparison with
 * retrain already, so that no retrain has one.
 */
const awayFrom = (references: ReadonlyMap<number, RunEntry>, look: Look) => {
  const compares = [...references.values()].every((run) => typeof look(run) !== 'number');
  return (run: RunEntry): number => {
    const reference = references.get(run.seed);
    const target = compares ? 0 : reference && look(reference);
    return distance(look(run), target);
  };
};

const HEADS = [
  [
    'Knows',
    'how often a model that keeps all scores above one trained without the data; 1 is best, 0.5 a coin',
  ],
  ['Not fooled', 'the same for models that hide in their answers what they know'],
  ['Grades', 'Kendall’s tau between score and share known'],
  ['Over', 'share of over-forgotten models told from those trained without the data'],
  ['Reliable', 'share of the variance that is between kinds of models and not between seeds'],
] as const;

export function judgingSection(results: Results, view: View): Html {
  const judged = judgedOf(results, view);
  if (judged.length === 0) return html``;
  const cells = (one: Judged) =>
    [one.knowing, one.deception, one.graded, one.overforgetting, one.reliability].map((value, i) => {
      const bad = i < 2 && value !== null && value < 0.75;
      return html`<td class="num${bad ? ' bad' : ''}">${number(value)}</td>`;
    });
  return section(
    'judging',
    'Which number to believe',
    html`Of the models here it is known how much they know of the forgotten data (<code>truth</code> in the recipe). A number is good if it tells those that know from those that do not, also
where the last layer hides it. Scores are distances from the retrain of the same seed, on the original’s side.`,
    html`<div class="scroll" tabindex="0" role="region" aria-label="Worth of each metric and audit"><table>
<thead><tr><th scope="col">Number</th>${HEADS.map(([head, about]) => html`<th scope="col" class="num" title="${about}">${head}</th>`)}<th scope="col" class="num">Models</th><th scope="col" class="num">Time each</th></tr></thead>
<tbody>${judged.map((one) => html`<tr><th scope="row">${one.label}<small> ${one.key}</small></th>${cells(one)}<td class="num">${one.measured} of ${one.models}</td><td class="num">${one.seconds === null ? '' : duration(one.seconds)}</td></tr>`)}</tbody></table></div>
<dl class="glossary">${HEADS.map(([head, about]) => html`<div><dt>${head}</dt><dd>${about}.</dd></div>`)}</dl>`,
  );
}
