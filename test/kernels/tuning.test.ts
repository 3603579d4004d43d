// Choices and tables of choices: what passes the rule computes right results on awkward shapes, what is written down is
// read back, later tables win over earlier ones, and a file from anywhere is understood or refused in one line.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createReferenceBackend } from '../../engine/reference.ts';
import { findDevices } from '../../index.ts';
import type { WebGpuBackend } from '../../kernels/backend.ts';
import {
  type Choice,
  candidates,
  classOf,
  heuristic,
  readChoice,
  refusal,
  steps,
  tileSpace,
  writeChoice,
} from '../../kernels/choice.ts';
import { lower } from '../../kernels/lower.ts';
import { PORTABLE, type Traits } from '../../kernels/lowering.ts';
import { readTuning, tuningFile } from '../../kernels/node.ts';
import { shipped } from '../../kernels/shipped.ts';
import type { Tiles } from '../../kernels/tiles.ts';
import { KERNELS, parseTable, type TuningTable, tuningFor } from '../../kernels/tuning.ts';
import { distance, execute, randomFloats, rootProgram } from '../native/support.ts';
import { halves } from './half.ts';
import { describeDawn, describeGpu, open } from './support.ts';
import { openNull } from './valid.ts';

const traits: Traits = PORTABLE;
/** As if of a card with tensor cores. */
const TENSOR: Traits = {
  ...PORTABLE,
  ...{ subgroup: 32, half: true, invocations: 1024, workgroupBytes: 49152 },
  matrices: [
    { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 },
    { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 8, K: 16 },
  ],
};
const dtypes = fc.constantFrom('float32' as const, 'float16' as const);
const shapes = fc.record({
  label: fc.constantFrom('dot', 'conv', 'convGradInput', 'convGradWeight'),
  batch: fc.integer({ min: 1, max: 70 }),
  rows: fc.integer({ min: 1, max: 300_000 }),
  columns: fc.integer({ min: 1, max: 5000 }),
  depth: fc.integer({ min: 1, max: 300_000 }),
  dtype: dtypes,
});
const size = fc.oneof(fc.integer({ min: -8, max: 300 }), fc.constantFrom(0.5, Number.NaN, 4, 8, 16, 64));
const anyTiles: fc.Arbitrary<Tiles> = fc.record(
  {
    rows: size,
    columns: size,
    depth: size,
    ownRows: size,
    ownColumns: size,
    direct: fc.boolean(),
    shared: fc.boolean(),
  },
  { requiredKeys: ['rows', 'columns', 'depth', 'ownRows', 'ownColumns', 'direct'] },
);

