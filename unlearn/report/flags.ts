// What is wrong with a row, measured against retraining: too much and too little alike, for a method that forgets more surely
// than retraining leaves a trace too. A flag caps the grade; some keep a method from being named at all.

import type { RunEntry } from '../types.ts';
import type { Facts } from './facts.ts';
import { listed, number, range, signed } from './format.ts';
import { COLLAPSE, FAR, HARDLY, HARDLY_DUE, limitOf } from './rules.ts';
import { averageGap, type Row, type View } from './view.ts';

export type FlagKind =
  | 'collapsed'
  | 'diverged'
  | 'unforgotten'
  | 'idle'
  | 'overforgotten'
  | 'underforgotten'
  | 'certain';

export interface Flag {
  readonly kind: FlagKind;
  readonly label: string;
  /** Ends a sentence that begins with the method's name: "over-forgets (...)". */
  readonly text: string;
}

const KINDS: Record<FlagKind, { readonly label: string; readonly verb: string }> = {
  collapsed: { label: 'Collapsed', verb: 'collapsed' },
  diverged: { label: 'Diverged', verb: 'diverged' },
  unforgotten: { label: 'Hardly forgot', verb: 'hardly forgot' },
  idle: { label: 'No gain', verb: 'gained nothing' },
  overforgotten: { label: 'Over-forgets', verb: 'over-forgets' },
  underforgotten: { label: 'Under-forgets', verb: 'under-forgets' },
  certain: { label: 'Too certain', verb: 'is too certain' },
};

/** Of a network that is broken nothing can be said about forgetting. */
export const BROKEN: ReadonlySet<FlagKind> = new Set(['collapsed', 'diverged']);

/** Flags with which a method cannot be named best. */
export const SPOILED: ReadonlySet<FlagKind> = new Set([...BROKEN, 'unforgotten', 'idle']);

export function flagsOf(row: Row, view: View, facts: Facts): Flag[] {
  if (row.role !== 'method') return [];
  const found = [diverged(row), collapsed(row, view), unforgotten(row, view), idle(row, view)];
  const spoiled = found.filter((flag): flag is Flag => flag !== null);
  if (spoiled.some(({ kind }) => BROKEN.has(kind))) return spoiled;
  // What was trained without the data has not forgotten it too much or too little.
  if (row.exact) return [];
  return [...spoiled, ...traces(row, view, facts, found[2] !== null)];
}

const flag = (kind: FlagKind, reason: string): Flag => {
  const { label, verb } = KINDS[kind];
  return { kind, label, text: `${verb} (${reason})` };
};

function diverged({ summary }: Row): Flag | null {
  const silent = Math.max(...summary.runs.map((run) => value(run, 'nonfinite') || 0));
  if (!(silent > 0)) return null;
  return flag(
    'diverged',
    `no usable answer for ${number(silent, 1)} % of the samples: NaN or infinite outputs`,
  );
}

/** Seed by seed: one seed that collapses is hidden in a mean. */
function collapsed({ summary }: Row, { original, retrain }: View): Flag | null {
  const base = original ?? retrain;
  const lost = summary.runs.map((run) => {
    const before = base?.summary.runs.find(({ seed }) => seed === run.seed);
    return { seed: run.seed, points: value(before, 'ra') - value(run, 'ra') };
  });
  const bad = lost.filter(({ points }) => points > COLLAPSE);
  if (!bad.length) return null;
  const seeds = bad.length === lost.length ? '' : ` on seed ${listed(bad.map(({ seed }) => String(seed)))}`;
  const points = range(bad.map((one) => one.points));
  return flag('collapsed', `lost ${points} points of accuracy on the data that should stay${seeds}`);
}

function unforgotten(row: Row, { original, retrain }: View): Flag | null {
  const due = mean(retrain, 'ua') - mean(original, 'ua');
  const done = mean(row, 'ua') - mean(original, 'ua');
  if (!(due > HARDLY_DUE && done < HARDLY * due)) return null;
  return flag(
    'unforgotten',
    `UA moved by ${signed(done, 1)} points where retraining moves it by ${signed(due, 1)}`,
  );
}

function idle(row: Row, { original, references }: View): Flag | null {
  const gap = row.avgGap?.mean ?? Number.NaN;
  const still = original
    ? (averageGap(original.summary, references, row.measures)?.mean ?? Number.NaN)
    : Number.NaN;
  if (!(gap >= still)) return null;
  return flag(
    'idle',
    `${number(gap)} points from retraining on average; the original model, which forgot nothing, is ${number(still)}`,
  );
}

type Reason = readonly [kind: FlagKind, text: string];

/** What each measure says far above retraining's value, and far below it. */
const TRACES: Record<keyof typeof FAR, readonly [above: Reason, below: Reason]> = {
  entropy_forget: [
    ['overforgotten', 'outputs on the forgotten data N nats less certain than retraining’s'],
    ['certain', 'outputs on the forgotten data N nats more certain than retraining’s'],
  ],
  ua: [
    ['overforgotten', 'UA N points above retraining’s'],
    ['underforgotten', 'UA N points below retraining’s'],
  ],
  mia: [
    ['overforgotten', 'MIA N points above retraining’s: too much looks never seen'],
    ['underforgotten', 'MIA N points below retraining’s: too much looks trained on'],
  ],
  asr: [
    ['underforgotten', 'ASR N points above retraining’s: too much looks trained on'],
    ['overforgotten', 'ASR N points below retraining’s: too much looks never seen'],
  ],
};

function traces(row: Row, { retrain }: View, { size }: Facts, hardly: boolean): Flag[] {
  if (!retrain) return [];
  const reasons = (Object.keys(TRACES) as (keyof typeof FAR)[]).flatMap((key): Reason[] => {
    const { gap, measurable } = row.cells[key];
    if (gap === null || !measurable) return [];
    const draws = Math.max(row.cells[key].draws ?? 0, retrain.cells[key].draws ?? 0);
    const one = key !== 'entropy_forget' && size ? 100 / size : 0;
    if (Math.abs(gap) <= limitOf(FAR[key], retrain.cells[key].spread, draws, one)) return [];
    const [kind, text] = TRACES[key][gap > 0 ? 0 : 1];
    return [[kind, text.replace('N', number(Math.abs(gap), key === 'entropy_forget' ? 2 : 1))]];
  });
  // Who hardly forgot is said to by its own flag.
  const kinds = [...new Set(reasons.map(([kind]) => kind))].filter(
    (kind) => !(hardly && kind === 'underforgotten'),
  );
  return kinds.map((kind) =>
    flag(
      kind,
      reasons
        .filter(([k]) => k === kind)
        .map(([, text]) => text)
        .join('; '),
    ),
  );
}

const mean = (row: Row | null, key: string) => row?.summary.metrics[key]?.mean ?? Number.NaN;
const value = (run: RunEntry | undefined, key: string) => run?.metrics[key] ?? Number.NaN;
