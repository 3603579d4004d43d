// The kit finds what it is for: of methods that each break one promise, the check of that promise fails, and its line says
// what was expected and what was found.
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { checkMethod, examine, type MethodFinding } from '../../../unlearn/check/index.ts';
import { cut, stripes } from '../../../unlearn/check/problem.ts';
import { recordProblems } from '../../../unlearn/check/record.ts';
import { define, definePrepared } from '../../../unlearn/methods/define.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { bool, choice, section } from '../../../unlearn/options/fields.ts';
import { opt } from '../../../unlearn/options/training.ts';
import type { UnlearnInput } from '../../../unlearn/types.ts';
import { tinyMlp } from '../problems.ts';

let input: UnlearnInput;
beforeAll(async () => {
  await lt.init({ device: 'reference' });
  const model = tinyMlp();
  const variables = model.init(lt.random.key(0), [1, 6, 6, 1]);
  input = { model, variables, ...cut(stripes(12), 1), key: lt.random.key(2) };
});

const facts = {
  name: 'adds',
  title: 'Adds',
  paper: 'none',
  kind: 'approximate',
  tasks: 'any',
  startsFrom: 'original',
  inherits: [],
  search: {},
  forgetStatistics: () => false,
} as const;

/** Adds 1 to each parameter in two steps, with one flaw. */
const adding = (flaw = '') =>
  define({
    ...facts,
    options: section('Adds to each parameter.', {
      mask: opt(choice('Mask.', ['none', 'random']), 'none'),
    }),
    cost: ({ forget }) => ({ train: flaw === 'estimate' ? 1 : forget, infer: forget }),
    async forget(_, { variables, forget, signal, onProgress, checkpoint, ...rest }) {
      if (flaw === 'throws') throw new TypeError('x is undefined');
      if (flaw !== 'deaf') signal?.throwIfAborted();
      const { mask } = rest as { mask?: typeof variables.params };
      const saved = await checkpoint?.load();
      let added = saved ? 0.5 : 0;
      for (let step = added / 0.5; step < 2; step++) {
        added += flaw === 'random' ? Math.random() : flaw === 'resume' && saved ? 1 : 0.5;
        if (step === 0) await checkpoint?.save({ arrays: {}, meta: {} });
        if (flaw !== 'silent')
          onProgress?.({ phase: 'adding', fraction: flaw === 'endless' ? 0.5 : (step + 1) / 2 });
        if (flaw === 'deaf') continue;
        if (signal?.aborted) throw flaw === 'other' ? new Error('aborted') : signal.reason;
      }
      if (flaw === 'idle') added = 0;
      if (flaw === 'nan') added = Number.NaN;
      const leak = flaw === 'leak' ? lt.ones([3]) : null;
      if (flaw === 'input') {
        const [[, first]] = lt.tree.entries<lt.Tensor>(variables.params);
        first.dispose();
      }
      const params = lt.scope(() => {
        const free =
          mask && flaw !== 'mask'
            ? mask
            : lt.tree.map((t: lt.Tensor) => lt.ones(t.shape, 'bool'), variables.params);
        return lt.tree.map(
          (t: lt.Tensor, m: lt.Tensor) => lt.where(m, t.add(added), t),
          variables.params,
          free,
        );
      });
      const cost = {
        seconds: 1e-6,
        gradientSteps: flaw === 'uncounted' ? 0 : 2,
        samplesVisited: 2 * forget.size,
      };
      const details = flaw === 'details' ? { tree: new Map() } : { leak: leak === null };
      return {
        variables: { params: flaw === 'shape' ? { other: params } : params, state: variables.state },
        cost,
        details,
      };
    },
  });

const examined = async (make: Parameters<typeof examine>[0], settings = {}) => {
  const found: Record<string, string> = {};
  for await (const { check, state, reason } of examine(make, settings, input))
    if (state !== 'passed') found[check] = `${state}: ${reason}`;
  return found;
};

test('a method that keeps all its promises passes', async () => {
  expect(await examined(adding())).toEqual({});
});

describe('a method that breaks one fails its check', () => {
  test.each([
    [
      'estimate',
      'cost',
      /^failed: expected cost.samplesVisited to be at most the estimate of record.cost, 5, found 8$/,
    ],
    ['uncounted', 'cost', /^failed: expected cost.gradientSteps above 0, found 0$/],
    [
      'random',
      'deterministic',
      /^failed: expected \S+ at params\.\S+\[0\], found \S+; \d+ of \d+ values differ$/,
    ],
    [
      'deaf',
      'cancellation',
      /^failed: expected it to stop after its first progress, found it ran to its end$/,
    ],
    [
      'other',
      'cancellation',
      /what the signal was aborted with \(after its first progress\), got Error: aborted$/,
    ],
    ['resume', 'resume', /^failed: expected /],
    ['idle', 'effect', /^failed: expected some value to change, found the values it was given$/],
    ['nan', 'parameters kept', /^failed: expected finite values, found NaN at params\./],
    [
      'leak',
      'leaks',
      /^failed: expected no tensor beside the result, found 1: float32\[3\] made .*check\.test\.ts/,
    ],
    ['shape', 'parameters kept', /^failed: expected .*, found params\.other\./],
    ['details', 'details', /^failed: expected details\.tree to be JSON, found a Map$/],
    ['endless', 'progress', /^failed: expected onProgress to end with fraction 1, found 0\.5$/],
    ['silent', 'progress', /^failed: expected onProgress to end with fraction 1, found no call$/],
    ['mask', 'mask', /^failed: expected .* values differ$/],
  ])('%s', async (flaw, check, line) => {
    expect((await examined(adding(flaw)))[check]).toMatch(line);
  });
  test('an input that is disposed', async () => {
    const { params, state } = input.variables;
    const copy = { params: lt.tree.map((t: lt.Tensor) => t.add(0), params), state };
    const found = await (async () => {
      for await (const finding of examine(adding('input'), {}, { ...input, variables: copy as never }))
        if (finding.state === 'failed') return finding;
    })();
    expect(found).toMatchObject({ check: 'runs', reason: expect.stringContaining('dispose') });
  });
  test('one that does not run: the rest is skipped', async () => {
    const found = await examined(adding('throws'));
    expect(found.runs).toBe('failed: expected no error, got TypeError: x is undefined');
    expect(
      Object.values(found)
        .slice(1)
        .every((line) => line === 'skipped: the method does not run'),
    ).toBe(true);
  });
});

