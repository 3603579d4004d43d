// `lethe predict`: what a network says of pictures. The weights say themselves which classes they know; for files that do
// not, a recipe does.

import type { Command } from 'commander';
import { LetheError } from '../../engine/error.ts';
import type { ModelCard } from '../../unlearn/model.ts';
import { printable } from '../../unlearn/text.ts';
import { type Context, collect, define, type World, wholeNumber } from '../context.ts';
import { table } from '../format.ts';
import { deviceOf } from '../recipe.ts';

interface Flags {
  readonly device?: string;
  readonly recipe?: string;
  readonly data?: string;
  readonly set?: string[];
  readonly top: number;
  readonly skipBad?: boolean;
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'predict <weights> <pictures...>',
    {
      summary:
        'Say what pictures show, by weights that a run, train or unlearn wrote. Folders stand for their pictures.',
      examples: [
        'lethe predict lethe-out/my-photos/checkpoints/seed-0-finetune.safetensors anna.jpg ben.jpg',
        'lethe predict forgot.safetensors new-photos --top 1 --skip-bad',
        'lethe predict pytorch.safetensors anna.jpg --recipe my-photos.yaml',
      ],
    },
    (command) =>
      command
        .option('--device <name>', 'auto, webgpu, cpu or reference; default: auto')
        .option('--top <n>', 'classes told of each picture', wholeNumber, 3)
        .option('--skip-bad', 'leave out pictures that cannot be read, naming them')
        .option('--recipe <file>', 'for weights that do not say what they are of: their recipe')
        .option('--data <dir>', 'with --recipe: folder with data sets')
        .option('--set <path=value>', 'with --recipe: override a key; may be repeated', collect),
    async (context, [weights, ...pictures], flags) => {
      const device = deviceOf(flags.device);
      const { cardOfFile, predictFiles } = await import('../../unlearn/predict-files.ts');
      const lt = await import('../../index.ts');
      const found = await context.compute(async (signal) => {
        const card = (await cardOfFile(weights)) ?? (await cardByRecipe(weights, flags));
        await lt.init({ device: device ?? 'auto' });
        const { top, skipBad } = flags;
        return predictFiles(weights, pictures, { card, top, skipBad, signal });
      });
      for (const warning of found.warnings) context.say(`warning: ${warning}`);
      for (const { file, reason } of found.unreadable)
        context.say(`warning: left out ${printable(file)}: ${reason}`);
      show(context, found);
    },
  );
}

async function cardByRecipe(weights: string, { recipe: path, set, data }: Flags): Promise<ModelCard> {
  if (path === undefined)
    throw new LetheError(
      'value',
      `weights ${printable(weights)}: the file does not say which classes and pictures it is for; give the recipe it was made by (--recipe)`,
    );
  const { readRecipe } = await import('../../unlearn/run.ts');
  const { defaultParts } = await import('../../unlearn/run/default-parts.ts');
  const { cardOf } = await import('../../unlearn/model.ts');
  const { checkSingle } = await import('../../unlearn/recipe/vary.ts');
  const recipe = await readRecipe(path, set);
  checkSingle(recipe);
  return cardOf(recipe, (await defaultParts().load(recipe, data)).dataset);
}

type Found = Awaited<ReturnType<typeof import('../../unlearn/predict-files.ts').predictFiles>>;

function show(context: Context, { card, predictions, unreadable }: Found): void {
  const percent = (p: number) => `${(100 * p).toFixed(1)}%`;
  const rows = predictions.map(({ file, top: [first, ...others] }) => [
    printable(file),
    printable(first.class),
    percent(first.probability),
    others.map((o) => `${printable(o.class)} ${percent(o.probability)}`).join(', '),
  ]);
  const head = ['picture', 'class', 'probability', 'then'];
  context.put({ classes: card.classes, predictions, unreadable }, table(head, rows));
}