describe('the rule', () => {
  it('lets through only what fits the device', () => {
    fc.assert(
      fc.property(fc.oneof(anyTiles, fc.constantFrom(...tileSpace(traits))), dtypes, (t, dtype) => {
        if (refusal(t, traits, dtype) !== null) return;
        const threads = (t.rows / t.ownRows) * (t.columns / t.ownColumns);
        expect(Number.isInteger(threads) && threads >= 1 && threads <= traits.invocations).toBe(true);
        for (const n of [t.rows, t.columns, t.depth, t.ownRows, t.ownColumns]) expect(n % 4).toBe(0);
        if (!t.direct) expect((t.rows + t.columns) * t.depth * 4).toBeLessThanOrEqual(traits.workgroupBytes);
        // Hands values around in subgroups of 8, which this device has not.
        expect(t.shared ?? false).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
  it('lets subgroup matrices through only where the device multiplies them and they hold the factors', () => {
    const legal = (dtype: 'float16' | 'float32', own: Traits): Tiles[] =>
      tileSpace(TENSOR).filter((t) => t.matrix && refusal(t, own, dtype) === null);
    const found = legal('float16', TENSOR);
    expect(found.length).toBeGreaterThan(100);
    expect(new Set(found.map((t) => t.matrix?.columns))).toEqual(new Set([8, 16]));
    for (const t of found) {
      const subgroups = (t.rows / t.ownRows) * (t.columns / t.ownColumns);
      expect(Number.isInteger(subgroups) && subgroups * 32 <= 1024).toBe(true);
      expect((t.rows + t.columns) * t.depth * 2).toBeLessThan(49152);
    }
    expect(legal('float32', TENSOR)).toEqual([]);
    expect(legal('float16', { ...TENSOR, matrices: TENSOR.matrices.slice(1) }).length).toBeLessThan(
      found.length,
    );
    expect(legal('float16', { ...TENSOR, subgroup: 0 })).toEqual([]);
    expect(legal('float16', traits)).toEqual([]);
  });
  it('has a heuristic that keeps it, for any product', () => {
    const devices = [traits, { ...traits, software: true, subgroup: 8 }, { ...traits, subgroup: 32 }, TENSOR];
    fc.assert(
      fc.property(shapes, fc.constantFrom(...devices), (shape, own) => {
        const { tiles, parts } = heuristic(shape, own);
        expect(refusal(tiles, own, shape.dtype)).toBeNull();
        expect(parts).toBeGreaterThanOrEqual(1);
        const large = Math.min(shape.rows, shape.columns, shape.depth) >= 16;
        expect(tiles.matrix !== undefined).toBe(own === TENSOR && shape.dtype === 'float16' && large);
      }),
    );
  });
  it('leaves candidates for any product, none of them twice', () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(traits, TENSOR), (shape, own) => {
        const found = candidates(shape, own);
        expect(found.length).toBeGreaterThan(0);
        expect(new Set(found.map(writeChoice)).size).toBe(found.length);
        for (const c of found) expect(refusal(c.tiles, own, shape.dtype)).toBeNull();
      }),
      { numRuns: 50 },
    );
  });
});

describe('a choice as text', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.constantFrom(...tileSpace(TENSOR)), fc.integer({ min: 1, max: 128 }), (tiles, parts) => {
        const choice = { tiles, parts };
        expect(readChoice(writeChoice(choice))).toEqual(choice);
        expect(steps(choice, choice)).toBe(0);
      }),
    );
  });
  it.each([
    '',
    'staged',
    'staged 64x64 of 4x4',
    'direct 8x64x4 of 8x8',
    'staged 64x64x16 of 4x4 in 0 parts',
    'staged 64x64x16 of 4x4 by f16 16x16x16',
    'matrix 64x64x16 of 32x32',
    'matrix 64x64x16 of 32x32 by f16 16x16',
    'matrix 64x64x16 of 32x32 by bf16 16x16x16',
    'staged 99999x4x4 of 4x4',
    ' direct 4x4 of 4x4',
    'direct 4x4 of 4x4\n',
  ])('is not %j', (text) => expect(readChoice(text)).toBeNull());
  it('is one for all products of a class, and classes are few', () => {
    const dtype = 'float32';
    expect(classOf({ label: 'conv', batch: 1, rows: 131072, columns: 64, depth: 576, dtype })).toBe(
      'conv 8192x64x1024x1',
    );
    const small = { label: 'dot', batch: 3, rows: 1, columns: 10, depth: 65 };
    expect(classOf({ ...small, dtype })).toBe('dot 4x16x128x4');
    expect(classOf({ ...small, dtype: 'float16' })).toBe('dot 4x16x128x4 float16');
  });
});

const table = (choices: Record<string, string>, adapter = 'acme, x1'): TuningTable => ({
  format: 1,
  kernels: KERNELS,
  adapter,
  choices,
});
const product = { label: 'dot', batch: 1, rows: 1000, columns: 1000, depth: 1000, dtype: 'float32' } as const;
const key = 'dot 1024x1024x1024x1';