/** Keeps the ids of its samples, exactly, with one flaw. */
const keeping = (flaw = '') =>
  definePrepared({
    ...facts,
    name: 'keeps',
    kind: flaw === 'modest' ? 'approximate' : 'exact',
    startsFrom: 'nothing',
    options: section('Keeps ids.', { loud: opt(bool('Says so.'), false) }),
    cost: ({ retain }) => ({ train: retain, infer: 0 }),
    async prepare(_, { data, artifact, onProgress, signal }) {
      onProgress?.({ phase: 'ids', fraction: 1 });
      signal?.throwIfAborted();
      await artifact.put('ids', JSON.stringify([...data.ids]));
      await artifact.commit();
      return { cost: { seconds: 1e-6, gradientSteps: 1, samplesVisited: data.size }, details: {} };
    },
    async forget(_, { ids, artifact }) {
      const before: number[] = JSON.parse(new TextDecoder().decode(await artifact.bytes('ids')));
      const gone = flaw === 'one' ? ids.slice(0, 1) : ids;
      const left = before.filter((id) => !gone.includes(id));
      if (flaw === 'traces' && ids.length > 0) left.push(-1);
      await artifact.put('ids', JSON.stringify(left));
      await artifact.commit();
      return { cost: { seconds: 1e-6, gradientSteps: 0, samplesVisited: ids.length }, details: {} };
    },
    predict: async (_, { samples }) => new Float32Array(samples.size * (flaw === 'answers' ? 1 : 3)),
  });

describe('a method with a preparation of its own', () => {
  test('one that keeps all its promises passes', async () => {
    expect(await examined(keeping())).toEqual({});
  });
  test('what is not said to be exact is not asked for it', async () => {
    const { exact, 'one by one': oneByOne } = await examined(keeping('modest'));
    expect([exact, oneByOne]).toEqual(Array(2).fill('skipped: it does not claim to be exact'));
  });
  test.each([
    ['traces', 'exact', /^failed: expected the digest of a preparation without them, \w{12}, found \w{12}$/],
    ['one', 'several classes', /^failed: expected the digest of a preparation without them/],
    ['answers', 'predicts', /^failed: expected 60 x 3 answers, found 60$/],
  ])('%s', async (flaw, check, line) => {
    expect((await examined(keeping(flaw)))[check]).toMatch(line);
  });
});

test('a method that refuses masks says so, and why', async () => {
  const settings = { epochs: 1, batchSize: 6 };
  expect(await examined(methods.certified, settings)).toEqual({
    mask: expect.stringMatching(
      /^skipped: it refuses masks: certified: takes no mask; expected none: the cert/,
    ),
  });
});

test.each(Object.values(methods).map(({ record }) => [record.name, record] as const))(
  'the record of %s is one by the rules for records from files',
  (_, record) => expect(recordProblems(record as never)).toEqual([]),
);

describe('checkMethod', () => {
  test('goes through the choices of the options, and says how far it is', async () => {
    const found: MethodFinding[] = [];
    const told: [string, number, number][] = [];
    const onCheck = (...all: [string, number, number]) => told.push(all);
    for await (const finding of checkMethod(keeping(), { onCheck })) found.push(finding);
    expect(found.every(({ state }) => state === 'passed')).toBe(true);
    expect([...new Set(found.map((finding) => finding.options))]).toEqual(['', 'loud true']);
    expect(told).toHaveLength(found.length);
    expect(told[0]).toEqual(['runs', 0, found.length]);
    expect(told.at(-1)?.slice(1)).toEqual([found.length - 1, found.length]);
  });
  test('options that are stated stay as they are', async () => {
    const found = [];
    for await (const { options } of checkMethod(keeping(), { options: { loud: true } })) found.push(options);
    expect(new Set(found)).toEqual(new Set(['']));
    await expect(checkMethod(keeping(), { options: { lout: true } }).next()).rejects.toThrow(
      'keeps: unknown key "lout"; did you mean "loud"?',
    );
  });
  test('what does not run on classification is refused', async () => {
    const make = define({
      ...facts,
      tasks: ['denoising'],
      options: section('Nothing.', {}),
      cost: () => ({ train: 0, infer: 0 }),
      forget: async () => Promise.reject(new Error('never')),
    });
    await expect(checkMethod(make).next()).rejects.toThrow(
      'adds: runs on denoising; the checks need classification',
    );
  });
  test('a signal stops it', async () => {
    const signal = AbortSignal.abort();
    await expect(checkMethod(keeping(), { signal }).next()).rejects.toBe(signal.reason);
  });
});
