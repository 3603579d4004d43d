// A method that a user keeps in a file of their own: loaded, checked and named by the sha256 of the file, so that what was
// computed with it is known to be of this file and no other.

import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LetheError } from '../engine/error.ts';
import { recordProblems } from './check/record.ts';
import { codeOf, readFileBounded } from './files.ts';
import { type AnyMethod, isDefined } from './methods/define.ts';
import { methods } from './methods/index.ts';
import { faulty } from './options/problems.ts';
import { sha256 } from './sha256.ts';
import { printable, reasonOf } from './text.ts';

/** A method and the file it is from. */
export interface MethodFile {
  readonly make: AnyMethod;
  /** Of the bytes of the file; what the file imports is not part of it. */
  readonly sha256: string;
}

/** Largest file read, in bytes. */
const MAX_BYTES = 1 << 22;
const KINDS = ['.js', '.mjs', '.ts', '.mts'];

/**
 * Runs the file and takes its default export.
 * @param folder a relative path counts from here; by default from the current folder.
 * @throws LetheError 'value' where there is no such file, it cannot be run, or it exports no method.
 */
export async function loadMethodFile(file: string, folder = '.'): Promise<MethodFile> {
  const wrong = (what: string, cause?: unknown) =>
    new LetheError('value', `${printable(file)}: ${what}`, { cause });
  const kind = extname(file);
  if (!KINDS.includes(kind)) throw wrong(`expected a file that ends in ${KINDS.join(', ')}`);
  const path = resolve(folder, file);
  const bytes = await readFileBounded(path, MAX_BYTES).catch((cause) => {
    throw wrong(codeOf(cause.cause) === 'ENOENT' ? 'there is no such file' : reasonOf(cause), cause);
  });
  if (kind.endsWith('ts') && !('typescript' in process.features && process.features.typescript))
    throw wrong(
      `Node ${process.versions.node} does not run TypeScript; expected .js or .mjs, or Node 22.18 or newer`,
    );
  const digest = sha256(bytes);
  const url = pathToFileURL(path);
  // A file that was changed is another module.
  url.search = `?sha256=${digest}`;
  let exported: Record<string, unknown>;
  try {
    exported = await import(url.href);
  } catch (cause) {
    throw wrong(`could not be run: ${whyNot(cause)}`, cause);
  }
  return { make: methodIn(exported, file, wrong), sha256: digest };
}

function methodIn(
  exported: Readonly<Record<string, unknown>>,
  file: string,
  wrong: (what: string) => LetheError,
): AnyMethod {
  const { default: made } = exported;
  if (!isDefined(made)) {
    const wanted = 'expected `export default define({ ... })`, with define of lethe/method';
    if (typeof made === 'function' && 'record' in made)
      throw wrong(
        `its method was made by another copy of Lethe than the one that runs; ${wanted} of this one`,
      );
    const named = Object.keys(exported).find((name) => isDefined(exported[name]));
    if (named)
      throw wrong(`its method is exported as ${printable(named)}; expected it as the default export`);
    const names = Object.keys(exported).map(printable).join(', ') || 'nothing';
    throw wrong(`exports no method; ${wanted}, found ${names}`);
  }
  const problems = recordProblems(made.record as never);
  if (problems.length > 0) throw faulty(printable(file), problems);
  const { name } = made.record;
  if (Object.hasOwn(methods, name) || name === 'original')
    throw wrong(`the name ${name} is one of Lethe's own; expected another`);
  return made;
}

/** Why a module did not run, with what to do where Lethe itself was not found. */
function whyNot(cause: unknown): string {
  const reason = `${cause instanceof SyntaxError ? 'SyntaxError: ' : ''}${reasonOf(cause)}`;
  const lost = codeOf(cause) === 'ERR_MODULE_NOT_FOUND' && /package 'lethe'/.test(reason);
  return lost ? `${reason}; expected Lethe to be installed in the folder of the file or above it` : reason;
}
