// A model's answers over a split: logits, batch by batch, in evaluation mode. What they say is audit/.

import { check } from '../engine/error.ts';
import type { Model, Variables } from '../engine/nn/types.ts';
import * as lt from '../index.ts';
import { batches } from './data/batches.ts';
import { breathe } from './train/meter.ts';
import type { Split } from './types.ts';

export interface PredictOptions {
  /** Samples per forward pass, 256 by default. A last batch that is smaller is filled up, so one program does all. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Told after each batch how many samples are done. */
  readonly onBatch?: (done: number) => void;
}

export interface Predictor {
  /** Logits [split.size, K], row by row. `variables` stay the caller's. */
  logits(variables: Variables, split: Split, options?: PredictOptions): Promise<Float32Array>;
  /** Percentage of a split's samples whose largest logit is at their label. */
  accuracy(variables: Variables, split: Split, options?: PredictOptions): Promise<number>;
  dispose(): void;
}

/** Compiles a model's forward pass for repeated use. */
export function predictor(model: Model): Predictor {
  const forward = lt.jit((v: Variables, x: lt.Tensor) => model.apply(v, x).output, { name: 'predict' });

  const logits: Predictor['logits'] = async (variables, split, { batchSize = 256, signal, onBatch } = {}) => {
    const rows = Math.min(batchSize, Math.max(1, split.size));
    const shape = [rows, ...split.shape];
    let out = new Float32Array(0);
    // One batch is read while the next is computed.
    let ahead: { at: number; count: number; value: Promise<lt.TypedArray> } | null = null;
    const take = async (): Promise<void> => {
      if (!ahead) return;
      const { at, count, value } = ahead;
      const values = await value;
      const classes = values.length / rows;
      if (out.length === 0) out = new Float32Array(split.size * classes);
      out.set(values.subarray(0, count * classes), at * classes);
      onBatch?.(at + count);
    };
    try {
      for (const { images, labels, batch } of batches(split, { batchSize: rows })) {
        signal?.throwIfAborted();
        const whole = new Float32Array(rows * (images.length / labels.length));
        whole.set(images);
        const x = lt.tensor(whole, { shape });
        const y = forward(variables, x);
        x.dispose();
        check(
          y.shape.length === 2 && y.shape[0] === rows,
          'shape',
          () => `predict: the model answers [${y.shape.join(', ')}], expected [${rows}, classes]`,
        );
        const value: Promise<lt.TypedArray> = y.data();
        value.catch(() => {});
        y.dispose();
        await take();
        ahead = { at: batch * rows, count: labels.length, value };
        await breathe();
      }
      await take();
      return out;
    } catch (error) {
      await ahead?.value.catch(() => {});
      throw error;
    }
  };

  return {
    logits,
    async accuracy(variables, split, options) {
      const values = await logits(variables, split, options);
      const classes = values.length / split.size;
      let hits = 0;
      for (let i = 0; i < split.size; i++) {
        const row = values.subarray(i * classes, (i + 1) * classes);
        if (row.every((v) => v <= row[split.labels[i]])) hits++;
      }
      return (100 * hits) / split.size;
    },
    dispose: () => forward.dispose(),
  };
}

/** Logits [split.size, K] of one split, in evaluation mode. See predictor for repeated use. */
export async function predict(
  model: Model,
  variables: Variables,
  split: Split,
  options?: PredictOptions,
): Promise<Float32Array> {
  const p = predictor(model);
  try {
    return await p.logits(variables, split, options);
  } finally {
    p.dispose();
  }
}
