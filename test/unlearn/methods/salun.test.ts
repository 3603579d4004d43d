// SalUn by the definition: its objective in one step, its phases beside random labels, the soft threshold in plain
// JavaScript; and that it forgets and keeps.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { takeSplit } from '../../../unlearn/data/split.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { randomLabel } from '../../../unlearn/methods/randomLabels.ts';
import { softSteps } from '../../../unlearn/methods/salun.ts';
import { Stream } from '../../../unlearn/random.ts';
import { saliencyMask } from '../../../unlearn/train/mask.ts';
import { Schedule } from '../../../unlearn/train/schedule.ts';
import { softMask } from '../../../unlearn/train/soft.ts';
import { seedOf } from '../../../unlearn/train/tune.ts';
import type { Split, UnlearnInput } from '../../../unlearn/types.ts';
import { accuracyOn, cut, disposeAll, MemoryStore, stripes, tinyMlp, valuesOf } from '../problems.ts';
import { problem } from './kit.ts';

const quick = { epochs: 2, batchSize: 10, learningRate: 0.01 };

describe('in float64', () => {
  beforeAll(async () => {
    await lt.init({ device: 'reference', dtype: 'float64' });
  });
  afterAll(async () => {
    await lt.init({ device: 'reference' });
  });

  test('the objective is the mean over random labels of D_f and alpha times the mean over D_r, one step for both', async () => {
    const model: lt.nn.Classifier = {
      ...lt.nn.sequential({ flatten: lt.nn.flatten(), fc: lt.nn.dense(3) }),
      head: ['fc'],
    };
    const variables = model.init(lt.random.key(3), [1, 6, 6, 1]);
    const { forget, retain } = cut(stripes(30), 1);
    const key = lt.random.key(5);
    const [alpha, rate] = [0.7, 0.1];
    const options = { epochs: 1, batchSize: 100, learningRate: rate, momentum: 0, weightDecay: 0, alpha };
    const result = await methods
      .salun({ ...options, density: 0.3 })
      .unlearn({ model, variables, forget, retain, key });
    const seed = await seedOf(key);
    const drawn = forget.labels.map((label, i) =>
      randomLabel({ classes: 3, seed, excludeTrueLabel: true }, label, i, 0),
    );
    const before = await valuesOf(variables);
    const [weight, bias] = [before['params.fc.weight'], before['params.fc.bias']];
    /** Mean gradients of the cross-entropy with these labels: bias, weight. */
    const gradient = ({ images, size }: Split, labels: Int32Array): [number[], number[]] => {
      const [db, dw] = [new Array<number>(3).fill(0), new Array<number>(108).fill(0)];
      for (let n = 0; n < size; n++) {
        const x = Array.from(images.subarray(36 * n, 36 * n + 36), (v) => Math.fround(v / 255));
        const z = bias.map((b, k) => b + x.reduce((sum, v, i) => sum + v * weight[3 * i + k], 0));
        const total = z.reduce((sum, v) => sum + Math.exp(v), 0);
        for (let k = 0; k < 3; k++) {
          const apart = (Math.exp(z[k]) / total - Number(labels[n] === k)) / size;
          db[k] += apart;
          for (let i = 0; i < 36; i++) dw[3 * i + k] += apart * x[i];
        }
      }
      return [db, dw];
    };
    const mask = await saliencyMask({ model, variables, forget, density: 0.3 });
    const marks = await valuesOf({ params: mask, state: {} });
    const free = [marks['params.fc.bias'], marks['params.fc.weight']];
    const [gone, kept] = [gradient(forget, drawn), gradient(retain, retain.labels)];
    const expected = [bias, weight].map((values, t) =>
      values.map((v, i) => v - (free[t][i] ? rate * (gone[t][i] + alpha * kept[t][i]) : 0)),
    );
    const after = await valuesOf(result.variables);
    [after['params.fc.bias'], after['params.fc.weight']].forEach((values, t) => {
      values.forEach((v, i) => expect(v).toBeCloseTo(expected[t][i], 12));
    });
    expect(result.cost).toMatchObject({ gradientSteps: 1, samplesVisited: 10 + 10 + 20 });
    expect(result.details.maskDensity).toBe(33 / 111);
  });

  test.each(['original', 'epoch'] as const)(
    'the soft threshold is that of sorted changes; anchor: %s',
    async (kind) => {
      const stream = new Stream(3);
      const draw = (size: number) => Array.from({ length: size }, () => stream.between(-1, 1));
      const [a, b] = [draw(4), draw(3)];
      const params = { a: lt.tensor([a.slice(0, 2), a.slice(2)]), b: lt.tensor(b) };
      const held = Int32Array.of(5, 5, 3, 3, 0, 7);
      const renewed = held.map((_, i) => Number(kind === 'epoch' && i % 2 === 0));
      const optimizer = softMask({ held, renewed })(lt.optim.sgd({ learningRate: 0.5 }));
      let next = { params, state: optimizer.init(params) };
      let at = [...a, ...b];
      let anchor = at;
      for (let step = 0; step < held.length; step++) {
        const grads = draw(7);
        const tree = { a: lt.tensor([grads.slice(0, 2), grads.slice(2, 4)]), b: lt.tensor(grads.slice(4)) };
        next = optimizer.update(tree, next.state, next.params);
        if (renewed[step]) anchor = at;
        const apart = at.map((v, i) => v - 0.5 * grads[i] - anchor[i]);
        const sizes = apart.map(Math.abs).sort((x, y) => x - y);
        const tau = held[step] === 0 ? 0 : sizes[held[step] - 1];
        at = apart.map((d, i) => anchor[i] + Math.sign(d) * Math.max(Math.abs(d) - tau, 0));
        const got = [...(await next.params.a.data()), ...(await next.params.b.data())];
        got.forEach((v, i) => expect(v).toBeCloseTo(at[i], 14));
        expect(got.filter((v, i) => v === anchor[i])).toHaveLength(held[step]);
      }
    },
  );
});

