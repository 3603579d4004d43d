// What exact unlearning costs and what it gives: samples visited by removals, counted from plans without training, over
// requests, shards, slices, blocks, selection and sorting; and trained preparations with accuracy, time and removals.

import * as lt from '../../index.ts';
import { takeSplit } from '../../unlearn/data/split.ts';
import { blocksOf } from '../../unlearn/methods/arcane.ts';
import { methods } from '../../unlearn/methods/index.ts';
import type { PreparedMethod } from '../../unlearn/methods/prepared.ts';
import { shardsOf } from '../../unlearn/methods/sisa.ts';
import {
  type Chain,
  changed,
  evenEpochs,
  expectedVisits,
  type Layout,
  stagesOf,
  visitsOf,
} from '../../unlearn/methods/stages.ts';
import { Stream } from '../../unlearn/random.ts';
import { type Spread, spreadOf } from '../../unlearn/statistics/spread.ts';
import type { Dataset, Split } from '../../unlearn/types.ts';
import type { Series } from './chart.ts';

export interface ExactBenchOptions {
  readonly dataset: Dataset;
  /** For the record: the one in use. */
  readonly device: string;
  /** Training and test images to take of it, from the first. */
  readonly train: number;
  readonly test: number;
  readonly epochs: number;
  /** Draws that counts are averaged over. */
  readonly draws: number;
  /** How many times each preparation is trained, each time with another key and other removals. */
  readonly seeds: number;
  /** One preparation of each method: the whole path, no figures. */
  readonly quick?: boolean;
  readonly onLine?: (line: string) => void;
}

/** A preparation or a removal: what it cost, and the accuracy on the test images after it in percent. */
interface Measured {
  readonly accuracy: number;
  readonly seconds: number;
  readonly samplesVisited: number;
}
/** A method that was trained with each seed, and removals from it. */
export interface Trained {
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** One for each seed. */
  readonly runs: readonly {
    readonly prepared: Measured;
    readonly removals: readonly (Measured & { readonly removed: number })[];
  }[];
}

export interface ExactBenchResult {
  readonly dataset: string;
  readonly train: number;
  readonly test: number;
  readonly epochs: number;
  readonly seeds: number;
  readonly device: string;
  /** Share of full retraining, in percent, over the samples removed at once; dashed: the closed form. */
  readonly counted: Readonly<Record<string, readonly Series[]>>;
  readonly trained: readonly Trained[];
}

/** Samples removed at once: in counts, and in trained removals. */
const REQUESTS = [1, 3, 10, 30, 100, 300];
const TRAINED = [1, 10, 100];
type Plan = (left: Split, key: lt.Tensor) => Promise<readonly Chain[]>;
/** Which samples are asked to go: `count` positions. */
type Draw = (stream: Stream, data: Split, count: number) => number[];

/** `count` different numbers below `size`, all where there are no more. */
function drawn(stream: Stream, size: number, count: number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < Math.min(count, size)) chosen.add(stream.below(size));
  return [...chosen];
}
const uniform: Draw = (stream, { size }, count) => drawn(stream, size, count);
/** Samples whose ids are a multiple of ten. */
const tenth: Draw = (stream, { size }, count) =>
  drawn(stream, Math.floor(size / 10), count).map((i) => 10 * i);

const without = (data: Split, gone: readonly number[]): Split => {
  const set = new Set(gone);
  return takeSplit(
    data,
    [...data.ids.keys()].filter((position) => !set.has(position)),
  );
};

async function count(
  name: string,
  {
    train: data,
    draws,
    layout,
    plan,
    draw = uniform,
  }: { train: Split; draws: number; layout: Layout; plan: Plan; draw?: Draw },
  whole: number,
): Promise<Series> {
  const points: [number, number][] = [];
  for (const removed of REQUESTS.filter((k) => k < data.size)) {
    let sum = 0;
    for (let i = 0; i < draws; i++) {
      const key = lt.random.key(i);
      const gone = draw(new Stream(1000 + i), data, removed);
      const stages = async (left: Split) => stagesOf(await plan(left, key), layout);
      sum += visitsOf(changed(await stages(data), await stages(without(data, gone))));
      key.dispose();
    }
    points.push([removed, (100 * sum) / draws / whole]);
  }
  return { name, points };
}

