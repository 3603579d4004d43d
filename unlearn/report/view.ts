// What the report says, before it is drawn: rows in order, gaps to the paired retrain, warnings, and the verdict. Pure data;
// the HTML, the terminal table and the exports all read it.

import { againstRetrain } from '../audit/metrics.ts';
import { type MethodSummary, type Spread, spreadOf, summarise } from '../audit/summarise.ts';
import type { Results, RunEntry } from '../types.ts';
import { COMPARED, displayName, EXACT } from './definitions.ts';
import { number, signed } from './format.ts';

export interface Cell {
  readonly spread: Spread | null;
  /** Mean signed distance from the retrain of the same seed; null without one. */
  readonly gap: number | null;
  /** The distance is no larger than retrain's own spread over at least three seeds. */
  readonly within: boolean;
}

export interface Flag {
  readonly kind: 'collapsed' | 'diverged' | 'unforgotten' | 'overforgotten' | 'idle';
  readonly label: string;
  readonly text: string;
}

export interface Row {
  readonly summary: MethodSummary;
  readonly name: string;
  readonly role: 'original' | 'retrain' | 'method';
  readonly exact: boolean;
  readonly cells: Readonly<Record<string, Cell>>;
  readonly avgGap: Spread | null;
  readonly tow: Spread | null;
  readonly seconds: Spread | null;
  /** Retrain's mean time over this one's. */
  readonly speedup: number | null;
  readonly flags: readonly Flag[];
}

export type Grade = 'close' | 'partly' | 'far';

export interface View {
  readonly rows: readonly Row[];
  readonly original: Row | null;
  readonly retrain: Row | null;
  /** The approximate method nearest to retraining that did not collapse. */
  readonly best: Row | null;
  readonly grade: Grade | null;
  readonly seeds: readonly number[];
  /** Some method has fewer than three runs. */
  readonly few: boolean;
  /** Things a reader must know, in plain words. */
  readonly cautions: readonly string[];
}

/** Points of RA lost, against the original model, from which a method counts as collapsed. */
export const COLLAPSE = 20;

export function viewOf(results: Results): View {
  const references = new Map(
    results.runs.filter((run) => run.method === 'retrain').map((run) => [run.seed, run]),
  );
  const summaries = summarise(results.runs.map((run) => paired(run, references.get(run.seed))));
  const find = (method: string) => summaries.find((summary) => summary.method === method);
  const facts = { original: find('original'), retrain: find('retrain'), references };
  const rows = summaries.map((summary) => rowOf(summary, facts)).sort(byPlace);
  const candidates = rows.filter((row) => row.role === 'method' && row.avgGap && !spoiled(row));
  const best = candidates.find((row) => !row.exact) ?? candidates[0] ?? null;
  const seeds = [...new Set(results.runs.map((run) => run.seed))].sort((a, b) => a - b);
  const view = {
    rows,
    original: rows.find((row) => row.role === 'original') ?? null,
    retrain: rows.find((row) => row.role === 'retrain') ?? null,
    best,
    grade: best ? gradeOf(best) : null,
    seeds,
    few: rows.some((row) => row.summary.few),
  };
  return { ...view, cautions: cautionsOf(view, results) };
}

/** Fills avg_gap and tow from the retrain of the same seed where a run lacks them. */
function paired(run: RunEntry, retrain: RunEntry | undefined): RunEntry {
  if (!retrain) return run;
  const known = (value: number | null | undefined) => typeof value === 'number' && Number.isFinite(value);
  if (known(run.metrics.avg_gap) && known(run.metrics.tow)) return run;
  const { avg_gap, tow } = againstRetrain(run.metrics, retrain.metrics);
  const metrics = { ...run.metrics };
  if (!known(metrics.avg_gap)) metrics.avg_gap = avg_gap;
  if (!known(metrics.tow)) metrics.tow = tow;
  return { ...run, metrics };
}

interface Facts {
  readonly original?: MethodSummary;
  readonly retrain?: MethodSummary;
  readonly references: ReadonlyMap<number, RunEntry>;
}

function rowOf(summary: MethodSummary, facts: Facts): Row {
  const { method } = summary;
  const role = method === 'original' || method === 'retrain' ? method : 'method';
  const cells = Object.fromEntries(COMPARED.map((key) => [key, cellOf(summary, key, facts)]));
  const seconds = summary.metrics.rte_seconds ?? (summary.cost.seconds.n ? summary.cost.seconds : null);
  const reference = facts.retrain?.metrics.rte_seconds?.mean ?? facts.retrain?.cost.seconds.mean;
  const timed = role === 'method' && seconds && seconds.mean > 0 && reference !== undefined && reference > 0;
  return {
    summary,
    name: displayName(summary.label),
    role,
    exact: EXACT.has(method),
    cells,
    avgGap: facts.retrain ? (summary.metrics.avg_gap ?? null) : null,
    tow: facts.retrain ? (summary.metrics.tow ?? null) : null,
    seconds: role === 'original' && !seconds?.mean ? null : seconds,
    speedup: timed ? reference / seconds.mean : null,
    flags: role === 'method' ? flagsOf(summary, facts) : [],
  };
}