describe('tables', () => {
  it('that are shipped are well formed, and hold for this version of the kernels', () => {
    for (const t of shipped) {
      expect(parseTable(t, t.adapter)).toEqual(t);
      expect(t.kernels).toBe(KERNELS);
    }
  });
  it.each(shipped.map((t) => [t.adapter, t] as const))(
    'are shipped for %s, and given ones win over them',
    (adapter, t) => {
      const own = { ...traits, subgroup: 8, software: true };
      const [[name, choice]] = Object.entries(t.choices);
      const { tuning, about } = tuningFor(`vendor, ${adapter.toUpperCase()}, 1.0`, own);
      expect(about).toBe(`${Object.keys(t.choices).length} shipped for ${adapter}`);
      const [label, sizes] = name.split(' ');
      const [rows, columns, depth, batch] = sizes.split('x').map(Number);
      const shape = { label, rows, columns, depth, batch, dtype: 'float32' as const };
      expect(classOf(shape)).toBe(name);
      expect(writeChoice(tuning(shape) as Choice)).toBe(choice);
      const mine = tuningFor(`vendor, ${adapter}`, own, [table({ [name]: 'direct 4x32 of 4x4' }, adapter)]);
      expect(writeChoice(mine.tuning(shape) as Choice)).toBe('direct 4x32 of 4x4');
      expect(mine.about).toBe(`1 given, ${about}`);
      // A device of the family that cannot run a choice goes by the heuristic.
      expect(tuningFor(adapter, { ...own, invocations: 1 }).about).toBe(`0 shipped for ${adapter}`);
    },
  );
  it('win over subgroup matrices, and may choose among them', () => {
    const x = halves([1, 64, 64], 1);
    const p = rootProgram(
      'dot',
      { transposeA: false, transposeB: false },
      [x, x],
      [{ shape: [1, 64, 64], dtype: 'float16' }],
    );
    const half = `dot 64x64x64x1 float16`;
    const lowered = (choices: Record<string, string>) =>
      lower(p, TENSOR, tuningFor('acme, x1', TENSOR, [table(choices)]).tuning).kernels;
    const [usual] = lowered({});
    expect(usual.source).toContain('subgroup_matrix_left<f16, 16, 16>');
    expect(usual.groups).toBe(1);
    expect(lowered({ [half]: 'staged 32x32x16 of 4x4' })[0].source).not.toContain('subgroup_matrix');
    const [narrow, ...rest] = lowered({ [half]: 'matrix 32x32x32 of 32x16 by f16 16x8x16 in 2 parts' });
    expect(narrow.source).toContain('subgroup_matrix_result<f32, 8, 16>');
    expect([narrow.groups, rest.length]).toEqual([8, 1]);
    const wrong = 'matrix 32x32x32 of 32x16 by f16 16x16x16';
    expect(() => lowered({ 'dot 64x64x64x1': wrong })).toThrow('matrices of f16 do not hold float32');
    expect(() => lowered({ [half]: wrong.replace('f16', 'f32') })).toThrow('does not multiply such matrices');
  });
  it('win over each other in order: heuristic, earlier, later', () => {
    const [first, second] = ['staged 32x32x16 of 4x4', 'direct 8x64 of 8x8 in 2 parts'];
    const none = tuningFor('Acme, X1, 5 GHz', traits);
    expect(none).toEqual({ tuning: expect.any(Function), about: 'heuristic' });
    expect(none.tuning(product)).toBeUndefined();
    const one = tuningFor('Acme, X1, 5 GHz', traits, [table({ [key]: first })]);
    expect(writeChoice(one.tuning(product) as Choice)).toBe(first);
    expect(one.about).toBe('1 given');
    expect(one.tuning({ ...product, rows: 3 })).toBeUndefined();
    const two = tuningFor('Acme, X1, 5 GHz', traits, [table({ [key]: first }), table({ [key]: second })]);
    expect(writeChoice(two.tuning(product) as Choice)).toBe(second);
    expect(tuningFor('Acme, X1', traits, 'off')).toEqual({ tuning: expect.any(Function), about: 'off' });
  });
  it('of another adapter or other kernels are passed over', () => {
    const choices = { [key]: 'staged 32x32x16 of 4x4' };
    for (const t of [table(choices, 'other'), { ...table(choices), kernels: KERNELS + 1 }])
      expect(tuningFor('Acme, X1', traits, [t]).about).toBe('heuristic');
  });
  it('with what the device cannot run are refused', () => {
    const choices = { [key]: 'staged 128x128x32 of 4x4' };
    expect(() => tuningFor('Acme, X1', traits, [table(choices)])).toThrow(
      'tuning table of "acme, x1": dot 1024x1024x1024x1: "staged 128x128x32 of 4x4": 1024 invocations in a workgroup; this device has 256',
    );
  });
  it.each<[unknown, string]>([
    [null, 'expected a tuning table, found null'],
    [[], 'expected a tuning table, found []'],
    [{ format: 2 }, 'format: expected 1, found 2'],
    [{ ...table({}), kernels: '1' }, 'kernels: expected a whole number, found "1"'],
    [{ ...table({}), adapter: '' }, 'adapter: expected a name, found ""'],
    [{ ...table({}), choices: [] }, 'choices: expected an object, found []'],
    [table({ 'dot 1x1': 'x' }), 'choices: expected a name such as "dot 1024x1024x1024x1", found "dot 1x1"'],
    [JSON.parse(`{"format":1,"kernels":1,"adapter":"a","choices":{"__proto__":"x"}}`), 'found "__proto__"'],
    [
      table({ [key]: 'fastest' }),
      `choices: ${key}: expected a text such as "staged 64x64x16 of 4x4", found "fastest"`,
    ],
    [
      table(Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`dot ${n}x1x1x1`, 'x']))),
      'at most 10000',
    ],
  ])('%#: what is none is refused', (json, message) => {
    expect(() => parseTable(json, 'file')).toThrow(message);
  });
  it('of any JSON are parsed or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (json, choices) => {
        for (const x of [json, { ...table({}), choices }])
          try {
            expect(parseTable(x, 'file').format).toBe(1);
          } catch (error) {
            expect(error).toMatchObject({ kind: 'data', message: expect.stringMatching(/^file: /) });
          }
      }),
    );
  });
});

