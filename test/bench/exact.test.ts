// The bench of exact unlearning, in small: its counts agree with what was trained, and its curves are drawn.
import { expect, test } from 'vitest';
import { chart } from '../../bench/exact/chart.ts';
import { rowOf, runExactBench } from '../../bench/exact/index.ts';
import * as lt from '../../index.ts';
import { finishDataset } from '../../unlearn/data/split.ts';
import { stripes } from '../unlearn/problems.ts';

test('counts and trains', async () => {
  await lt.init({ device: 'reference' });
  const classes = ['a', 'b', 'c'];
  const loaded = { classes, train: stripes(40), test: stripes(12, 2), notes: [], files: [], root: null };
  const dataset = finishDataset('stripes', loaded);
  const options = {
    dataset,
    device: 'reference',
    train: 40,
    test: 12,
    epochs: 1,
    draws: 1,
    seeds: 2,
    quick: true,
  };
  const { counted, trained } = await runExactBench(options);
  expect(Object.keys(counted)).toEqual(['shards', 'slices', 'blocks', 'sorting', 'selection']);
  // One shard in one slice: all that is left is trained again.
  expect(counted.shards[0].points).toEqual([
    [1, 97.5],
    [3, 92.5],
    [10, 75],
    [30, 25],
  ]);
  const [sisa] = trained;
  expect(sisa.runs).toHaveLength(2);
  for (const { prepared, removals } of sisa.runs) {
    expect(prepared.samplesVisited).toBe(40);
    expect(removals.map(({ samplesVisited }) => samplesVisited)).toEqual([39, 30]);
  }
  const [name, accuracy, , one] = rowOf(sisa);
  expect(name).toBe('sisa, shards 1, slices 1');
  expect(accuracy).toMatch(/^\d+\.\d ± \d+\.\d$/);
  expect(one).toMatch(/^97\.5 ± 0\.0%, /);
  const panel = { title: 'a < b', x: 'x', y: 'y', log: true, series: counted.shards };
  const drawn = chart('Curves', [panel, { ...panel, log: false }]);
  expect(drawn).toMatch(/^<svg [^>]*width="840"/);
  expect(drawn).toContain('a &lt; b');
  expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
  expect(drawn.match(/<path class="curve"/g)).toHaveLength(2 * counted.shards.length);
});
