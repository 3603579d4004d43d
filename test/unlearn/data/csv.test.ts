import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { parseCsvRows, parseTable } from '../../../unlearn/data/readers/csv.ts';
import { refuses, scratch } from './helpers.ts';

const rows = (text: string, delimiter?: string) =>
  [...parseCsvRows(text, 'x.csv', delimiter)].map((r) => r.fields);

describe('CSV rows', () => {
  it('follow RFC 4180', () => {
    expect(rows('a,b\r\n"1,5","say ""hi"""\n\n"two\nlines",\n')).toEqual([
      ['a', 'b'],
      ['1,5', 'say "hi"'],
      ['two\nlines', ''],
    ]);
    expect(rows('\uFEFFa;b\rc;d', ';')).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    expect([...parseCsvRows('"a\nb",1\nc,2', 'x')].map((r) => r.line)).toEqual([1, 3]);
  });

  it('read back whatever was written with quotes', () => {
    const field = fc
      .string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', 'é'), maxLength: 6 })
      .map((s) => s.trim());
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 5 }), (table) => {
        const text = table.map((r) => r.map((f) => `"${f.replaceAll('"', '""')}"`).join(',')).join('\n');
        expect(rows(text)).toEqual(table);
      }),
      { numRuns: 200 },
    );
  });
});