describe('the file of this machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-tuning-'));
  const file = join(folder, 'table.json');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  it('is read, or refused with its name', async () => {
    writeFileSync(file, JSON.stringify(table({ [key]: 'staged 32x32x16 of 4x4' })));
    expect((await readTuning(file)).choices[key]).toBe('staged 32x32x16 of 4x4');
    writeFileSync(file, '{ "format": 1,');
    await expect(readTuning(file)).rejects.toThrow(`${file}: expected JSON`);
    writeFileSync(file, 'x'.repeat(2 ** 20 + 1));
    await expect(readTuning(file)).rejects.toThrow('expected at most 1048576 bytes');
    await expect(readTuning(join(folder, 'none'))).rejects.toMatchObject({ kind: 'io' });
  });
});

describeGpu('on a device', () => {
  const reference = createReferenceBackend();
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await open({ tuning: 'off' });
  });
  afterAll(async () => {
    await gpu.close();
  });

  // A few of each kind: each is a shader to compile.
  it.each([
    'staged 16x32x8 of 4x4 in 3 parts',
    'staged 16x16x8 of 4x4',
    'direct 4x32 of 4x8 in 3 parts',
    'direct 8x16 of 8x4',
    'shared 8x32 of 8x4 in 3 parts',
    'shared 8x64 of 8x8',
  ])('%s computes products of awkward sizes', async (text) => {
    const choice = readChoice(text) as Choice;
    expect(writeChoice(choice)).toBe(text);
    const reason = refusal(choice.tiles, gpu.traits, 'float32');
    if (text.startsWith('shared') && gpu.traits.subgroup !== 8) return expect(reason).not.toBeNull();
    expect(reason).toBeNull();
    for (const [a, b, shape, transpose] of [
      [[1, 37, 23], [1, 23, 29], [1, 37, 29], false],
      [[2, 24, 36], [2, 68, 24], [2, 36, 68], true],
    ] as const) {
      const inputs = [randomFloats(a, 1, 1), randomFloats(b, 2, 1)];
      const params = { transposeA: transpose, transposeB: transpose };
      const p = rootProgram('dot', params, inputs, [{ shape, dtype: 'float32' }]);
      const [want] = await execute(reference, p, inputs);
      const run = gpu.load(lower(p, gpu.traits, () => choice));
      const buffers = inputs.map((x) => {
        const buffer = gpu.allocate(x.data.byteLength);
        gpu.write(buffer, x.data);
        return buffer;
      });
      const out = gpu.allocate(want.byteLength);
      gpu.run(run, buffers, [out]);
      const got = await gpu.read(out, 'float32', want.length);
      expect(distance(got, want)).toBeLessThanOrEqual(2e-8 * 600);
      run.dispose();
      for (const buffer of [...buffers, out]) gpu.free(buffer);
    }
  });
});

