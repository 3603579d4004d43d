// The three convolutions as tiled products over what is fetched on the fly:
//
//   conv            rows (n, oh, ow)   columns o   depth (i, j, c)      x      * w
//   convGradInput   rows (n, h, w)     columns c   depth (i, j, o)      dy     * w
//   convGradWeight  rows (i, j, c)     columns o   depth (n, oh, ow)    x      * dy
//
// with (i, j) the tap of the kernel; the batch is (independent convolution, group). Any stride, padding, dilation and
// number of groups takes this way. Where channels are a multiple of four, four are fetched at once.

import type { ConvParams } from '../engine/primitives/names.ts';
import type { OpInstruction } from '../engine/program.ts';
import { emitProduct, type Product } from './gemm.ts';
import type { Emitter, Lowering } from './lowering.ts';
import { type Load, reader, type Source, slotsOf, sourcesOf } from './operand.ts';
import type { Shader } from './shader.ts';
import type { Factor } from './tiles.ts';

type Pair = readonly [number, number];
interface Geometry {
  readonly batch: number;
  readonly images: number;
  readonly input: Pair;
  readonly output: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly low: Pair;
  readonly dilation: Pair;
  readonly groups: number;
  /** Channels of the image and of the result, a group. */
  readonly channels: number;
  readonly filters: number;
}

function geometry(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  { stride, padding, dilation, groups }: ConvParams,
): Geometry {
  return {
    batch: x[0],
    images: x[1],
    input: [x[2], x[3]],
    output: [y[2], y[3]],
    kernel: [w[1], w[2]],
    stride,
    low: [padding[0][0], padding[1][0]],
    dilation,
    groups,
    channels: w[3],
    filters: w[4] / groups,
  };
}

/** The element (or vector) at `at` if `inside`, without a branch: what is read otherwise is dropped. */
const guarded = (load: Load, whole: boolean, at: string, inside: string): string =>
  whole
    ? `select(vec4<f32>(), ${load(`select(0u, (${at}) / 4u, ${inside})`)}, ${inside})`
    : `select(0f, ${load(`select(0u, ${at}, ${inside})`)}, ${inside})`;
/** Four neighbours at `at`, of which those with `index + l < limit` exist. */
const four = (load: Load, whole: boolean, index: string, limit: number): string =>
  whole
    ? `return ${guarded(load, true, 'at', 'inside')};`
    : `return vec4(${[0, 1, 2, 3]
        .map((l) => guarded(load, false, `at + ${l}u`, `inside & (${index} + ${l}u < ${limit}u)`))
        .join(', ')});`;

const groupOf = (g: Geometry): string => (g.groups === 1 ? '0u' : `batch % ${g.groups}u`);
const convolutionOf = (g: Geometry): string => (g.groups === 1 ? 'batch' : `batch / ${g.groups}u`);

/**
 * What a factor gathers: which image, for which pixels, and where tap t of pixel p lies in it, at
 * (p * stride + sign * (t * dilation - low)) / divide.
 */
interface Gather {
  readonly image: Pair;
  readonly pixels: Pair;
  readonly channels: number;
  readonly stride: Pair;
  readonly sign: 1 | -1;
  /** Where that leaves a rest, or leaves the image, there is nothing. */
  readonly divide: Pair;
}
/** What an output pixel sees of the image. */
const windows = (g: Geometry): Gather => ({
  image: g.input,
  pixels: g.output,
  channels: g.channels,
  stride: g.stride,
  sign: 1,
  divide: [1, 1],
});
/** What a pixel of the image reached in the result. */
const reached = (g: Geometry): Gather => ({
  image: g.output,
  pixels: g.input,
  channels: g.filters,
  stride: [1, 1],
  sign: -1,
  divide: g.stride,
});