describe('CSV data sets', () => {
  const train = 'x,y,kind\n0,-1,no\n10,1,yes\n5,0,no\n2.5,1e0,yes\n';

  it('take stated ranges, so that a row’s bytes depend on no other row', async () => {
    const ranges: Record<string, [number, number]> = { x: [0, 20], y: [-1, 1] };
    const load = async (rows: string) => {
      const files = { 'train.csv': `x,y,kind\n${rows}`, 'test.csv': 'x,y,kind\n5,0,no\n25,0,yes\n' };
      return datasets.load('csv', { dir: await scratch(files), ranges });
    };
    const [one, other] = [await load('10,0,no\n4,1,yes\n'), await load('10,0,no\n900,1,yes\n')];
    expect([...one.train.images]).toEqual([128, 128, 51, 255]);
    expect([...other.train.images]).toEqual([128, 128, 255, 255]);
    expect([...other.test.images]).toEqual([...one.test.images]);
    expect(one.features).toEqual([
      { name: 'x', min: 0, max: 20 },
      { name: 'y', min: -1, max: 1 },
    ]);
    expect(other.notes.join()).toMatch(
      /1 training values lie beyond the stated and training ranges.*1 test values lie beyond/,
    );
    const dir = await scratch({ 'train.csv': train });
    await refuses(
      () => datasets.load('csv', { dir, ranges: { yy: [0, 1] } }),
      'value',
      /unknown column for ranges 'yy': did you mean 'y'\? known: x, y/,
    );
    await refuses(
      () => datasets.load('csv', { dir, ranges: { y: [1, 1] } }),
      'value',
      /csv: ranges.y: expected \[least, largest\]/,
    );
  });

  it('scale each column to bytes by the training range, which they record', async () => {
    const dir = await scratch({
      'train.csv.gz': gzipSync(train),
      'test.csv': 'x,y,kind\n20,0,yes\n-5,0.5,no\n',
    });
    const data = await datasets.load('csv', { dir });
    expect(data.shape).toEqual([1, 1, 2]);
    expect(data.classes).toEqual(['no', 'yes']);
    expect([...data.train.images]).toEqual([0, 0, 255, 255, 128, 128, 64, 255]);
    expect([...data.test.images]).toEqual([255, 128, 0, 191]);
    expect(data.features).toEqual([
      { name: 'x', min: 0, max: 10 },
      { name: 'y', min: -1, max: 1 },
    ]);
    expect(data.notes.join()).toMatch(/2 test values lie beyond the training range/);
  });

  it('take a file, a label and columns to drop by name or index, and a share of the rows for testing', async () => {
    const text = Array.from({ length: 20 }, (_, i) => `${i % 2 ? 'b' : 'a'},${i},${i * i},9`).join('\n');
    const dir = join(await scratch({ 'table.csv': text }), 'table.csv');
    const data = await datasets.load('csv', { dir, label: 0, drop: [-1], testRatio: 0.3, seed: 2 });
    expect([data.train.size, data.test.size, data.shape[2]]).toEqual([14, 6, 2]);
    expect(data.features!.map((f) => f.name)).toEqual(['field 2', 'field 3']);
    expect([...data.train.ids, ...data.test.ids].sort((a, b) => a - b)).toEqual([...Array(20).keys()]);
    expect(data.test.labels.filter((l) => l === 0).length).toBe(3);
  });

  it('leave out surplus names of a header, with a note, and keep names such as __proto__', async () => {
    const dir = join(
      await scratch({ 't.csv': '__proto__,constructor,spare\n1,a\n2,b\n3,a\n4,b\n5,__proto__\n' }),
      't.csv',
    );
    const data = await datasets.load('csv', { dir, label: 'constructor' });
    expect(data.features![0].name).toBe('__proto__');
    expect(data.classes).toEqual(['__proto__', 'a', 'b']);
    expect(data.notes[0]).toMatch(/header has 3 names, the rows have 2 fields; names left out: spare/);
  });

  const malformed: [string, string, RegExp][] = [
    ['nothing', '', /: expected rows, found none$/],
    ['a header alone', 'a,b\n', /: expected rows, found none$/],
    ['NaN', '1,a\nNaN,b\n', /line 2, field 1: expected a number, found 'NaN'$/],
    ['an infinity', '1,a\n1e999,b\n', /line 2, field 1: expected a number, found '1e999'$/],
    ['a hexadecimal number', 'x,k\n0x10,b\n', /line 2, field 1 \(x\): expected a number, found '0x10'$/],
    ['a missing value', '1,2,a\n1,,b\n', /line 2, field 2: expected a number, found ''$/],
    ['a missing class', '1,a\n2,\n', /line 2: the class is empty$/],
    ['a short row', '1,2,a\n\n1,b\n', /line 3: expected 3 fields, found 2$/],
    ['a long row', 'x,k\n1,b,3\n', /line 2: 3 fields, the header has 2$/],
    ['an open quote', '1,a\n2,"b\n\n', /line 2: a quote is opened here and never closed$/],
    [
      'text after a quote',
      '1,"a"b\n',
      /line 1: expected a delimiter or the end of the line after a closing quote$/,
    ],
    ['one class', '1,a\n2,a\n', /expected two or more classes, found 1$/],
    ['one column', 'a\nb\n', /expected (rows|a column)/],
    ['binary rubbish', '\u0000\u0001\u0002,\u0003\n\u0000,\u0001', /expected/],
  ];
  it.each(malformed)('refuse %s', async (_, text, line) => {
    const dir = join(await scratch({ 't.csv': text }), 't.csv');
    await refuses(() => datasets.load('csv', { dir }), 'data', line);
  });

  it('refuse unknown columns, bad options and a class the training rows lack', async () => {
    const dir = await scratch({ 'train.csv': train, 'test.csv': '1,1,maybe\n' });
    await refuses(
      () => datasets.load('csv', { dir, label: 'knd' }),
      'value',
      /unknown column of train.csv 'knd': did you mean 'kind'\? known: x, y, kind$/,
    );
    await refuses(() => datasets.load('csv', { dir, drop: [3] }), 'value', /column 3: expected -3 to 2/);
    await refuses(
      () => datasets.load('csv', { dir, delimiter: '"' }),
      'value',
      /^csv: delimiter: expected one character that is no quote/,
    );
    await refuses(
      () => datasets.load('csv', { dir }),
      'data',
      /test.csv: line 1: class 'maybe' is not in the training rows$/,
    );
  });

  it('allocate no more than 8 bytes and a little for each byte of text', () => {
    const text = 'x,k\n' + '1,a\n2,b\n'.repeat(1000);
    expect(parseTable(text, 'x', {}).values.buffer.byteLength).toBeLessThanOrEqual(
      8 * Math.max(2048, text.length),
    );
  });
});
