// Diagonals of the Fisher information against softmax regression written out, one sample after the other, in float64.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../index.ts';
import { fisherDiagonal } from '../../unlearn/fisher-diagonal.ts';
import { CLASSES, disposeAll, stripes, tinyCnn, valuesOf } from './problems.ts';
import {
  byLabel,
  chain,
  flat,
  forward,
  mean,
  model,
  type Sample,
  square,
  sumOf,
  variables,
} from './regression.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference', dtype: 'float64' });
});

const data = stripes(14);
const classes = [...Array(CLASSES).keys()];
const batched = <T>(all: readonly T[], size: number) =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, b) => all.slice(b * size, (b + 1) * size));

/** What each kind is by its definition. */
const definitions = {
  'model, sample': (all: Sample[]) =>
    mean(all.map((s) => sumOf(classes.map((y) => square(byLabel(s, y), s.p[y]))))),
  'data, sample': (all: Sample[]) => mean(all.map((s) => square(byLabel(s, s.y)))),
  'model, batch': (all: Sample[]) =>
    mean(
      batched(all, 4).map((batch) =>
        sumOf(
          classes.map((y) =>
            square(
              mean(batch.map((s) => byLabel(s, y))),
              batch.reduce((a, s) => a + s.p[y], 0) / batch.length,
            ),
          ),
        ),
      ),
    ),
  'data, batch': (all: Sample[]) =>
    mean(batched(all, 4).map((batch) => square(mean(batch.map((s) => byLabel(s, s.y)))))),
  'none, batch': (all: Sample[]) =>
    mean(
      batched(all, 4).map((batch) =>
        mean(
          batch.map((s) =>
            chain(
              s,
              s.z.map((z) => 2 * z),
            ),
          ),
        ).map(Math.abs),
      ),
    ),
  'none, sample': (all: Sample[]) =>
    mean(
      all.map((s) =>
        chain(
          s,
          s.z.map((z) => 2 * Math.abs(z)),
        ),
      ),
    ),
};

describe.each(Object.entries(definitions))('labels and unit: %s', (name, definition) => {
  const [kind, per] = name.split(', ') as ['model' | 'data' | 'none', 'sample' | 'batch'];
  const labels = kind === 'model' ? { model: CLASSES } : kind;
  test('is what the definition says', async () => {
    const v = variables();
    const wanted = definition(await forward(data, v));
    const fractions: number[] = [];
    const onFraction = (f: number) => fractions.push(f);
    let found = {} as Awaited<ReturnType<typeof fisherDiagonal>>;
    const work = async () => {
      found = await fisherDiagonal(data, { model, variables: v, labels, per, batchSize: 4, onFraction });
      return found;
    };
    expect(await lt.findLeaks(work), 'nothing but the result is left').toEqual([]);
    const got = await flat(found.values);
    // Pixels are rounded to float32 in both; all else is float64.
    wanted.forEach((value, j) => expect(Math.abs(got[j] - value)).toBeLessThan(1e-12 * (1e-3 + value)));
    expect(found.visited).toBe((kind === 'model' ? CLASSES : 1) * data.size);
    expect(fractions.at(-1)).toBe(1);
    disposeAll({ params: found.values, state: {} });
    disposeAll(v);
  });
});

test('samples do not see each other: blocks of any size give the same, with convolutions and batch-norm too', async () => {
  const cnn = tinyCnn();
  const v = cnn.init(lt.random.key(3), [1, 6, 6, 1]);
  const of = async (batchSize: number) => {
    const how = { model: cnn, variables: v, labels: { model: CLASSES }, per: 'sample', batchSize } as const;
    const { values } = await fisherDiagonal(data, how);
    return Object.values(await valuesOf({ params: values, state: {} })).flat();
  };
  const [alone, together] = [await of(1), await of(5)];
  together.forEach((value, j) => expect(Math.abs(value - alone[j])).toBeLessThan(1e-12 * (1e-3 + value)));
});

test('a set without samples is refused; an abort is passed on', async () => {
  const v = variables();
  const how = { model, variables: v, labels: 'data', per: 'batch', batchSize: 4 } as const;
  const none = { ...data, size: 0 };
  await expect(fisherDiagonal(none, how)).rejects.toThrow(/Fisher information: there are no samples/);
  const stop = new AbortController();
  const stopping = fisherDiagonal(data, { ...how, signal: stop.signal, onFraction: () => stop.abort() });
  await expect(stopping).rejects.toMatchObject({ name: 'AbortError' });
});
