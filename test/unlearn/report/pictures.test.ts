// Attention maps and planes of decisions on the page: their numbers against direct computation, the first seed and the samples
// they are of, and what is said where they are missing.

import { describe, expect, it } from 'vitest';
import { looksOf, meanOver } from '../../../unlearn/report/attention.ts';
import { renderReport, viewOf } from '../../../unlearn/report/index.ts';
import { slicesOf } from '../../../unlearn/report/planes.ts';
import type { Exhibits, Results, RunEntry } from '../../../unlearn/types.ts';
import { fixture, unpacked } from './fixture.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const results = fixture();
const page = renderReport(results);
const sectionOf = (id: string, text = page) =>
  new RegExp(`<section id="${id}"[\\s\\S]*?</section>`).exec(text)?.[0] ?? '';
const runOf = (method: string, seed = 0) =>
  results.runs.find((run) => run.method === method && run.seed === seed) as RunEntry;
/** The results with other exhibits. */
const withExhibits = (change: (exhibits: Exhibits, run: RunEntry) => Partial<Exhibits>): Results => ({
  ...results,
  runs: results.runs.map((run) => ({
    ...run,
    exhibits: { ...run.exhibits!, ...change(run.exhibits!, run) },
  })),
});
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('attention', () => {
  const bytes = (run: RunEntry, i: number) => Buffer.from(run.exhibits!.attention!.maps[i].map, 'base64');
  /** By covariance and standard deviations. */
  const pearson = (a: Buffer, b: Buffer) => {
    const [x, y] = [a, b].map((all) => [...all].map((value) => value - mean([...all])));
    const over = (p: number[], q: number[]) => mean(p.map((value, i) => value * q[i]));
    return over(x, y) / Math.sqrt(over(x, x) * over(y, y));
  };

  it('has three forgotten and three kept samples, the maps of each model in 64 steps', () => {
    const { looks } = unpacked(page).drawings;
    expect([looks!.size, looks!.models.length]).toEqual([[6, 6], 10]);
    const scrub = viewOf(results).rows.findIndex((row) => row.summary.method === 'scrub');
    const { maps, said } = looks!.models.find(({ m }) => m === scrub)!;
    // Six forgotten samples come first; drawn are 0 to 2 and 6 to 8.
    expect(maps).toEqual(
      [0, 1, 2, 6, 7, 8].map((i) => [...bytes(runOf('scrub'), i)].map((byte) => LETTERS[byte >> 2]).join('')),
    );
    expect(said[1]).toBe(pearson(bytes(runOf('scrub'), 1), bytes(runOf('retrain'), 1)).toFixed(2));
    expect(sectionOf('attention').match(/<li><img/g)).toHaveLength(6);
  });

  it('says how alike maps are on average, and how alike those of two retrains are', () => {
    const alike = (a: string, b: string, rows: number[], seeds = [0, 0]) =>
      mean(rows.map((i) => pearson(bytes(runOf(a, seeds[0]), i), bytes(runOf(b, seeds[1]), i))));
    const [forgotten, kept] = [
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9],
    ];
    const [line] = /<th scope="row">Fine-tune<\/th>.*?<\/tr>/.exec(sectionOf('attention')) ?? [''];
    const said = [...line.matchAll(/>(−?\d\.\d\d)</g)].map(([, text]) => Number(text.replace('−', '-')));
    const expected = [
      alike('finetune', 'retrain', forgotten),
      alike('finetune', 'original', forgotten),
      alike('finetune', 'retrain', kept),
      alike('finetune', 'original', kept),
    ];
    said.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(0.00501));
    const pairs = [
      [1, 0],
      [2, 0],
      [2, 1],
    ];
    const floor = mean(pairs.map((seeds) => alike('retrain', 'retrain', forgotten, seeds)));
    expect(looksOf(viewOf(results))!.between!.forget).toBeCloseTo(floor, 10);
    expect(sectionOf('attention')).toContain(`Two retrains of different seeds reach ${floor.toFixed(2)}`);
    expect(sectionOf('attention')).toContain('not what is remembered');
  });

  it('leaves out maps of 0, models with other samples, and itself where nothing is shown', () => {
    const zero = btoa('\0'.repeat(36));
    const odd = withExhibits(({ attention }, { method }) => ({
      attention:
        method === 'scrub'
          ? { ...attention!, maps: attention!.maps.map((one, i) => (i === 0 ? { ...one, map: zero } : one)) }
          : method === 'sisa'
            ? { ...attention!, maps: attention!.maps.slice(1) }
            : attention,
    }));
    const looks = looksOf(viewOf(odd))!;
    expect(looks.models.map(({ row }) => row.name)).not.toContain('SISA');
    const scrub = looks.models.find(({ row }) => row.name === 'SCRUB')!;
    expect(scrub.toRetrain![0]).toBeNull();
    const said = sectionOf('attention', renderReport(odd));
    expect(said).toMatch(/<th scope="row">SCRUB<\/th><td class="num">1 of 6<\/td>/);
    expect(said).toMatch(/<th scope="row">Retrain<\/th><td class="num">0 of 6<\/td>/);
    // A retrain that never had the class has nothing that speaks for it.
    const lost = withExhibits(({ attention }, { method }) => ({
      attention:
        method === 'retrain'
          ? {
              ...attention!,
              maps: attention!.maps.map((one) => (one.set === 'forget' ? { ...one, map: zero } : one)),
            }
          : attention,
    }));
    expect(sectionOf('attention', renderReport(lost))).toMatch(/seeds reach 0\.\d\d on kept samples/);
    const rest = [1, 2, 3, 4, 5].map((i) => pearson(bytes(runOf('scrub'), i), bytes(runOf('retrain'), i)));
    expect(meanOver(scrub.toRetrain, looks.sets, 'forget')).toBeCloseTo(mean(rest), 10);
    expect(sectionOf('attention', renderReport(results, { images: false }))).toBe('');
    expect(sectionOf('attention', renderReport(withExhibits(() => ({ attention: undefined }))))).toBe('');
  });
});

