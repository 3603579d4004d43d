// Making tensors: constants, ranges, and random numbers by the generator as its paper gives it.

import type { Case, Table } from './case.ts';
import { build, floats, type Index, type Kind, list, type Plain, sizeOf, wholes } from './plain.ts';

const made = (args: readonly unknown[], want: Plain): Case => ({ x: [], call: () => args, want: () => want });
const filled = (value: number): Case[] => [
  made(
    [[2, 3]],
    build([2, 3], () => value),
  ),
  made([[]], list([], [value])),
  made([[0, 4]], list([0, 4], [])),
  made(
    [[3], 'int32'],
    build([3], () => value, 'int32'),
  ),
  made(
    [[3], 'uint32'],
    build([3], () => value, 'uint32'),
  ),
  made(
    [[3], 'bool'],
    build([3], () => value, 'bool'),
  ),
];
const alike = (value: number): Case[] =>
  [floats([2, 3]), floats([]), floats([0, 2]), wholes([4], 0, 9), wholes([2], 0, 9, 1, 'uint32')].map(
    (x) => ({
      x: [x],
      want: (p) => build(p.shape, () => value, p.kind),
    }),
  );
const range = (args: readonly number[], data: readonly number[], kind: Kind): Case =>
  made(args, list([data.length], data, kind));

