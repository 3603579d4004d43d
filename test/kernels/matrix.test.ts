// Products by subgroup matrices. No software adapter has them, so their built-ins are replaced, in the very shaders that
// real devices get, by functions that do the same, each invocation the whole of it; what is left is everything that is
// ours: slabs, corners, strides, orders, bands, edges and epilogues. That the shaders are valid as they are, Dawn's null
// backend says.

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Backend } from '../../engine/backend.ts';
import type { DType } from '../../engine/dtype.ts';
import type { Instruction, Loop } from '../../engine/program.ts';
import { createReferenceBackend } from '../../engine/reference.ts';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import { type Choice, readChoice } from '../../kernels/choice.ts';
import { PORTABLE, type Traits } from '../../kernels/lowering.ts';
import { type MatrixConfig, matrixHeuristic } from '../../kernels/matrix.ts';
import type { MatrixKind, Tiles } from '../../kernels/tiles.ts';
import { KERNELS, type TuningTable } from '../../kernels/tuning.ts';
import { distance, execute, program, type Result, rootProgram, slot, step } from '../native/support.ts';
import { comparer, halves } from './half.ts';
import { describeGpu, open } from './support.ts';

const config = (componentType: string, M: number, N: number, K: number, resultComponentType = 'f32') =>
  ({ componentType, resultComponentType, M, N, K }) satisfies MatrixConfig;
/** What NVIDIA's GPUs list, and Apple's. */
const NVIDIA = [config('f16', 16, 16, 16, 'f16'), config('f16', 16, 16, 16), config('f16', 16, 8, 16)];
const APPLE = [config('f32', 8, 8, 8), config('f16', 8, 8, 8, 'f16')];

/**
 * The shader with the built-ins of subgroup matrices replaced; unchanged if it uses none. A factor is where it lies, a
 * result is dealt out over the invocations of a subgroup, as in hardware.
 */
function emulated(code: string): string {
  const found = /subgroup_matrix_left<\w+, (\d+), (\d+)>/.exec(code);
  if (found === null) return code;
  const [, depth, rows] = found.map(Number);
  const columns = Number((/subgroup_matrix_result<f32, (\d+)/.exec(code) as RegExpExecArray)[1]);
  const subgroup = Number((/let own_subgroup = localIndex \/ (\d+)u/.exec(code) as RegExpExecArray)[1]);
  const share = (rows * columns) / subgroup;
  // Loops start where a compiler cannot know, or it would unroll them all.
  const each = (
    body: string,
  ): string => `for (var e = invocation; e < ${rows * columns}u; e += ${subgroup}u) {
    let v = e / ${subgroup}u;
    let i = e / ${columns}u;
    let j = e % ${columns}u;
    ${body}
  }`;
  const functions = `struct Corner { offset: u32, down: u32, right: u32 }
alias Sums = array<f32, ${share}>;
var<private> invocation: u32;
fn row_major(offset: u32, stride: u32) -> Corner { return Corner(offset, stride, 1u); }
fn col_major(offset: u32, stride: u32) -> Corner { return Corner(offset, 1u, stride); }
fn multiplied(a: Corner, b: Corner, c: Sums) -> Sums {
  var sums = c;
  ${each(`for (var k = invocation / ${subgroup}u; k < ${depth}u; k++) {
      sums[v] += f32(slabA[a.offset + i * a.down + k * a.right]) * f32(slabB[b.offset + k * b.down + j * b.right]);
    }`)}
  return sums;
}
fn storeBand(offset: u32, m: Sums, stride: u32) {
  var sums = m;
  ${each('bands[offset + i * stride + j] = sums[v];')}
}`;
  return `${code
    .replace('enable chromium_experimental_subgroup_matrix;\n', '')
    .replace(/diagnostic\(off, chromium[^;]*;\n/, '')
    .replace('let own_subgroup', `invocation = localIndex % ${subgroup}u;\nlet own_subgroup`)
    .replace(/subgroup_matrix_result<f32, \d+, \d+>/g, 'Sums')
    .replace(/subgroupMatrixLoad<subgroup_matrix_(?:left|right)<[^>]*>, (\w+)>\(&slab\w, /g, '$1(')
    .replaceAll('subgroupMatrixMultiplyAccumulate(', 'multiplied(')
    .replace(/subgroupMatrixStore<row_major>\(&bands, /g, 'storeBand(')}
${functions}`;
}