function cellOf(summary: MethodSummary, key: string, { retrain, references }: Facts): Cell {
  const spread = summary.metrics[key] ?? null;
  const base = retrain?.metrics[key];
  if (!spread || !base || summary.method === 'retrain') return { spread, gap: null, within: false };
  const paired = spreadOf(
    summary.runs.map((run) => {
      const reference = references.get(run.seed)?.metrics[key];
      const value = run.metrics[key];
      return typeof value === 'number' && typeof reference === 'number' ? value - reference : null;
    }),
  );
  const gap = paired?.mean ?? spread.mean - base.mean;
  const within = base.std !== null && base.n >= 3 && Math.abs(gap) <= base.std;
  return { spread, gap, within };
}

function flagsOf(summary: MethodSummary, { original, retrain }: Facts): Flag[] {
  const flags: Flag[] = [];
  const mean = (from: MethodSummary | undefined, key: string) => from?.metrics[key]?.mean ?? Number.NaN;
  const silent = mean(summary, 'nonfinite');
  if (silent > 0) {
    const text = `gives no usable answer for ${number(silent, 1)} % of the samples (NaN or infinite outputs)`;
    flags.push({ kind: 'diverged', label: 'Diverged', text });
  }
  const base = original ?? retrain;
  const lost = mean(base, 'ra') - mean(summary, 'ra');
  if (lost > COLLAPSE) {
    const text = `lost ${number(lost, 1)} points of accuracy on the data that should stay`;
    flags.push({ kind: 'collapsed', label: 'Collapsed', text });
  }
  const due = mean(retrain, 'ua') - mean(original, 'ua');
  const done = mean(summary, 'ua') - mean(original, 'ua');
  if (due > 2 && done < 0.25 * due) {
    const text = `UA moved by ${signed(done, 1)} points where retraining moves it by ${signed(due, 1)}`;
    flags.push({ kind: 'unforgotten', label: 'Hardly forgot', text });
  }
  const still = mean(original, 'avg_gap');
  const gap = mean(summary, 'avg_gap');
  if (gap >= still) {
    const text = `is ${number(gap)} points from retraining on average; the original model, which forgot nothing, is ${number(still)}`;
    flags.push({ kind: 'idle', label: 'No gain', text });
  }
  const uncertainty = mean(summary, 'entropy_forget') - mean(retrain, 'entropy_forget');
  const foreign = mean(summary, 'mia') - mean(retrain, 'mia');
  if (uncertainty > 0.5 || foreign > 10) {
    const what =
      uncertainty > 0.5
        ? `its outputs on the forgotten data are ${number(uncertainty, 2)} nats less certain than retraining’s`
        : `the attack calls ${number(foreign, 1)} points more of the forgotten data foreign than under retraining`;
    flags.push({ kind: 'overforgotten', label: 'Over-forgets', text: `${what}: itself a trace` });
  }
  return flags;
}

/** Flags with which a method cannot be named best. */
const SPOILED: readonly Flag['kind'][] = ['collapsed', 'diverged', 'idle'];
const spoiled = (row: Row) => row.flags.some((flag) => SPOILED.includes(flag.kind));

function byPlace(a: Row, b: Row): number {
  const place = { original: 0, retrain: 1, method: 2 };
  return place[a.role] - place[b.role] || (a.avgGap?.mean ?? Infinity) - (b.avgGap?.mean ?? Infinity) || 0;
}

/** close: average gap at most 2 and none of UA, RA, TA, MIA beyond 5; partly: at most 8; else far. Thresholds are ours. */
function gradeOf({ avgGap, cells }: Row): Grade {
  const worst = Math.max(...['ua', 'ra', 'ta', 'mia'].map((key) => Math.abs(cells[key].gap ?? 0)));
  const gap = avgGap?.mean ?? Infinity;
  if (gap <= 2 && worst <= 5) return 'close';
  return gap <= 8 ? 'partly' : 'far';
}

function cautionsOf(view: Omit<View, 'cautions'>, results: Results): string[] {
  const cautions: string[] = [];
  if (!view.retrain) {
    cautions.push(
      'No retrained model is among the runs: gaps and a verdict need one, and UA and MIA have no target without it.',
    );
  }
  if (view.few && view.rows.length) {
    cautions.push(
      'Some rows rest on fewer than three seeds: their spread is not known, and small differences between methods may be chance.',
    );
  }
  const seedsOfRetrain = new Set(view.retrain?.summary.seeds);
  const unpaired = view.seeds.filter((seed) => view.retrain && !seedsOfRetrain.has(seed));
  if (unpaired.length) {
    cautions.push(
      `Seeds ${unpaired.join(', ')} have no retrain of their own: their runs carry no gap of their own.`,
    );
  }
  const attack = view.retrain?.summary.metrics.mia_attack_acc?.mean ?? Number.NaN;
  if (attack < 53) {
    cautions.push(
      `The MIA classifier is right on only ${number(attack, 1)} % of its own training samples under the retrained model: chance is 50, so MIA says little here.`,
    );
  }
  for (const row of view.rows) {
    for (const flag of row.flags) cautions.push(`${row.name}: ${flag.text}.`);
  }
  if (results.runs.length) {
    cautions.push(
      'The attacks here look at whole populations. They overrate privacy: single samples can stay exposed while the averages agree with retraining.',
    );
    if (view.rows.some((row) => row.role === 'method' && !row.exact)) {
      cautions.push(
        'An approximate method that measures like retraining has not been shown to equal it: weights alone cannot prove that data were forgotten.',
      );
    }
  }
  return cautions;
}
