/**
 * Trees: plain nested objects and arrays whose leaves are tensors (or numbers). Parameters, states and gradients are
 * trees. Anything that is not a plain array or a plain object is a leaf; null and undefined are empty subtrees. Object
 * keys are visited in sorted order, so two trees with the same keys have the same leaves whatever the insertion order.
 *
 * @module
 */

import { LetheError } from './error.ts';
import type { LeafOf, WithLeaves } from './transforms/signatures.ts';

/**
 * Plain nested arrays and objects with leaves T. null and undefined are empty subtrees; what is neither a plain array
 * nor a plain object is a leaf.
 */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> } | null | undefined;

/** The structure of a tree without its leaves. */
export type TreeDef =
  | {
      /** One leaf. */
      readonly kind: 'leaf';
    }
  | {
      /** No leaf: null or undefined. */
      readonly kind: 'empty';
      /** Which of the two. */
      readonly value: null | undefined;
    }
  | {
      /** An array. */
      readonly kind: 'array';
      /** Its entries. */
      readonly items: readonly TreeDef[];
    }
  | {
      /** A plain object. */
      readonly kind: 'object';
      /** Its keys, sorted. */
      readonly keys: readonly string[];
      /** What is under each key. */
      readonly items: readonly TreeDef[];
    };

const LEAF: TreeDef = { kind: 'leaf' };

const isPlainObject = (x: unknown): x is Record<string, unknown> => {
  if (typeof x !== 'object' || x === null) return false;
  const prototype = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
};

/** A leaf, or a tree, of which nothing is known. */
// biome-ignore lint/suspicious/noExplicitAny: leaves of arbitrary user trees
export type Leaf = any;

/** A tree taken apart. */
export interface Flattened<T> {
  /** In a fixed order. */
  leaves: T[];
  /** What unflatten needs to put them back. */
  def: TreeDef;
}
/** The leaves in a fixed order, keys of objects sorted, and the structure that puts them back. */
export function flatten<T = Leaf>(tree: unknown): Flattened<T> {
  const leaves: T[] = [];
  const walk = (node: unknown): TreeDef => {
    if (node === null || node === undefined) return { kind: 'empty', value: node };
    if (Array.isArray(node)) return { kind: 'array', items: node.map(walk) };
    if (isPlainObject(node)) {
      const keys = Object.keys(node).sort();
      return { kind: 'object', keys, items: keys.map((k) => walk(node[k])) };
    }
    leaves.push(node as T);
    return LEAF;
  };
  return { def: walk(tree), leaves };
}

/**
 * The inverse of flatten: a tree of structure `def` with these leaves.
 * @throws 'value' for another number of leaves.
 */
export function unflatten<T = Leaf>(def: TreeDef, leaves: readonly T[]): Leaf {
  let next = 0;
  const build = (d: TreeDef): unknown => {
    switch (d.kind) {
      case 'leaf':
        return leaves[next++];
      case 'empty':
        return d.value;
      case 'array':
        return d.items.map(build);
      default: {
        const out: Record<string, unknown> = {};
        d.keys.forEach((k, i) => {
          Object.defineProperty(out, k, {
            value: build(d.items[i]),
            enumerable: true,
            writable: true,
            configurable: true,
          });
        });
        return out;
      }
    }
  };
  const tree = build(def);
  if (next !== leaves.length)
    throw new LetheError(
      'value',
      `tree.unflatten: the structure has ${next} leaves, ${leaves.length} were given`,
    );
  return tree;
}

/** Do two trees have the same nesting and the same keys, whatever their leaves? */
export function sameStructure(a: TreeDef, b: TreeDef): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === 'array' && b.kind === 'array')
    return a.items.length === b.items.length && a.items.every((x, i) => sameStructure(x, b.items[i]));
  if (a.kind === 'object' && b.kind === 'object')
    return (
      a.keys.length === b.keys.length &&
      a.keys.every((k, i) => k === b.keys[i] && sameStructure(a.items[i], b.items[i]))
    );
  return true;
}

/** A structure as text, leaves as *: {bias: *, weight: *}. */
export function showDef(def: TreeDef): string {
  switch (def.kind) {
    case 'leaf':
      return '*';
    case 'empty':
      return String(def.value);
    case 'array':
      return `[${def.items.map(showDef).join(', ')}]`;
    default:
      return `{${def.keys.map((k, i) => `${k}: ${showDef(def.items[i])}`).join(', ')}}`;
  }
}

/**
 * Applies `f` to the leaves of one or more trees of the same structure: f gets one leaf of each. Gives a tree of the
 * results.
 * @throws 'value' where the structures differ.
 */
export function map<T, R>(f: (...leaves: LeafOf<T>[]) => R, tree: T, ...rest: readonly T[]): WithLeaves<T, R>;
export function map(f: (...leaves: Leaf[]) => Leaf, tree: Leaf, ...rest: Leaf[]): Leaf {
  const first = flatten<Leaf>(tree);
  const others = rest.map((t, i) => {
    const flat = flatten<Leaf>(t);
    if (!sameStructure(first.def, flat.def))
      throw new LetheError(
        'value',
        `tree.map: tree ${i + 1} is ${showDef(flat.def)}, expected ${showDef(first.def)} as in tree 0`,
      );
    return flat.leaves;
  });
  return unflatten(
    first.def,
    first.leaves.map((leaf, i) => f(leaf, ...others.map((o) => o[i]))),
  );
}

/** Leaves with their paths ('layer1.0.weight'), in the order of flatten. */
export function entries<T = Leaf>(tree: unknown): [string, T][] {
  const out: [string, T][] = [];
  const walk = (node: unknown, path: string): void => {
    if (node === null || node === undefined) return;
    if (Array.isArray(node)) for (const [i, x] of node.entries()) walk(x, path ? `${path}.${i}` : String(i));
    else if (isPlainObject(node))
      for (const k of Object.keys(node).sort()) walk(node[k], path ? `${path}.${k}` : k);
    else out.push([path, node as T]);
  };
  walk(tree, '');
  return out;
}