describe('in float32', () => {
  let input: UnlearnInput;
  beforeAll(async () => {
    await lt.init({ device: 'reference' });
    input = await problem(tinyMlp(), 15);
  });
  const accuracies = async (variables: lt.nn.Variables) => ({
    forget: await accuracyOn(input.model, variables, input.forget),
    retain: await accuracyOn(input.model, variables, input.retain),
  });

  test('with phases it is random labels under a saliency mask, to the bit', async () => {
    const [salun, labels] = [
      await methods.salun({ ...quick, objective: 'phases' }).unlearn(input),
      await methods.randomLabels({ ...quick, mask: 'saliency' }).unlearn(input),
    ];
    expect(await valuesOf(salun.variables)).toEqual(await valuesOf(labels.variables));
    for (const { variables } of [salun, labels]) disposeAll(variables);
  });

  test('what a soft mask holds falls by epochs or by steps, and the anchor is renewed with each epoch', () => {
    const set = input.retain;
    const schedule = new Schedule('test', [{ name: 'all', sets: { all: { set } } }], 2, 16);
    expect(schedule.steps).toBe(6);
    const of = (anchor: 'original' | 'epoch', decay: 'epoch' | 'step') => {
      const { held, renewed } = softSteps(schedule, 60, { anchor, decay });
      return [[...held], [...renewed]];
    };
    expect(of('original', 'epoch')).toEqual([
      [50, 50, 50, 20, 20, 20],
      [0, 0, 0, 0, 0, 0],
    ]);
    expect(of('epoch', 'step')).toEqual([
      [50, 40, 30, 20, 10, 0],
      [1, 0, 0, 1, 0, 0],
    ]);
  });

  test.each([
    ['the paper', {}],
    ['phases', { objective: 'phases' }],
    ['a soft mask', { mask: 'soft' }],
    ['a soft mask as released', { mask: 'soft', anchor: 'epoch', objective: 'mixed' }],
  ] as const)('it forgets the class and keeps the others: %s', async (_, options) => {
    const { variables } = await methods
      .salun({ epochs: 10, batchSize: 10, learningRate: 0.03, ...options })
      .unlearn(input);
    const { forget, retain } = await accuracies(variables);
    expect.soft(forget, 'accuracy on the forgotten class').toBeLessThanOrEqual(35);
    expect.soft(retain, 'accuracy on the others').toBeGreaterThanOrEqual(80);
    disposeAll(variables);
  });

  test('several classes at once, and a handful of samples', async () => {
    const { forget, retain } = input;
    const more = takeSplit(
      retain,
      [...retain.labels.keys()].filter((i) => retain.labels[i] === 0),
    );
    const two = { ...more, ...joinedWith(forget, more) };
    const rest = takeSplit(
      retain,
      [...retain.labels.keys()].filter((i) => retain.labels[i] !== 0),
    );
    for (const [gone, kept] of [
      [two, rest],
      [takeSplit(forget, [2, 5]), retain],
    ]) {
      const { variables, cost } = await methods
        .salun(quick)
        .unlearn({ ...input, forget: gone, retain: kept });
      const beside = Math.ceil(gone.size / 10) * Math.min(10, kept.size);
      expect(cost.samplesVisited).toBe(gone.size + 2 * (gone.size + beside));
      disposeAll(variables);
    }
  });

  test.each([
    ['a mask', {}],
    ['a soft mask', { mask: 'soft', anchor: 'epoch', decay: 'step', objective: 'phases' }],
  ] as const)('with %s, stopped between two steps, it goes on to the same bits', async (_, options) => {
    const method = methods.salun({ ...quick, ...options });
    const whole = await method.unlearn(input);
    const stop = new AbortController();
    const checkpoint = new MemoryStore();
    let reports = 0;
    const onProgress = ({ phase }: { phase: string }) => {
      if (phase === 'salun' && ++reports === 1) stop.abort();
    };
    await expect(
      method.unlearn({ ...input, signal: stop.signal, checkpoint, onProgress }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(checkpoint.saved.at(-1)?.meta.step).toBeGreaterThan(0);
    const resumed = await method.unlearn({ ...input, checkpoint });
    expect(await valuesOf(resumed.variables)).toEqual(await valuesOf(whole.variables));
    for (const { variables } of [whole, resumed]) disposeAll(variables);
  });
});

function joinedWith(a: Split, b: Split): Pick<Split, 'size' | 'images' | 'labels' | 'ids'> {
  const size = a.size + b.size;
  const images = new Uint8Array([...a.images, ...b.images]);
  return {
    size,
    images,
    labels: Int32Array.of(...a.labels, ...b.labels),
    ids: Int32Array.of(...a.ids, ...b.ids),
  };
}
