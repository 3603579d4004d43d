// Kernels of one's own: the head of the file, the sums in it, the examples, and files that are wrong in every way a file can
// be wrong.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseExpression, splitList } from '../../bench/expression.ts';
import { benchKernel } from '../../bench/kernel.ts';
import { parseKernelFile, parseSizes } from '../../bench/kernel-file.ts';
import { tasks } from '../../bench/tasks.ts';
import * as lt from '../../index.ts';
import { TestWorld } from '../cli/world.ts';
import { describeGpu } from '../kernels/support.ts';

const folder = fileURLToPath(new URL('../../examples/kernels', import.meta.url));
const example = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe('expressions', () => {
  const names = ['rows', 'columns'];
  const value = (text: string, rows = 100, columns = 7): number =>
    parseExpression(text, names, 'here')({ rows, columns });
  it.each<[string, number]>([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 2 - 3', 5],
    ['7 / 2', 3.5],
    ['-rows % 64', -36],
    ['ceil(rows / 64) * max(columns, 2, 9)', 18],
    ['floor(columns / 2)', 3],
    ['rows % 4 == 0 and columns >= 8', 0],
    ['rows % 4 == 0 and columns != 8', 1],
    ['rows > 100', 0],
  ])('%s is %d', (text, want) => expect(value(text)).toBe(want));
  it.each<[string, string]>([
    ['', 'here: expected a number, a function or one of rows, columns in "", found the end'],
    ['rows +', 'found the end'],
    ['rows columns', 'expected the end in "rows columns", found "columns" at character 6'],
    ['depth', 'found "depth" at character 1'],
    ['constructor', 'found "constructor" at character 1'],
    ['ceil rows', 'expected "(" in "ceil rows"'],
    ['rows; 1', 'character 5 of "rows; 1" is not understood'],
    ['('.repeat(100), 'expected something less nested'],
  ])('%j is none', (text, message) => expect(() => value(text)).toThrow(message));
  it('are numbers, or refused in one way, whatever the text', () => {
    const piece = fc.constantFrom(
      'rows',
      'columns',
      '1',
      '2.5',
      '+',
      '-',
      '*',
      '/',
      '(',
      ')',
      'min',
      'and',
      '<',
      ',',
      ' ',
      '$',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          expect(value(pieces.join(''))).toBeTypeOf('number');
        } catch (error) {
          expect(error).toMatchObject({ kind: 'data', message: expect.stringMatching(/^here: /) });
        }
      }),
    );
  });
  it('are split at commas outside parentheses', () => {
    expect(splitList('ceil(rows / 2), max(1, 2), 3')).toEqual(['ceil(rows / 2)', 'max(1, 2)', '3']);
  });
});

describe('the head of a file', () => {
  const head = (...lines: string[]) => parseKernelFile(lines.map((l) => `//! ${l}`).join('\n'), 'my.wgsl');
  const good = ['primitive: sum', 'bindings: y, x', 'workgroups: rows'];
  it('says what the shader is for', () => {
    const file = head(...good, 'accepts: columns % 4 == 0');
    expect(file.primitive).toBe('sum');
    expect(file.bindings).toEqual(['y', 'x']);
    expect(file.workgroups.map((w) => w({ rows: 3, columns: 4 }))).toEqual([3]);
    expect([4, 5].map((n) => file.accepts({ rows: 3, columns: n }))).toEqual([1, 0]);
  });
  it.each<[string[], string]>([
    [
      [],
      'my.wgsl: there is no line "//! primitive: ..."; expected one of dot, conv, convGradInput, convGradWeight, softmax, sum after it',
    ],
    [
      ['primitive: product'],
      'my.wgsl:1: expected one of dot, conv, convGradInput, convGradWeight, softmax, sum, found "product"',
    ],
    [['primitive: toString'], 'my.wgsl:1: expected one of dot'],
    [good.slice(0, 2), 'my.wgsl: there is no line "//! workgroups: ..."'],
    [[...good, 'primitive: sum'], 'my.wgsl:4: "primitive" is said twice'],
    [
      [...good, 'threads: 64'],
      'my.wgsl:4: expected "//! KEY: ..." with KEY one of primitive, accepts, bindings, workgroups',
    ],
    [[good[0], 'bindings: x, z', good[2]], 'my.wgsl:2: expected x, y in any order, found x, z'],
    [
      [good[0], good[1], 'workgroups: rows / depth'],
      'my.wgsl:3: expected a number, a function or one of rows, columns',
    ],
    [[good[0], good[1], 'workgroups: 1, 2, 3, 4'], 'my.wgsl:3: expected at most three numbers of workgroups'],
  ])('%#: is refused with its line', (lines, message) => expect(() => head(...lines)).toThrow(message));
  it('leaves sizes to the one who asks', () => {
    expect(parseSizes('rows=3, columns=4', tasks.sum)).toEqual({ rows: 3, columns: 4 });
    expect(() => parseSizes('rows=3', tasks.sum)).toThrow('sizes: "rows=3" does not say columns');
    expect(() => parseSizes('rows=3,columns=0', tasks.sum)).toThrow('columns is 0, expected at least 1');
    expect(() => tasks.sum.program({ rows: 3, columns: 1 })).toThrow('nothing is computed');
    expect(() => parseSizes('rows=-1', tasks.sum)).toThrow('expected NAME=NUMBER');
    const small = 'images=1,height=2,width=2,channels=1,filters=1,kernel=5,stride=1,padding=0';
    expect(() => parseSizes(small, tasks.conv)).toThrow('outHeight is -2, expected at least 1');
  });
});

