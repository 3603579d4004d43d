// The comparison on a terminal: no row and no word wraps by itself, whatever the width.

import { describe, expect, it } from 'vitest';
import { renderTable } from '../../../unlearn/report/index.ts';
import { wrap } from '../../../unlearn/text.ts';
import type { Results } from '../../../unlearn/types.ts';
import { fixture, withAudits, withControl } from './fixture.ts';

const classwise = withControl(fixture(), 'boundaryExpanding');
const long: Results = {
  ...classwise,
  runs: classwise.runs.map((run) =>
    run.method === 'scrub' ? { ...run, method: `a${'-very'.repeat(12)}-long` } : run,
  ),
};
const words = (text: string) => text.replace(/\s+/g, ' ');
const lengths = (text: string) => text.split('\n').map((line) => [...line].length);

describe('the table', () => {
  it.each([20, 40, 60, 80, 120, 132])('fits %i columns', (width) => {
    for (const results of [classwise, long, fixture('samples', [0])])
      expect(Math.max(...lengths(renderTable(results, { width })))).toBeLessThanOrEqual(width);
  });

  it('is for 80 columns where nobody says how many there are', () => {
    expect(renderTable(classwise)).toBe(renderTable(classwise, { width: 80 }));
    const lines = renderTable(classwise).split('\n');
    expect(lines[0]).toMatch(/^Method\s+UA\s+RA\s+TA\s+MIA\s+Gap\s+Time$/);
    // The distance stands below its value, ends where it ends, and rows share their columns.
    const row = lines.findIndex((line) => line.startsWith('SCRUB'));
    expect(lines[row]).toMatch(/^SCRUB {2,}99\.\d\d {2,}99\.\d\d/);
    expect(lines[row + 1]).toMatch(/^ {20,}−0\.\d\d {2,}/);
    expect(lines[row].indexOf('.') - lines[row + 1].indexOf('.')).toBe(0);
    expect(lines[lines.findIndex((line) => line.startsWith('Boundary Exp')) + 2]).toMatch(
      /^ {2}at rate 0 +40\./,
    );
  });

  it('has the distances beside the values where there is room, and all columns with wide', () => {
    expect(renderTable(classwise, { width: 120 })).toMatch(/^SCRUB +99\.\d\d \(−0\.\d\d\)/m);
    const lines = renderTable(classwise, { wide: true, width: 40 }).split('\n');
    expect(lines[0]).toMatch(
      /^Method\s+UA\s+RA\s+TA\s+D_ft\s+MIA\s+ASR\s+Entropy\s+Gap\s+ToW\s+Time\s+Speed$/,
    );
    // The table alone is as wide as it must be.
    expect(Math.max(...lines.slice(14).map((line) => line.length))).toBeLessThanOrEqual(40);
  });

  it('has the first number of each audit with wide', () => {
    const lines = renderTable(withAudits(classwise), { wide: true, width: 80 }).split('\n');
    expect(lines[0]).toMatch(/ToW\s+Time\s+Probe\s+RMIA TPR at 1 %\s+Relearned\s+KLoM\s+leak\s+Speed$/);
    expect(lines[3]).toMatch(/ 64\.\d \(\+3\.\d\) /);
    expect(words(renderTable(classwise))).toContain(
      'Measured for SCRUB on 3 seeds: the 95 % interval of its',
    );
  });

  it('has colours only where they are asked for', () => {
    expect(renderTable(classwise)).not.toContain('\u001b');
    const coloured = renderTable(classwise, { color: true });
    expect(coloured).toContain('\u001b[36m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    expect(coloured.replace(/\u001b\[\d*m/g, '').replace(/ +$/gm, '')).toBe(renderTable(classwise));
  });

  it('says the verdict and every flag', () => {
    const text = renderTable(classwise).replace(/\s+/g, ' ');
    expect(text).toContain('SCRUB comes close to a model that never saw the data');
    expect(text).toContain('! Gradient ascent collapsed (lost 3');
    expect(renderTable({ ...classwise, runs: [] })).toBe('No runs.\n');
  });
});

it('words wrap at spaces, and only what is too long is cut', () => {
  expect(wrap('one two three', 7, '  ')).toEqual(['one two', '  three']);
  expect(wrap('a abcdefghij', 4, ' ')).toEqual(['a', ' abc', ' def', ' ghi', ' j']);
  expect(wrap('', 10)).toEqual([]);
});
