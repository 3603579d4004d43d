// `lethe memorisation`: how far each training sample of a recipe is learned by heart, as a file of scores for forget sets. All
// work is in unlearn/run/memorise.ts.

import type { Command } from 'commander';
import type { MemorisationFile } from '../../unlearn/run/memorise.ts';
import { counted, printable } from '../../unlearn/text.ts';
import { type Computing, collect, define, type World, wholeNumber } from '../context.ts';
import { duration, table } from '../format.ts';
import { onRecipe } from '../recipe.ts';

interface Flags extends Omit<Computing, 'seed'> {
  readonly out: string;
  readonly pairs?: number;
  readonly bank?: string;
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'memorisation',
    {
      summary:
        'Score each training image of a recipe by how far the network memorises it, for forget: { scores: FILE }.',
      examples: [
        'lethe memorisation forget-memorised --data data --out forget-memorised.csv',
        'lethe memorisation my.yaml --pairs 16 --out scores.csv        more models: surer scores; those there stay',
      ],
    },
    (command) =>
      command
        .argument('<recipe>', 'file, or name of a recipe that comes with Lethe')
        .requiredOption('--out <file>', 'CSV file to write: id, score, in, out, noise')
        .option('--pairs <n>', "pairs of models to train; default: the recipe's bank.pairs", wholeNumber)
        .option('--bank <dir>', 'folder of the models; default: beside the file, NAME.bank')
        .option('--data <dir>', 'folder with data sets (else LETHE_DATA, else the cache)')
        .option('--device <name>', 'auto, webgpu, cpu or reference; default: what the recipe says')
        .option('--set <path=value>', 'override a key of the recipe; may be repeated', collect),
    async (context, [path], flags) => {
      const { memorise } = await import('../../unlearn/run/memorise.ts');
      const { out, pairs, bank } = flags;
      const found = await onRecipe(context, path, flags, (recipe, options) =>
        memorise(recipe, { ...options, out, pairs, bank }),
      );
      context.put(found, textOf(found));
    },
  );
}

function textOf({ file, bank, samples, models, noise, sure, quantiles, cost }: MemorisationFile): string {
  // A score is 1 at most.
  const above =
    2 * noise >= 1
      ? 'no score can be above twice that: more --pairs tell more'
      : `above twice that: ${sure} (${((100 * sure) / samples).toFixed(1)} %)`;
  return [
    `${printable(file)}: scores of ${counted(samples, 'training image')} from ${models} models (${duration(cost.seconds)} of training), kept in ${printable(bank)}`,
    `largest standard error of a score: ${noise.toFixed(2)}; ${above}`,
    '',
    table(
      ['of the images', ...quantiles.map(({ share: of }) => NAMES[of] ?? `${100 * of} %`)],
      [['score up to', ...quantiles.map(({ score }) => score.toFixed(2))]],
    ),
  ].join('\n');
}

const NAMES: Readonly<Record<number, string>> = { 0: 'least', 0.5: 'half', 1: 'all' };