export const created: Table = {
  zeros: filled(0),
  ones: filled(1),
  zerosLike: alike(0),
  onesLike: alike(1),
  full: [
    made(
      [[2, 3], 1.5],
      build([2, 3], () => 1.5),
    ),
    made([[], NaN], list([], [NaN])),
    made([[2], -Infinity], list([2], [-Infinity, -Infinity])),
    made([[2], true], list([2], [1, 1], 'bool')),
    made([[2], 4294967295, 'uint32'], list([2], [4294967295, 4294967295], 'uint32')),
    made([[2], -2147483648, 'int32'], list([2], [-2147483648, -2147483648], 'int32')),
    made([[0], 7], list([0], [])),
    // Numbers that the type cannot hold: truncated, and wrapped as in a typed array.
    ...[2.7, -2.7, 1e20, -1e20, NaN, 2 ** 32 + 5].flatMap((value) => [
      made([[1], value, 'int32'], list([1], [...Int32Array.of(value)], 'int32')),
      made([[1], value, 'uint32'], list([1], [...Uint32Array.of(value)], 'uint32')),
    ]),
  ],
  arange: [
    range([4], [0, 1, 2, 3], 'int32'),
    range([0], [], 'int32'),
    range([2, 6], [2, 3, 4, 5], 'int32'),
    range([6, 2, -2], [6, 4], 'int32'),
    range([6, 2], [], 'int32'),
    range([0, 1, 0.25], [0, 0.25, 0.5, 0.75], 'float'),
    range([-1.5, 1], [-1.5, -0.5, 0.5], 'float'),
    made([0, 3, 1, 'uint32'], list([3], [0, 1, 2], 'uint32')),
  ],
  eye: [
    made(
      [3],
      build([3, 3], ([i, j]) => Number(i === j)),
    ),
    made(
      [2, 4],
      build([2, 4], ([i, j]) => Number(i === j)),
    ),
    made(
      [2, 2, 'int32'],
      build([2, 2], ([i, j]) => Number(i === j), 'int32'),
    ),
    made([0], list([0, 0], [])),
  ],
  tensor: [
    made([2.5], list([], [2.5])),
    made(
      [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
      list([2, 3], [1, 2, 3, 4, 5, 6]),
    ),
    made([[[], []]], list([2, 0], [])),
    made([[true, false]], list([2], [1, 0], 'bool')),
    made([[1.9, -1.9], { dtype: 'int32' }], list([2], [1, -1], 'int32')),
    made([[0.5, 0, -3], { dtype: 'bool' }], list([3], [1, 0, 1], 'bool')),
    made([Int32Array.of(1, -2)], list([2], [1, -2], 'int32')),
    made([Uint32Array.of(1, 4294967295)], list([2], [1, 4294967295], 'uint32')),
    made([Uint8Array.of(1, 255, 3, 4), { shape: [2, 2] }], list([2, 2], [1, 255, 3, 4], 'int32')),
    made([Float32Array.of(0.5, NaN)], list([2], [0.5, NaN])),
  ],
};

// ---- random numbers --------------------------------------------------------------------------------------------------

/** Philox4x32-10 (Salmon et al. 2011): ten rounds on a counter of four words under a key of two. */
function philox(counter: number, [k0, k1]: readonly number[]): number[] {
  const word = (v: bigint): bigint => v & 0xffffffffn;
  let x = [BigInt(counter), 0n, 0n, 0n];
  let [a, b] = [BigInt(k0), BigInt(k1)];
  for (let round = 0; round < 10; round++) {
    const [p, q] = [x[0] * 0xd2511f53n, x[2] * 0xcd9e8d57n];
    x = [word((q >> 32n) ^ x[1] ^ a), word(q), word((p >> 32n) ^ x[3] ^ b), word(p)];
    [a, b] = [word(a + 0x9e3779b9n), word(b + 0xbb67ae85n)];
  }
  return x.map(Number);
}
/** Word i of a key: i % 4 of the block at counter i / 4. */
const bits = (key: readonly number[], n: number): number[] =>
  Array.from({ length: n }, (_, i) => philox(Math.floor(i / 4), key)[i % 4]);
const unit = (word: number): number => Math.floor(word / 256) / 2 ** 24;
const units = (key: Plain, n: number): number[] => bits(key.data, n).map(unit);

const keys = [list([2], [7, 0], 'uint32'), list([2], [4294967295, 123456789], 'uint32')];
const drawn = (
  args: readonly unknown[],
  shape: Index,
  f: (key: Plain, n: number) => number[],
  kind: Kind = 'float',
): Case[] =>
  keys.map((key) => ({
    x: [key],
    call: (k) => [k, ...args],
    want: (k) => list(shape, f(k, sizeOf(shape)), kind),
  }));

/** Box-Muller: two normals from two uniforms, of which the first is never 0. */
function normals(key: Plain, n: number): number[] {
  const words = bits(key.data, n + 1);
  return Array.from({ length: n }, (_, i) => {
    const pair = i - (i % 2);
    const radius = Math.sqrt(-2 * Math.log(unit(words[pair]) + 2 ** -24));
    const angle = 2 * Math.PI * unit(words[pair + 1]);
    return radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  });
}
const uniformly = (shape: Index, low: number, high: number): Case[] =>
  drawn([shape, low, high], shape, (key, n) => units(key, n).map((u) => low + u * (high - low)));
const integers = (shape: Index, low: number, high: number): Case[] =>
  drawn(
    [shape, low, high],
    shape,
    (key, n) => units(key, n).map((u) => low + Math.floor(u * (high - low))),
    'int32',
  );

export const randomNumbers: Table = {
  'random.key': [0, 7, 2 ** 32, 2 ** 53 - 1].map((seed) =>
    made([seed], list([2], [seed % 2 ** 32, Math.floor(seed / 2 ** 32)], 'uint32')),
  ),
  'random.split': [undefined, 1, 3].flatMap((count) =>
    keys.map(
      (key): Case => ({
        x: [key],
        call: (k) => (count === undefined ? [k] : [k, count]),
        want: (k) => {
          const words = bits(k.data, 2 * (count ?? 2));
          return Array.from({ length: count ?? 2 }, (_, i) =>
            list([2], words.slice(2 * i, 2 * i + 2), 'uint32'),
          );
        },
      }),
    ),
  ),
  'random.foldIn': [0, 1, 12345, 2 ** 40].flatMap((data) =>
    keys.map(
      (key): Case => ({
        x: [key],
        call: (k) => [k, data],
        want: (k) => {
          const [a, b] = bits(k.data, 2);
          const high = (Math.floor(data / 2 ** 32) ^ 0x9e3779b9) >>> 0;
          return list([2], bits([(a + (data % 2 ** 32)) % 2 ** 32, (b + high) % 2 ** 32], 2), 'uint32');
        },
      }),
    ),
  ),
  'random.normal': [
    ...drawn([[3, 5]], [3, 5], normals),
    ...drawn([[]], [], normals),
    ...drawn([[0, 2]], [0, 2], normals),
  ],
  'random.uniform': [
    ...drawn([[2, 5]], [2, 5], units),
    ...drawn([[]], [], units),
    ...uniformly([7], -1, 1),
    ...uniformly([2, 2], 1000, 1001),
    ...uniformly([3], 2, 2),
    ...uniformly([0], 2, 5),
  ],
  'random.randint': [...integers([2, 9], 0, 10), ...integers([5], -3, -2), ...integers([0], 0, 2)],
  'random.bernoulli': [0, 0.25, 1].flatMap((p) =>
    drawn([p, [4, 5]], [4, 5], (key, n) => units(key, n).map((u) => Number(u < p)), 'bool'),
  ),
  'random.permutation': [0, 1, 9, 600].flatMap((n) =>
    drawn(
      [n],
      [n],
      (key) => {
        const words = bits(key.data, n);
        return words.map((_, i) => i).sort((i, j) => words[i] - words[j] || i - j);
      },
      'int32',
    ),
  ),
};
