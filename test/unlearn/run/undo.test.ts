// A method that takes back updates of the original's training, in a run: the training is recorded once more, for all
// entries that need it, goes on where it was killed, and is refused where the record would be too large.

import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as lt from '../../../index.ts';
import { memoryStore } from '../../../unlearn/artifact.ts';
import { datasets, forgetSet } from '../../../unlearn/data/index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { constantsFor, modelFor } from '../../../unlearn/model.ts';
import { checkRecipe } from '../../../unlearn/recipe.ts';
import { type RunOptions, run } from '../../../unlearn/run.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { recordUpdates } from '../../../unlearn/train/undo.ts';
import { train } from '../../../unlearn/train.ts';
import { valuesOf } from '../problems.ts';

const folder = mkdtempSync(join(tmpdir(), 'undo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => lt.init({ device: 'reference' }));

const undo = (label: string, options = {}) => ({
  name: 'amnesiac',
  label,
  options: { variant: 'undo', epochs: 0, ...options },
});
const recipe = {
  name: 'undone',
  dataset: { name: 'glyphs', options: { trainSize: 60, testSize: 20 } },
  forget: { ids: [3, 17] },
  model: { name: 'mlp', options: { hidden: [4] } },
  train: { epochs: 3, batchSize: 5 },
  checkpointSeconds: 0,
  methods: [{ name: 'retrain' }, undo('undo'), undo('undo-mended', { epochs: 1 })],
  device: 'reference',
} as const;
const file = (out: string, name: string) => readFileSync(join(folder, out, name));
const recordOf = (out: string, id: string) => JSON.parse(file(out, `cells/${id}.json`).toString());
const go = (out: string, more: Partial<RunOptions> = {}, changed = {}) =>
  run({ ...recipe, ...changed }, { ...more, out: join(folder, out) });

describe('undo in a run', () => {
  it('is what the record of the same training gives; the record is made once, kept small, and counted', async () => {
    const outcome = await go('whole');
    expect(outcome.failures).toEqual([]);
    const weights = file('whole', 'checkpoints/seed-0-undo.safetensors');
    const made = recordOf('whole', 'seed-0-original-updates');
    const undone = recordOf('whole', 'seed-0-undo');

    const checked = checkRecipe(recipe);
    const dataset = await datasets.load(datasets.byName('glyphs'), checked.dataset.options);
    const model = modelFor(checked, dataset, constantsFor(checked, dataset));
    const [updates, key] = [memoryStore(), lt.random.key(0)];
    const hooks = [recordUpdates(updates)];
    const trained = await train({ model, data: dataset.train, options: checked.train, key, hooks });
    const { forget, retain } = forgetSet(dataset, { ids: [3, 17] });
    const input = { model, variables: trained.variables, forget, retain, key, updates };
    const result = await methods.amnesiac({ variant: 'undo', epochs: 0 }).unlearn(input);
    const { tensors } = lt.io.loadSafetensors(weights);
    const wanted = await valuesOf({ params: result.variables.params, state: {} });
    const found = Object.values(tensors).map(({ data }) => [...(data as Float32Array)]);
    // Files have the axes in another order.
    const bits = (values: readonly number[]) => sha256(values.toSorted((a, b) => a - b).join());
    expect(new Set(found.map(bits))).toEqual(new Set(Object.values(wanted).map(bits)));

    const { undone: count } = result.details as { undone: number };
    expect(undone.details).toMatchObject({ undone: count, steps: 36 });
    // Two samples, each in one batch of an epoch.
    expect(count).toBeGreaterThan(2);
    expect(count).toBeLessThanOrEqual(6);
    expect(made.details).toMatchObject({ steps: 36, stored: count });
    expect(made.cost).toMatchObject({ gradientSteps: 36, samplesVisited: 180 });
    expect(undone.details.preparation).toEqual(made.cost);
    expect(recordOf('whole', 'seed-0-undo-mended').details.preparation).toEqual(made.cost);
  });

  it('goes on from whatever a killed process left, to the same bits', async () => {
    // The folder as it stands at a report of the recording is what a kill at that moment leaves.
    const stop = new AbortController();
    const onEvent: RunOptions['onEvent'] = (event) => {
      if (event.type !== 'progress' || event.action !== 'prepare' || stop.signal.aborted) return;
      cpSync(join(folder, 'copied'), join(folder, 'killed'), { recursive: true });
      stop.abort();
    };
    await expect(go('copied', { onEvent, signal: stop.signal })).rejects.toThrow();
    rmSync(join(folder, 'killed', 'lethe.lock'));
    expect((await go('killed')).failures).toEqual([]);
    for (const name of ['undo', 'undo-mended']) {
      const weights = `checkpoints/seed-0-${name}.safetensors`;
      expect(file('killed', weights).equals(file('whole', weights)), name).toBe(true);
    }
    const digest = (out: string) => recordOf(out, 'seed-0-original-updates').artifact;
    expect(digest('killed')).toBe(digest('whole'));
  });

  it('a record that could become larger than the recipe allows is refused, before it is begun', async () => {
    // 3072 x 4 + 4 + 4 x 10 + 10 weights of 4 bytes, at most 6 steps of them: 296,208 bytes.
    const settings = [{ name: 'retrain' }, undo('undo', { storage: 0.000296 })];
    const { failures } = await go('small', {}, { methods: settings });
    expect(failures).toHaveLength(1);
    expect(failures[0].reason).toMatch(
      /^recordUpdates: up to 6 of 36 steps to keep, 0\.000296 GB; expected at most 0\.000296 GB: fewer samples/,
    );
  });
});
