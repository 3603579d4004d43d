// What is wrong with a recipe, all of it in one error: the most helpful first, each with its place. What is wrong is
// found by check.ts, places come from recipe/document.ts.

import { LetheError } from '../../engine/error.ts';

export type Path = readonly (string | number)[];

export interface Problem {
  readonly path: Path;
  readonly message: string;
  readonly kind?: 'unknown' | 'missing';
  /** The word that was probably meant. */
  readonly guess?: string | null;
  /** Where to point, if that is further down than `path`. */
  readonly at?: Path;
  /** Where it is, in words, if no path says that. */
  readonly place?: string;
}

/** Most problems told in one error. */
const MAX_SHOWN = 20;

/**
 * The error that tells all problems: in one line if it is one, else a line for each under a line with their count.
 * @param source what was read, such as a file.
 * @param placeOf where a problem is, `recipe.yaml:4:3`; problems are expected in the order of their places.
 */
export function faulty(
  source: string,
  problems: readonly Problem[],
  placeOf: (problem: Problem) => string = () => source,
): LetheError {
  // A key is not missing if it is there, misspelt.
  const misspelt = new Set(
    problems.flatMap((p) => (p.kind === 'unknown' ? [nameOf([...p.path, p.guess])] : [])),
  );
  const merged = problems.filter((p) => p.kind !== 'missing' || !misspelt.has(nameOf(p.path)));
  const ranked = [0, 1, 2].flatMap((rank) => merged.filter((p) => rankOf(p) === rank));
  const lines = ranked.slice(0, MAX_SHOWN).map((p) => `${p.place ?? placeOf(p)}: ${told(p)}`);
  if (lines.length === 1) return new LetheError('value', lines[0]);
  const rest = ranked.length - lines.length;
  return new LetheError(
    'value',
    [`${source}: ${ranked.length} problems`, ...lines, ...(rest > 0 ? [`and ${rest} more`] : [])].join(
      '\n  ',
    ),
  );
}

const nameOf = (path: readonly unknown[]): string => JSON.stringify(path);

const rankOf = ({ kind, guess }: Problem): number => (guess ? 0 : kind === 'missing' ? 2 : 1);

export const told = ({ path, message }: Problem): string =>
  path.length > 0 ? `${path.join('.')}: ${message}` : message;
