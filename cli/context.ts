// What every command shares: where data goes (stdout), where talk goes (stderr), how the two look, and how a first
// interrupt stops work at a safe point. No command's own logic.

import { type Command, InvalidArgumentError } from 'commander';
import type { Parts } from '../unlearn/run/parts.ts';
import type { Screen, Stream } from './screen.ts';

/** The outside world, handed in so that tests can be one. */
export interface Outside extends Omit<World, 'stdout' | 'stderr'> {
  readonly stdout: Stream;
  readonly stderr: Stream;
}

/** The outside world as commands see it. */
export interface World {
  readonly stdout: Screen;
  readonly stderr: Screen;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of SIGINT and SIGTERM while a command listens; returns what stops the listening. */
  readonly onInterrupt: (listener: () => void) => () => void;
  /** What runs are made of, instead of the engine and its methods: for tests. */
  readonly parts?: Parts;
}

interface Globals {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

export class Context {
  constructor(
    readonly world: World,
    readonly globals: Globals,
  ) {}

  get json(): boolean {
    return this.globals.json === true;
  }

  /** Whether a stream may be coloured. */
  colors(stream: Screen): boolean {
    const { env } = this.world;
    return this.globals.color !== false && !env.NO_COLOR && env.TERM !== 'dumb' && stream.isTTY;
  }

  /** How a table on stdout is to look. */
  table(wide?: boolean): { color: boolean; width?: number; wide?: boolean } {
    const { stdout } = this.world;
    return { color: this.colors(stdout), width: stdout.isTTY ? stdout.columns : undefined, wide };
  }

  /** Whether a line may be redrawn in place. */
  get live(): boolean {
    const { env, stderr } = this.world;
    return stderr.isTTY && env.TERM !== 'dumb' && !env.CI && !this.globals.quiet;
  }

  /** Talk: one line on stderr, unless --quiet. */
  say(line: string): void {
    if (!this.globals.quiet) this.world.stderr.write(`${line}\n`);
  }

  /** Data: stdout gets the value as JSON with --json, else the text. */
  put(value: unknown, text: string): void {
    const data = this.json ? JSON.stringify(value, null, 2) : text;
    this.world.stdout.write(data.endsWith('\n') ? data : `${data}\n`);
  }

  /** Coloured for a stream that may be: talk, unless said otherwise. */
  paint(style: 'bold' | 'dim' | 'red' | 'green', text: string, stream: Screen = this.world.stderr): string {
    const code = { bold: 1, dim: 2, red: 31, green: 32 }[style];
    return this.colors(stream) ? `\u001b[${code}m${text}\u001b[0m` : text;
  }

  /** Runs work that computes: it can be stopped, and the devices it opened are closed so that the process can end. */
  async compute<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await this.interruptible(work);
    } finally {
      await (await import('../index.ts')).close();
    }
  }

  /** Runs work that can be stopped: the first interrupt asks it to, the second ends the process. */
  async interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const quiet = this.world.onInterrupt(() => {
      this.world.stderr.write('\nstopping at the next safe point; press Ctrl-C again to quit at once\n');
      controller.abort();
    });
    try {
      return await work(controller.signal);
    } finally {
      quiet();
    }
  }
}

type Action<Options> = (context: Context, args: string[], options: Options) => Promise<void>;

/** Adds a command whose help opens with examples and which knows the options that all share. */
export function define<Options extends object>(
  program: Command,
  world: World,
  usage: string,
  about: { readonly summary: string; readonly examples: readonly string[] },
  configure: (command: Command) => Command,
  action: Action<Options>,
): Command {
  const command = configure(program.command(usage).description(about.summary));
  const own = command.options.some((option) => option.long === '--json');
  if (!own) command.option('--json', 'data on stdout as JSON');
  command
    .addHelpText('before', `Examples:\n${about.examples.map((line) => `  ${line}`).join('\n')}\n`)
    .option('-q, --quiet', 'no talk on stderr but errors')
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .action(async (...all: unknown[]) => {
      const self = all.at(-1) as Command;
      const options = optionsOf(self) as Options & Globals;
      await action(new Context(world, options), self.processedArgs.flat() as string[], options);
    });
  return command;
}

/** A command's options with those of the commands above it; what was given wins over defaults, the nearer over the farther. */
export function optionsOf(command: Command): object {
  const chain: Command[] = [];
  for (let at: Command | null = command; at; at = at.parent) chain.unshift(at);
  const all: Record<string, unknown> = {};
  for (const given of [false, true])
    for (const at of chain)
      for (const [name, value] of Object.entries(at.opts()))
        if ((at.getOptionValueSource(name) !== 'default') === given) all[name] = value;
  return all;
}

/** An option's value as a whole number, 0 or more. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 2 ** 31 - 1) {
    throw new InvalidArgumentError('Expected a whole number from 0 to 2147483647.');
  }
  return Number(text);
}

/** Collects an option given several times. */
export const collect = (text: string, before: string[] = []) => [...before, text];

/** A command that computes what a recipe says. */
export const ofRecipe = (command: Command) =>
  computing(command.argument('<recipe>', 'file, or name of a recipe that comes with Lethe')).option(
    '--vary <label>',
    'of a recipe with vary: the one of its runs that is meant',
  );

/** The options of every command that computes. */
export const computing = (command: Command) =>
  command
    .option('--data <dir>', 'folder with data sets (else LETHE_DATA, else the cache)')
    .option('--device <name>', 'auto, webgpu, cpu or reference; default: what the recipe says')
    .option('--seed <n>', 'one seed instead of those of the recipe', wholeNumber)
    .option('--set <path=value>', 'override a key of the recipe; may be repeated', collect);

export interface Computing {
  readonly data?: string;
  readonly device?: string;
  readonly seed?: number;
  readonly set?: string[];
  readonly vary?: string;
}
