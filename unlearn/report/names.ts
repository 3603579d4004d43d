// What the entries of a result are called, and which are exact: as their methods' records say. An entry goes by its label;
// which method that is stands in the recipe.

import { recordOf } from '../methods/index.ts';
import type { Results } from '../types.ts';
import { bag, text } from './facts.ts';

export interface Names {
  /** 'salun (2)' is 'SalUn (2)'; a label of the user's own stays as it is. */
  readonly title: (label: string) => string;
  /** Whether the result is, by construction, that of training without the forgotten data. */
  readonly exact: (label: string) => boolean;
}

export function namesOf({ recipe, environment }: Results): Names {
  // Methods from files say here what they are.
  const own = bag(bag(environment).methods);
  const factsOf = (name: string) => recordOf(name) ?? bag(own[name]);
  const listed = Array.isArray(recipe?.methods) ? recipe.methods.map(bag) : [];
  const methods = new Map(listed.map(({ name, label }) => [text(label) ?? text(name), text(name)]));
  return {
    title(label) {
      const [, name, rest] = /^(.*?)( \(\d+\))?$/s.exec(label) as RegExpExecArray;
      return (name === 'original' ? 'Original' : (text(factsOf(name).title) ?? name)) + (rest ?? '');
    },
    exact: (label) => factsOf(methods.get(label) ?? label).kind === 'exact',
  };
}
