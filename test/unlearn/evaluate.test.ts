// evaluate(): batches of logits to metrics, on the reference backend, with a linear model whose answers are known.

import { beforeAll, describe, expect, it } from 'vitest';
import type { Model, Variables } from '../../engine/nn/types.ts';
import * as lt from '../../index.ts';
import { type EvaluationData, evaluate, spreadOver } from '../../unlearn/evaluate.ts';
import { modelFor } from '../../unlearn/model.ts';
import { modelOptions } from '../../unlearn/recipe/options.ts';
import type { Split } from '../../unlearn/types.ts';

// Three pixels of one channel, three classes: the brightest pixel is the class.
const linear: Model = {
  name: 'linear',
  init: () => ({ params: {}, state: {} }),
  apply: (v, x) => ({ output: lt.matmul(lt.reshape(x, [x.shape[0], 3]), v.params as lt.Tensor), state: {} }),
};

function split(labels: number[], seen: number[] = labels): Split {
  const images = new Uint8Array(labels.length * 3);
  for (const [i, label] of seen.entries()) images[3 * i + label] = 255;
  return {
    size: labels.length,
    shape: [1, 3, 1],
    images,
    labels: Int32Array.from(labels),
    ids: Int32Array.from(labels, (_, i) => i),
  };
}

const data: EvaluationData = {
  forget: split([1, 1, 1, 1], [0, 0, 0, 1]),
  retain: split([0, 2, 0, 2, 0, 2, 0], [0, 2, 0, 2, 0, 2, 2]),
  test: split([0, 1, 2, 1, 2], [0, 0, 2, 1, 0]),
  classes: 3,
  classIndex: 1,
};

let variables: Variables;
beforeAll(async () => {
  await lt.init({ device: 'reference' });
  variables = { params: lt.mul(lt.eye(3), 4), state: {} };
});

describe('evaluate', () => {
  it.each([1, 2, 500])('gives the same metrics in batches of %i', async (batchSize) => {
    const seen: number[] = [];
    const { metrics, exhibits } = await evaluate(linear, variables, data, {
      batchSize,
      onProgress: (p) => seen.push(p.fraction),
    });
    expect(metrics.ua).toBeCloseTo(75, 9);
    expect(metrics.ra).toBeCloseTo((100 * 6) / 7, 9);
    expect(metrics.ta).toBeCloseTo((100 * 2) / 3, 9);
    expect(metrics.acc_test_forget).toBeCloseTo(50, 9);
    expect(metrics.avg_gap).toBeNaN();
    expect(exhibits).toBeUndefined();
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('gathers exhibits, with images only where they are wanted', async () => {
    const { metrics, exhibits } = await evaluate(linear, variables, data, {
      exhibits: true,
      reference: 'self',
    });
    expect(metrics.avg_gap).toBe(0);
    expect(exhibits?.forgetPredictions[1]).toEqual([0.75, 0.25, 0]);
    expect(exhibits?.samples.map((s) => s.set)).toEqual([
      ...Array(4).fill('forget'),
      ...Array(7).fill('retain'),
    ]);
    expect(exhibits?.samples[0]).toMatchObject({
      id: 0,
      label: 1,
      predicted: 0,
      png: expect.stringMatching(/^data:image\/png/),
    });
    const without = await evaluate(linear, variables, data, { exhibits: true, images: false });
    expect(without.exhibits?.samples).toEqual([]);
  });

  it('shows samples of many classes, whatever the order of the data', () => {
    const classesOf = (labels: number[], count: number) =>
      spreadOver(Int32Array.from(labels), count).map((row) => labels[row]);
    const cycling = Array.from({ length: 4000 }, (_, i) => i % 10);
    expect(classesOf(cycling, 8)).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
    expect(classesOf(cycling.sort(), 8)).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
    expect(classesOf([2, 0, 2, 0, 2, 0, 2, 2, 2], 8)).toEqual([0, 0, 0, 2, 2, 2, 2]);
    const one = spreadOver(new Int32Array(4000).fill(3), 8);
    expect(one).toEqual([0, 500, 1000, 1500, 2000, 2500, 3000, 3500]);
    expect(spreadOver(new Int32Array(0), 8)).toEqual([]);
  });

  it('leaves no tensor behind', async () => {
    await evaluate(linear, variables, data);
    const before = lt.memory().buffers;
    for (let i = 0; i < 3; i++) await evaluate(linear, variables, data, { batchSize: 2 });
    expect(lt.memory().buffers - before).toBeLessThanOrEqual(0);
  });

  it('stops when asked to, and refuses a model of other classes', async () => {
    await expect(evaluate(linear, variables, data, { signal: AbortSignal.abort() })).rejects.toThrow(
      /abort/i,
    );
    await expect(evaluate(linear, variables, { ...data, classes: 2 })).rejects.toThrow(
      'the model answers 3 logits a sample, expected',
    );
  });
});

describe('the models of recipes', () => {
  it('are those of the engine, each with its options', () => {
    expect(Object.keys(modelOptions).sort()).toEqual(Object.keys(lt.nn.models).sort());
  });

  it('normalise inside: the same image, the same answer, whatever the statistics were told', async () => {
    const statistics = { classes: ['a', 'b'], mean: [0.5, 0.25, 0], std: [0.25, 0, 1] };
    const model = (normalisation: 'dataset' | 'half' | 'none') =>
      modelFor({ model: { name: 'mlp', options: { hidden: [4] }, normalisation } }, statistics);
    const shape = [1, 2, 2, 3];
    const start = model('none').init(lt.random.key(1), shape);
    const x = lt.tensor(
      Float32Array.from({ length: 12 }, (_, i) => i / 12),
      { shape },
    );
    const answer = async (normalisation: 'dataset' | 'half' | 'none', image: lt.Tensor) => {
      const { output } = model(normalisation).apply({ params: start.params, state: {} }, image);
      return (await output.data()) as Float32Array;
    };
    const byHand = {
      half: x.sub(0.5).div(0.5),
      dataset: x.sub(lt.tensor([0.5, 0.25, 0])).div(lt.tensor([0.25, 1, 1])),
    };
    for (const how of ['half', 'dataset'] as const) {
      const [inside, outside] = [await answer(how, x), await answer('none', byHand[how])];
      for (const i of [0, 1]) expect(inside[i]).toBeCloseTo(outside[i], 5);
    }
  });
});