/** Pixels along one axis of the product, taps and their channels (i, j, channel) along the other, which neighbours lie in. */
function gathered(
  shader: Shader,
  source: Source,
  along: 'outer' | 'depth',
  { image, pixels, channels, stride, sign, divide }: Gather,
  g: Geometry,
): Factor {
  const whole = channels % 4 === 0;
  const { load, declarations } = reader(shader, 'A', source, whole);
  const total = channels * g.groups;
  const size = image[0] * image[1] * total;
  const first = `${convolutionOf(g)} * ${g.images * size}u + ${groupOf(g)} * ${channels}u`;
  const start = (p: string, axis: 0 | 1): string =>
    `i32(${p} * ${stride[axis]}u) ${sign > 0 ? '-' : '+'} ${g.low[axis]}`;
  const step = (t: string, axis: 0 | 1): string => `${sign > 0 ? '' : '-'}i32(${t} * ${g.dilation[axis]}u)`;
  const within = (name: string, axis: 0 | 1): string => {
    const rest = divide[axis] === 1 ? '' : ` & (${name} % ${divide[axis]} == 0)`;
    return `(${name} >= 0) & (${name} < ${image[axis] * divide[axis]})${rest}`;
  };
  // Four neighbours that may belong to different taps are worked out one by one, when they are fetched.
  const tapOf = whole ? 'tapAt(base, k)' : 'Tap(base, k, 0, 0, 0u)';
  const fetched = (p: string, t: string): string =>
    whole
      ? `oneA(${p}, ${t})`
      : `vec4(${[0, 1, 2, 3].map((l) => `oneA(${p}, tapAt(${t}.base, ${t}.k + ${l}u))`).join(', ')})`;
  // The batch is known to the outer axis.
  const axes =
    along === 'depth'
      ? `alias OuterA = Pixel;
alias DepthA = Tap;
fn outerAOf(batch: u32, m: u32) -> Pixel { return pixelAt(${first}, m); }
fn depthAOf(k: u32) -> Tap { let base = 0u; return ${tapOf}; }
fn fetchA(o: Pixel, d: Tap) -> vec4<f32> { return ${fetched('o', 'd')}; }`
      : `alias OuterA = Tap;
alias DepthA = Pixel;
fn outerAOf(batch: u32, k: u32) -> Tap { let base = ${first}; return ${tapOf}; }
fn depthAOf(p: u32) -> Pixel { return pixelAt(0u, p); }
fn fetchA(o: Tap, d: Pixel) -> vec4<f32> { return ${fetched('d', 'o')}; }`;
  return {
    along,
    declarations: `${declarations}
struct Pixel { base: u32, y: i32, x: i32, inside: bool }
struct Tap { base: u32, k: u32, y: i32, x: i32, channel: u32 }
fn pixelAt(base: u32, p: u32) -> Pixel {
  let px = p % ${pixels[1]}u;
  let py = p / ${pixels[1]}u % ${pixels[0]}u;
  let pn = p / ${pixels[0] * pixels[1]}u;
  return Pixel(base + pn * ${size}u, ${start('py', 0)}, ${start('px', 1)}, pn < ${g.images}u);
}
fn tapAt(base: u32, k: u32) -> Tap {
  let channel = k % ${channels}u;
  let j = k / ${channels}u % ${g.kernel[1]}u;
  let i = k / ${channels * g.kernel[1]}u;
  return Tap(base, k, ${step('i', 0)}, ${step('j', 1)}, channel);
}
fn oneA(p: Pixel, t: Tap) -> ${whole ? 'vec4<f32>' : 'f32'} {
  let y = p.y + t.y;
  let x = p.x + t.x;
  let inside = p.inside & (t.k < ${g.kernel[0] * g.kernel[1] * channels}u) & ${within('y', 0)} & ${within('x', 1)};
  let at = p.base + t.base + (u32(y) / ${divide[0]}u * ${image[1]}u + u32(x) / ${divide[1]}u) * ${total}u + t.channel;
  return ${guarded(load, whole, 'at', 'inside')};
}
${axes}`,
  };
}

/** [depth][o]: weights, or dy by pixels. */
function filtersOf(shader: Shader, source: Source, depth: number, g: Geometry): Factor {
  const whole = g.filters % 4 === 0;
  const { load, declarations } = reader(shader, 'B', source, whole);
  const total = g.filters * g.groups;
  return {
    along: 'outer',
    declarations: `${declarations}
struct OuterB { base: u32, n: u32 }
struct DepthB { k: u32, base: u32 }
fn outerBOf(batch: u32, n: u32) -> OuterB {
  return OuterB(${convolutionOf(g)} * ${depth * total}u + ${groupOf(g)} * ${g.filters}u + n, n);
}
fn depthBOf(k: u32) -> DepthB { return DepthB(k, k * ${total}u); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> {
  let inside = (o.n < ${g.filters}u) & (d.k < ${depth}u);
  let at = o.base + d.base;
  ${four(load, whole, 'o.n', g.filters)}
}`,
  };
}