describe('planes', () => {
  const classes = (run: RunEntry) => {
    const { classes: runs } = run.exhibits!.plane!;
    const all: number[] = [];
    for (let i = 0; i < runs.length; i += 2) for (let n = runs[i + 1]; n > 0; n--) all.push(runs[i]);
    return all;
  };
  const share = (a: RunEntry, b: RunEntry) => mean(classes(a).map((k, i) => Number(k === classes(b)[i])));

  it('come with the shares on which models agree, for readers of the screen too', () => {
    const [own, target, before] = [runOf('finetune'), runOf('retrain'), runOf('original')];
    const said = `${(100 * share(own, target)).toFixed(0)}% as Retrain, ${(100 * share(own, before)).toFixed(0)}% as Original`;
    expect(sectionOf('planes')).toContain(
      `aria-label="Decisions of Fine-tune on the plane: ${said}"></canvas><small>${said}<`,
    );
    const floor = mean([
      share(runOf('retrain', 1), target),
      share(runOf('retrain', 2), target),
      share(runOf('retrain', 2), runOf('retrain', 1)),
    ]);
    expect(sectionOf('planes')).toContain(
      `Two retrains of different seeds agree on ${(100 * floor).toFixed(0)}% of it (mean of 3 pairs)`,
    );
    expect(sectionOf('planes')).toContain('one plane of very many');
    const one = renderReport({ ...results, runs: results.runs.filter(({ seed }) => seed === 0) });
    expect(sectionOf('planes', one)).toContain('How far two retrains agree is not known here');
  });

  it('are written as letters for colour and count, the forgotten class in the second colour', () => {
    const { coloured, models } = slicesOf(viewOf(results))!;
    expect(coloured[1]).toBe(4);
    const { planes } = unpacked(page).drawings;
    expect(planes!.marks.map(([name]) => name)).toEqual(['A', 'B', 'C']);
    for (const { m, runs } of planes!.models) {
      const all: number[] = [];
      for (let i = 0; i < runs.length; i += 2)
        for (let n = LETTERS.indexOf(runs[i + 1]); n >= 0; n--) all.push(coloured[LETTERS.indexOf(runs[i])]);
      expect(all).toEqual([...models.find((one) => one.m === m)!.classes]);
    }
  });

  it('of many classes have eight colours, a grey for the others, and one for no answer', () => {
    const many = withExhibits(({ plane }) => ({
      plane: { ...plane!, classes: [-1, 100, ...Array.from({ length: 10 }, (_, k) => [k, 150]).flat()] },
    }));
    const text = renderReport(many);
    expect(sectionOf('planes', text).match(/style="background:var\(--c\d\)"/g)).toHaveLength(8);
    expect(sectionOf('planes', text)).toContain('</i>other classes');
    const letters = new Set(
      [...unpacked(text).drawings.planes!.models[0].runs].filter((_, i) => i % 2 === 0),
    );
    expect([...letters].sort().join('')).toBe('ABCDEFGHIJ');
  });

  it('show images only where they may be shown, and are left out where there are none', () => {
    expect(sectionOf('planes').match(/<img/g)).toHaveLength(3);
    expect(sectionOf('planes', renderReport(results, { images: false }))).not.toContain('<img');
    expect(sectionOf('planes', renderReport(withExhibits(() => ({ plane: undefined }))))).toBe('');
    const moved = withExhibits(({ plane }, { method }) => ({
      plane:
        method === 'sisa' ? { ...plane!, images: plane!.images.map((one) => ({ ...one, id: 1 })) } : plane,
    }));
    expect(slicesOf(viewOf(moved))!.models.map(({ row }) => row.name)).not.toContain('SISA');
  });
});
