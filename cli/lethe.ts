// The command line as a function: arguments in, exit code out (0 done, 1 failed, 2 wrong use or wrong input). Every
// command is one file in commands/; whatever one throws becomes one clear line here.

import { Command, CommanderError } from 'commander';
import { LetheError } from '../engine/error.ts';
import { version } from '../unlearn/run/environment.ts';
import { register as bench } from './commands/bench.ts';
import { register as datasets } from './commands/datasets.ts';
import { register as demo } from './commands/demo.ts';
import { register as devices } from './commands/devices.ts';
import { register as evaluate } from './commands/evaluate.ts';
import { register as predict } from './commands/predict.ts';
import { register as report } from './commands/report.ts';
import { register as run } from './commands/run.ts';
import { register as train } from './commands/train.ts';
import { register as unlearn } from './commands/unlearn.ts';
import type { World } from './context.ts';

const examples = `Examples:
  lethe demo                                          a network forgets a class: no data, no network, no GPU
  lethe run recipes/fashion-mnist-class.yaml --data data
  lethe run my.yaml --set train.epochs=3 --dry-run    what would be done, and how long it would take
  lethe report lethe-out/demo                         draw the report again
`;

/** Runs one command line. Never throws. */
export async function lethe(argv: readonly string[], world: World): Promise<number> {
  const program = new Command('lethe')
    .description('Makes trained image models forget, and measures whether they did.')
    .version(version, '-V, --version')
    .addHelpText('before', examples)
    .option('--json', 'data on stdout as JSON')
    .option('-q, --quiet', 'no talk on stderr but errors')
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
      getOutHelpWidth: () => world.stdout.columns ?? 100,
      getErrHelpWidth: () => world.stderr.columns ?? 100,
      outputError: (text, write) => write(`lethe: ${oneLine(text)}\n`),
    });
  for (const register of [demo, run, train, unlearn, evaluate, predict, report, datasets, devices, bench])
    register(program, world);
  for (const command of program.commands) inherit(command, program);
  try {
    await program.parseAsync(argv as string[], { from: 'user' });
    return 0;
  } catch (error) {
    return explain(error, world);
  }
}

function inherit(command: Command, from: Command): void {
  command.copyInheritedSettings(from);
  for (const below of command.commands) inherit(below, command);
}

/** Says what went wrong in one line; returns the exit code. */
function explain(error: unknown, world: World): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (world.env.LETHE_DEBUG) world.stderr.write(`${(error as Error)?.stack ?? error}\n`);
  if (error instanceof LetheError) {
    world.stderr.write(`lethe: error: ${oneLine(error.message)}\n`);
    return error.kind === 'value' || error.kind === 'data' ? 2 : 1;
  }
  const what = oneLine(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  const hint = world.env.LETHE_DEBUG
    ? ''
    : '; LETHE_DEBUG=1 shows where, so does log.txt of an output folder';
  world.stderr.write(`lethe: this is a bug in Lethe: ${what}${hint}\n`);
  return 1;
}

const oneLine = (text: string) => text.trim().replace(/\s*\n\s*/g, ' ');
