// What may be concluded from results: whether anything may (grounds.ts), what is wrong with each row (flags.ts), and in one
// sentence which method comes nearest to retraining, and how near. A pure function of the results, and plain data as its answer:
// page, terminal and JSON all say this and nothing else. The thresholds stand in rules.ts.

import { metrics } from '../metrics/index.ts';
import type { Results } from '../types.ts';
import { attacks, cautionsOf, drift } from './cautions.ts';
import { type Facts, factsOf } from './facts.ts';
import { BROKEN, type Flag, flagsOf, SPOILED } from './flags.ts';
import { besideRetraining, interval, number } from './format.ts';
import { type Ground, groundsOf } from './grounds.ts';
import { CLOSE, PARTLY } from './rules.ts';
import { averageGap, type Row, type View, viewOf } from './view.ts';

/** void: the grounds do not hold, nothing can be concluded; none: nothing to name or to compare with. */
export type Grade = 'close' | 'partly' | 'far' | 'exact' | 'none' | 'void';

/** What may be concluded from results. */
export interface Verdict {
  /** What has to hold before anything can be concluded, and whether it does. */
  readonly grounds: readonly Ground[];
  /** How near the best method comes to retraining. */
  readonly grade: Grade;
  /** The grade in a few words. */
  readonly badge: string;
  /** Label of the method that is named, if one is. */
  readonly best: string | null;
  /** The conclusion in one sentence. */
  readonly headline: string;
  /** How sure that is: over how many seeds, the interval of the gap, and whether another retrain would lie as far away. */
  readonly certainty: string | null;
  /** What a reader of the headline must know beside it. */
  readonly remarks: readonly string[];
  /** Flags of each method by label; methods without one are left out. */
  readonly flags: Readonly<Record<string, readonly Flag[]>>;
  /** What else limits these results. */
  readonly cautions: readonly string[];
}

const BADGES: Record<Grade, string> = {
  close: 'Close to retraining',
  partly: 'Partly there',
  far: 'Not close',
  exact: 'Exact',
  none: 'No verdict',
  void: 'Nothing can be concluded',
};
/** Of a void verdict where the models learned. */
const NOT_MEASURABLE = 'Not measurable';

/** What may be concluded from results: a pure function of them, the same as the report and the terminal say. */
export function verdictOf(results: Results): Verdict {
  return judge(viewOf(results), factsOf(results));
}

/** The same of what has been read already. */
export function judge(view: View, facts: Facts): Verdict {
  const grounds = groundsOf(view, facts);
  const failing = grounds.filter((ground) => ground.holds === false);
  // Without grounds a flag would say something about forgetting that was not measured; a broken network is broken all the same.
  const sayable = (flag: Flag) => !failing.length || BROKEN.has(flag.kind);
  const flags = new Map(view.models.map((row) => [row, flagsOf(row, view, facts).filter(sayable)]));
  const candidates = view.models
    .filter((row) => row.role === 'method' && row.avgGap)
    .filter((row) => !flags.get(row)?.some(({ kind }) => SPOILED.has(kind)))
    .map(
      (row): Candidate => ({ row, flags: flags.get(row) ?? [], ...gradeOf(row, flags.get(row) ?? [], view) }),
    )
    .sort(byGrade);
  const best = view.original && view.retrain && !failing.length ? (candidates[0] ?? null) : null;
  const grade = failing.length ? 'void' : (best?.grade ?? 'none');
  return {
    grounds,
    grade,
    badge: failing.length && !failing.some(unlearned) ? NOT_MEASURABLE : BADGES[grade],
    best: best?.row.summary.label ?? null,
    headline: failing.length ? voided(failing) : best ? praise(best, candidates) : silence(view, flags),
    certainty: best ? certaintyOf(best.row, view) : null,
    remarks: [
      ...new Set(failing.flatMap(({ advice }) => advice ?? [])),
      ...grounds.filter(({ holds }) => holds === null).map(({ text }) => text),
      ...attacks(view),
      ...(best ? drift(best.row, view) : []),
    ],
    flags: Object.fromEntries(
      [...flags].filter(([, found]) => found.length).map(([row, found]) => [row.summary.label, found]),
    ),
    cautions: cautionsOf(view, best?.row ?? null),
  };
}

interface Candidate {
  readonly row: Row;
  readonly flags: readonly Flag[];
  readonly grade: 'close' | 'partly' | 'far' | 'exact';
  /** What keeps a small average gap from being close, beside flags. */
  readonly but: string | null;
}

/** A better grade comes first, then the smaller gap; what is exact by construction only where nothing else is. */
function byGrade(a: Candidate, b: Candidate): number {
  const rank = { close: 0, partly: 1, far: 2, exact: 3 };
  return rank[a.grade] - rank[b.grade] || (a.row.avgGap?.mean ?? 0) - (b.row.avgGap?.mean ?? 0);
}