/** Measures it all. */
export async function runExactBench(options: ExactBenchOptions): Promise<ExactBenchResult> {
  const { dataset, device, epochs, draws, seeds, quick = false, onLine = () => {} } = options;
  const first = (split: Split, n: number) => takeSplit(split, [...Array(Math.min(n, split.size)).keys()]);
  const [train, test] = [first(dataset.train, options.train), first(dataset.test, options.test)];
  const classes = dataset.classes.length;
  const whole = epochs * train.size;
  const expected = (name: string, chains: number, layout: Layout): Series => ({
    name,
    dashed: true,
    points: REQUESTS.filter((k) => k < train.size).map((removed) => {
      const { removal } = expectedVisits({ samples: train.size, removed, chains }, layout);
      return [removed, (100 * removal) / whole];
    }),
  });
  const counted: Record<string, Series[]> = {};
  const sisa = async (panel: string, name: string, shards: number, slices: number) => {
    const made = methods.sisa({ shards, slices, train: { epochs } }).options;
    const layout = { unit: 'slice', epochs: evenEpochs(epochs, slices), cumulative: true };
    const plan: Plan = (left, key) => shardsOf(made, left, key);
    counted[panel] ??= [];
    counted[panel].push(
      await count(name, { train, draws, layout, plan }, whole),
      expected(name, shards, layout),
    );
  };
  const arcane = async (panel: string, name: string, given: object, blocks: number, draw?: Draw) => {
    const made = methods.arcane({ blocks, train: { epochs }, ...given }).options;
    const layout = { unit: 'block', epochs: new Array<number>(blocks).fill(epochs), cumulative: false };
    const plan: Plan = (left, key) => blocksOf(made, left, key, classes);
    counted[panel] ??= [];
    counted[panel].push(await count(name, { train, draws, layout, plan, draw }, whole));
    if (Object.keys(given).length === 0 && !draw) counted[panel].push(expected(name, classes, layout));
  };
  for (const shards of [1, 2, 5, 10, 20]) await sisa('shards', many(shards, 'shard'), shards, 1);
  for (const slices of [1, 2, 4, 8]) await sisa('slices', many(slices, 'slice'), 5, slices);
  for (const blocks of [1, 2, 4, 8]) await arcane('blocks', many(blocks, 'block'), {}, blocks);
  const likelihood = Array.from({ length: train.size }, (_, id) => (id % 10 === 0 ? 1 : 0));
  await arcane('sorting', 'not sorted', {}, 8, tenth);
  await arcane('sorting', 'likely last', { likelihood }, 8, tenth);
  for (const select of [1, 0.75, 0.5, 0.25]) await arcane('selection', `select ${select}`, { select }, 4);
  onLine('counted');

  const half = dataset.mean.map(() => 0.5);
  const model = lt.nn.mlp({ classes, hidden: [128], normalise: { mean: half, std: half } });
  const trained: Trained[] = [];
  const run = async (method: PreparedMethod, seed: number): Promise<Trained['runs'][number]> => {
    const measured = async (made: Awaited<ReturnType<PreparedMethod['prepare']>>): Promise<Measured> => {
      const { seconds, samplesVisited } = made.cost;
      return { accuracy: accuracyOf(await method.predict(made, test), test.labels), seconds, samplesVisited };
    };
    const key = lt.random.key(1 + seed);
    const prepared = await method.prepare({ model, data: train, key });
    const removals: Trained['runs'][number]['removals'][number][] = [];
    for (const removed of TRAINED.filter((k) => k < train.size)) {
      const gone = uniform(new Stream(1000 * seed + removed), train, removed);
      const after = await method.forget(prepared, { ids: gone.map((position) => train.ids[position]) });
      removals.push({ removed, ...(await measured(after)) });
    }
    return { prepared: await measured(prepared), removals };
  };
  const measure = async (name: string, method: PreparedMethod, given: Trained['options']) => {
    const runs: Trained['runs'][number][] = [];
    for (let seed = 0; seed < seeds; seed++) runs.push(await run(method, seed));
    const row = { method: name, options: given, runs };
    trained.push(row);
    onLine(rowOf(row).join('  '));
  };
  const few = <T>(all: readonly T[]): readonly T[] => all.slice(0, quick ? 1 : all.length);
  for (const given of few([
    { shards: 1, slices: 1 },
    { shards: 2, slices: 3 },
    { shards: 5, slices: 3 },
    { shards: 10, slices: 3 },
    { shards: 20, slices: 3 },
    { shards: 5, slices: 1 },
    { shards: 5, slices: 8 },
  ]))
    await measure('sisa', methods.sisa({ ...given, train: { epochs } }), given);
  // An MLP has too little to tell rotations by: with it Deep SVDD does better.
  const oneClass = 'svdd' as const;
  for (const given of few([
    { oneClass, blocks: 1 },
    { oneClass, blocks: 4 },
    { oneClass, blocks: 8 },
    { oneClass, blocks: 4, select: 0.75 },
    { oneClass, blocks: 4, select: 0.5 },
    { oneClass, blocks: 4, select: 0.25 },
    { oneClass: 'rotations' as const, blocks: 4 },
  ]))
    await measure('arcane', methods.arcane({ ...given, train: { epochs } }), given);
  return {
    dataset: dataset.name,
    train: train.size,
    test: test.size,
    epochs,
    seeds,
    device,
    counted,
    trained,
  };
}

const many = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;

/** Percent of rows whose largest share is that of the label. */
export function accuracyOf(shares: Float32Array, labels: Int32Array): number {
  const classes = shares.length / labels.length;
  const hits = labels.filter((label, i) => {
    const row = shares.subarray(i * classes, (i + 1) * classes);
    return row.indexOf(Math.max(...row)) === label;
  });
  return (100 * hits.length) / labels.length;
}

export const HEAD = [
  'method',
  'accuracy, %',
  'prepared, s',
  ...TRAINED.map((k) => `${k} removed: visits, s, %`),
];

/** Mean and, of several, deviation. */
function shown(values: readonly number[]): string {
  const { mean, std } = spreadOf(values) as Spread;
  return std === null ? mean.toFixed(1) : `${mean.toFixed(1)} ± ${std.toFixed(1)}`;
}

/** What was trained as cells of a table; visits in percent of those of the preparation. */
export function rowOf({ method, options, runs }: Trained): string[] {
  const given = Object.entries(options).map(([name, value]) => `${name} ${value}`);
  const removal = (k: number): string => {
    const visits = runs.map((r) => (100 * r.removals[k].samplesVisited) / r.prepared.samplesVisited);
    const of = (field: 'seconds' | 'accuracy') => shown(runs.map((r) => r.removals[k][field]));
    return `${shown(visits)}%, ${of('seconds')}, ${of('accuracy')}`;
  };
  return [
    `${method}, ${given.join(', ')}`,
    shown(runs.map((r) => r.prepared.accuracy)),
    shown(runs.map((r) => r.prepared.seconds)),
    ...runs[0].removals.map((_, k) => removal(k)),
  ];
}
