// Every operation that is exported against plain loops: function and method, one by one and compiled. What an operation
// means is said a second time here, without the engine; a new one without an entry in the table fails.

import { expect, test } from 'vitest';
import { allocate, type DType } from '../../engine/dtype.ts';
import * as lt from '../../index.ts';
import {
  describeBackends,
  epsilonOf,
  type Float,
  make,
  mismatch,
  read,
  termsIn,
  type Values,
} from '../conformance/support.ts';
import type { Case, Table } from './case.ts';
import { created, randomNumbers } from './create.ts';
import { elementwise } from './elementwise.ts';
import { images } from './images.ts';
import { normalised } from './normalise.ts';
import type { Plain } from './plain.ts';
import { products } from './products.ts';
import { reductions } from './reduce.ts';
import { indexing, movement } from './shape.ts';

const TABLE: Table = {
  ...elementwise,
  ...reductions,
  ...movement,
  ...indexing,
  ...products,
  ...images,
  ...normalised,
  ...created,
  ...randomNumbers,
};

/** What is exported and computes no values of tensors, or only those of a function that it is given. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  'take functions, and have tests of their own': [
    'checkGradients',
    'checkpoint',
    'customVjp',
    'evalShape',
    'grad',
    'hvp',
    'jit',
    'jvp',
    'stopGradient',
    'valueAndGrad',
    'vjp',
    'vmap',
  ],
  'open and close devices': [
    'close',
    'createReferenceBackend',
    'findDevices',
    'init',
    'memory',
    'open',
    'sync',
    'toDevice',
    'useBackend',
    'withDevice',
  ],
  'say how long tensors live': ['findLeaks', 'keep', 'scope'],
  'are classes': ['Device', 'LetheError', 'ShapeOf', 'Tensor'],
  'work out shapes and axes': ['broadcastShapes', 'normaliseAxis'],
  'are namespaces of compositions, formats and trees': ['io', 'nn', 'optim', 'tree'],
};
/** What the class of tensors has itself. */
const MEMBERS = [
  'constructor',
  'size',
  'ndim',
  'data',
  'array',
  'item',
  'dispose',
  'notConcrete',
  'toString',
];

const { random, ...rest } = lt;
const EXPORTED: Readonly<Record<string, unknown>> = {
  ...rest,
  ...Object.fromEntries(Object.entries(random).map(([name, f]) => [`random.${name}`, f])),
};

test('every exported operation has cases here, and so has every method', () => {
  const others = Object.values(OTHERS).flat();
  expect(
    Object.keys(EXPORTED)
      .filter((name) => !others.includes(name))
      .sort(),
  ).toEqual(Object.keys(TABLE).sort());
  expect(others.filter((name) => !(name in lt))).toEqual([]);
  for (const [name, cases] of Object.entries(TABLE)) expect(cases.length, name).toBeGreaterThan(0);
  const methods = Object.getOwnPropertyNames(lt.Tensor.prototype).filter((name) => !MEMBERS.includes(name));
  expect(methods.filter((name) => !(name in TABLE))).toEqual([]);
});

const typeOf = (x: Plain, float: Float): DType => (x.kind === 'float' ? float : x.kind);
const valuesOf = (x: Plain, float: Float): Values => {
  const dtype = typeOf(x, float);
  const data = allocate(dtype, x.data.length);
  data.set(x.data);
  return { shape: x.shape, dtype, data };
};
type Operation = (...args: readonly unknown[]) => unknown;
/** The method, where there is one. */
const methodOf =
  (name: string): Operation =>
  (...args) => {
    const [first, ...rest] = args;
    if (!(first instanceof lt.Tensor) || !(name in lt.Tensor.prototype))
      return (EXPORTED[name] as Operation)(...args);
    return (first[name as keyof lt.Tensor] as unknown as Operation).apply(first, rest);
  };
/** Of several results those with names in the order of their names, as trees have them. */
const plainsIn = (want: ReturnType<Case['want']>): readonly Plain[] => {
  if (Array.isArray(want)) return want;
  if ('kind' in want) return [want as Plain];
  return Object.entries(want as Readonly<Record<string, Plain>>)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, x]) => x);
};
const tensorsIn = (result: unknown): lt.Tensor[] => lt.tree.flatten<lt.Tensor>(result as never).leaves;

describeBackends(
  ({ name: device, float }) => {
    test.each(Object.entries(TABLE))('%s', async (name, cases) => {
      for (const [n, c] of cases.entries()) {
        const problem = await problemWith(name, c, float, device !== 'webgpu');
        expect(problem, `case ${n}`).toBeNull();
      }
    });
  },
  { shaders: false },
);

/**
 * Runs a case, the method compiled and, if so wanted, the function one operation by the other: that makes more shaders,
 * which software adapters compile for longer than anything else takes. Null where all is right, else what is not.
 */
async function problemWith(name: string, c: Case, float: Float, oneByOne: boolean): Promise<string | null> {
  const made = c.x.map((x) => make(x.data, x.shape, typeOf(x, float)));
  const args = (xs: readonly lt.Tensor[]): readonly unknown[] => c.call?.(...xs) ?? xs;
  const flat = (f: Operation) => (xs: lt.Tensor[]) => tensorsIn(f(...args(xs)));
  const plain = flat(EXPORTED[name] as Operation);
  const method = flat(methodOf(name));
  const want = plainsIn(c.want(...c.x)).map((x) => valuesOf(x, float));
  const bound = epsilonOf(float) * (16 + 2 * termsIn(plain, made));
  const compiled = lt.jit((...xs: lt.Tensor[]) => method(xs), { name });
  const problem = async (f: (xs: lt.Tensor[]) => lt.Tensor[]): Promise<string | null> => {
    const got = await read(f(made));
    const [types, wanted] = [got, want].map((v) => v.map((x) => x.dtype).join());
    return types === wanted ? mismatch(got, want, bound) : `results are ${types}, expected ${wanted}`;
  };
  const replayed = await problem((xs) => compiled(...xs) as lt.Tensor[]);
  compiled.dispose();
  return replayed === null && oneByOne ? problem(plain) : replayed;
}
