// A toy laboratory: "training" mixes words step by step, so that one lost, repeated or reordered step changes the
// result. It respects the CheckpointStore the way the real trainer must, and can be told to fail or to take its time.

import { setTimeout as sleep } from 'node:timers/promises';
import { LetheError } from '../../../engine/error.ts';
import { drawsForget, seedsOf } from '../../../unlearn/recipe/seeds.ts';
import { checkRecipe, type Recipe } from '../../../unlearn/recipe.ts';
import type { ArtifactTask, Making, Outcome, Parts, RunData } from '../../../unlearn/run/parts.ts';
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
  /** Methods with a preparation of their own. */
  prepared?: string[];
  /** Told of each piece of work begun. */
  onWork?: (what: string) => void;
}

export function toyParts({
  pace = 0,
  fail,
  warning,
  controlled = [],
  prepared = [],
  onWork = () => {},
}: ToyOptions = {}): Parts {
  const runData: RunData = {
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
      classes: [1],
      classIndex: 1,
      ids: [0, 1],
      hashes: ['x', 'y'],
      count: 2,
    },
    forget: split(2),
    retain: split(18),
    kept: split(9),
    gone: split(1),
    validation: null,
  };
  const work = async (
    task: Making,
    name: string,
    first: Uint8Array,
    steps: number,
    rate = 0,
  ): Promise<Outcome> => {
    onWork(name);
    const saved = await task.checkpoint.load();
    const words = saved ? (saved.arrays.words.data as Uint32Array) : new Uint32Array(64);
    if (!saved)
      for (let i = 0; i < 64; i++)
        words[i] = (first[i % first.length] ?? 0) + i * 2654435761 + task.seed + 1e6 * rate;
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
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    // In two parts, of which one buffer is enough.
    const part = new Uint8Array(bytes.length / 2);
    await task.output.weights(
      (function* () {
        for (const at of [0, part.length]) {
          part.set(bytes.subarray(at, at + part.length));
          yield part;
        }
      })(),
    );
    return {
      cost: { seconds: -1, gradientSteps: steps, samplesVisited: steps * 20 },
      details: { steps },
    };
  };
  /** Makes the shards that are missing, each of its number and the seed, and commits each. */
  const fill = async ({ artifact, seed, onProgress, signal }: ArtifactTask): Promise<Outcome> => {
    for (const shard of [0, 1, 2]) {
      if (artifact.has(`shards/${shard}`)) continue;
      signal?.throwIfAborted();
      if (pace > 0) await sleep(pace);
      const gone = artifact.facts.forgotten === shard ? ' without' : '';
      await artifact.put(`shards/${shard}`, `${seed} ${shard}${gone}`);
      await artifact.commit();
      onProgress({ phase: 'shards', fraction: (shard + 1) / 3, step: shard + 1 });
    }
    return { cost: { seconds: -1, gradientSteps: 3, samplesVisited: 20 }, details: {} };
  };
  return {
    open: async (device) => ({ backend: device === 'auto' ? 'toy' : device, dtype: 'float32' }),
    load: async (recipe) => {
      const [{ forget }] = seedsOf(recipe);
      return drawsForget(recipe) ? drawn(runData, forget) : runData;
    },
    draw: (_, given, { forget }) => drawn(given, forget),
    train: (task) => work(task, 'original', Uint8Array.of(1), Number(task.options.epochs) * 4),
    unlearn: async (task) => {
      const { method, weights } = task;
      const first = weights ? await weights.read(0, weights.bytes) : Uint8Array.of(2);
      const { epochs, learningRate } = method.options;
      return work(task, method.label, first, Number(epochs) * 3, Number(learningRate));
    },
    record: () => Promise.reject(new Error('no toy takes updates back')),
    prepare: (task) => {
      onWork(`prepare ${task.method.label}`);
      return fill(task);
    },
    forget: async (task) => {
      const { artifact, method } = task;
      onWork(method.label);
      if (artifact.facts.forgotten === undefined) {
        artifact.facts.forgotten = 1;
        artifact.remove('shards/1');
        await artifact.commit();
      }
      return fill(task);
    },
    evaluate: async (task) => {
      onWork('evaluate');
      const bytes = 'weights' in task ? await task.weights.read(0, 5) : await task.artifact.bytes('shards/1');
      const [ua, ra, ta, mia, asr] = bytes.map((w) => w % 101);
      const unseen = task.judge === 'validation' ? { unseen: bytes[4] % 101 } : {};
      const metrics = { ua, ra, ta, mia, asr, rte_seconds: 0, avg_gap: Number.NaN, acc_retain: ra };
      return {
        ...unseen,
        metrics: { ...metrics, acc_forget: 100 - ua, acc_test_retain: ta, acc_test_forget: null } as Metrics,
      };
    },
    bank: async ({ kind, artifact, onProgress }) => {
      if (artifact.has('models/0')) return;
      onWork(`bank ${kind}`);
      await artifact.put('models/0', kind);
      onProgress({ phase: 'bank', fraction: 1 });
    },
    memorise: async () => {
      onWork('memorise');
      const all = (value: number) => new Float64Array(30).fill(value);
      const memorisation = { scores: all(0.5), inside: all(1), outside: all(0.5), noise: all(0.5) };
      return { memorisation, trained: 4, cost: { seconds: 1, gradientSteps: 1, samplesVisited: 1 } };
    },
    audit: async ({ audits, subjects, banks, onFinding }) => {
      for (const audit of audits) {
        onWork(`audit ${audit.label}`);
        const { own } = subjects;
        const [value] = 'weights' in own ? await own.weights.read(0, 1) : [0];
        const { name, options } = audit;
        const notes = [Object.keys(banks).sort().join(' ')];
        await onFinding(audit, { name, options, seconds: 1, values: { value }, notes });
      }
    },
    fit: async (_, __, weights) => {
      const [first] = weights.bytes > 0 ? await weights.read(0, 1) : [];
      if (first === 0 || first === undefined) throw new LetheError('data', 'no weights of a toy');
      return { described: first !== 1, constants: { mean: [0.5], std: [0.25] } };
    },
    needs: (_, __, method) => ({
      original: method.name !== 'retrain' && !prepared.includes(method.name),
      preparation: prepared.includes(method.name),
      control: controlled.includes(method.name),
    }),
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

const drawn = (runData: RunData, seed: number): RunData => ({
  ...runData,
  manifest: { ...runData.manifest, ids: [seed % 20, (seed + 1) % 20] },
});

export const broken = () => new LetheError('value', 'the loss is not a number');
