// What must hold before anything can be concluded: the original learned, it knows what is to be forgotten, retrain learned, and
// the two lie far enough apart. The first three are asked seed by seed, and fail where they fail on any seed.

import { metrics } from '../metrics/index.ts';
import type { Metrics, RunEntry } from '../types.ts';
import type { Facts } from './facts.ts';
import { listed, number, range } from './format.ts';
import { CHANCE, LEARNED, limitOf, MEASURABLE, SPREADS } from './rules.ts';
import { averageGap, type Row, type View } from './view.ts';

export interface Ground {
  readonly about: 'original' | 'forgotten' | 'retrain' | 'measurable';
  /** null: it could not be checked. */
  readonly holds: boolean | null;
  /** The seeds on which it does not hold. */
  readonly seeds: readonly number[];
  /** A sentence: what was found, and what was asked. */
  readonly text: string;
  /** What to do where it does not hold. */
  readonly advice: string | null;
}

const LONGER = 'Train longer (train.epochs) or with another rate (train.learningRate), and run again.';

const KNOW_BETTER =
  'Train until the original knows the forgotten data better than retrain does, or forget more of them.';

/** Needs the original and retrain among the rows; none of the grounds can be asked without them. */
export function groundsOf(view: View, facts: Facts): Ground[] {
  const { original, retrain } = view;
  if (!original || !retrain) return [];
  return [
    learned('original', 'The original model', original, facts),
    forgotten(view, original, retrain, facts),
    learned('retrain', 'The retrained model', retrain, facts),
    measurable(view, original, retrain),
  ];
}

/**
 * What accuracy a network must exceed to have learned, in per cent: above `floor`, which needs no learning, by more than
 * chance gives on n samples, and by LEARNED of the way to 100.
 */
export function asked(floor: number, n: number | null): number {
  const p = floor / 100;
  const chance = n ? 100 * CHANCE * Math.sqrt((p * (1 - p)) / n) : 0;
  return floor + Math.max(chance, LEARNED * (100 - floor));
}

/** RA against the better of guessing and of always giving the most frequent class that was kept. */
function learned(about: 'original' | 'retrain', who: string, row: Row, facts: Facts): Ground {
  const { K, kept, kind, gone } = facts;
  if (K === null)
    return unchecked(
      about,
      `Whether ${lower(who)} learned was not checked: the number of classes is not known.`,
    );
  // With a single class left there is nothing to tell apart in it: then the floor is that of all classes.
  const less = K - (kind === 'class' ? Math.max(1, gone.length) : 0);
  const left = less > 1 ? less : K;
  const frequent = kept && kept.largestClass < kept.size ? (100 * kept.largestClass) / kept.size : 0;
  const floor = Math.max(100 / left, frequent);
  const need = asked(floor, kept?.size ?? null);
  const stayed = (run: RunEntry) => run.details?.learned === false;
  const failed = row.summary.runs.filter((run) => !(value(run, 'ra') > need) || stayed(run));
  const found = `RA is ${range((failed.length ? failed : row.summary.runs).map((run) => value(run, 'ra')))} %`;
  const rule = `guessing gives ${number(floor, 1)} %, and more than ${number(need, 1)} % is asked`;
  const chance = failed.some(stayed) ? ', its training stayed at chance' : '';
  return {
    about,
    holds: failed.length === 0,
    seeds: failed.map((run) => run.seed),
    text: failed.length
      ? `${who} has not learned its task on ${seedsOf(failed, row)}: ${found}${chance}; ${rule}.`
      : `${who} learned its task: ${found}; ${rule}.`,
    advice: failed.length ? LONGER : null,
  };
}

