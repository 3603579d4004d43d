// `lethe demo`: the shipped recipe demo.yaml, run as it stands.

import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { packageRoot } from '../../unlearn/run/environment.ts';
import { computing, define, type World } from '../context.ts';
import { type RunFlags, runRecipe } from './run.ts';

export function register(program: Command, world: World): void {
  define<RunFlags>(
    program,
    world,
    'demo',
    {
      summary:
        'A small network learns ten kinds of glyphs and forgets one, by each method. Minutes, no data, no GPU.',
      examples: ['lethe demo', 'lethe demo --out my-demo', 'lethe demo --set forget.class=7 --dry-run'],
    },
    (command) =>
      computing(command)
        .option('--out <dir>', 'where results go', 'lethe-out/demo')
        .option('--dry-run', 'print the plan, with time and memory estimated, and do nothing'),
    async (context, _, flags) => {
      const recipe = fileURLToPath(new URL('recipes/demo.yaml', packageRoot));
      await runRecipe(context, recipe, flags);
    },
  );
}
