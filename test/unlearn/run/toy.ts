// A toy laboratory: "training" mixes words step by step, so that one lost, repeated or reordered step changes the
// result. It respects the CheckpointStore the way the real trainer must, and can be told to fail or to take its time.

import { setTimeout as sleep } from 'node:timers/promises';
import { LetheError } from '../../../engine/error.ts';
import { checkRecipe, type Recipe } from '../../../unlearn/recipe.ts';
import type { Material, Parts, Product, Task } from '../../../unlearn/run/parts.ts';
import type { Metrics, Split } from '../../../unlearn/types.ts';

export function toyRecipe(change: object = {}): Recipe {
  return checkRecipe({
    name: 'toy',
    dataset: { name: 'glyphs' },
    forget: { class: 1 },
    model: { name: 'lenet' },
    train: { epochs: 3 },
    methods: [{ name: 'finetune', options: { epochs: 2 } }, { name: 'boundaryShrink' }],
    checkpointSeconds: 0,
    ...change,
  });
}

function split(size: number): Split {
  return {
    size,
    shape: [1, 1, 1],
    images: new Uint8Array(size),
    labels: new Int32Array(size),
    ids: Int32Array.from({ length: size }, (_, i) => i),
  };
}

export interface ToyOptions {
  /** Milliseconds per step. */
  pace?: number;
  /** Throws at this step of this method. */
  fail?: { method: string; error: Error };
  /** Said by each piece of work at its second step. */
  warning?: string;
  /** Methods that need a control. */
  controlled?: string[];
  /** Told of each piece of work begun. */
  onWork?: (what: string) => void;
}

export function toyParts({
  pace = 0,
  fail,
  warning,
  controlled = [],
  onWork = () => {},
}: ToyOptions = {}): Parts {
  const material: Material = {
    dataset: {
      name: 'glyphs',
      classes: ['a', 'b'],
      shape: [1, 1, 1],
      train: split(20),
      test: split(10),
      mean: [0.5],
      std: [0.5],
      notes: [],
      hash: 'toy',
    },
    manifest: {
      version: 1,
      dataset: 'glyphs',
      datasetHash: 'toy',
      spec: { class: 1 },
      kind: 'class',
      classIndex: 1,
      ids: [0, 1],
      hashes: ['x', 'y'],
      count: 2,
    },
    forget: split(2),
    retain: split(18),
  };
  const work = async (task: Task, name: string, first: Uint8Array, steps: number): Promise<Product> => {
    onWork(name);
    const saved = await task.checkpoint.load();
    const words = saved ? (saved.arrays.words.data as Uint32Array) : new Uint32Array(64);
    if (!saved)
      for (let i = 0; i < 64; i++) words[i] = (first[i % first.length] ?? 0) + i * 2654435761 + task.seed;
    for (let step = saved ? Number(saved.meta.step) : 0; step < steps; ) {
      for (let i = 0; i < 64; i++) {
        words[i] = Math.imul(words[i] ^ (words[(i + 63) % 64] >>> 7), 0x9e3779b1) + step + name.length;
      }
      step++;
      if (pace > 0) await sleep(pace);
      if (fail?.method === name && step === 2) throw fail.error;
      await task.checkpoint.save({ arrays: { words: { data: words, shape: [8, 8] } }, meta: { step } });
      task.onProgress({ phase: name, fraction: step / steps, step, steps, ...(step === 2 && { warning }) });
      task.signal?.throwIfAborted();
    }
    return {
      weights: Uint8Array.from(new Uint8Array(words.buffer, words.byteOffset, words.byteLength)),
      cost: { seconds: -1, gradientSteps: steps, samplesVisited: steps * 20 },
      details: { steps },
    };
  };
  return {
    open: async (device) => ({ backend: device === 'auto' ? 'toy' : device, dtype: 'float32' }),
    load: async () => material,
    train: (task) => work(task, 'original', Uint8Array.of(1), Number(task.options.epochs) * 4),
    unlearn: (task) => work(task, task.method.label, task.weights, Number(task.method.options.epochs) * 3),
    evaluate: async ({ weights }) => {
      onWork('evaluate');
      const [ua, ra, ta, mia, asr] = weights.map((w) => w % 101);
      const metrics = { ua, ra, ta, mia, asr, rte_seconds: 0, avg_gap: Number.NaN, acc_retain: ra };
      return {
        metrics: { ...metrics, acc_forget: 100 - ua, acc_test_retain: ta, acc_test_forget: null } as Metrics,
      };
    },
    needsControl: (_, __, method) => controlled.includes(method.name),
    measure: async () => ({
      parameters: 64,
      trainSeconds: 0.001,
      inferSeconds: 0.0005,
      startSeconds: 0.1,
      bytes: 1 << 20,
    }),
    render: async (results) => `<!doctype html>${results.runs.length} runs`,
  };
}

export const broken = () => new LetheError('value', 'the loss is not a number');
