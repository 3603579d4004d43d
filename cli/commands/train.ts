// `lethe train`: only the training of a recipe's original, into one safetensors file.

import type { Command } from 'commander';
import { type Computing, define, ofRecipe, type World } from '../context.ts';
import { duration } from '../format.ts';
import { onRecipe } from '../recipe.ts';

interface Flags extends Computing {
  readonly out?: string;
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'train',
    {
      summary: 'Train the network of a recipe on all of its training images.',
      examples: [
        'lethe train demo --out original.safetensors',
        'lethe train my.yaml --set train.epochs=30 --seed 1 --out original.safetensors',
      ],
    },
    (command) => ofRecipe(command).option('--out <file>', 'weights to write', 'original.safetensors'),
    async (context, [path], flags) => {
      const { trainFile } = await import('../../unlearn/run/single.ts');
      const { out = 'original.safetensors' } = flags;
      const done = await onRecipe(context, path, flags, (recipe, options) => trainFile(recipe, out, options));
      context.put(done, `${done.file} (${duration(done.cost.seconds)}, ${done.cost.gradientSteps} steps)`);
    },
  );
}
