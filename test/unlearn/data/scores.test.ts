// Forget sets by scores in a file: what is chosen, and what of a file is refused, with its place.

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../../unlearn/data/datasets.ts';
import { forgetSet } from '../../../unlearn/data/forget.ts';
import { loadScores, saveScores } from '../../../unlearn/data/readers/scores.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import { refuses, scratch } from './helpers.ts';

const glyphs = await datasets.load('glyphs', { trainSize: 40, testSize: 20 });

/** A file with these rows below the header. */
async function file(rows: readonly string[], header = 'id,score') {
  const name = 'scores.csv';
  return join(await scratch({ [name]: Buffer.from([header, ...rows, ''].join('\n')) }), name);
}
const rowsOf = (score: (id: number) => number | string) =>
  [...glyphs.train.ids].map((id) => `${id},${score(id)}`);

describe('scores in a file', () => {
  it('choose the highest or the lowest share, whatever the order of rows and columns', async () => {
    const rows = rowsOf((id) => -((id - 20) ** 2)).reverse();
    const scores = await loadScores(await file(rows));
    expect(scores.ids[0]).toBe(glyphs.train.ids[39]);
    expect(scores.lines[39]).toBe(41);
    const spec = { scores: 'scores.csv', ratio: 0.125 };
    const { manifest } = forgetSet(glyphs, { ...spec, take: 'highest' }, scores);
    expect(manifest.ids).toEqual([18, 19, 20, 21, 22]);
    expect(manifest.spec).toEqual({ ...spec, take: 'highest' });
    expect(forgetSet(glyphs, spec, scores).manifest.ids).toEqual(manifest.ids);
    const lowest = forgetSet(glyphs, { ...spec, take: 'lowest' }, scores).manifest.ids;
    expect(lowest).toEqual([0, 1, 2, 38, 39]);
    const more = [...glyphs.train.ids].map((id) => `x,${id % 7},${id},"1"`);
    const other = await loadScores(await file(more, 'why,score,id,weight'));
    expect([...other.scores]).toEqual([...glyphs.train.ids].map((id) => id % 7));
  });

  it('equal ones are taken by a hash of seed and id, wherever they stand', async () => {
    const scores = await loadScores(await file(rowsOf((id) => (id < 3 ? 1 : 0))));
    const spec = { scores: 's', ratio: 0.5 };
    const { ids } = forgetSet(glyphs, spec, scores).manifest;
    expect(ids.slice(0, 3)).toEqual([0, 1, 2]);
    const turned = { ...glyphs, train: takeSplit(glyphs.train, [...glyphs.train.ids].reverse()) };
    expect([...forgetSet(turned, spec, scores).manifest.ids].reverse()).toEqual(ids);
    expect(forgetSet(glyphs, { ...spec, seed: 1 }, scores).manifest.ids).not.toEqual(ids);
  });

  it('are written so that they are read back', async () => {
    const path = join(await scratch({}), 'made.csv');
    const score = Float64Array.from(glyphs.train.ids, (id) => Math.sin(id));
    await saveScores(path, { id: glyphs.train.ids, score, noise: score.map(Math.abs) });
    const { ids, scores } = await loadScores(path);
    expect([ids, scores]).toEqual([glyphs.train.ids, score]);
  });
});

describe('what is refused', () => {
  it.each([
    ['no column of scores', ['1,2'], 'id,value', /line 1: expected a header with the columns id and score$/],
    ['no header', ['1,2'], '0,1', /line 1: expected a header/],
    ['nothing below', [], 'id,score', /expected scores below the header, found none$/],
    [
      'no number',
      ['0,1', '1,high'],
      'id,score',
      /line 3: the score of id 1: expected a finite number, found 'high'$/,
    ],
    ['NaN', ['0,NaN'], 'id,score', /line 2: .* found 'NaN'$/],
    ['too large', ['0,1e999'], 'id,score', /line 2: .* found '1e999'$/],
    ['no score', ['0,'], 'id,score', /line 2: .* found ''$/],
    ['no id', ['-1,1'], 'id,score', /line 2: expected the id of a sample, found '-1'$/],
    ['an id too large', ['9999999999,1'], 'id,score', /line 2: expected the id of a sample/],
    [
      'an id twice',
      ['5,1', '', '5,2'],
      'id,score',
      /line 4: id 5 stands on line 2 already; expected each once$/,
    ],
    ['a row too long', ['0,1,2'], 'id,score', /line 2: expected 2 fields, found 3$/],
  ] as const)('%s', async (_, rows, header, message) => {
    const path = await file(rows, header);
    await refuses(() => loadScores(path), 'data', message);
  });

  it('an empty file, none, and ids that are not those of the training samples', async () => {
    await refuses(async () => loadScores(await file([], '')), 'data', /an empty file; expected a header/);
    await refuses(() => loadScores(join('no', 'scores.csv')), 'io', /could not read/);
    const spec = { scores: 's.csv', ratio: 0.1 };
    const [first, ...rest] = rowsOf((id) => id);
    const strange = await loadScores(await file([first, '777,1', ...rest]));
    await refuses(
      () => forgetSet(glyphs, spec, strange),
      'data',
      /line 3: id 777 is of no training sample of glyphs/,
    );
    const few = await loadScores(await file(rest.slice(1)));
    await refuses(
      () => forgetSet(glyphs, spec, few),
      'data',
      /no score of 2 of the 40 training samples of glyphs, the first with id 0; expected one of each$/,
    );
    await refuses(
      () => forgetSet(glyphs, spec),
      'value',
      /^forget scores: s.csv was not read; expected what loadScores/,
    );
    await refuses(() => forgetSet(glyphs, { ...spec, ratio: 0 }, strange), 'data', /777/);
    await refuses(
      () => forgetSet(glyphs, { ...spec, take: 'most' } as never, few),
      'value',
      /expected highest or lowest, got most/,
    );
  });
});
