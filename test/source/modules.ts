// The source files as modules: what each imports, from where, which of its exported names other files use, and its
// functions. Works on a map from paths to texts, so that a test can make up a small tree.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vite';

/** Paths relative to the root of the tree, with slashes. */
export type Tree = ReadonlyMap<string, string>;

export interface Import {
  /** The file. */
  readonly from: string;
  /** When it is loaded: before the importing file runs, when an `import()` is reached, or never. */
  readonly kind: 'value' | 'late' | 'type';
  /** The exported names that are used; all of them where that cannot be told. */
  readonly names: readonly string[] | 'all';
}

export interface Module {
  readonly imports: readonly Import[];
  readonly exports: readonly string[];
  /** Files whose exports it passes on under their names. */
  readonly stars: readonly string[];
}

export type Modules = ReadonlyMap<string, Module>;

/** Any node of the syntax tree. */
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}
const isNode = (x: unknown): x is Node => typeof x === 'object' && x !== null && 'type' in x;
const childrenOf = (n: Node): Node[] => Object.values(n).flat().filter(isNode);
const field = (n: Node, key: string): Node => n[key] as Node;
const list = (n: Node, key: string): Node[] => (n[key] ?? []) as Node[];
/** The text of an identifier or a string. */
const text = (n: Node): string => String(n.name ?? n.value);

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The repository's source files under these folders. */
export function sources(...folders: string[]): Map<string, string> {
  const found = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: folder !== '.', withFileTypes: true })
      .filter((f) => f.isFile() && /\.(ts|mjs|js)$/.test(f.name) && !f.name.endsWith('.d.ts'))
      .map((f) => join(f.parentPath, f.name)),
  );
  return new Map(
    found.map((path) => [relative(root, path).replaceAll('\\', '/'), readFileSync(path, 'utf8')]),
  );
}

/** Names that a declaration declares. */
function declared(n: Node): string[] {
  if (n.type !== 'VariableDeclaration') return [text(field(n, 'id'))];
  const bound = (p: Node): string[] => (p.type === 'Identifier' ? [text(p)] : childrenOf(p).flatMap(bound));
  return list(n, 'declarations').flatMap((d) => bound(field(d, 'id')));
}

/** Which of a namespace's names are used: `all` where it is used other than by `space.name`. */
function usedOf(space: string, n: Node): Set<string> {
  const used = new Set<string>();
  const walk = (at: Node): void => {
    const [object, name] =
      at.type === 'MemberExpression' && at.computed !== true
        ? [field(at, 'object'), field(at, 'property')]
        : at.type === 'TSQualifiedName'
          ? [field(at, 'left'), field(at, 'right')]
          : [];
    if (object && name && text(object) === space) used.add(text(name));
    else if (at.type === 'Identifier' && at.name === space) used.add('*');
    else if (at.type !== 'ImportDeclaration') for (const child of childrenOf(at)) walk(child);
  };
  walk(n);
  return used;
}

function moduleOf(path: string, code: string, tree: Tree): Module {
  const program = parseAst(code, { lang: path.endsWith('.ts') ? 'ts' : 'js' }) as unknown as Node;
  const imports: Import[] = [];
  const exports: string[] = [];
  const stars: string[] = [];
  const add = (source: Node, kind: Import['kind'], names: Import['names']): string => {
    const from = posix.join(dirname(path), text(source));
    if (text(source).startsWith('.') && tree.has(from)) imports.push({ from, kind, names });
    return from;
  };
  const statement = (n: Node): void => {
    const kind = n.importKind === 'type' || n.exportKind === 'type' ? 'type' : 'value';
    if (n.type === 'ImportDeclaration') {
      const names = list(n, 'specifiers').flatMap((s) => {
        if (s.type === 'ImportSpecifier') return [text(field(s, 'imported'))];
        if (s.type === 'ImportDefaultSpecifier') return ['default'];
        return [...usedOf(text(field(s, 'local')), program)];
      });
      add(field(n, 'source'), kind, names.includes('*') ? 'all' : names);
    } else if (n.type === 'ExportAllDeclaration') {
      const from = add(field(n, 'source'), kind, n.exported ? 'all' : []);
      if (n.exported) exports.push(text(field(n, 'exported')));
      else stars.push(from);
    } else if (n.type === 'ExportDefaultDeclaration') exports.push('default');
    else if (n.type === 'ExportNamedDeclaration') {
      if (n.declaration) exports.push(...declared(field(n, 'declaration')));
      exports.push(...list(n, 'specifiers').map((s) => text(field(s, 'exported'))));
      if (n.source)
        add(
          field(n, 'source'),
          kind,
          list(n, 'specifiers').map((s) => text(field(s, 'local'))),
        );
    }
  };
  const late = (n: Node): void => {
    if (n.type === 'ImportExpression') add(field(n, 'source'), 'late', 'all');
    if (n.type === 'TSImportType') add(field(n, 'source'), 'type', 'all');
    for (const child of childrenOf(n)) late(child);
  };
  for (const n of list(program, 'body')) statement(n);
  if (code.includes('import(')) late(program);
  return { imports, exports, stars };
}