/** Weights as [i, j, o][c]: columns are channels of the image, neighbours along depth are filters. */
function transposedWeights(shader: Shader, w: Source, g: Geometry): Factor {
  const whole = g.filters % 4 === 0;
  const { load, declarations } = reader(shader, 'B', w, whole);
  const depth = g.kernel[0] * g.kernel[1] * g.filters;
  const total = g.filters * g.groups;
  const kernel = g.kernel[0] * g.kernel[1] * g.channels * total;
  return {
    along: 'depth',
    declarations: `${declarations}
struct OuterB { base: u32, inside: bool }
struct DepthB { k: u32, base: u32 }
fn outerBOf(batch: u32, n: u32) -> OuterB {
  return OuterB(${convolutionOf(g)} * ${kernel}u + n * ${total}u + ${groupOf(g)} * ${g.filters}u, n < ${g.channels}u);
}
fn depthAt(k: u32) -> DepthB {
  return DepthB(k, k / ${g.filters}u * ${g.channels * total}u + k % ${g.filters}u);
}
fn oneB(o: OuterB, d: DepthB) -> ${whole ? 'vec4<f32>' : 'f32'} {
  let inside = o.inside & (d.k < ${depth}u);
  return ${guarded(load, whole, 'o.base + d.base', 'inside')};
}
${
  whole
    ? `fn depthBOf(k: u32) -> DepthB { return depthAt(k); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> { return oneB(o, d); }`
    : `fn depthBOf(k: u32) -> DepthB { return DepthB(k, 0u); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> {
  return vec4(${[0, 1, 2, 3].map((l) => `oneB(o, depthAt(d.k + ${l}u))`).join(', ')});
}`
}`,
  };
}

function emitConvolution(
  i: OpInstruction,
  to: Lowering,
  g: Geometry,
  [rows, columns, depth]: readonly [number, number, number],
  factors: Product['factors'],
): void {
  const [{ slot, dtype }] = i.outputs;
  emitProduct(
    {
      label: i.op,
      batch: g.batch * g.groups,
      rows,
      columns,
      depth,
      groups: g.groups,
      factors,
      dtype,
      slot,
      epilogue: i.epilogue,
      buffers: sourcesOf(i).flatMap(slotsOf),
    },
    to,
  );
}

const area = ([height, width]: Pair): number => height * width;

const conv: Emitter<'conv'> = (i, to) => {
  const [x, w] = sourcesOf(i);
  const g = geometry(x.shape, w.shape, i.outputs[0].shape, i.params);
  const depth = area(g.kernel) * g.channels;
  emitConvolution(i, to, g, [g.images * area(g.output), g.filters, depth], (shader) => ({
    a: gathered(shader, x, 'depth', windows(g), g),
    b: filtersOf(shader, w, depth, g),
  }));
};

const convGradInput: Emitter<'convGradInput'> = (i, to) => {
  const [dy, w] = sourcesOf(i);
  const g = geometry(i.outputs[0].shape, w.shape, dy.shape, i.params);
  const depth = area(g.kernel) * g.filters;
  emitConvolution(i, to, g, [g.images * area(g.input), g.channels, depth], (shader) => ({
    a: gathered(shader, dy, 'depth', reached(g), g),
    b: transposedWeights(shader, w, g),
  }));
};

const convGradWeight: Emitter<'convGradWeight'> = (i, to) => {
  const [x, dy] = sourcesOf(i);
  const g = geometry(x.shape, i.outputs[0].shape, dy.shape, i.params);
  const depth = g.images * area(g.output);
  emitConvolution(i, to, g, [area(g.kernel) * g.channels, g.filters, depth], (shader) => ({
    a: gathered(shader, x, 'outer', windows(g), g),
    b: filtersOf(shader, dy, depth, g),
  }));
};

export const convEmitters = { conv, convGradInput, convGradWeight };
