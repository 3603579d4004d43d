// `lethe demo`: the shipped recipe demo.yaml, run as it stands; demo-reference.yaml where only the reference computes.

import type { Command } from 'commander';
import { type Context, computing, define, type World } from '../context.ts';
import { type RunFlags, running, runRecipe } from './run.ts';

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
    (command) => running(computing(command).option('--out <dir>', 'where results go', 'lethe-out/demo')),
    async (context, _, flags) => {
      const { shippedFile } = await import('../../unlearn/recipe/shipped.ts');
      if (!(await onReference(context, flags.device))) return runRecipe(context, shippedFile('demo'), flags);
      const { howToBuild } = await import('../../native/place.ts');
      context.say(
        `a smaller network and fewer pictures, as only the reference computes; for the whole demo, ${howToBuild()}`,
      );
      await runRecipe(context, shippedFile('demo-reference'), { ...flags, device: 'reference' });
    },
  );
}

/** Whether nothing faster than the reference would compute. */
async function onReference(context: Context, device = 'auto'): Promise<boolean> {
  if (device !== 'auto') return device === 'reference';
  const { defaultParts } = await import('../../unlearn/run/default-parts.ts');
  const parts = context.world.parts ?? defaultParts();
  const { backend } = await context.compute(() => parts.open('auto'));
  return backend === 'reference';
}