function gradeOf(
  row: Row,
  flags: readonly Flag[],
  { original, references }: View,
): Pick<Candidate, 'grade' | 'but'> {
  if (row.exact) return { grade: 'exact', but: null };
  const gap = row.avgGap?.mean ?? Infinity;
  if (gap > PARTLY.gap) return { grade: 'far', but: null };
  if (gap > CLOSE.gap || flags.length) return { grade: 'partly', but: null };
  const [key, worst] = row.measures
    .map((key) => [key, row.cells[key].gap ?? 0] as const)
    .reduce((a, b) => (Math.abs(b[1]) > Math.abs(a[1]) ? b : a));
  if (Math.abs(worst) > CLOSE.each) {
    const side = worst > 0 ? 'above' : 'below';
    return {
      grade: 'partly',
      but: `its ${metrics[key].label} is ${number(Math.abs(worst), 1)} points ${side} retraining’s`,
    };
  }
  const still = original && averageGap(original.summary, references, row.measures)?.mean;
  if (still && gap > CLOSE.share * still) {
    return {
      grade: 'partly',
      but: `the original model, which forgot nothing, is only ${number(still)} points away`,
    };
  }
  return { grade: 'close', but: null };
}

const PRAISE: Record<Candidate['grade'], string> = {
  close: 'comes close to a model that never saw the data',
  partly: 'comes nearest to a model that never saw the data, with differences that can be measured',
  far: 'comes nearest, and is still far from a model that never saw the data',
  exact: 'is exact by construction: its model was trained without the data',
};

function praise(best: Candidate, candidates: readonly Candidate[]): string {
  const { row, grade } = best;
  const time = row.speedup ? `, ${besideRetraining(row.speedup)}` : '';
  const over = row.measures.includes('mia') ? '' : ' over UA, RA and TA';
  const buts = best.but ?? best.flags.map((flag) => flag.text).join(', and ');
  const but = buts ? `, but ${best.but ? '' : 'it '}${buts}` : '';
  const nearer = candidates.find((one) => one.grade !== 'exact' && gapOf(one) < gapOf(best));
  const other = nearer
    ? ` ${nearer.row.name} has a smaller average gap (${number(gapOf(nearer))}), but ${nearer.but ?? `it ${nearer.flags.map((flag) => flag.text).join(', and ')}`}.`
    : '';
  return `${row.name} ${PRAISE[grade]}: ${number(gapOf(best))} points away on average${over}${time}${but}.${other}`;
}

const gapOf = ({ row }: Candidate) => row.avgGap?.mean ?? Infinity;

/** A model that did not learn its task, rather than forgetting that cannot be seen. */
const unlearned = ({ about }: Pick<Ground, 'about'>) => about === 'original' || about === 'retrain';

/** That an original which learned nothing does not know the forgotten data needs no saying. */
function voided(failing: readonly Ground[]): string {
  const worst = failing.filter(unlearned);
  const said = worst.length
    ? failing.filter(
        ({ about }) => unlearned({ about }) || (about === 'forgotten' && failing[0].about !== 'original'),
      )
    : [...failing].reverse();
  const first = worst.length
    ? 'Nothing can be concluded from these results.'
    : 'Not measurable: no method is named.';
  return `${first} ${said.map(({ text }) => text).join(' ')}`;
}

/** On how many seeds a row's gap rests, and what another retrain would give. */
function certaintyOf({ name, exact, summary, avgInterval, alike }: Row, { between, audits }: View): string {
  if (exact) return `Measured on ${seeds(summary.n)}.`;
  const over = avgInterval
    ? `${seeds(summary.n)}: the 95 % interval of its average gap is ${interval(avgInterval)} points`
    : 'one seed: there is no interval';
  const scored = audits.some(({ tells }) =>
    Object.values(tells).some(({ retrain }) => retrain !== null && retrain.std !== null),
  );
  const another =
    between === null
      ? `With one retrain it is not known how far apart retrained models are${audits.length > 0 && !scored ? ', and audits give no score' : ''}.`
      : alike
        ? `Retrained models of different seeds are ${number(between)} apart: by UA, RA, TA and MIA it cannot be told from another retrain.`
        : `Retrained models of different seeds are ${number(between)} apart.`;
  return `Measured for ${name} on ${over}. ${another}`;
}

const seeds = (n: number) => (n === 1 ? 'one seed' : `${n} seeds`);

/** Why no method is named. */
function silence(view: View, flags: ReadonlyMap<Row, readonly Flag[]>): string {
  const methods = view.models.filter((row) => row.role === 'method');
  if (!view.rows.length) return 'There are no runs in these results.';
  if (!view.retrain) return 'No verdict: these results hold no retrained model to compare with.';
  if (!view.original)
    return 'No verdict: these results hold no original model, so whether there was anything to forget is not known.';
  if (!methods.length) return 'No verdict: there is no unlearning method among the runs.';
  const why = methods.map((row) => `${row.name} ${flags.get(row)?.[0]?.text ?? 'has no gap to retraining'}`);
  return `No method can be recommended: ${why.join('; ')}.`;
}