describeGpu('subgroup matrices', () => {
  const reference = createReferenceBackend();
  const compare = comparer(reference);
  const opened: Backend[] = [];
  let shaders: string[] = [];
  /** The software GPU as a device with these matrices. */
  const openEmulated = async (limits: Partial<Traits>, tuning?: TuningTable[]): Promise<WebGpuBackend> => {
    const backend = await open({ limits: { software: false, subgroup: 32, ...limits }, tuning });
    const { device } = backend;
    const make = device.createShaderModule.bind(device);
    device.createShaderModule = (d) => {
      shaders.push(d.code);
      return make({ ...d, code: emulated(d.code) });
    };
    opened.push(backend);
    return backend;
  };
  let nvidia: Backend;
  let apple: Backend;
  beforeAll(async () => {
    // Portable workgroup memory makes tiles of both depths come up.
    nvidia = await openEmulated({ matrices: NVIDIA });
    apple = await openEmulated({ matrices: APPLE, workgroupBytes: 16384 });
  });
  afterEach(() => {
    shaders = [];
  });
  afterAll(async () => {
    for (const b of opened) await b.close();
  });
  const used = (component: string): boolean =>
    shaders.some((s) => s.includes(`subgroup_matrix_left<${component},`));

  it('multiply matrices of any size, either operand transposed', async () => {
    for (const [backend, component] of [
      [nvidia, 'f16'],
      [apple, 'f32'],
    ] as const)
      for (const [b, m, n, k, ta, tb] of [
        [2, 33, 21, 17, 0, 0],
        [1, 36, 32, 40, 1, 0],
        [1, 17, 19, 50, 1, 1],
        ...(component === 'f16' ? [[1, 70, 68, 36, 0, 1]] : []),
      ]) {
        shaders = [];
        const x = halves(ta ? [b, k, m] : [b, m, k], 1);
        const y = halves(tb ? [b, n, k] : [b, k, n], 2);
        const out: Result = { shape: [b, m, n], dtype: 'float16' };
        await compare('dot', { transposeA: ta === 1, transposeB: tb === 1 }, [x, y], out, backend);
        expect(used(component), `${m}x${n}x${k}`).toBe(true);
      }
  });

  // By a table, as where they were measured. The first is as large as workgroup memory allows here.
  it.each([
    'matrix 128x128x16 of 64x32 by f16 16x16x16',
    'matrix 32x64x64 of 16x32 by f16 16x16x16 in 2 parts',
    'matrix 64x32x16 of 64x16 by f16 16x8x16',
  ])('in tiles that a table names: %s', async (text) => {
    const choices = { 'dot 256x256x128x4 float16': text };
    const backend = await openEmulated({ matrices: NVIDIA }, [
      { format: 1, kernels: KERNELS, adapter: 'llvmpipe', choices },
    ]);
    expect(backend.info.tuning).toContain('1 given');
    const [x, y] = [halves([2, 70, 150], 1), halves([2, 70, 130], 2)];
    const out: Result = { shape: [2, 150, 130], dtype: 'float16' };
    await compare('dot', { transposeA: true, transposeB: false }, [x, y], out, backend);
    const { tiles: t } = readChoice(text) as Choice;
    const { matrix, ownColumns } = t as { matrix: MatrixKind } & Tiles;
    const bands = (t.rows / t.ownRows) * (t.columns / ownColumns) * matrix.rows * ownColumns;
    expect(shaders[0]).toContain(`subgroup_matrix_result<f32, ${matrix.columns}, ${matrix.rows}>`);
    expect(shaders[0]).toContain(`var<workgroup> bands: array<f32, ${bands}>`);
  });

  it('convolve three ways, with groups or without, channels in fours or not', async () => {
    for (const [channels, filters, groups] of [
      [32, 32, 2],
      [17, 19, 1],
    ]) {
      // biome-ignore format: one line
      const params = { stride: [2, 1], padding: [[1, 0], [2, 1]], dilation: [1, 2], groups, inputSize: [9, 8], kernelSize: [3, 2] };
      const x = halves([1, 2, 9, 8, channels], 1);
      const w = halves([1, 3, 2, channels / groups, filters], 2);
      const dy = halves([1, 2, 4, 9, filters], 3);
      for (const [name, inputs, shape] of [
        ['conv', [x, w], dy.shape],
        ['convGradInput', [dy, w], x.shape],
        ['convGradWeight', [x, dy], w.shape],
      ] as const) {
        shaders = [];
        await compare(name, params, inputs, { shape, dtype: 'float16' }, nvidia);
        expect(used('f16'), name).toBe(true);
      }
    }
  });

  it('hand results to an epilogue', async () => {
    const [m, n, k] = [40, 30, 24];
    const [x, y, bias] = [halves([m, k], 1), halves([k, n], 2), halves([n], 3)];
    const out: Result = { shape: [m, n], dtype: 'float16' };
    const loop: Loop = {
      shape: [m, n],
      inputs: [{ slot: 2, dtype: 'float16', strides: [0, 1], offset: 0 }],
      steps: [step('add', [1, 0], 'float16'), step('relu', [2], 'float16')],
      stores: [{ value: 3, slot: 3 }],
      reductions: [],
    };
    const p = program({
      slots: [slot('input', x, 0), slot('input', y, 1), slot('input', bias, 2), slot('output', out, 0)],
      instructions: [
        {
          ...rootProgram('dot', { transposeA: false, transposeB: false }, [x, y], [out]).instructions[0],
          outputs: [{ slot: -1, ...out }],
          epilogue: loop,
        } as Instruction,
      ],
    });
    const [want] = await execute(reference, p, [x, y, bias]);
    const [got] = await execute(nvidia, p, [x, y, bias]);
    expect(shaders.length).toBe(1);
    expect(used('f16')).toBe(true);
    expect(distance(got, want)).toBeLessThanOrEqual(2 ** -9);
  });
});

