// `lethe build`: the CPU addon from source, for machines without a ready-made one. What it does is native/build.mjs.

import type { Command } from 'commander';
import { define, type World } from '../context.ts';

export function register(program: Command, world: World): void {
  define(
    program,
    world,
    'build',
    {
      summary:
        'Builds the CPU addon for this machine, where there is no ready-made one. Needs a C++17 compiler.',
      examples: ['lethe build', 'CXX=clang++ lethe build'],
    },
    (command) => command,
    async (context) => {
      const { buildAddon } = await import('../../native/build.ts');
      const path = await buildAddon((line) => context.say(line));
      context.put({ path }, path);
    },
  );
}
