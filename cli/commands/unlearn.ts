// `lethe unlearn`: one method on weights that lie in a file, or on what it prepared in a folder.

import type { Command } from 'commander';
import { type Computing, define, ofRecipe, type World } from '../context.ts';
import { duration } from '../format.ts';
import { onRecipe } from '../recipe.ts';

interface Flags extends Computing {
  readonly from: string;
  readonly method: string;
  readonly out: string;
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'unlearn',
    {
      summary: 'Make given weights forget what a recipe says, by one method.',
      examples: [
        'lethe unlearn demo --from original.safetensors --method boundaryShrink --out forgot.safetensors',
        'lethe unlearn my.yaml --from out/checkpoints/seed-0-sisa-prepared --method sisa --out forgot',
        'lethe unlearn my.yaml --from original.safetensors --method finetune --set forget.class=7 --out forgot.safetensors',
      ],
    },
    (command) =>
      ofRecipe(command)
        .requiredOption(
          '--from <file>',
          'weights to start from, safetensors; for sisa and arcane the folder that a run prepared',
        )
        .requiredOption('--method <name>', 'a method listed in the recipe, or any other with its defaults')
        .requiredOption('--out <file>', 'weights to write; or that folder without what is forgotten'),
    async (context, [path], flags) => {
      const { unlearnFile } = await import('../../unlearn/run/single.ts');
      const { from, method, out } = flags;
      const done = await onRecipe(context, path, flags, (recipe, options) =>
        unlearnFile(recipe, from, method, out, options),
      );
      context.put(done, `${done.file} (${duration(done.cost.seconds)}, ${done.cost.gradientSteps} steps)`);
    },
  );
}
