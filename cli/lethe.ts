// The command line as a function: arguments in, exit code out (0 done, 1 failed, 2 wrong use or wrong input). Every
// command is one file in commands/; whatever one throws becomes one clear line here.

import { Command, CommanderError } from 'commander';
import { type ErrorKind, LetheError } from '../engine/error.ts';
import { version } from '../unlearn/run/environment.ts';
import { register as audit } from './commands/audit.ts';
import { register as bench } from './commands/bench.ts';
import { register as build } from './commands/build.ts';
import { register as checkMethod } from './commands/check-method.ts';
import { register as datasets } from './commands/datasets.ts';
import { register as demo } from './commands/demo.ts';
import { register as devices } from './commands/devices.ts';
import { register as evaluate } from './commands/evaluate.ts';
import { register as memorisation } from './commands/memorisation.ts';
import { register as predict } from './commands/predict.ts';
import { register as recipes } from './commands/recipes.ts';
import { register as report } from './commands/report.ts';
import { register as run } from './commands/run.ts';
import { register as train } from './commands/train.ts';
import { register as unlearn } from './commands/unlearn.ts';
import type { Outside, World } from './context.ts';
import { Screen } from './screen.ts';

const examples = `Examples:
  lethe demo                                          a network forgets a class: no data, no network, no GPU
  lethe run fashion-mnist-class --data data           a recipe that comes with Lethe; lethe recipes lists them
  lethe run my.yaml --set train.epochs=3 --dry-run    what would be done, and how long it would take
  lethe report lethe-out/demo                         draw the report again
`;

/** Runs one command line. Never throws. */
export async function lethe(argv: readonly string[], outside: Outside): Promise<number> {
  const world = {
    ...outside,
    stdout: new Screen(outside.stdout, true),
    stderr: new Screen(outside.stderr),
  };
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
  const commands = [
    demo,
    run,
    recipes,
    train,
    unlearn,
    evaluate,
    audit,
    memorisation,
    predict,
    report,
    checkMethod,
    datasets,
    devices,
    build,
    bench,
  ];
  for (const register of commands) register(program, world);
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

/** Says what went wrong: a line, or a line for each of several faults below the first. Returns the exit code. */
function explain(error: unknown, world: World): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (world.env.LETHE_DEBUG) world.stderr.write(`${(error as Error)?.stack ?? error}\n`);
  if (error instanceof LetheError) {
    world.stderr.write(`lethe: error: ${error.message.trim()}\n`);
    return EXIT_CODES[error.kind];
  }
  const what = oneLine(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  const hint = world.env.LETHE_DEBUG
    ? ''
    : '; LETHE_DEBUG=1 shows where, so does log.txt of an output folder';
  world.stderr.write(`lethe: this is a bug in Lethe: ${what}${hint}\n`);
  return 1;
}

/** 2 says that something else has to be asked for or given, 1 that the same may succeed elsewhere or later. */
const EXIT_CODES: Readonly<Record<ErrorKind, 1 | 2>> = {
  value: 2,
  data: 2,
  shape: 2,
  dtype: 2,
  state: 1,
  device: 1,
  io: 1,
};

const oneLine = (text: string) => text.trim().replace(/\s*\n\s*/g, ' ');
