// `lethe evaluate`: the metrics of weights that lie in a file, ours or not, against retrained ones where there are any.

import type { Command } from 'commander';
import { type Computing, define, ofRecipe, type World } from '../context.ts';
import { table } from '../format.ts';
import { onRecipe } from '../recipe.ts';

interface Flags extends Computing {
  readonly weights: string;
  readonly retrained?: string;
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'evaluate',
    {
      summary:
        'Measure weights: accuracy on what was kept and forgotten, membership inference, distance from retrain.',
      examples: [
        'lethe evaluate demo --weights forgot.safetensors',
        'lethe evaluate my.yaml --weights forgot.safetensors --retrained retrain.safetensors --json',
      ],
    },
    (command) =>
      ofRecipe(command)
        .requiredOption('--weights <file>', 'weights to measure, safetensors')
        .option('--retrained <file>', 'weights retrained without the forgotten data, to compare with'),
    async (context, [path], flags) => {
      const { evaluateFile } = await import('../../unlearn/run/single.ts');
      const { weights, retrained } = flags;
      const found = await onRecipe(context, path, flags, (recipe, options) =>
        evaluateFile(recipe, weights, retrained, options),
      );
      const rows = Object.entries(found.metrics)
        .filter(([name, value]) => name !== 'rte_seconds' && value !== null && Number.isFinite(value))
        .map(([name, value]) => [name, Number(value).toFixed(3)]);
      context.put(found, table(['metric', 'value'], rows));
    },
  );
}
