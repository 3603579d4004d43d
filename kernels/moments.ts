// Mean and variance in one pass over the elements. Means are kept as distances from the first element of the result, and an
// invocation counts from its own first element: nothing large is subtracted from anything large. Shares are joined by the
// formula of Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979:
//
//     mean    = a.mean + d b.count / count              with d = b.mean - a.mean, count = a.count + b.count
//     squares = a.squares + b.squares + d^2 a.count b.count / count
//
// where `squares` is the sum of squared distances from the mean. All of one number has that mean and variance 0 exactly.

import { type Shape, sizeOf } from '../engine/dtype.ts';
import { denseView, keptOf } from '../engine/graph/dense.ts';
import type { Loop, Operand, View } from '../engine/program.ts';
import { coordinates, position, rowMajor } from './axes.ts';
import { type Layout, layoutOf, reductionKernel, type Variable } from './grid.ts';
import { valueName, writeLoop } from './loop.ts';
import type { Emitter, Lowering } from './lowering.ts';
import { fromMemory, type Shader } from './shader.ts';

/** What a share has of a variable. */
type Values = (v: Variable) => string;

const LARGEST = '3.4028234e38f';
const COUNT: Variable = { name: 'count', type: 'f32', start: '0f' };

/** Variables of one of the neighbouring results that an invocation works out. */
interface Share {
  readonly mean: Variable;
  readonly squares: Variable;
}
const sharesOf = (width: number): Share[] =>
  Array.from({ length: width }, (_, lane) => ({
    mean: { name: `mean${lane}`, type: 'f32', start: '0f' },
    squares: { name: `squares${lane}`, type: 'f32', start: '0f' },
  }));

const variablesOf = (shares: readonly Share[]): Variable[] => [
  COUNT,
  ...shares.flatMap((s) => [s.mean, s.squares]),
];

/** Joins shares; `of` gives the values of the other one. An infinite mean has no distance: it stays, or is taken over. */
function writeJoin(shares: readonly Share[], of: Values): string[] {
  const lines = shares.flatMap(({ mean, squares }, lane) => {
    const [other, apart] = [`other${lane}`, `apart${lane}`];
    return [
      `let ${other} = ${of(mean)};`,
      `let ${apart} = ${other} - ${mean.name};`,
      `${squares.name} += ${of(squares)} + ${apart} * ${apart} * count * weight;`,
      `${mean.name} = select(${mean.name} + ${other}, ${mean.name} + ${apart} * weight, abs(${apart}) <= ${LARGEST});`,
    ];
  });
  return [
    '{',
    `let more = ${of(COUNT)};`,
    'let weight = more / max(count + more, 1f);',
    ...lines,
    'count += more;',
    '}',
  ];
}

/** Statements that take in elements: sums of distances, and of their squares, from the first element. */
function writeTake(
  shader: Shader,
  loop: Loop,
  { domain, names, lanes, width }: Layout,
  shares: Share[],
): string {
  const together = width === 4 ? 4 : lanes;
  const lines = shares.map(({ mean, squares }, lane) => {
    const own = width > 1 ? [valueName(0, lane)] : Array.from({ length: lanes }, (_, l) => valueName(0, l));
    const sum = (terms: string[]): string =>
      terms.length === 1 ? terms[0] : `(${terms[0]} + ${terms[1]}) + (${terms[2]} + ${terms[3]})`;
    const distances = own.map((v) => `d_${v}`);
    return [
      // What is not finite has no distance.
      `from${lane} = select(from${lane}, select(origin${lane}, ${own[0]}, abs(${own[0]}) <= ${LARGEST}), count == 0f);`,
      ...own.map((v) => `let d_${v} = ${v} - from${lane};`),
      `${mean.name} += ${sum(distances)};`,
      `${squares.name} += ${sum(distances.map((d) => `${d} * ${d}`))};`,
    ].join('\n');
  });
  const inner = writeLoop(shader, loop, domain, { names, flat: 'at', lanes: together });
  return [inner, ...lines, `count += ${lanes}f;`].join('\n');
}

/** Declares the first element of each result at hand, as `origin` with its number; what is not finite is no origin. */
function writeOrigins(shader: Shader, x: Operand, layout: Layout, width: number): string {
  const { domain, kept, results } = layout;
  const names = kept.map((d) => `o${d}`);
  const strides = rowMajor(domain.sizes);
  const at = position(
    names,
    kept.map((d) => strides[d]),
  );
  const array = shader.read(x.slot, x.dtype);
  return [
    `let start = min(first, ${results - width}u);`,
    coordinates(
      'start',
      kept.map((d) => domain.sizes[d]),
      names,
    ),
    ...sharesOf(width).map((_, lane) => {
      const element = fromMemory(`${array}[${at} + ${lane}u]`, x.dtype);
      return `let origin${lane} = select(0f, ${element}, abs(${element}) <= ${LARGEST});`;
    }),
  ].join('\n');
}

