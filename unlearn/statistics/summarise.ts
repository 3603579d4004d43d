// Spread over seeds: each method's metrics as mean and sample standard deviation, with the number of runs beside them. It
// does not test hypotheses, and it says when there are too few runs to speak of spread.

import type { Metrics, RunEntry } from '../types.ts';
import { type Spread, spreadOf } from './spread.ts';

export { type Spread, spreadOf };

export interface MethodSummary {
  readonly method: string;
  /** Tells apart several settings of one method; the method's name where there is one. */
  readonly label: string;
  readonly options: Record<string, unknown>;
  readonly seeds: number[];
  readonly n: number;
  /** Fewer than three runs: a mean without a believable spread (arXiv 2510.26714). */
  readonly few: boolean;
  /** Metrics without a finite value in any run are left out. */
  readonly metrics: Readonly<Partial<Record<keyof Metrics, Spread>>>;
  readonly cost: {
    readonly seconds: Spread;
    readonly gradientSteps: Spread;
    readonly samplesVisited: Spread;
  };
  readonly runs: readonly RunEntry[];
}

/** Runs below which spread is not believed. */
const MIN_RUNS = 3;

/**
 * One summary per method and settings (an option named seed aside), in order of first appearance. A model that stands for
 * several seeds, as a retrain does for methods run twice from one original, is one run.
 */
export function summarise(runs: readonly RunEntry[]): MethodSummary[] {
  const groups = new Map<string, RunEntry[]>();
  const cells = new Set<string>();
  for (const run of runs) {
    if (run.cell !== undefined && cells.has(run.cell)) continue;
    if (run.cell !== undefined) cells.add(run.cell);
    const { seed: _, ...settings } = run.options ?? {};
    const key = JSON.stringify([run.method, canonical(settings)]);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const settings = new Map<string, number>();
  for (const [first] of groups.values()) settings.set(first.method, (settings.get(first.method) ?? 0) + 1);
  const seen = new Map<string, number>();
  return [...groups.values()].map((group) => {
    const { method, options } = group[0];
    const ordinal = (seen.get(method) ?? 0) + 1;
    seen.set(method, ordinal);
    const names = new Set(group.flatMap((run) => Object.keys(run.metrics) as (keyof Metrics)[]));
    const metrics: Partial<Record<keyof Metrics, Spread>> = {};
    for (const name of names) {
      const spread = spreadOf(group.map((run) => run.metrics[name]));
      if (spread) metrics[name] = spread;
    }
    const cost = (name: 'seconds' | 'gradientSteps' | 'samplesVisited') =>
      spreadOf(group.map((run) => run.cost?.[name])) ?? { mean: Number.NaN, std: null, n: 0 };
    return {
      method,
      label: (settings.get(method) ?? 1) > 1 ? `${method} (${ordinal})` : method,
      options,
      seeds: group.map((run) => run.seed),
      n: group.length,
      few: group.length < MIN_RUNS,
      metrics,
      cost: {
        seconds: cost('seconds'),
        gradientSteps: cost('gradientSteps'),
        samplesVisited: cost('samplesVisited'),
      },
      runs: group,
    };
  });
}

/** The same value with object keys in order, so that equal settings compare equal. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, inner]) => [key, canonical(inner)]),
  );
}
