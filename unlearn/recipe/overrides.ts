// Single values of a recipe that are given beside it: `--set path=value`, and the runs of `vary`.

import { parse } from 'yaml';
import type { Path, Problem } from '../options/problems.ts';
import { hint } from '../options/suggest.ts';
import { plain, show } from '../text.ts';

export interface Override {
  /** How messages call it: `--set train.epochs=3`. */
  readonly place: string;
  /** Where it went; positions of lists are numbers. */
  readonly path: Path;
}

/**
 * Applies `a.b=c` to the plain recipe. Maps are made where missing. An item of a list goes by its position, or by its
 * label or name; the position after the last adds one.
 * @returns null, and a problem more, where it does not fit.
 */
export function override(root: object, text: string, problems: Problem[]): Override | null {
  const place = `--set ${plain(text.length > 100 ? `${text.slice(0, 97)}...` : text).replace(/\s+/g, ' ')}`;
  const refuse = (message: string) => {
    problems.push({ path: [], message, place });
    return null;
  };
  const cut = text.indexOf('=');
  if (cut <= 0) return refuse('expected path=value, such as train.epochs=3');
  let value: unknown;
  try {
    value = parse(text.slice(cut + 1), { logLevel: 'error' });
  } catch {
    return refuse('the value is not valid YAML');
  }
  const path = assign(root, text.slice(0, cut), value);
  return typeof path === 'string' ? refuse(path) : { place, path };
}

/**
 * Puts a value at `a.b` of the plain recipe, which is changed; maps and lists on the way are copied, so that nothing else is.
 * @returns where it went, or what does not fit.
 */
export function assign(root: object, where: string, value: unknown): Path | string {
  const path: (string | number)[] = [];
  let at = root as Record<string | number, unknown>;
  for (let words = where.split('.'); ; ) {
    const here = path.length > 0 ? path.join('.') : 'the recipe';
    const found = Array.isArray(at) ? stepInto(at, words) : { key: words[0], rest: words.slice(1) };
    if (typeof found === 'string') return `${here} is a list of ${at.length}; ${found}`;
    const { key, rest } = found;
    path.push(key);
    const put = (value: unknown) =>
      Object.defineProperty(at, key, { value, enumerable: true, writable: true, configurable: true });
    if (rest.length === 0) {
      put(value);
      return path;
    }
    const next = Object.hasOwn(at, key) ? at[key] : undefined;
    if (next !== undefined && next !== null && typeof next !== 'object')
      return `${path.map((p) => plain(String(p))).join('.')} is ${show(next)}; expected a map or a list`;
    put(Array.isArray(next) ? [...next] : { ...next });
    at = at[key] as Record<string | number, unknown>;
    words = rest;
  }
}

/** The position in a list that the first words mean, and the words after those; or what was expected instead. */
function stepInto(list: readonly unknown[], words: readonly string[]) {
  const [word] = words;
  if (/^\d{1,6}$/.test(word) && Number(word) <= list.length)
    return { key: Number(word), rest: words.slice(1) };
  const labels = list.map((item) => {
    const { label, name } = (item ?? {}) as { label?: unknown; name?: unknown };
    return String(label ?? name ?? '');
  });
  // Labels may hold points, which part the words of a path.
  for (let n = words.length; n > 0; n--) {
    const label = words.slice(0, n).join('.');
    const same = labels.flatMap((l, i) => (l === label ? [i] : []));
    if (same.length === 1) return { key: same[0], rest: words.slice(n) };
    if (same.length > 1) return `"${label}" stands at positions ${same.join(' and ')}; expected one of these`;
  }
  const named = labels.filter((label) => label !== '');
  const or = named.length > 0 ? ' or a label' : '';
  return `expected a position from 0 to ${list.length}${or}, got ${show(word)}${hint(word, named)}`;
}
