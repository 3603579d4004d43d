// The file of a kernel of somebody's own: a shader for one of the tasks, whose lines that begin with //! say what it is:
//
//   //! primitive: dot
//   //! accepts: rows % 64 == 0 and columns % 64 == 0
//   //! bindings: a, b, c
//   //! workgroups: ceil(columns / 64), ceil(rows / 64), batch
//
// This file reads it and the sizes it is to be tried at; kernel.ts runs it.

import { readFile, stat } from 'node:fs/promises';
import { LetheError } from '../engine/error.ts';
import { reasonOf } from '../unlearn/text.ts';
import { type Expression, parseExpression, splitList } from './expression.ts';
import { type Sizes, type Task, tasks } from './tasks.ts';

export interface KernelFile {
  readonly path: string;
  readonly source: string;
  readonly primitive: string;
  readonly task: Task;
  /** Is 0 for sizes the shader does not do. */
  readonly accepts: Expression;
  /** Along x, y and z. */
  readonly workgroups: readonly Expression[];
  /** Operands in the order of their bindings in group 0. */
  readonly bindings: readonly string[];
}

/** Errors are 'data' and name the line. */
export function parseKernelFile(source: string, path: string): KernelFile {
  const found = new Map<string, { text: string; where: string }>();
  const known = ['primitive', 'accepts', 'bindings', 'workgroups'];
  source.split('\n').forEach((line, n) => {
    if (!line.startsWith('//!')) return;
    const where = `${path}:${n + 1}`;
    const [, key, text] = /^\/\/!\s*(\w+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || !known.includes(key))
      throw new LetheError('data', `${where}: expected "//! KEY: ..." with KEY one of ${known.join(', ')}`);
    if (found.has(key)) throw new LetheError('data', `${where}: "${key}" is said twice`);
    found.set(key, { text, where });
  });
  const need = (key: string): { text: string; where: string } => {
    const line = found.get(key);
    const choice = key === 'primitive' ? `; expected one of ${primitives} after it` : '';
    if (!line) throw new LetheError('data', `${path}: there is no line "//! ${key}: ..."${choice}`);
    return line;
  };
  const primitives = Object.keys(tasks).join(', ');
  const { text: primitive, where } = need('primitive');
  if (!Object.hasOwn(tasks, primitive))
    throw new LetheError('data', `${where}: expected one of ${primitives}, found "${primitive}"`);
  const task = tasks[primitive];
  const names = [...task.sizes, ...task.derived];
  const accepts = found.get('accepts');
  const groups = need('workgroups');
  const workgroups = splitList(groups.text).map((text) => parseExpression(text, names, groups.where));
  if (workgroups.length > 3)
    throw new LetheError('data', `${groups.where}: expected at most three numbers of workgroups`);
  const bound = need('bindings');
  const bindings = splitList(bound.text);
  const operands = Object.keys(task.operands);
  if ([...bindings].sort().join() !== [...operands].sort().join())
    throw new LetheError(
      'data',
      `${bound.where}: expected ${operands.join(', ')} in any order, found ${bindings.join(', ')}`,
    );
  return {
    path,
    source,
    primitive,
    task,
    accepts: accepts ? parseExpression(accepts.text, names, accepts.where) : () => 1,
    workgroups,
    bindings,
  };
}

export async function readKernelFile(path: string): Promise<KernelFile> {
  try {
    if ((await stat(path)).size > 2 ** 20) throw new Error('more than 1 MiB');
    return parseKernelFile(await readFile(path, 'utf8'), path);
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    throw new LetheError('data', `${path}: cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** `rows=512,columns=64`: every size of a task. */
export function parseSizes(text: string, task: Task): Sizes {
  const sizes: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [, name, value] = /^\s*(\w+)\s*=\s*(\d{1,9})\s*$/.exec(part) ?? [];
    if (name === undefined || !task.sizes.includes(name))
      throw new LetheError(
        'value',
        `sizes: expected NAME=NUMBER with NAME one of ${task.sizes.join(', ')}, found "${part}"`,
      );
    sizes[name] = Number(value);
  }
  const missing = task.sizes.filter((name) => !(name in sizes));
  if (missing.length > 0)
    throw new LetheError('value', `sizes: "${text}" does not say ${missing.join(', ')}`);
  return checked(task.derive(sizes), text);
}
const checked = (s: Sizes, text: string): Sizes => {
  for (const [name, n] of Object.entries(s))
    if (!(n >= (name === 'padding' ? 0 : 1)))
      throw new LetheError('value', `sizes: "${text}": ${name} is ${n}, expected at least 1`);
  return s;
};
