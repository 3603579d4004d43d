// The types of the transformations: what an editor knows of grad(f), vmap(f), ... when it knows f. The functions
// themselves work on trees of anything and check at run time; these types are laid over them. A tree of tensors keeps
// its own type: the gradient with respect to { w: Tensor; b: Tensor } is a { w: Tensor; b: Tensor }.

import type { Tensor } from '../tensor.ts';
import type { Tree } from '../tree.ts';

// biome-ignore lint/suspicious/noExplicitAny: parameters without annotation, and trees of any kind, must fit
export type Args = any[];
// biome-ignore lint/suspicious/noExplicitAny: any function of trees
export type Fn = (...args: any[]) => any;

/** A result that may be differentiated: one float. A number is a constant. */
export type Scalar = Tensor | number;

/** What a transformed function returns where f returns R: numbers come back as scalar tensors. */
export type Result<R> = R extends number ? Tensor : R;

/** What is to be differentiated: one argument by position, or several. */
export type Argnums = number | readonly number[];

/** The argument at position N, or an array of those at the positions N. */
export type Chosen<A extends Args, N extends Argnums> = N extends number
  ? A[N]
  : { -readonly [K in keyof N]: N[K] extends number ? A[N[K]] : never };

/** Gradients that a rule gives for T: tensors or null, with whole subtrees left out as null. */
export type Partly<T> = unknown extends T
  ? unknown
  : T extends Tensor
    ? Tensor | number | null
    : T extends object
      ? { readonly [K in keyof T]: Partly<T[K]> } | null
      : unknown;

type Atom = Tensor | ArrayBufferView | string | number | boolean | bigint | symbol | Fn;

/** The leaves of a tree: what is neither an array nor a plain object; any where the tree is unknown. */
export type LeafOf<T> = unknown extends T
  ? // biome-ignore lint/suspicious/noExplicitAny: nothing is known of the tree
    any
  : [Tree<Tensor>] extends [T]
    ? Tensor
    : LeafIn<T>;
type LeafIn<T> = T extends Atom
  ? T
  : T extends null | undefined
    ? never
    : T extends readonly (infer Item)[]
      ? LeafOf<Item>
      : T extends object
        ? LeafOf<T[keyof T]>
        : T;

/** The same tree with other leaves. */
export type WithLeaves<T, L> = unknown extends T
  ? // biome-ignore lint/suspicious/noExplicitAny: nothing is known of the tree
    any
  : [Tree<Tensor>] extends [T]
    ? Tree<L>
    : WithLeavesIn<T, L>;
type WithLeavesIn<T, L> = T extends Atom
  ? L
  : T extends null | undefined
    ? T
    : T extends object
      ? { [K in keyof T]: WithLeaves<T[K], L> }
      : L;
