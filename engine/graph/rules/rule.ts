// What a simplification is: a rule that sees one call of a primitive and, where it matches, says what to compute instead.

import type { DType, Shape } from '../../dtype.ts';
import type { ParamsOf, PrimitiveName } from '../../primitives/names.ts';
import type { Primitive } from '../../primitives/types.ts';
import type { Equation, Var } from '../graph.ts';

/** A call of one of the primitives `K`, with results that nothing uses yet. */
type Call<K extends PrimitiveName> = Extract<Equation, { op: K }>;

/** The graph as it is built anew: what is known of values, and ways to make more. What is made is simplified too. */
export interface Builder {
  /** The equation that makes v, if it is a call of `name`. */
  is<K extends PrimitiveName>(v: Var, name: K): Call<K> | undefined;
  /** The value of a constant-filled v. */
  constant(v: Var): number | undefined;
  emit(primitive: Primitive, inputs: readonly Var[], params: object): readonly Var[];
  call<K extends PrimitiveName>(name: K, inputs: readonly Var[], params: ParamsOf<K>): readonly Var[];
  full(shape: Shape, value: number, dtype: DType): readonly Var[];
}

export interface Rule {
  readonly name: string;
  /** Is it for this primitive? */
  readonly of: (primitive: Primitive) => boolean;
  /** What to take in place of the call's results; null where the rule does not match. */
  readonly apply: (b: Builder, call: Equation) => readonly Var[] | null;
}

interface Parts<K extends PrimitiveName, M> {
  readonly name: string;
  /** Names of the primitives, or which of them. */
  readonly of: readonly K[] | ((primitive: Primitive) => boolean);
  /** What the rewriting needs to know; null or false where the rule does not match. */
  readonly match: (b: Builder, call: Call<K>) => M | null | false;
  readonly rewrite: (b: Builder, matched: M, call: Call<K>) => readonly Var[];
}

/** `K`: the primitives that the rule is for. */
export function rule<K extends PrimitiveName, M>({ name, of, match, rewrite }: Parts<K, M>): Rule {
  const names: ReadonlySet<string> | null = typeof of === 'function' ? null : new Set(of);
  return {
    name,
    of: typeof of === 'function' ? of : (p) => (names as ReadonlySet<string>).has(p.name),
    apply(b, call) {
      // It is one of those that `of` names.
      const own = call as Call<K>;
      const matched = match(b, own);
      return matched === null || matched === false ? null : rewrite(b, matched, own);
    },
  };
}
