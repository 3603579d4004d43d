// Several runs told as one: the plan of all, in which no work stands twice, and the events of one with the names of all.

import type { RunEvent } from './log.ts';
import type { PlannedCell } from './plan.ts';

/** A cell of one of several runs. Its id is `LABEL/ID`. */
export interface SharedCell extends PlannedCell {
  /** The label of the run it is taken over from, where it is not made in its own. */
  readonly takenFrom?: string;
}

const isOpen = ({ state }: PlannedCell): boolean => ['todo', 'resume', 'replace'].includes(state);

/** The plans of runs as one. What one has finished, or makes before another that has the same to make, is taken over by that one. */
export function withoutTwice(
  labels: readonly string[],
  plans: readonly (readonly PlannedCell[])[],
): SharedCell[] {
  const made = new Map<string, { readonly label: string; readonly cell: PlannedCell }>();
  const nameOf = ({ id, key, trial, evaluationKey }: PlannedCell) =>
    // Of a trial nothing stays but what it was measured as.
    [id, key, ...(trial ? [evaluationKey] : [])].join(' ');
  for (const [i, label] of labels.entries())
    for (const cell of plans[i])
      if (!isOpen(cell) && !made.has(nameOf(cell))) made.set(nameOf(cell), { label, cell });
  return labels.flatMap((label, i) =>
    plans[i].map((cell): SharedCell => {
      const named = { ...cell, id: `${label}/${cell.id}` };
      if (!isOpen(cell) || cell.given || cell.weights !== cell.id) return named;
      const other = made.get(nameOf(cell));
      if (!other) made.set(nameOf(cell), { label, cell });
      return other ? { ...named, ...taken(cell, other.cell), takenFrom: other.label } : named;
    }),
  );
}

/** What is left to do of a cell that is taken over. */
function taken(cell: PlannedCell, other: PlannedCell): Pick<PlannedCell, 'state' | 'estimate'> {
  const { estimate } = cell;
  const rest = estimate && { ...estimate, seconds: estimate.evaluation };
  if (cell.state === 'replace') return { state: 'replace', estimate: rest };
  if (cell.evaluationKey !== other.evaluationKey) return { state: 'evaluate', estimate: rest };
  const known = new Set(other.audits?.entries.map(({ key }) => key));
  const isAudited = (cell.audits?.entries ?? []).every(({ key }) => known.has(key));
  return { state: isAudited ? 'done' : 'audit', estimate: rest };
}

/** Tells the events of the run at position `i` as those of all runs; its plan is kept in `plans`. */
export function inRun(
  labels: readonly string[],
  plans: (readonly PlannedCell[])[],
  i: number,
  tell: (event: RunEvent) => void,
): (event: RunEvent) => void {
  const named = (id: string) => `${labels[i]}/${id}`;
  const count = (some: readonly (readonly PlannedCell[])[]) =>
    some.reduce((sum, { length }) => sum + length, 0);
  return (event) => {
    if (event.type === 'plan') {
      plans[i] = event.cells;
      return tell({ type: 'plan', cells: withoutTwice(labels, plans) });
    }
    if (event.type === 'note') return tell({ ...event, message: `${labels[i]}: ${event.message}` });
    const { cell } = event;
    if (event.type === 'progress' || event.type === 'end') return tell({ ...event, cell: named(cell) });
    return tell({
      ...event,
      cell: named(cell),
      index: event.index + count(plans.slice(0, i)),
      total: count(plans),
    });
  };
}