const TRAITS: Traits = { ...PORTABLE, subgroup: 32, half: true };

const tilesOf = (rows: number, columns: number, dtype: DType, traits: Traits) =>
  matrixHeuristic({ label: 'dot', batch: 1, rows, columns, depth: 64, dtype }, traits);

it('only matrices that hold the factors and add up in float32 are taken', () => {
  const kind = (dtype: 'float16' | 'float32', matrices: MatrixConfig[], traits: Partial<Traits> = {}) =>
    tilesOf(64, 64, dtype, { ...TRAITS, matrices, ...traits })?.matrix;
  expect(kind('float16', NVIDIA)).toEqual({
    component: 'f16',
    rows: 16,
    columns: 16,
    depth: 16,
  });
  expect(kind('float32', NVIDIA)).toBeUndefined();
  expect(kind('float16', APPLE)?.component).toBe('f32');
  expect(kind('float32', APPLE)?.component).toBe('f32');
  expect(kind('float16', [config('f16', 8, 8, 8, 'f16')])).toBeUndefined();
  expect(kind('float16', NVIDIA, { subgroup: 0 })).toBeUndefined();
  expect(kind('float16', NVIDIA, { workgroupBytes: 4096 })).toBeUndefined();
  expect(kind('float16', [config('f16', 24, 16, 16)])).toBeUndefined();
  const edges = (rows: number, columns: number, workgroupBytes: number) => {
    const t = tilesOf(rows, columns, 'float16', { ...TRAITS, matrices: NVIDIA, workgroupBytes });
    return t && [t.rows, t.columns, t.depth];
  };
  expect(edges(8, 64, 49152)).toBeNull();
  expect(edges(20, 64, 49152)).toEqual([32, 32, 16]);
  expect(edges(64, 64, 49152)).toEqual([64, 64, 32]);
  expect(edges(64, 64, 16384)).toEqual([64, 64, 16]);
  expect(edges(1500, 1400, 49152)).toEqual([128, 128, 32]);
});