/** Statements that store both results of an output each. */
function writeBoth(
  shader: Shader,
  { results, width }: Layout,
  [a, b]: readonly number[],
  of: (share: Share, lane: number) => readonly [string, string],
): string {
  const stores = sharesOf(width).flatMap((s, lane) => {
    const at = `[chunk * ${results}u + first + ${lane}u]`;
    const [x, y] = of(s, lane);
    return [`${shader.write(a, 'float32')}${at} = ${x};`, `${shader.write(b, 'float32')}${at} = ${y};`];
  });
  return stores.join('\n');
}
/** Of the last kernel: mean and variance. */
const writeResults = (shader: Shader, layout: Layout, outputs: readonly number[], count: number): string =>
  writeBoth(shader, layout, outputs, (s, lane) => [
    `origin${lane} + ${s.mean.name}`,
    `${s.squares.name} / ${count}f`,
  ]);

const loopOver = (shape: Shape, inputs: readonly View[]): Loop => ({
  shape,
  inputs,
  steps: [],
  stores: [],
  reductions: [],
});

/** Joins the chunks of a first kernel: each has as many elements, but the last, which may have fewer. */
function emitJoin(
  x: Operand,
  parts: readonly number[],
  outputs: readonly number[],
  first: Layout,
  to: Lowering,
): void {
  const { chunks, results, count, chunk, lanes } = first;
  const shape = [chunks, results];
  const views = parts.map((slot) => denseView(slot, 'float32', shape));
  const loop = loopOver(shape, views);
  // They are few: not cut into chunks again.
  const layout: Layout = { ...layoutOf(loop, [0], to.traits), chunk: chunks, chunks: 1, lanes: 1 };
  const { domain, names, width } = layout;
  const shader = to.shader('moments joined');
  const shares = sharesOf(width);
  const each = chunk * lanes;
  const last = count - (chunks - 1) * each;
  const loaded = new Map(
    shares.flatMap((s, lane) => [
      [s.mean, valueName(0, lane)],
      [s.squares, valueName(1, lane)],
    ]),
  ).set(COUNT, `select(${each}f, ${last}f, element == ${chunks - 1}u)`);
  const reducing = {
    variables: variablesOf(shares),
    before: writeOrigins(shader, x, first, width),
    take: [
      writeLoop(shader, loop, domain, { names, flat: 'at', lanes: width }),
      ...writeJoin(shares, (v) => loaded.get(v) as string),
    ].join('\n'),
    join: (other: Values) => writeJoin(shares, other),
    finish: writeResults(shader, layout, outputs, count),
  };
  to.add(reductionKernel(shader, layout, reducing, to.traits));
}

const moments: Emitter<'moments'> = (i, to) => {
  const [x] = i.inputs;
  const outputs = i.outputs.map((o) => o.slot);
  const { axes } = i.params;
  const results = sizeOf(keptOf({ shape: x.shape, axes }));
  if (results === 0) return;
  const loop = loopOver(x.shape, [denseView(x.slot, x.dtype, x.shape)]);
  const layout = layoutOf(loop, axes, to.traits);
  const { chunks, width, count } = layout;
  const parts = chunks === 1 ? outputs : [0, 1].map(() => to.scratch(results * chunks, 'float32'));
  const shader = to.shader('moments');
  const shares = sharesOf(width);
  const reducing = {
    variables: variablesOf(shares),
    before: [
      writeOrigins(shader, x, layout, width),
      ...shares.map((_, lane) => `var from${lane} = origin${lane};`),
    ].join('\n'),
    take: writeTake(shader, loop, layout, shares),
    // From sums of distances to the mean and the squares about it.
    close: shares
      .flatMap(({ mean, squares }, lane) => [
        `let off${lane} = ${mean.name} / max(count, 1f);`,
        `${squares.name} -= ${mean.name} * off${lane};`,
        // Not negative, not even by rounding; NaN stays.
        `${squares.name} = select(${squares.name}, 0f, ${squares.name} < 0f);`,
        `${mean.name} = from${lane} - origin${lane} + off${lane};`,
      ])
      .join('\n'),
    join: (other: Values) => writeJoin(shares, other),
    finish:
      chunks === 1
        ? writeResults(shader, layout, outputs, count)
        : writeBoth(shader, layout, parts, (s) => [s.mean.name, s.squares.name]),
  };
  to.add(reductionKernel(shader, layout, reducing, to.traits));
  if (chunks > 1) emitJoin(x, parts, outputs, layout, to);
};

export const momentsEmitters = { moments };
