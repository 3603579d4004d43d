// What is shown of cells, of one run and of several: lines of a plan, and what failed.

import { LetheError } from '../engine/error.ts';
import type { PlannedCell, RunOutcome } from '../unlearn/run.ts';
import { bytes, duration } from './format.ts';

/** States of cells in words. */
export const states = {
  done: 'done already',
  evaluate: 'evaluate only',
  audit: 'audit only',
  resume: 'go on',
  todo: 'to do',
  replace: 'REPLACES a result',
};

/** What cells take together, as planned. */
export const secondsOf = (cells: readonly PlannedCell[]): number =>
  cells.reduce((sum, cell) => sum + (cell.estimate?.seconds ?? 0), 0);

/** A line of the plan. */
export const cellRow = ({ id, state, estimate, key }: PlannedCell, about: string): string[] => [
  id,
  about,
  state === 'done' ? '-' : `~${duration(estimate?.seconds ?? Number.NaN)}`,
  state === 'done' ? '-' : `~${bytes(estimate?.bytes ?? Number.NaN)}`,
  key.slice(0, 8),
];

/** @throws LetheError 'state' where something failed. */
export function checkFailures({ failures, plan }: Pick<RunOutcome, 'failures' | 'plan'>): void {
  if (failures.length === 0) return;
  const what = failures.map((f) => `${f.cell} (${f.reason})`).join(', ');
  throw new LetheError('state', `${failures.length} of ${plan.length} cells failed: ${what}`);
}
