// What each of several runs was measured as, in short: the numbers that their figures and tables show, and what may be
// concluded from each by itself (verdict.ts). Pure data.

import type { Results, VariedFigure, VariedModel, VariedResults, VariedRun } from '../../types.ts';
import { factsOf } from '../facts.ts';
import { listed } from '../format.ts';
import { judge } from '../verdict.ts';
import { type Row, viewOf } from '../view.ts';

/** What figures show, in their order. */
export const MEASURED = ['ua', 'ra', 'ta', 'mia', 'avg_gap', 'rte_seconds'] as const;

/** A run before it is made. */
export const notMade = ({ label, at }: Pick<VariedRun, 'label' | 'at'>): VariedRun => ({
  label,
  at,
  title: null,
  forgotten: null,
  verdict: null,
  models: [],
});

/** The results of one run, in short. */
export function digestOf(label: string, at: number | null, results: Results): VariedRun {
  const view = viewOf(results);
  const facts = factsOf(results);
  const { grade, badge, best, headline, certainty } = judge(view, facts);
  return {
    label,
    at,
    title: facts.title,
    forgotten: facts.size,
    verdict: { grade, badge, best, headline, certainty },
    models: view.models.map(
      (row): VariedModel => ({
        label: row.summary.label,
        name: row.name,
        role: row.role as VariedModel['role'],
        figures: figuresOf(row, grade === 'void'),
      }),
    ),
  };
}

/** Where nothing can be concluded, the average gap is no measure of forgetting. */
function figuresOf(row: Row, isVoid: boolean): Record<string, VariedFigure> {
  return Object.fromEntries(
    MEASURED.flatMap((key): [string, VariedFigure][] => {
      const { spread, measurable } =
        key === 'avg_gap'
          ? { spread: row.role === 'retrain' ? null : row.avgGap, measurable: !isVoid }
          : key === 'rte_seconds'
            ? { spread: row.seconds, measurable: true }
            : row.cells[key];
      return spread ? [[key, { ...spread, ...(!measurable && { measurable }) }]] : [];
    }),
  );
}

/** A model in all runs. */
export interface VariedRow extends Pick<VariedModel, 'label' | 'name' | 'role'> {
  /** In each run, in their order; null where it is not there. */
  readonly models: readonly (VariedModel | null)[];
}

/** The original, retrain, then the methods in the order of the recipe. */
export function rowsOf({ recipe, runs }: VariedResults): VariedRow[] {
  const stated: unknown[] = Array.isArray(recipe.methods) ? recipe.methods : [];
  const order = [
    'original',
    'retrain',
    ...stated.map((one) => String((one as { label?: unknown } | null)?.label)),
  ];
  const all = new Map(runs.flatMap(({ models }) => models.map((model) => [model.label, model])));
  const place = (label: string) => (order.includes(label) ? order.indexOf(label) : order.length);
  return [...all.values()]
    .sort((a, b) => place(a.label) - place(b.label))
    .map(({ label, name, role }) => ({
      label,
      name,
      role,
      models: runs.map(({ models }) => models.find((model) => model.label === label) ?? null),
    }));
}

/** The answer of all runs in a few sentences: which method comes nearest where, and where nothing can be said. */
export function answerOf({ runs }: VariedResults): string {
  const made = runs.filter(({ verdict }) => verdict !== null);
  if (made.length === 0) return 'None of the runs was made yet.';
  const where = (some: readonly VariedRun[]) => listed(some.map(({ label }) => label));
  const nearest = new Map<string, VariedRun[]>();
  for (const run of made) {
    const name = run.models.find(({ label }) => label === run.verdict?.best)?.name;
    if (name !== undefined) nearest.set(name, [...(nearest.get(name) ?? []), run]);
  }
  const named = [...nearest.values()].flat();
  const isVoid = ({ verdict }: VariedRun) => verdict?.grade === 'void';
  const silent = made.filter((run) => !named.includes(run) && !isVoid(run));
  const told = [...nearest].map(([name, own]) => `${name} in ${where(own)}`);
  return [
    named.length > 0
      ? `Nearest to retraining comes ${told.join(', ')}.`
      : 'In none of the runs a method can be named.',
    ...(made.filter(isVoid).length > 0 ? [`Nothing can be concluded in ${where(made.filter(isVoid))}.`] : []),
    ...(named.length > 0 && silent.length > 0 ? [`No method is named in ${where(silent)}.`] : []),
    ...(made.length < runs.length
      ? [`Not made yet: ${where(runs.filter((run) => !made.includes(run)))}.`]
      : []),
  ].join(' ');
}
