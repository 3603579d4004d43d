// What a run says while it goes: events for whoever watches, and the same as dated lines in log.txt. The log is a
// courtesy: a line that cannot be written (a full disk) never stops the work; the work's own files say so loudly.

import { statSync } from 'node:fs';
import { LetheError } from '../../engine/error.ts';
import { appendText, isIo } from '../files.ts';
import { reasonOf } from '../text.ts';
import type { Metrics, Progress } from '../types.ts';
import type { PlannedCell } from './plan.ts';

export type Action = 'take' | 'train' | 'prepare' | 'unlearn' | 'evaluate' | 'bank' | 'audit' | 'report';

/** What a run tells while it goes. A cell is one piece of its work, such as a method with a seed. */
export type RunEvent =
  | {
      /** The plan is made. */
      readonly type: 'plan';
      /** All cells, in order. */
      readonly cells: readonly PlannedCell[];
    }
  | {
      /** Work on a cell begins. */
      readonly type: 'start';
      /** Its label. */
      readonly cell: string;
      /** What is done with it. */
      readonly action: Action;
      /** Its number in the plan, from 1. */
      readonly index: number;
      /** Cells in the plan. */
      readonly total: number;
    }
  | {
      /** Work on a cell goes on. */
      readonly type: 'progress';
      /** Its label. */
      readonly cell: string;
      /** What is done with it. */
      readonly action: Action;
      /** How far it is. */
      readonly progress: Progress;
    }
  | {
      /** Work on a cell is done. */
      readonly type: 'end';
      /** Its label. */
      readonly cell: string;
      /** What was done with it. */
      readonly action: Action;
      /** How long it took. */
      readonly seconds: number;
      /** Steps that mixed precision skipped. */
      readonly skippedSteps?: number;
      /** What was measured, after an evaluation. */
      readonly metrics?: Metrics;
    }
  | {
      /** A cell was done already. */
      readonly type: 'skip';
      /** Its label. */
      readonly cell: string;
      /** Its number in the plan, from 1. */
      readonly index: number;
      /** Cells in the plan. */
      readonly total: number;
    }
  | {
      /** Something to know. */
      readonly type: 'note';
      /** How much it matters. */
      readonly level: 'info' | 'warning' | 'error';
      /** In one line. */
      readonly message: string;
      /** For the log only, such as a stack. */
      readonly detail?: string;
    };

/** Progress of a cell as events: what it warns of becomes a note. */
export function progressTo(
  tell: (event: RunEvent) => void,
  cell: string,
  action: Action,
): (progress: Progress) => void {
  return (progress) => {
    const { warning } = progress;
    if (warning) tell({ type: 'note', level: 'warning', message: `${cell}: ${warning}` });
    tell({ type: 'progress', cell, action, progress });
  };
}

/** Where an error came from, if it is not one that speaks for itself. For the log only. */
export function stackOf(error: unknown): string | undefined {
  return error instanceof Error && !(error instanceof LetheError) ? error.stack : undefined;
}

/** Clears up after work that is done and safe: what cannot be removed is told, and changes nothing of that. */
export async function tidy(tell: (event: RunEvent) => void, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!isIo(cause)) throw cause;
    tell({ type: 'note', level: 'warning', message: reasonOf(cause) });
  }
}

/** An event as one line of text; null for those not worth one. */
export function lineOf(event: RunEvent): string | null {
  switch (event.type) {
    case 'plan': {
      const count = (state: string) => event.cells.filter((c) => c.state === state).length;
      return `plan: ${event.cells.length} cells, ${count('done')} done already`;
    }
    case 'start':
      return `[${event.index}/${event.total}] ${event.cell}: ${event.action}`;
    case 'skip':
      return `[${event.index}/${event.total}] ${event.cell}: done already`;
    case 'end': {
      const m = event.metrics;
      const shown = m
        ? ` (${(['ua', 'ra', 'ta', 'mia'] as const).map((k) => `${k} ${Number(m[k]).toFixed(2)}`).join(', ')})`
        : '';
      const skipped = event.skippedSteps
        ? `, ${event.skippedSteps} steps skipped for gradients beyond float16`
        : '';
      return `${event.cell}: ${event.action} took ${event.seconds.toFixed(1)} s${skipped}${shown}`;
    }
    case 'note':
      return event.level === 'info' ? event.message : `${event.level}: ${event.message}`;
    case 'progress':
      return null;
  }
}

/** Appends events to a file, one dated line each; progress at most every ten seconds. Runs stand apart by an empty line. */
export function fileLog(path: string): (event: RunEvent) => void {
  let last = 0;
  // The line before may lack its end: its process was killed, or the disk was full.
  let first = statSync(path, { throwIfNoEntry: false })?.size ? '\n' : '';
  return (event) => {
    let line = lineOf(event);
    if (event.type === 'progress' && performance.now() - last > 10_000) {
      last = performance.now();
      const { phase, fraction, epoch, epochs, loss } = event.progress;
      const where = epoch === undefined ? '' : ` epoch ${epoch}${epochs ? `/${epochs}` : ''}`;
      line = `${event.cell}: ${phase}${where} ${(100 * fraction).toFixed(0)}%${loss === undefined ? '' : ` loss ${loss.toFixed(4)}`}`;
    }
    if (line === null) return;
    if (event.type === 'note' && event.detail) line += `\n${event.detail}`;
    try {
      appendText(path, `${first}${new Date().toISOString()} ${line}\n`);
      first = '';
    } catch {
      // See above: the log is a courtesy.
      first = '\n';
    }
  };
}
