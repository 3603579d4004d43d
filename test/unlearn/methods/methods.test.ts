// Every method keeps its promises (kit.ts) and forgets a class of a tiny problem.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import type { MethodRecord } from '../../../unlearn/methods/record.ts';
import { docOf } from '../../../unlearn/options/fields.ts';
import { trainKeys } from '../../../unlearn/options/training.ts';
import type { Method, UnlearnInput } from '../../../unlearn/types.ts';
import { accuracyOn, tinyMlp } from '../problems.ts';
import { checkMethod, differing, problem, settingsOf } from './kit.ts';

beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

const quick = { epochs: 2, batchSize: 10, learningRate: 0.01 };

// Each record, with quick settings and with each other value of its choices: a new method is here by being listed.
describe.each(Object.entries(methods))('%s keeps its promises', (name, make) => {
  const record = make.record as MethodRecord;
  const [usual, ...others] = settingsOf(record);
  let input: UnlearnInput;
  beforeAll(async () => {
    input = await problem();
  });
  const check = (settings: object, thorough: boolean) => checkMethod(make, settings, input, thorough);
  test('as a rule', () => check(usual, true));
  // Training's own options are tried once, for retrain.
  const own = others.filter(
    (settings) =>
      name === 'retrain' ||
      !Object.keys(settings).some((key) => trainKeys.includes(key as never) && settings[key] !== usual[key]),
  );
  test.each(own.map((settings) => [differing(settings, usual), settings] as const))(
    'with %s',
    (_, settings) => check(settings, false),
  );
  test('the record says what a table needs', () => {
    expect(record.name).toBe(name);
    for (const text of [record.title, record.paper]) expect(text.length).toBeGreaterThan(3);
    expect(docOf(record.options).about).toMatch(/\.$/);
    for (const key of record.inherits)
      expect(Object.keys(record.options.entries)).toContain(key.split('.')[0]);
    expect(make().record).toBe(record);
  });
});

describe('forgetting', () => {
  let input: UnlearnInput;
  beforeAll(async () => {
    input = await problem(tinyMlp(), 15);
  });
  const after = async (method: Method) => {
    const { variables, details } = await method.unlearn(input);
    const forget = await accuracyOn(input.model, variables, input.forget);
    const retain = await accuracyOn(input.model, variables, input.retain);
    return { forget, retain, details, variables };
  };

  test('the original knows everything', async () => {
    expect(await accuracyOn(input.model, input.variables, input.forget)).toBeGreaterThan(90);
    expect(await accuracyOn(input.model, input.variables, input.retain)).toBeGreaterThan(90);
  });

  test.each([
    ['retrain', () => methods.retrain({ epochs: 15, batchSize: 16, learningRate: 0.1 }), 0, 90],
    ['randomLabels', () => methods.randomLabels({ ...quick, epochs: 10, learningRate: 0.03 }), 35, 80],
    // Ascent takes the others along: what it must do is forget, and not destroy everything.
    ['gradientAscent', () => methods.gradientAscent({ ...quick, epochs: 20, lossCap: 3 }), 20, 45],
    ['boundaryShrink', () => methods.boundaryShrink({ ...quick, epochs: 6 }), 20, 70],
    [
      'boundaryExpanding',
      () => methods.boundaryExpanding({ ...quick, epochs: 6, learningRate: 0.003 }),
      50,
      80,
    ],
  ] as [string, () => Method, number, number][])('%s', async (_, make, most, least) => {
    const { forget, retain } = await after(make());
    expect.soft(forget, 'accuracy on the forgotten class').toBeLessThanOrEqual(most);
    expect.soft(retain, 'accuracy on the others').toBeGreaterThanOrEqual(least);
  });

  test('frozen batch-norm statistics stay as they were', async () => {
    const cnn = await problem();
    const state = async (v: UnlearnInput['variables']) =>
      lt.tree.entries<lt.Tensor>(v.state).map(async ([, t]) => [...(await t.data())]);
    const kept = await Promise.all(await state(cnn.variables));
    const run = async (batchNorm: 'train' | 'frozen') => {
      const { variables } = await methods.boundaryShrink({ ...quick, batchNorm }).unlearn(cnn);
      return Promise.all(await state(variables));
    };
    expect(await run('frozen')).toEqual(kept);
    expect(await run('train')).not.toEqual(kept);
  });
});

test('options: what is unknown or out of range is refused, with the key that was meant', () => {
  expect(() => methods.boundaryShrink({ epsilom: 0.1 } as never)).toThrow(
    'boundaryShrink: unknown key "epsilom"; did you mean "epsilon"?',
  );
  expect(() => methods.randomLabels({ order: 'mixd' } as never)).toThrow(/did you mean "mixed"/);
  expect(() => methods.finetune({ epochs: -1 })).toThrow(/finetune: epochs: expected a whole number/);
  expect(methods.boundaryShrink().options).toMatchObject({
    epochs: 10,
    batchSize: 64,
    learningRate: 1e-5,
    momentum: 0.9,
    weightDecay: 0,
    epsilon: 0.1,
    epsilonConvention: 'pixel',
    excludeTrueLabel: true,
    batchNorm: 'train',
  });
});