/** Whether the original knows the forgotten data, and better than a model that never saw them. */
function forgotten(view: View, original: Row, retrain: Row, facts: Facts): Ground {
  const about = 'forgotten';
  const { K, kind, size } = facts;
  const right = (run: RunEntry | undefined) => 100 - value(run, 'ua');
  if (kind === 'class' && K !== null) {
    const need = asked(100 / K, size);
    const failed = original.summary.runs.filter((run) => !(right(run) > need));
    if (failed.length) {
      const text = `The original model does not know the forgotten data on ${seedsOf(failed, original)}: it answers ${range(failed.map(right))} % of them rightly; guessing gives ${number(100 / K, 1)} %, and more than ${number(need, 1)} % is asked.`;
      return { about, holds: false, seeds: failed.map((run) => run.seed), text, advice: LONGER };
    }
  }
  const pairs = original.summary.runs.map((run) => {
    const target = view.references.get(run.seed);
    const seen = [metrics.ua, metrics.mia].some((record) => apart(run, target, record, retrain, size));
    return { run, target, seen };
  });
  const blind = pairs.filter(({ target, seen }) => target && !seen);
  const runs = (blind.length ? blind : pairs).map(({ run }) => run);
  const targets = (blind.length ? blind : pairs).map(({ target }) => target);
  const answers = `the original model answers ${range(runs.map(right))} % of the forgotten data rightly, retrain ${range(targets.map(right))} %`;
  if (!blind.length) {
    return { about, holds: true, seeds: [], text: `The forgotten data are known: ${answers}.`, advice: null };
  }
  return {
    about,
    holds: false,
    seeds: runs.map((run) => run.seed),
    text: `Forgetting cannot be seen on ${seedsOf(runs, original)}: ${answers}, no further apart than chance and seeds put them.`,
    advice: KNOW_BETTER,
  };
}

/** Whether the original lies further from retrain than retrained models lie from each other, and than a few points. */
function measurable(view: View, original: Row, retrain: Row): Ground {
  const about = 'measurable';
  // A distance that the attack's own draws of members give is none.
  const measures = original.measures.filter((key) => {
    const draws = Math.max(original.cells[key].draws ?? 0, retrain.cells[key].draws ?? 0);
    return !draws || Math.abs(original.cells[key].gap ?? 0) > SPREADS * draws;
  });
  const gap = averageGap(original.summary, view.references, measures)?.mean;
  if (gap === undefined || !Number.isFinite(gap))
    return unchecked(about, 'Whether forgetting is measurable was not checked: the original has no gap.');
  const over = measures.map((key) => metrics[key].label);
  const found = `the original model, which forgot nothing, is ${number(gap)} points from retrain by average gap${over.length < 4 ? ` over ${listed(over)}` : ''}`;
  const spread = view.between;
  const near = gap <= MEASURABLE;
  const noisy = spread !== null && spread >= gap;
  const between =
    spread === null
      ? 'with one retrain it is not known how far apart retrained models are'
      : `retrained models of different seeds are ${number(spread)} apart`;
  if (!near && !noisy)
    return {
      about,
      holds: true,
      seeds: [],
      text: `Forgetting is measurable: ${found}, and ${between}.`,
      advice: null,
    };
  const why = noisy ? between : `more than ${MEASURABLE} is asked`;
  return {
    about,
    holds: false,
    seeds: [],
    text: `Forgetting is not measurable here, by any metric or audit: ${found}; ${why}.`,
    advice: KNOW_BETTER,
  };
}

/** Whether retrain's share lies above the original's by more than chance over the n forgotten samples and the seeds give. */
function apart(
  run: RunEntry,
  target: RunEntry | undefined,
  { key, measurable, spread }: typeof metrics.ua | typeof metrics.mia,
  retrain: Row,
  n: number | null,
): boolean {
  const cell = retrain.cells[key];
  if (!cell.measurable || (measurable && run.metrics[measurable] === 0)) return false;
  const [p, q] = [value(run, key) / 100, value(target, key) / 100];
  const counted = n ? (p * (1 - p) + q * (1 - q)) / n : 0;
  const draws = spread ? [run, target].reduce((sum, r) => sum + finite(r?.metrics[spread]) ** 2, 0) / 1e4 : 0;
  const bound = limitOf(100 * CHANCE * Math.sqrt(counted + draws), cell.spread);
  return 100 * (q - p) > bound;
}

const finite = (x: number | null | undefined) => (typeof x === 'number' && Number.isFinite(x) ? x : 0);
const value = (run: RunEntry | undefined, key: keyof Metrics) => run?.metrics[key] ?? Number.NaN;
const lower = (text: string) => text[0].toLowerCase() + text.slice(1);
const unchecked = (about: Ground['about'], text: string): Ground => ({
  about,
  holds: null,
  seeds: [],
  text,
  advice: null,
});

/** "seed 2", "seeds 0 and 2", "every seed". */
function seedsOf(failed: readonly RunEntry[], row: Row): string {
  const seeds = failed.map((run) => String(run.seed));
  if (seeds.length === 1) return `seed ${seeds[0]}`;
  return seeds.length === row.summary.n ? 'every seed' : `seeds ${listed(seeds)}`;
}
