// What the entries of a result are called, and which are exact: as their methods' records say. An entry goes by its label;
// which method that is stands in the recipe.

import { recordOf } from '../methods/index.ts';
import type { Results } from '../types.ts';
import { bag, text } from './facts.ts';

export interface Names {
  /** 'salun (2)' is 'SalUn (2)'; a label of the user's own stays as it is, as do names of files. */
  readonly title: (label: string) => string;
  /** Whether the result is, by construction, that of training without the forgotten data. */
  readonly exact: (label: string) => boolean;
}

const REFERENCES: readonly string[] = ['original', 'retrain'];

export function namesOf({ recipe, environment, runs }: Results): Names {
  // Methods from files say here what they are.
  const own = bag(bag(environment).methods);
  const factsOf = (name: string) => recordOf(name) ?? bag(own[name]);
  const listed = Array.isArray(recipe?.methods) ? recipe.methods.map(bag) : [];
  const methods = new Map(listed.map(({ name, label }) => [text(label) ?? text(name), text(name)]));
  // What a file is called tells nothing of what made it.
  const files = new Set(
    runs.flatMap(({ given, method }) => (given && !REFERENCES.includes(method) ? [method] : [])),
  );
  return {
    title(label) {
      if (files.has(label)) return label;
      const [, name, rest] = /^(.*?)( \(\d+\))?$/s.exec(label) as RegExpExecArray;
      return (name === 'original' ? 'Original' : (text(factsOf(name).title) ?? name)) + (rest ?? '');
    },
    exact: (label) => !files.has(label) && factsOf(methods.get(label) ?? label).kind === 'exact',
  };
}