describeGpu("a kernel of one's own", () => {
  beforeAll(() => vi.stubEnv('LETHE_ALLOW_SOFTWARE_GPU', '1'));
  afterAll(async () => {
    vi.unstubAllEnvs();
    await lt.close();
  });
  const quick = { seconds: 0.001 };
  const sum = (body: string, more = ''): string => `//! primitive: sum
//! bindings: x, y
//! workgroups: rows
${more}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3<u32>) {
${body}
}`;
  const right = `var s = 0f;
for (var i = 0u; i < columns; i++) { s += x[group.x * columns + i]; }
y[group.x] = s;`;
  const bench = (source: string, sizes = ['rows=8,columns=16']) =>
    benchKernel(parseKernelFile(source, 'my.wgsl'), { ...quick, sizes });

  it.each([
    ['matmul.wgsl', 'batch=1,rows=32,columns=48,depth=16'],
    ['softmax.wgsl', 'rows=32,columns=100'],
  ])('%s, an example, is right at all sizes and gets its row', async (name, sizes) => {
    const lines: string[] = [];
    const file = parseKernelFile(example(name), name);
    const report = await benchKernel(file, { ...quick, sizes: [sizes], onLine: (l) => lines.push(l) });
    expect(report.checked.length).toBe(file.task.checked.length);
    expect(report.deterministic).toBe(true);
    const [timing] = report.timings;
    expect(timing.ms).toBeGreaterThan(0);
    expect(timing.ratio).toBeCloseTo(timing.oursMs / timing.ms, 9);
    expect(lines.at(-2)).toMatch(/^.* ms +GFLOP\/s +GB\/s +% roofline +ours ms +faster$/);
    expect(lines.at(-1)).toMatch(/^[\d ]+ [\d.]+ +[\d.]+ +[\d.]+ +\d+ +[\d.]+ +[\d.]+x$/);
  });
  it('every example is tested', () => {
    expect(readdirSync(folder)).toEqual(['matmul.wgsl', 'softmax.wgsl']);
  });
  it('is checked only at sizes it accepts', async () => {
    const { checked, timings } = await bench(sum(right, '//! accepts: columns % 64 == 0'), [
      'rows=8,columns=64',
    ]);
    expect(checked.map((s) => s.columns)).toEqual([64, 256]);
    expect(timings.length).toBe(1);
    await expect(bench(sum(right, '//! accepts: columns % 64 == 0'))).rejects.toThrow(
      'sizes: my.wgsl does not accept rows 8, columns 16',
    );
  });
  it.each<[string, string, string]>([
    ['does not compile', sum(right.replace('columns', 'colums')), "my.wgsl:10:22: unresolved value 'colums'"],
    ['declares a size itself', `${sum(right)}\nconst rows = 3u;`, "redeclaration of 'rows'"],
    ['has no main', sum(right).replace('fn main', 'fn other'), 'my.wgsl: '],
    ['binds another way', sum('y[group.x] = x[0];').replace('read_write', 'read'), 'my.wgsl:9'],
    ['writes an operand', sum(right).replace('storage, read>', 'storage, read_write>'), 'my.wgsl: '],
    ['is wrong', sum(right.replace('= 0f', '= 1f')), 'my.wgsl: wrong for rows 1, columns 2: element 0 is '],
    [
      'does not write all',
      sum(`if (group.x % 2u == 0u) { ${right} }`),
      'element 1 is NaN, the reference says',
    ],
    [
      'wants half a workgroup',
      sum(right).replace('workgroups: rows', 'workgroups: rows / 2'),
      'expected whole numbers from 1 to 65535, found 0.5, 1, 1 for rows 1, columns 2',
    ],
  ])('that %s is refused with a reason', async (_, source, message) => {
    await expect(bench(source)).rejects.toMatchObject({
      kind: 'data',
      message: expect.stringContaining(message),
    });
    // The device is as good as new.
    expect((await lt.ones([3]).sum().data())[0]).toBe(3);
  });
  it('is refused by the command line in one line, with exit code 2', async () => {
    const world = new TestWorld();
    const missing = await world.run(['bench', 'kernel', 'DIR/none.wgsl']);
    expect([missing.code, missing.err]).toEqual([
      2,
      expect.stringMatching(/^lethe: error: DIR\/none.wgsl: cannot be read: /),
    ]);
    const path = join(folder, 'softmax.wgsl');
    const done = await world.run([
      'bench',
      'kernel',
      path,
      '--seconds',
      '0.001',
      '--sizes',
      'rows=8,columns=8',
      '--json',
    ]);
    expect(done.code).toBe(0);
    expect(JSON.parse(done.out).timings[0].sizes).toEqual({ rows: 8, columns: 8 });
    world.close();
  });
});
