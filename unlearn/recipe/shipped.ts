// The recipes that come with Lethe, by name. A recipe is given by its file's path or by one of these names.

import { readdirSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LetheError } from '../../engine/error.ts';
import { codeOf, readFileBounded } from '../files.ts';
import { hint } from '../options/suggest.ts';
import { packageRoot } from '../run/environment.ts';
import { printable, reasonOf, show } from '../text.ts';
import { readText } from './document.ts';

/** Largest file read, in bytes; how long a recipe may be is said where its text is read. */
const MAX_BYTES = 1 << 20;

const folder = new URL('recipes/', packageRoot);

/** What can be given instead of a file, in alphabetical order. */
export function shippedNames(): string[] {
  return readdirSync(folder)
    .filter((file) => extname(file) === '.yaml')
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/** The file of a shipped recipe. */
export const shippedFile = (name: string): string => fileURLToPath(new URL(`${name}.yaml`, folder));

/**
 * What a copy of a shipped recipe needs: the files that its methods name, as they are named from it, then the recipe itself.
 * @throws LetheError 'io' where one cannot be read.
 */
export async function shippedParts(
  name: string,
): Promise<{ readonly name: string; readonly text: string }[]> {
  const { text, source } = await recipeText(shippedFile(name));
  const { methods } = readText(text, source).value;
  const named = (Array.isArray(methods) ? methods : []).flatMap((entry: { file?: unknown } | null) =>
    typeof entry?.file === 'string' ? [entry.file] : [],
  );
  const files = [...new Set(named)].map(async (file) => {
    const bytes = await readFileBounded(fileURLToPath(new URL(file, folder)), MAX_BYTES);
    return { name: file, text: bytes.toString('utf8') };
  });
  return [...(await Promise.all(files)), { name: `${name}.yaml`, text }];
}

/**
 * The text of a recipe given by its path or by the name of a shipped one; a file of that name comes first.
 * @returns the text, what messages call it, and the file it was read from.
 * @throws LetheError 'value' where there is neither, with what there is.
 */
export async function recipeText(given: string): Promise<{ text: string; source: string; path: string }> {
  try {
    const there = statSync(given, { throwIfNoEntry: false });
    const named = !there?.isFile() && shippedNames().includes(given);
    if (!there && !named) throw new LetheError('value', nothing(given));
    const path = named ? shippedFile(given) : given;
    const text = (await readFileBounded(path, MAX_BYTES)).toString('utf8');
    return { text, source: named ? `recipe ${given}` : printable(given), path };
  } catch (cause) {
    if (cause instanceof LetheError && cause.kind === 'value') throw cause;
    // A path that goes on below a file. Node has counted that as nothing there since version 24.
    if (codeOf(cause) === 'ENOTDIR') throw new LetheError('value', nothing(given), { cause });
    throw new LetheError('value', `could not read the recipe: ${reasonOf(cause)}`, { cause });
  }
}

function nothing(given: string): string {
  if (/[/\\]|\.(ya?ml|json)$/i.test(given)) return `no recipe ${printable(given)}: there is no such file`;
  return `no recipe ${show(given)}: there is no such file, and none of that name comes with Lethe${hint(given, shippedNames())}`;
}
