// What a simplification is: a rule that sees one call of a primitive and, where it matches, says what to compute instead.

import type { DType, Shape } from '../../dtype.ts';
import type { PrimitiveName } from '../../primitives/index.ts';
import type { Primitive } from '../../primitives/types.ts';
import type { Equation, Var } from '../graph.ts';

export interface Call<P = object> {
  readonly primitive: Primitive;
  readonly inputs: readonly Var[];
  readonly params: P;
}

/** The graph as it is built anew: what is known of values, and ways to make more. What is made is simplified too. */
export interface Builder {
  /** The equation that makes v, if it is a call of `name`. */
  is(v: Var, name: PrimitiveName): Equation | undefined;
  /** The value of a constant-filled v. */
  constant(v: Var): number | undefined;
  emit(primitive: Primitive, inputs: readonly Var[], params: object): readonly Var[];
  call(name: PrimitiveName, inputs: readonly Var[], params?: object): readonly Var[];
  full(shape: Shape, value: number, dtype: DType): readonly Var[];
}

export interface Rule {
  readonly name: string;
  /** Is it for this primitive? */
  readonly of: (primitive: Primitive) => boolean;
  /** What to take in place of the call's results; null where the rule does not match. */
  readonly apply: (b: Builder, call: Call) => readonly Var[] | null;
}

interface Parts<P, M> {
  readonly name: string;
  /** Names of the primitives, or which of them. */
  readonly of: readonly PrimitiveName[] | ((primitive: Primitive) => boolean);
  /** What the rewriting needs to know; null or false where the rule does not match. */
  readonly match: (b: Builder, call: Call<P>) => M | null | false;
  readonly rewrite: (b: Builder, matched: M, call: Call<P>) => readonly Var[];
}

/** `P`: the parameters of the primitives that the rule is for. */
export function rule<M, P = object>({ name, of, match, rewrite }: Parts<P, M>): Rule {
  const names: ReadonlySet<string> | null = typeof of === 'function' ? null : new Set(of);
  return {
    name,
    of: typeof of === 'function' ? of : (p) => (names as ReadonlySet<string>).has(p.name),
    apply(b, call) {
      const matched = match(b, call as Call<P>);
      return matched === null || matched === false ? null : rewrite(b, matched, call as Call<P>);
    },
  };
}
