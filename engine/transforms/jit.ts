// jit: trace a function once for each signature of its arguments, simplify, fuse and plan it, and replay the program
// from then on. Inside another transformation (grad of a jitted function, say) a jitted function is the plain function:
// put jit outermost. Numbers, strings and booleans among the arguments are constants of the program: a new value
// traces anew, so pass what changes as a tensor.

import type { Backend } from '../backend.ts';
import type { Aval } from '../dtype.ts';
import { check, LetheError } from '../error.ts';
import { type Graph, printGraph, traceGraph } from '../graph/graph.ts';
import { simplify } from '../graph/simplify.ts';
import { settle } from '../options.ts';
import { full } from '../primitives/apply.ts';
import { Compiled, device } from '../runtime.ts';
import { Concrete, scope, Tensor, untrack } from '../tensor.ts';
import { depth } from '../trace.ts';
import { flatten, type Leaf, showDef, type TreeDef, unflatten } from '../tree.ts';
import { expectFunction, runNow } from './autodiff.ts';
import type { Args, Fn, Result } from './signatures.ts';

/** Options of jit. */
export interface JitOptions {
  /**
   * Positions of arguments whose tensors are given away: their memory is reused for results, and they are disposed by
   * the call. Default: none.
   */
  donate?: readonly number[];
  /** For messages and profiles. Default: the function's name. */
  name?: string;
}

interface Entry {
  readonly compiled: Compiled;
  readonly graph: Graph;
  readonly def: TreeDef;
}

/** A compiled function. It keeps the programs of 64 signatures; one more takes the place of the oldest. */
export interface Jitted<A extends Args = Args, R = Leaf> {
  /** Runs the program for these arguments; traces and compiles it first if there is none. */
  (...args: A): R;
  /** The simplified graph for these arguments, as text. Compiles it if need be; runs nothing. */
  graph(...args: A): string;
  /** The planned program for these arguments: kernels, slots, arena size. */
  program(...args: A): Compiled['program'];
  /** Releases all compiled programs. */
  dispose(): void;
}

const MAX_ENTRIES = 64;

/** Programs belong to one backend: two of the same kind are told apart by number. */
const numbers = new WeakMap<Backend, number>();
let nextNumber = 0;

/**
 * A function that traces f once for each signature of its arguments (structure, shapes, types, and the values of what
 * is no tensor), compiles it, and from then on replays the program: same arguments, same results. While f is traced it
 * sees stand-ins: it may branch on shapes and on numbers, not on elements, and side effects happen once. Inside another
 * transformation it is f itself: put jit outermost.
 * @throws When it is called: 'value' for leaves that are neither tensors, numbers, strings, booleans nor null, and for
 * results that are no tensors or numbers.
 */
export function jit<A extends Args, R>(f: (...args: A) => R, options?: JitOptions): Jitted<A, Result<R>>;
export function jit(f: Fn, options?: JitOptions): Jitted {
  expectFunction('jit', f);
  const { donate, name } = settle('jit', options, { donate: [], name: f.name || 'jit' });
  const cache = new Map<string, Entry>();

  const prepare = (args: readonly Leaf[]): { entry: Entry; tensors: Concrete[] } => {
    const flat = flatten<Leaf>(args);
    const tensors: Concrete[] = [];
    const { backend, dtype } = device();
    if (!numbers.has(backend)) numbers.set(backend, nextNumber++);
    let key = `${numbers.get(backend)} ${dtype} ${showDef(flat.def)}`;
    for (const x of flat.leaves) {
      if (x instanceof Concrete) {
        tensors.push(x);
        key += ` ${x.dtype}${x.shape.join('x')}`;
      } else if (x === null || ['number', 'string', 'boolean'].includes(typeof x))
        key += ` ${typeof x}:${Object.is(x, -0) ? '-0' : typeof x === 'string' ? JSON.stringify(x) : String(x)}`;
      else if (x instanceof Tensor)
        throw new LetheError(
          'state',
          `${name}: ${x} escaped from its transformation; return values from the function instead of storing them outside`,
        );
      else
        throw new LetheError(
          'value',
          `${name}: arguments of a jitted function must be tensors, numbers, strings or booleans, found ${typeof x}`,
        );
    }
    let entry = cache.get(key);
    if (entry === undefined) {
      // Tensors made while tracing are constants of the program, which keeps handles of its own on them.
      scope(() => {
        entry = compile(flat.leaves, flat.def, args);
      });
      if (cache.size >= MAX_ENTRIES) {
        const [oldest] = cache;
        release(oldest[1]);
        cache.delete(oldest[0]);
      }
      cache.set(key, entry as unknown as Entry);
    }
    return { entry: entry as Entry, tensors };
  };

  const compile = (leaves: readonly Leaf[], def: TreeDef, args: readonly Leaf[]): Entry => {
    const avals: Aval[] = leaves.filter((x) => x instanceof Tensor);
    const { graph, result } = traceGraph(
      avals,
      (xs) => {
        let next = 0;
        return flatten<Leaf>(
          runNow(
            'jit',
            f,
            unflatten(
              def,
              leaves.map((x) => (x instanceof Tensor ? xs[next++] : x)),
            ),
          ),
        );
      },
      (out) =>
        out.leaves.map((y) => {
          if (y instanceof Tensor) return y;
          check(
            typeof y === 'number',
            'value',
            () => `${name}: a jitted function must return tensors, found ${typeof y}`,
          );
          return full([], y, device().dtype);
        }),
    );
    const traced = simplify(graph);
    // The program owns its constants: the caller may dispose the tensors it captured.
    const simple = {
      ...traced,
      constants: traced.constants.map((c) => ({ ...c, value: untrack(c.value.alias()) })),
    };
    const donated = donate.flatMap((n) => {
      check(
        n < args.length,
        'value',
        () => `${name}: argument ${n} is to be donated, the call has ${args.length}`,
      );
      const count = (a: Leaf): number => flatten<Leaf>(a).leaves.filter((x) => x instanceof Tensor).length;
      const start = args.slice(0, n).reduce((s, a) => s + count(a), 0);
      return Array.from({ length: count(args[n]) }, (_, i) => start + i);
    });
    return {
      compiled: new Compiled(device().backend, simple, name, donated),
      graph: simple,
      def: result.def,
    };
  };

  const release = ({ compiled, graph }: Entry): void => {
    compiled.dispose();
    for (const c of graph.constants) c.value.dispose();
  };

  const call = (...args: Leaf[]): Leaf => {
    if (depth() > 0) return f(...args);
    const { entry, tensors } = prepare(args);
    const results = entry.compiled.run(tensors);
    for (const n of donate)
      for (const x of flatten<Leaf>(args[n]).leaves) if (x instanceof Concrete) x.dispose();
    return unflatten(entry.def, results);
  };
  return Object.assign(call, {
    graph: (...args: Leaf[]) => printGraph(prepare(args).entry.graph),
    program: (...args: Leaf[]) => prepare(args).entry.compiled.program,
    dispose: () => {
      for (const e of cache.values()) release(e);
      cache.clear();
    },
  });
}
