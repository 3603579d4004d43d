// What is wrong with a row, measured against retraining: too much and too little alike, for a method that forgets more surely
// than retraining leaves a trace too. A flag caps the grade; some keep a method from being named at all.

import { type TraceKind, withUnit } from '../metrics/record.ts';
import type { Metrics, RunEntry } from '../types.ts';
import type { Facts } from './facts.ts';
import { listed, number, range, signed } from './format.ts';
import { COLLAPSE, HARDLY, HARDLY_DUE, HOLDING, limitOf } from './rules.ts';
import { averageGap, type Row, type View } from './view.ts';

type FlagKind = 'collapsed' | 'diverged' | 'unforgotten' | 'idle' | 'held' | TraceKind;

export interface Flag {
  readonly kind: FlagKind;
  readonly label: string;
  /** Ends a sentence that begins with the method's name: "over-forgets (...)". */
  readonly text: string;
}

/** How flags are called, and the verb of their sentences. */
export const KINDS: Record<FlagKind, { readonly label: string; readonly verb: string }> = {
  collapsed: { label: 'Collapsed', verb: 'collapsed' },
  diverged: { label: 'Diverged', verb: 'diverged' },
  unforgotten: { label: 'Hardly forgot', verb: 'hardly forgot' },
  idle: { label: 'No gain', verb: 'gained nothing' },
  held: { label: 'Still there', verb: 'still holds the information' },
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
  const seen = traces(row, view, facts, found[2] !== null);
  const shown = spoiled.length > 0 || seen.some(({ kind }) => kind === 'underforgotten');
  return [...spoiled, ...held(row, view, shown), ...seen];
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

/** Audits that find what was to be forgotten more as in the original than as in retrain; `shown`: the outputs tell it too. */
function held(row: Row, { audits }: View, shown: boolean): Flag[] {
  const found = audits
    .filter(({ name }) => (HOLDING.audits as readonly string[]).includes(name))
    .flatMap(({ label, title, figures }) => {
      const score = figures.length ? row.audits[label][figures[0].key].score : null;
      return score !== null && score > HOLDING.score ? [{ title, score }] : [];
    })
    .sort((a, b) => b.score - a.score);
  if (!found.length) return [];
  const scores = found.map(({ title, score }, i) => `${title}${i ? '' : ' scores it'} ${number(score)}`);
  const { label, verb } = KINDS.held;
  const but = shown ? '' : ' although its outputs look forgotten';
  const text = `${verb}${but} (${listed(scores)}, where retrain is 0 and the original 1)`;
  return [{ kind: 'held', label, text }];
}

/** What metrics say far above retraining's value, and far below it; the furthest first, each by its own measure of far. */
function traces(row: Row, { retrain, metrics }: View, { size }: Facts, hardly: boolean): Flag[] {
  // Who hardly forgot has a flag that says so, and did not forget too much.
  if (!retrain || hardly) return [];
  const reasons = metrics.flatMap(({ key, unit, trace }) => {
    const { gap, measurable, draws } = row.cells[key];
    if (!trace || gap === null || !measurable) return [];
    const target = retrain.cells[key];
    const one = unit === '%' && size ? 100 / size : 0;
    const far = limitOf(trace.far, target.spread, Math.max(draws ?? 0, target.draws ?? 0), one);
    if (Math.abs(gap) <= far) return [];
    const { kind, text } = gap > 0 ? trace.above : trace.below;
    const by = withUnit(number(Math.abs(gap), unit === '%' ? 1 : 2), unit);
    return [{ kind, text: text(by), times: Math.abs(gap) / trace.far }];
  });
  reasons.sort((a, b) => b.times - a.times);
  const kinds = [...new Set(reasons.map(({ kind }) => kind))];
  return kinds.map((kind) =>
    flag(
      kind,
      reasons
        .filter((reason) => reason.kind === kind)
        .map(({ text }) => text)
        .join('; '),
    ),
  );
}

const mean = (row: Row | null, key: keyof Metrics) => row?.summary.metrics[key]?.mean ?? Number.NaN;
const value = (run: RunEntry | undefined, key: keyof Metrics) => run?.metrics[key] ?? Number.NaN;
