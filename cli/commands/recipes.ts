// `lethe recipes`: the recipes that come with Lethe, and the text of each, to start one's own from.

import type { Command } from 'commander';
import { LetheError } from '../../engine/error.ts';
import { hint } from '../../unlearn/options/suggest.ts';
import { show } from '../../unlearn/text.ts';
import { define, type World } from '../context.ts';
import { table } from '../format.ts';

export function register(program: Command, world: World): void {
  define(
    program,
    world,
    'recipes',
    {
      summary: 'List the recipes that come with Lethe, or print one.',
      examples: ['lethe recipes', 'lethe recipes demo > my.yaml'],
    },
    (command) => command.argument('[name]', 'recipe to print'),
    async (context, [name]) => {
      const { recipeText, shippedFile, shippedNames } = await import('../../unlearn/recipe/shipped.ts');
      const known = shippedNames();
      if (name !== undefined) {
        if (!known.includes(name))
          throw new LetheError('value', `no recipe ${show(name)} comes with Lethe${hint(name, known)}`);
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