export const modulesOf = (tree: Tree): Modules =>
  new Map([...tree].map(([path, code]) => [path, moduleOf(path, code, tree)]));

/** The files that one file needs, directly or through others, by imports of these kinds. */
export function neededBy(modules: Modules, path: string, kinds: readonly Import['kind'][]): Set<string> {
  const found = new Set<string>();
  const open = [path];
  for (let at = open.pop(); at !== undefined; at = open.pop())
    for (const { from, kind } of modules.get(at)?.imports ?? [])
      if (kinds.includes(kind) && !found.has(from)) {
        found.add(from);
        open.push(from);
      }
  return found;
}

/** Groups of files that must all be loaded before each other: each sorted, by their first file. */
export function circlesOf(modules: Modules): string[][] {
  const needed = new Map([...modules.keys()].map((path) => [path, neededBy(modules, path, ['value'])]));
  const mutual = (a: string, b: string): boolean =>
    needed.get(a)?.has(b) === true && needed.get(b)?.has(a) === true;
  const groups = [...modules.keys()].map((a) => [...modules.keys()].filter((b) => mutual(a, b)).sort());
  return [...new Map(groups.filter((g) => g.length > 0).map((g) => [g[0], g])).values()].sort();
}

/** Exported names that no other file uses, as `path: name`. What `entries` export is used by whoever imports the package. */
export function unusedExports(modules: Modules, entries: readonly string[]): string[] {
  const used = new Map([...modules.keys()].map((path) => [path, new Set<string>()]));
  const use = (path: string, name: string): void => {
    const module = modules.get(path);
    if (module?.exports.includes(name)) used.get(path)?.add(name);
    else for (const star of module?.stars ?? []) use(star, name);
  };
  const useAll = (path: string): void => {
    for (const name of modules.get(path)?.exports ?? []) use(path, name);
    for (const star of modules.get(path)?.stars ?? []) useAll(star);
  };
  for (const entry of entries) useAll(entry);
  for (const { imports } of modules.values())
    for (const { from, names } of imports) {
      if (names === 'all') useAll(from);
      else for (const name of names) use(from, name);
    }
  return [...modules].flatMap(([path, { exports }]) =>
    exports.filter((name) => !used.get(path)?.has(name)).map((name) => `${path}: ${name}`),
  );
}

/** The functions of a file, outer ones first, each named by itself or by what it is assigned to, with its lines. */
export function functionsOf(code: string): { name: string; lines: number }[] {
  const lineOf = (at: unknown): number => code.slice(0, Number(at)).split('\n').length;
  const found: { name: string; lines: number }[] = [];
  const walk = (n: Node, outer: string): void => {
    const own = n.id ?? n.key;
    const name = isNode(own) && own.type === 'Identifier' ? text(own) : outer;
    if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(n.type))
      found.push({ name, lines: lineOf(n.end) - lineOf(n.start) + 1 });
    for (const child of childrenOf(n)) walk(child, name);
  };
  walk(parseAst(code, { lang: 'ts' }) as unknown as Node, '');
  return found;
}
