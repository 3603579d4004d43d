// What the commands that compute share: the recipe is read with its overrides, progress is shown, an interrupt stops the
// work at a safe point, and devices are closed at the end.

import { LetheError } from '../engine/error.ts';
import { hint } from '../unlearn/options/suggest.ts';
import { devices } from '../unlearn/recipe/names.ts';
import type { Recipe } from '../unlearn/recipe.ts';
import type { SingleOptions } from '../unlearn/run/single.ts';
import type { Computing, Context } from './context.ts';
import { Display } from './progress.ts';

/** Does work on the recipe at `path`, changed before it is checked; `work` gets what of the flags it needs. */
export async function onRecipe<T>(
  context: Context,
  path: string,
  flags: Computing,
  work: (recipe: Recipe, options: SingleOptions) => Promise<T>,
  change?: (plain: object) => object,
): Promise<T> {
  const { readRecipe } = await import('../unlearn/run.ts');
  const { data, seed, vary } = flags;
  const recipe = await readRecipe(path, flags.set, { vary, change });
  const { parts } = context.world;
  const device = deviceOf(flags.device);
  const display = new Display(context);
  return context
    .compute((signal) => work(recipe, { parts, data, seed, device, signal, onEvent: display.show }))
    .finally(() => display.end());
}

/** Checks --device before anything is loaded. */
export function deviceOf(name: string | undefined): Recipe['device'] | undefined {
  if (name === undefined || (devices as readonly string[]).includes(name))
    return name as Recipe['device'] | undefined;
  throw new LetheError('value', `--device: no device "${name}"${hint(name, devices)}`);
}
