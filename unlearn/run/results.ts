// Reading results.json back, bounded and checked as far as the report needs it. Writing it is carry.ts.

import { LetheError } from '../../engine/error.ts';
import { printable, readFileBounded, reasonOf } from '../files.ts';
import type { Results } from '../types.ts';

const MAX_BYTES = 1 << 30;

/** @throws LetheError 'value' where there is no such file, 'data' where it is not one of ours. */
export async function loadResults(path: string): Promise<Results> {
  let text: string;
  try {
    text = (await readFileBounded(path, MAX_BYTES)).toString('utf8');
  } catch (cause) {
    throw new LetheError('value', `results: ${reasonOf(cause)}`, { cause });
  }
  const bad = (what: string) =>
    new LetheError('data', `${printable(path)}: ${what}; expected a results.json written by lethe run`);
  let value: Results;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw bad(`not JSON (${reasonOf(cause)})`);
  }
  const isMap = (x: unknown) => typeof x === 'object' && x !== null && !Array.isArray(x);
  if (!isMap(value)) throw bad('not a map');
  if (value.version !== 1) throw bad(`version ${printable(String(value.version))}`);
  if (!Array.isArray(value.runs)) throw bad('no list of runs');
  value.runs.forEach((run, i) => {
    if (!isMap(run) || typeof run.method !== 'string' || !isMap(run.metrics))
      throw bad(`runs.${i} is not a run`);
  });
  return value;
}