describeDawn('every choice there is', () => {
  it.each([
    ['no optional features', 'float32', 100],
    ['software', 'float32', 100],
    ['matrices of float32', 'float32', 150],
    ['matrices of float16', 'float16', 150],
  ] as const)('is a valid shader where the rule allows it: %s', async (kind, dtype, least) => {
    const backend = await openNull(kind);
    const params = { transposeA: false, transposeB: false };
    const shapes = [
      [1, 40, 72],
      [1, 72, 48],
    ];
    const inputs = shapes.map((s, n) => (dtype === 'float16' ? halves(s, n) : randomFloats(s, n)));
    const p = rootProgram('dot', params, inputs, [{ shape: [1, 40, 48], dtype }]);
    const buffers = inputs.map((x) => backend.allocate(x.data.byteLength));
    const out = backend.allocate(40 * 48 * 4);
    const { traits } = backend;
    // Dawn wants workgroups with matrices to be multiples of the largest subgroup, which is 128 on the null device.
    const whole = ({ matrix, rows, columns, ownRows, ownColumns }: Tiles): boolean =>
      !matrix || ((rows / ownRows) * (columns / ownColumns) * traits.subgroup) % 128 === 0;
    const legal = tileSpace(traits).filter((t) => refusal(t, traits, dtype) === null && whole(t));
    expect(legal.length).toBeGreaterThan(least);
    expect(legal.some((t) => t.matrix)).toBe(kind.startsWith('matrices'));
    for (const tiles of legal) {
      const executable = backend.load(lower(p, traits, () => ({ tiles, parts: 1 })));
      backend.run(executable, buffers, [out]);
      await backend.sync();
      executable.dispose();
    }
    await backend.close();
  });
});

describeGpu('opening a device', () => {
  const cache = mkdtempSync(join(tmpdir(), 'lethe-cache-'));
  const opened: WebGpuBackend[] = [];
  const start = async (): Promise<string> => {
    const backend = await open();
    opened.push(backend);
    return String(backend.info.tuning);
  };
  beforeAll(() => vi.stubEnv('XDG_CACHE_HOME', cache));
  afterEach(async () => {
    for (const b of opened.splice(0)) await b.close();
    vi.stubEnv('LETHE_TUNING', '');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true, force: true });
  });
  it('refuses a table that it was given and that is none, and is not left open', async () => {
    const given = [{ ...table({}), format: 3 }] as unknown as TuningTable[];
    let closed = false;
    const options = { tuning: given, onClose: () => void (closed = true) };
    await expect(open(options)).rejects.toThrow('tuning table 1: format: expected 1, found 3');
    expect(closed).toBe(true);
  });
  it('is told by lethe devices, with the table in use', async () => {
    vi.stubEnv('LETHE_TUNING', 'off');
    const [webgpu] = await findDevices();
    expect(webgpu.about).toMatch(/; tuning: off$/);
  });
  it("takes this machine's table, passes over a broken one with a line, and none when told so", async () => {
    const plain = await start();
    const adapter = String(opened[0].info.adapter);
    const file = tuningFile(adapter);
    expect(file.startsWith(join(cache, 'lethe', 'tuning'))).toBe(true);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(table({ [key]: 'direct 4x32 of 4x4' }, adapter)));
    expect(await start()).toMatch(/^1 given/);
    vi.stubEnv('LETHE_TUNING', 'off');
    expect(await start()).toBe('off');
    vi.stubEnv('LETHE_TUNING', 'on');
    await expect(start()).rejects.toThrow('LETHE_TUNING: expected off or nothing, found "on"');
    vi.stubEnv('LETHE_TUNING', '');
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    writeFileSync(file, JSON.stringify(table({ [key]: 'direct 4x8192 of 4x4' }, adapter)));
    expect(await start()).toBe(plain);
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/2048 invocations in a workgroup.*passed over/));
    warn.mockRestore();
  });
});
