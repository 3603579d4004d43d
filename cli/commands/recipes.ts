// `lethe recipes`: the recipes that come with Lethe, and each as text or copied with the files it names, to start one's own from.

import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { LetheError } from '../../engine/error.ts';
import { isThere, makeFolder, writeFileAtomic } from '../../unlearn/files.ts';
import { hint } from '../../unlearn/options/suggest.ts';
import { printable, show } from '../../unlearn/text.ts';
import { define, type World } from '../context.ts';
import { table } from '../format.ts';

interface Flags {
  readonly to?: string;
}

export function register(program: Command, world: World): void {
  define<Flags>(
    program,
    world,
    'recipes',
    {
      summary: 'List the recipes that come with Lethe, or print or copy one.',
      examples: [
        'lethe recipes',
        'lethe recipes demo > my.yaml',
        'lethe recipes which-metric --to mine     mine/which-metric.yaml and the methods it names by file',
      ],
    },
    (command) =>
      command
        .argument('[name]', 'recipe to print')
        .option(
          '--to <folder>',
          'copy the recipe and the files of methods it names there; nothing is overwritten',
        ),
    async (context, [name], { to }) => {
      const shipped = await import('../../unlearn/recipe/shipped.ts');
      const { recipeText, shippedFile, shippedNames } = shipped;
      if (name === undefined && to !== undefined)
        throw new LetheError('value', '--to copies a recipe; expected its name');
      const known = shippedNames();
      if (name !== undefined) {
        if (!known.includes(name))
          throw new LetheError('value', `no recipe ${show(name)} comes with Lethe${hint(name, known)}`);
        if (to !== undefined) {
          const files = await copyInto(to, await shipped.shippedParts(name));
          return context.put({ name, files }, files.map(printable).join('\n'));
        }
        const { text } = await recipeText(shippedFile(name));
        return context.put({ name, text }, text);
      }
      const { readRecipe } = await import('../../unlearn/run.ts');
      const all = await Promise.all(
        known.map(async (name) => {
          const { description } = await readRecipe(shippedFile(name));
          return { name, description };
        }),
      );
      context.put(
        all,
        table(
          ['name', 'what it does'],
          all.map((r) => [r.name, r.description]),
        ),
      );
    },
  );
}

/** Writes files below a folder, the last one last, so that a recipe is there only with what it needs. Their paths. */
async function copyInto(
  folder: string,
  parts: readonly { readonly name: string; readonly text: string }[],
): Promise<string[]> {
  const files = parts.map(({ name, text }) => ({ path: join(folder, name), text }));
  for (const { path } of files)
    if (await isThere(path))
      throw new LetheError('value', `${printable(path)} is there already; expected a folder without it`);
  for (const { path, text } of files) {
    await makeFolder(dirname(path));
    await writeFileAtomic(path, text);
  }
  return files.map(({ path }) => path);
}
