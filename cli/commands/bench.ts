// `lethe bench`: hands its words to bench/. The suites and their options live there.

import type { Command } from 'commander';
import { LetheError } from '../../engine/error.ts';
import { define, type World } from '../context.ts';

export function register(program: Command, world: World): void {
  define(
    program,
    world,
    'bench [suite...]',
    {
      summary: 'Measure the engine on this machine: ceilings first, then operations and training steps.',
      examples: ['lethe bench', 'lethe bench conv --peers', 'lethe bench --json > bench.json'],
    },
    (command) => command.allowUnknownOption(),
    async (context, args) => {
      const runBench = await load();
      const result = await runBench(context.json ? [...args, '--json'] : args);
      if (typeof result === 'number' && result !== 0) throw new LetheError('state', 'the bench failed');
    },
  );
}

async function load(): Promise<(args: string[]) => Promise<unknown>> {
  // Beside the sources when run from them, beside the compiled files when run from those.
  const file = import.meta.url.endsWith('.ts') ? 'index.ts' : 'index.js';
  try {
    const module = await import(new URL(`../../bench/${file}`, import.meta.url).href);
    return module.runBench;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new LetheError(
      'state',
      'the bench is not part of this installation; run it in a clone of the repository after npm install',
      { cause },
    );
  }
}
