// What may be concluded from results: whether anything may (grounds.ts), what is wrong with each row (flags.ts), and in one
// sentence which method comes nearest to retraining, and how near. A pure function of the results, and plain data as its answer:
// page, terminal and JSON all say this and nothing else. The thresholds stand in rules.ts.

import { metrics } from '../metrics/index.ts';
import type { Results } from '../types.ts';
import { type Facts, factsOf } from './facts.ts';
import { BROKEN, type Flag, flagsOf, SPOILED } from './flags.ts';
import { comparedWith, listed, number, signed } from './format.ts';
import { type Ground, groundsOf } from './grounds.ts';
import { ATTACK, CLOSE, PARTLY } from './rules.ts';
import { averageGap, controlOf, type Row, type View, viewOf } from './view.ts';

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
    badge: BADGES[grade],
    best: best?.row.summary.label ?? null,
    headline: failing.length ? voided(failing) : best ? praise(best, candidates) : silence(view, flags),
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
  const time = row.speedup ? `, ${comparedWith(row.speedup)} than retraining` : '';
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

/** That an original which learned nothing does not know the forgotten data needs no saying. */
function voided(failing: readonly Ground[]): string {
  const said = failing.filter(({ about }) => about !== 'forgotten' || failing[0].about !== 'original');
  return `Nothing can be concluded from these results. ${said.map(({ text }) => text).join(' ')}`;
}

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

/** Attacks that say nothing here. */
function attacks({ retrain, models }: View): string[] {
  if (!retrain) return [];
  const accuracy = (row: Row) => number(row.summary.metrics.mia_attack_acc?.mean, 1);
  const own = 'of its own training samples';
  if (!retrain.cells.mia.measurable)
    return [
      `MIA is not measurable here: under the retrained model the attack is right on ${accuracy(retrain)} % ${own}, no more than chance would give. It is left out of gaps and verdict.`,
    ];
  const lost = models.filter((row) => row.role === 'method' && !row.cells.mia.measurable);
  if (lost.length)
    return [
      `MIA is not measurable for ${lost.map((row) => `${row.name} (the attack is right on ${accuracy(row)} % ${own})`).join(', ')}: it is left out of ${lost.length > 1 ? 'their gaps' : 'its gap'} and of the verdict.`,
    ];
  const old = retrain.summary.metrics;
  if (old.mia_measurable === undefined && old.mia_attack_acc && old.mia_attack_acc.mean < ATTACK)
    return [
      `The MIA classifier is right on only ${accuracy(retrain)} % ${own} under the retrained model: chance is 50, so MIA says little here.`,
    ];
  return [];
}

/** How much of what a method did to UA its control does at learning rate 0: batch-norm statistics alone. */
function drift(row: Row, view: View): string[] {
  const control = view.rows.find(
    (other) => other.role === 'control' && controlOf(other) === row.summary.method,
  );
  const before = view.original?.summary.metrics.ua?.mean ?? Number.NaN;
  const moved = (row.summary.metrics.ua?.mean ?? Number.NaN) - before;
  const alone = (control?.summary.metrics.ua?.mean ?? Number.NaN) - before;
  if (!(Math.abs(alone) > CLOSE.each)) return [];
  return [
    `${row.name} moves UA by ${signed(moved, 1)} points; with learning rate 0 it moves it by ${signed(alone, 1)}: batch-norm statistics taken on the forgotten data alone do that, no training.`,
  ];
}

function cautionsOf(view: View, best: Row | null): string[] {
  const { models, retrain } = view;
  const methods = models.filter((row) => row.role === 'method');
  const cautions: string[] = [];
  if (!retrain && models.length)
    cautions.push('Gaps and a verdict need a retrained model; UA and MIA have no target without one.');
  if (view.few && models.length)
    cautions.push(
      'Some rows rest on fewer than three seeds: their spread is not known, and small differences between methods may be chance.',
    );
  const unpaired = view.seeds.filter((seed) => retrain && !view.references.has(seed));
  if (unpaired.length)
    cautions.push(
      `Seeds ${unpaired.join(', ')} have no retrain of their own: their runs carry no gap of their own.`,
    );
  for (const row of methods) if (row !== best) cautions.push(...drift(row, view));
  const silent = methods.filter((row) => !row.cells.asr.measurable).map((row) => row.name);
  if (silent.length) {
    const where = retrain?.cells.asr.measurable ? `for ${listed(silent)}` : 'here';
    cautions.push(
      `ASR is not measurable ${where}: its attack is no better than chance on its own training samples.`,
    );
  }
  if (models.length)
    cautions.push(
      'The attacks here look at whole populations. They overrate privacy: single samples can stay exposed while the averages agree with retraining.',
    );
  if (methods.some((row) => !row.exact))
    cautions.push(
      'An approximate method that measures like retraining has not been shown to equal it: weights alone cannot prove that data were forgotten.',
    );
  return cautions;
}
