// The three convolutions as tiled products over what is fetched on the fly:
//
//   conv            rows (n, oh, ow)   columns o   depth (i, j, c)      x      * w
//   convGradInput   rows (n, h, w)     columns c   depth (i, j, o)      dy     * w
//   convGradWeight  rows (i, j, c)     columns o   depth (n, oh, ow)    x      * dy
//
// with (i, j) the tap of the kernel; the batch is (independent convolution, group). Any stride, padding, dilation and
// number of groups takes this way. Where channels are a multiple of four, four are fetched at once.

import { emitProduct } from './gemm.ts';
import type { Emitter } from './lowering.ts';
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
  params: Readonly<Record<string, unknown>>,
): Geometry {
  const { stride, padding, dilation, groups } = params as unknown as {
    stride: Pair;
    padding: readonly [Pair, Pair];
    dilation: Pair;
    groups: number;
  };
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

/** Pixel number -> (n, row, column). */
const pixel = (name: string, size: Pair): string => `let px = ${name} % ${size[1]}u;
  let py = ${name} / ${size[1]}u % ${size[0]}u;
  let pn = ${name} / ${size[0] * size[1]}u;`;
/** Number along (i, j, channel) -> tap and channel. */
const tap = (name: string, kernel: Pair, channels: number): string => `let channel = ${name} % ${channels}u;
  let j = ${name} / ${channels}u % ${kernel[1]}u;
  let i = ${name} / ${channels * kernel[1]}u;`;

/** Depth (i, j, channel) of windows: not a multiple of four channels means that four neighbours may be in two taps. */
function perElement(side: string, fetchOne: string): string {
  return `fn fetch${side}(o: Outer${side}, k: Depth${side}) -> vec4<f32> {
  return vec4(${[0, 1, 2, 3].map((l) => `${fetchOne}(o, ${side === 'A' ? 'depthAt' : 'depthBt'}(k.k + ${l}u))`).join(', ')});
}`;
}

/** Windows of the image: rows are output pixels, depth is (i, j, c). */
function windows(shader: Shader, x: Source, g: Geometry): Factor {
  const whole = g.channels % 4 === 0;
  const { load, declarations } = reader(shader, 'A', x, whole);
  const [H, W] = g.input;
  const total = g.channels * g.groups;
  const depth = g.kernel[0] * g.kernel[1] * g.channels;
  return {
    along: 'depth',
    declarations: `${declarations}
struct OuterA { base: u32, y: i32, x: i32, inside: bool }
struct DepthA { k: u32, y: i32, x: i32, channel: u32 }
fn outerAOf(batch: u32, m: u32) -> OuterA {
  ${pixel('m', g.output)}
  return OuterA((${convolutionOf(g)} * ${g.images}u + pn) * ${H * W * total}u + ${groupOf(g)} * ${g.channels}u,
    i32(py * ${g.stride[0]}u) - ${g.low[0]}, i32(px * ${g.stride[1]}u) - ${g.low[1]}, pn < ${g.images}u);
}
fn depthAt(k: u32) -> DepthA {
  ${tap('k', g.kernel, g.channels)}
  return DepthA(k, i32(i * ${g.dilation[0]}u), i32(j * ${g.dilation[1]}u), channel);
}
fn oneA(o: OuterA, d: DepthA) -> ${whole ? 'vec4<f32>' : 'f32'} {
  let y = o.y + d.y;
  let x = o.x + d.x;
  let inside = o.inside & (d.k < ${depth}u) & (y >= 0) & (y < ${H}) & (x >= 0) & (x < ${W});
  let at = o.base + (u32(y) * ${W}u + u32(x)) * ${total}u + d.channel;
  return ${guarded(load, whole, 'at', 'inside')};
}
${
  whole
    ? `fn depthAOf(k: u32) -> DepthA { return depthAt(k); }
fn fetchA(o: OuterA, d: DepthA) -> vec4<f32> { return oneA(o, d); }`
    : `fn depthAOf(k: u32) -> DepthA { return DepthA(k, 0, 0, 0u); }
${perElement('A', 'oneA')}`
}`,
  };
}

/** Weights as [i, j, c][o]. */
function weights(shader: Shader, w: Source, g: Geometry): Factor {
  const whole = g.filters % 4 === 0;
  const { load, declarations } = reader(shader, 'B', w, whole);
  const depth = g.kernel[0] * g.kernel[1] * g.channels;
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

/** Pixels of dy that a pixel of the image reached: rows are image pixels, depth is (i, j, o). */
function reached(shader: Shader, dy: Source, g: Geometry): Factor {
  const whole = g.filters % 4 === 0;
  const { load, declarations } = reader(shader, 'A', dy, whole);
  const [OH, OW] = g.output;
  const total = g.filters * g.groups;
  const depth = g.kernel[0] * g.kernel[1] * g.filters;
  const [sh, sw] = g.stride;
  const along = (name: string, s: number, limit: number): string =>
    `(${name} >= 0) & (${name} < ${limit * s})${s === 1 ? '' : ` & (${name} % ${s} == 0)`}`;
  return {
    along: 'depth',
    declarations: `${declarations}
struct OuterA { base: u32, y: i32, x: i32, inside: bool }
struct DepthA { k: u32, y: i32, x: i32, channel: u32 }
fn outerAOf(batch: u32, m: u32) -> OuterA {
  ${pixel('m', g.input)}
  return OuterA((${convolutionOf(g)} * ${g.images}u + pn) * ${OH * OW * total}u + ${groupOf(g)} * ${g.filters}u,
    i32(py) + ${g.low[0]}, i32(px) + ${g.low[1]}, pn < ${g.images}u);
}
fn depthAt(k: u32) -> DepthA {
  ${tap('k', g.kernel, g.filters)}
  return DepthA(k, i32(i * ${g.dilation[0]}u), i32(j * ${g.dilation[1]}u), channel);
}
fn oneA(o: OuterA, d: DepthA) -> ${whole ? 'vec4<f32>' : 'f32'} {
  let y = o.y - d.y;
  let x = o.x - d.x;
  let inside = o.inside & (d.k < ${depth}u) & ${along('y', sh, OH)} & ${along('x', sw, OW)};
  let at = o.base + (u32(y) / ${sh}u * ${OW}u + u32(x) / ${sw}u) * ${total}u + d.channel;
  return ${guarded(load, whole, 'at', 'inside')};
}
${
  whole
    ? `fn depthAOf(k: u32) -> DepthA { return depthAt(k); }
fn fetchA(o: OuterA, d: DepthA) -> vec4<f32> { return oneA(o, d); }`
    : `fn depthAOf(k: u32) -> DepthA { return DepthA(k, 0, 0, 0u); }
${perElement('A', 'oneA')}`
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
fn depthBt(k: u32) -> DepthB {
  return DepthB(k, k / ${g.filters}u * ${g.channels * total}u + k % ${g.filters}u);
}
fn oneB(o: OuterB, d: DepthB) -> ${whole ? 'vec4<f32>' : 'f32'} {
  let inside = o.inside & (d.k < ${depth}u);
  return ${guarded(load, whole, 'o.base + d.base', 'inside')};
}
${
  whole
    ? `fn depthBOf(k: u32) -> DepthB { return depthBt(k); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> { return oneB(o, d); }`
    : `fn depthBOf(k: u32) -> DepthB { return DepthB(k, 0u); }
${perElement('B', 'oneB')}`
}`,
  };
}

/** Windows again, the other way round: rows are (i, j, c), depth is output pixels. */
function windowsTransposed(shader: Shader, x: Source, g: Geometry): Factor {
  const whole = g.channels % 4 === 0;
  const { load, declarations } = reader(shader, 'A', x, whole);
  const [H, W] = g.input;
  const total = g.channels * g.groups;
  const rows = g.kernel[0] * g.kernel[1] * g.channels;
  const outer = (m: string): string => `outerAt(base, ${m})`;
  return {
    along: 'outer',
    declarations: `${declarations}
struct OuterA { base: u32, m: u32, y: i32, x: i32, channel: u32 }
struct DepthA { base: u32, y: i32, x: i32, inside: bool }
fn outerAt(base: u32, m: u32) -> OuterA {
  ${tap('m', g.kernel, g.channels)}
  return OuterA(base, m, i32(i * ${g.dilation[0]}u), i32(j * ${g.dilation[1]}u), channel);
}
fn outerAOf(batch: u32, m: u32) -> OuterA {
  let base = ${convolutionOf(g)} * ${g.images * H * W * total}u + ${groupOf(g)} * ${g.channels}u;
  return ${whole ? outer('m') : 'OuterA(base, m, 0, 0, 0u)'};
}
fn depthAOf(k: u32) -> DepthA {
  ${pixel('k', g.output)}
  return DepthA(pn * ${H * W * total}u, i32(py * ${g.stride[0]}u) - ${g.low[0]}, i32(px * ${g.stride[1]}u) - ${g.low[1]}, pn < ${g.images}u);
}
fn oneA(o: OuterA, d: DepthA) -> ${whole ? 'vec4<f32>' : 'f32'} {
  let y = o.y + d.y;
  let x = o.x + d.x;
  let inside = d.inside & (o.m < ${rows}u) & (y >= 0) & (y < ${H}) & (x >= 0) & (x < ${W});
  let at = o.base + d.base + (u32(y) * ${W}u + u32(x)) * ${total}u + o.channel;
  return ${guarded(load, whole, 'at', 'inside')};
}
fn fetchA(o: OuterA, d: DepthA) -> vec4<f32> {
  return ${whole ? 'oneA(o, d)' : `vec4(${[0, 1, 2, 3].map((l) => `oneA(outerAt(o.base, o.m + ${l}u), d)`).join(', ')})`};
}`,
  };
}

/** dy as [pixels][o]. */
function pixels(shader: Shader, dy: Source, g: Geometry): Factor {
  const whole = g.filters % 4 === 0;
  const { load, declarations } = reader(shader, 'B', dy, whole);
  const count = g.images * g.output[0] * g.output[1];
  const total = g.filters * g.groups;
  return {
    along: 'outer',
    declarations: `${declarations}
struct OuterB { base: u32, n: u32 }
struct DepthB { k: u32, base: u32 }
fn outerBOf(batch: u32, n: u32) -> OuterB {
  return OuterB(${convolutionOf(g)} * ${count * total}u + ${groupOf(g)} * ${g.filters}u + n, n);
}
fn depthBOf(k: u32) -> DepthB { return DepthB(k, k * ${total}u); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> {
  let inside = (o.n < ${g.filters}u) & (d.k < ${count}u);
  let at = o.base + d.base;
  ${four(load, whole, 'o.n', g.filters)}
}`,
  };
}

const conv: Emitter = (i, to) => {
  const [x, w] = sourcesOf(i);
  const [y] = i.outputs;
  const g = geometry(x.shape, w.shape, y.shape, i.params);
  emitProduct(
    {
      label: 'conv',
      batch: g.batch * g.groups,
      rows: g.images * g.output[0] * g.output[1],
      columns: g.filters,
      depth: g.kernel[0] * g.kernel[1] * g.channels,
      groups: g.groups,
      factors: (shader) => ({ a: windows(shader, x, g), b: weights(shader, w, g) }),
      dtype: y.dtype,
      slot: y.slot,
      epilogue: i.body,
      buffers: [x, w].flatMap(slotsOf),
    },
    to,
  );
};

const convGradInput: Emitter = (i, to) => {
  const [dy, w] = sourcesOf(i);
  const [x] = i.outputs;
  const g = geometry(x.shape, w.shape, dy.shape, i.params);
  emitProduct(
    {
      label: 'convGradInput',
      batch: g.batch * g.groups,
      rows: g.images * g.input[0] * g.input[1],
      columns: g.channels,
      depth: g.kernel[0] * g.kernel[1] * g.filters,
      groups: g.groups,
      factors: (shader) => ({ a: reached(shader, dy, g), b: transposedWeights(shader, w, g) }),
      dtype: x.dtype,
      slot: x.slot,
      epilogue: i.body,
      buffers: [dy, w].flatMap(slotsOf),
    },
    to,
  );
};

const convGradWeight: Emitter = (i, to) => {
  const [x, dy] = sourcesOf(i);
  const [w] = i.outputs;
  const g = geometry(x.shape, w.shape, dy.shape, i.params);
  emitProduct(
    {
      label: 'convGradWeight',
      batch: g.batch * g.groups,
      rows: g.kernel[0] * g.kernel[1] * g.channels,
      columns: g.filters,
      depth: g.images * g.output[0] * g.output[1],
      groups: g.groups,
      factors: (shader) => ({ a: windowsTransposed(shader, x, g), b: pixels(shader, dy, g) }),
      dtype: w.dtype,
      slot: w.slot,
      epilogue: i.body,
      buffers: [x, dy].flatMap(slotsOf),
    },
    to,
  );
};

export const convEmitters = { conv, convGradInput, convGradWeight } satisfies Record<string, Emitter>;
