// Every listed method on every device: on cpu it keeps all its promises, and on cpu and webgpu it moves the weights to where
// it moves them on reference. An exact method comes to the bits of never having seen the samples, whatever the device.
import { beforeAll, describe, expect, inject, test } from 'vitest';
import type { Variables } from '../../../engine/nn/types.ts';
import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import type { PreparedMethod } from '../../../unlearn/methods/prepared.ts';
import type { MethodRecord } from '../../../unlearn/methods/record.ts';
import type { Method, UnlearnInput } from '../../../unlearn/types.ts';
import { disposeAll, stripes, tinyCnn, valuesOf } from '../problems.ts';
import { checkMethod, problem, settingsOf, without } from './kit.ts';

const absent = inject('absent');

/** Batches of one size: each step is compiled once. */
const settings = (record: MethodRecord) => {
  const few: Record<string, unknown> = { epochs: 1, batchSize: 12, train: { epochs: 1, batchSize: 2 } };
  const entries = Object.entries(settingsOf(record)[0]);
  return Object.fromEntries(entries.map(([key, value]) => [key, few[key] ?? value]));
};
const variablesOf = (values: Record<string, number[]>, like: Variables): Variables => {
  const at = new Map(Object.entries(values));
  const entries = new Map(lt.tree.entries<lt.Tensor>(like as never).map(([path, t]) => [t, path]));
  return lt.tree.map(
    (t: lt.Tensor) => lt.tensor(Float32Array.from(at.get(entries.get(t)!)!), { shape: t.shape }),
    like as never,
  ) as unknown as Variables;
};
/** ARCANE with its other one-class model. */
const svdd = (options?: object) => methods.arcane({ ...options, oneClass: 'svdd' });
const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));

for (const device of ['cpu', 'webgpu'] as const)
  describe.skipIf(absent[device] !== null)(`on ${device}`, () => {
    const rows = Object.entries(methods).map(([name, make]) => ({
      name,
      make,
      record: make.record as MethodRecord,
    }));
    const unlearning = rows.filter(({ record }) => record.prepare === undefined);
    const preparing = rows.filter(({ record }) => record.prepare !== undefined);
    const expected = new Map<string, Record<string, number[]>>();
    let original: Record<string, number[]>;
    let input: UnlearnInput;
    beforeAll(async () => {
      await lt.init({ device: 'reference' });
      const there = await problem();
      original = await valuesOf(there.variables);
      for (const { name, make, record } of unlearning) {
        const { variables } = await (make(settings(record)) as Method).unlearn(there);
        expected.set(name, await valuesOf(variables));
      }
      await lt.init({ device });
      const model = tinyCnn();
      const like = model.init(lt.random.key(0), [1, 6, 6, 1]);
      input = { ...there, model, variables: variablesOf(original, like), key: lt.random.key(2) };
    });

    test.each(unlearning)('$name moves the weights as on reference', async ({ name, make, record }) => {
      const { variables } = await (make(settings(record)) as Method).unlearn(input);
      const values = await valuesOf(variables);
      disposeAll(variables);
      const [got, wanted, before] = [values, expected.get(name)!, original].map((tree) =>
        Object.values(tree).flat(),
      );
      const apart = norm(got.map((v, i) => v - wanted[i]));
      expect(apart, 'of the way from the original').toBeLessThan(
        0.01 * norm(wanted.map((v, i) => v - before[i])),
      );
    });

    if (device === 'cpu') {
      test.each(rows)('$name keeps its promises', ({ make, record }) =>
        checkMethod(make, settingsOf(record)[0], input),
      );
    } else
      test.each([
        ...preparing,
        { name: 'arcane by svdd', make: svdd, record: methods.arcane.record as MethodRecord },
      ])('$name forgets to the bits of never having seen', async ({ make, record }) => {
        const method = make(settings(record)) as PreparedMethod;
        const data = stripes(36);
        const prepared = await method.prepare({ model: tinyCnn(), data, key: lt.random.key(4) });
        const forgotten = await method.forget(prepared, { ids: [7] });
        const anew = await method.prepare({ ...prepared, data: without(data, [7]) });
        expect(method.digest(forgotten)).toBe(method.digest(anew));
      });
  });
