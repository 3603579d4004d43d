// What `lethe run` shows of the runs of a recipe with `vary`: the plan of all, or what all of them gave.

import { summaryLines } from '../unlearn/run/summary.ts';
import type { VariedOutcome } from '../unlearn/run/varied.ts';
import type { RunFlags } from './commands/run.ts';
import type { Context } from './context.ts';
import { duration, table } from './format.ts';
import { cellRow, checkFailures, secondsOf, states } from './plan.ts';

/** Shows the plan of a dry run, or what the runs gave. @throws LetheError 'state' where something failed. */
export async function showVaried(
  context: Context,
  outcome: VariedOutcome,
  out: string,
  flags: Pick<RunFlags, 'dryRun' | 'wide'>,
): Promise<void> {
  if (flags.dryRun) return showPlan(context, outcome, out);
  const { variedTable } = await import('../unlearn/report/index.ts');
  if (outcome.results) context.put(outcome.results, variedTable(outcome.results, context.table(flags.wide)));
  context.say(`${context.paint('bold', 'report:')} ${out}/report.html`);
  checkFailures(outcome);
}

function showPlan(context: Context, { plan, runs, step }: VariedOutcome, out: string): void {
  const left = plan.filter(({ state }) => state !== 'done');
  const seconds = secondsOf(left);
  const aboutOf = ({ state, takenFrom }: VariedOutcome['plan'][number]) =>
    takenFrom === undefined
      ? states[state]
      : `from ${takenFrom}${state === 'done' ? '' : `, ${states[state]}`}`;
  const text = [
    ...runs.flatMap(({ label, outcome: { data } }) => [
      ...summaryLines(data).map((line) => `${label}: ${line}`),
      ...data.warnings.map((warning) => `${label}: warning: ${warning}`),
    ]),
    '',
    table(
      ['cell', 'state', 'time', 'memory', 'key'],
      plan.map((cell) => cellRow(cell, aboutOf(cell))),
    ),
    '',
    `${left.length} of ${plan.length} cells to do in ${out}, about ${duration(seconds)} in all; what two runs have in common is made once.`,
    `Estimated from one measured training step: ${((step?.trainSeconds ?? 0) * 1000).toFixed(3)} ms a sample, ${step?.parameters.toLocaleString('en')} parameters. Nothing was written.`,
  ].join('\n');
  const cells = plan.map(({ record: _, ...cell }) => cell);
  const told = runs.map(({ label, outcome: { data, search } }) => ({ label, data, search }));
  context.put({ out, runs: told, cells, step, estimate: { seconds } }, text);
}
