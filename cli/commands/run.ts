// `lethe run`: a whole experiment from a recipe. Shows the plan, the progress and the table; all work is in unlearn/run.ts.

import type { Command } from 'commander';
import { summaryLines } from '../../unlearn/run/summary.ts';
import type { VariedOutcome } from '../../unlearn/run/varied.ts';
import type { RunOutcome } from '../../unlearn/run.ts';
import { counted } from '../../unlearn/text.ts';
import { type Computing, type Context, define, ofRecipe, type World } from '../context.ts';
import { duration, table } from '../format.ts';
import { cellRow, checkFailures, secondsOf, states } from '../plan.ts';
import { onRecipe } from '../recipe.ts';
import { showVaried } from '../varied.ts';

export interface RunFlags extends Computing {
  readonly out?: string;
  readonly dryRun?: boolean;
  readonly resume?: boolean;
  readonly failFast?: boolean;
  readonly wide?: boolean;
  readonly skipBad?: boolean;
}

export function register(program: Command, world: World): void {
  define<RunFlags>(
    program,
    world,
    'run',
    {
      summary:
        'Train, retrain, unlearn with each method, evaluate and report, as a recipe says. Skips what is done.',
      examples: [
        'lethe run fashion-mnist-class --data data            a recipe that comes with Lethe; lethe recipes lists them',
        'lethe run demo --set train.epochs=3 --set methods.finetune.options.epochs=1 --dry-run',
        'lethe run my.yaml --seed 1 --out results/seed1',
        'lethe run my.yaml --json > results.json',
        'lethe run forget-ratio --data data                   several runs of one recipe, with a report of all of them',
      ],
    },
    (command) =>
      running(
        ofRecipe(command)
          .option('--out <dir>', 'where results go; default: lethe-out/ and the name of the recipe')
          .option('--skip-bad', 'leave out pictures that cannot be read, naming them'),
      ),
    async (context, [recipe], flags) => runRecipe(context, recipe, flags),
  );
}

/** The options of the commands that run a whole recipe. */
export const running = (command: Command) =>
  command
    .option('--dry-run', 'print the plan, with time and memory estimated, and do nothing')
    .option('--resume', 'only go on with what is there: never replace results of other settings')
    .option('--fail-fast', 'stop at the first method that fails')
    .option('--wide', 'the table at the end with all columns');

/** Reads a recipe and runs it, or the several runs that it asks for; also what `lethe demo` does. */
export async function runRecipe(context: Context, path: string, flags: RunFlags): Promise<void> {
  const { run } = await import('../../unlearn/run.ts');
  const { runVaried } = await import('../../unlearn/run/varied.ts');
  const { resume, dryRun, failFast, skipBad, vary, set = [] } = flags;
  let out = flags.out ?? '';
  const all = { ...flags, set: skipBad ? [...set, 'dataset.options.skipBad=true'] : set };
  const outcome = await onRecipe<RunOutcome | VariedOutcome>(context, path, all, (recipe, options) => {
    // One of several runs has the folder that it has among them.
    out ||= ['lethe-out', recipe.name, ...(vary === undefined ? [] : [vary])].join('/');
    const own = { ...options, out, resume, dryRun, failFast };
    return recipe.vary ? runVaried(recipe, own) : run(recipe, own);
  });
  if ('runs' in outcome) await showVaried(context, outcome, out, flags);
  else await showOutcome(context, outcome, out, flags);
}

/** Shows the plan of a dry run, or what a run gave. @throws LetheError 'state' where cells failed. */
export async function showOutcome(
  context: Context,
  outcome: RunOutcome,
  out: string,
  flags: Pick<RunFlags, 'dryRun' | 'wide'>,
): Promise<void> {
  if (flags.dryRun) return showPlan(context, outcome, out);
  const { renderTable } = await import('../../unlearn/report/index.ts');
  if (outcome.results) context.put(outcome.results, renderTable(outcome.results, context.table(flags.wide)));
  context.say(`${context.paint('bold', 'report:')} ${out}/report.html`);
  checkFailures(outcome);
}

function showPlan(context: Context, outcome: RunOutcome, out: string): void {
  const { plan, step, data, search } = outcome;
  const left = plan.filter((cell) => cell.state !== 'done');
  const seconds = secondsOf(left);
  const rows = plan.map((cell) => cellRow(cell, states[cell.state]));
  const text = [
    ...summaryLines(data),
    ...data.warnings.map((warning) => `warning: ${warning}`),
    '',
    table(['cell', 'state', 'time', 'memory', 'key'], rows),
    '',
    ...searchText(outcome),
    `${left.length} of ${plan.length} cells to do in ${out}, about ${duration(seconds)} in all.`,
    `Estimated from one measured training step: ${((step?.trainSeconds ?? 0) * 1000).toFixed(3)} ms a sample, ${step?.parameters.toLocaleString('en')} parameters. Nothing was written.`,
  ].join('\n');
  const cells = plan.map(({ record: _, ...cell }) => cell);
  context.put({ out, data, search, cells, step, estimate: { seconds } }, text);
}

/** What a search will try, and what of the cells above is not known before. */
function searchText({ search, plan }: RunOutcome): string[] {
  if (!search) return [];
  const { methods, seed, rule, budget } = search;
  const trials = plan.filter(({ trial }) => trial);
  const open = trials.some(({ state }) => state !== 'done');
  const times = budget === 1 ? 'one retraining' : `${budget} retrainings`;
  return [
    `search: ${counted(trials.length, 'trial')} of ${counted(methods.length, 'method')} on seed ${seed}, those of a method for ${times} at most, by rule ${rule}`,
    ...methods.flatMap(({ method, notes }) => notes.map((note) => `search: ${method}: ${note}`)),
    ...(open
      ? ['search: what it chooses is not known yet: their methods stand above with the options stated']
      : []),
    '',
  ];
}
