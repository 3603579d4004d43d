// Carrying out a plan: make the weights of each cell, evaluate them, write the results, draw the report. Each step is
// committed by one atomic write after the files it names. What is to be done was decided by plan.ts.

import { join } from 'node:path';
import { LetheError } from '../../engine/error.ts';
import { saveManifest } from '../data/readers/manifest.ts';
import { classCounts } from '../data/split.ts';
import { isIo, readFileBounded, writeFileAtomic } from '../files.ts';
import { againstRetrain } from '../metrics/measure.ts';
import type { Recipe } from '../recipe.ts';
import type { RunOptions, RunOutcome } from '../run.ts';
import { sha256 } from '../sha256.ts';
import { reasonOf } from '../text.ts';
import type { Metrics, Results, RunEntry } from '../types.ts';
import { describeEnvironment } from './environment.ts';
import { clearUnfinished } from './folder.ts';
import { type Action, progressTo, type RunEvent, stackOf, tidy } from './log.ts';
import type { DeviceInfo, Material, Parts } from './parts.ts';
import { type CellRecord, hashOf, type PlannedCell, progressFile, recordFile, weightsFile } from './plan.ts';
import { writeRecord } from './record.ts';
import { FileStore } from './store.ts';

type Place = { readonly cell: string; readonly index: number; readonly total: number };

export class Carrier {
  readonly #failures: { cell: string; reason: string }[] = [];
  readonly #records = new Map<string, CellRecord>();

  constructor(
    readonly recipe: Recipe,
    readonly options: RunOptions,
    readonly parts: Parts,
    readonly device: DeviceInfo,
    readonly material: Material,
    readonly plan: readonly PlannedCell[],
    readonly tell: (event: RunEvent) => void,
  ) {}

  async go(): Promise<Omit<RunOutcome, 'data'>> {
    const { out } = this.options;
    await saveManifest(join(out, 'forget-manifest.json'), this.material.manifest);
    for (const [i, cell] of this.plan.entries()) {
      this.options.signal?.throwIfAborted();
      const place = { cell: cell.id, index: i + 1, total: this.plan.length };
      if (cell.state === 'done' && cell.record) {
        this.#records.set(cell.id, cell.record);
        this.tell({ type: 'skip', ...place });
        continue;
      }
      try {
        const made = cell.state === 'evaluate' && cell.record ? cell.record : await this.#make(cell, place);
        this.#records.set(cell.id, await this.#evaluate(cell, made, place));
        await this.#writeResults();
      } catch (cause) {
        // The others can go on without one method, but not without the models they start from or are measured by.
        const needed = cell.method === null || cell.label === 'retrain';
        if (needed || isIo(cause) || this.options.failFast || this.options.signal?.aborted) throw cause;
        if (cause instanceof LetheError && cause.kind === 'device') await this.#reopen(cause);
        const reason = reasonOf(cause);
        this.#failures.push({ cell: cell.id, reason });
        this.tell({
          type: 'note',
          level: 'error',
          message: `${cell.id} failed: ${reason}`,
          detail: stackOf(cause),
        });
      }
    }
    const results = await this.#writeResults();
    await this.#timed('report', 'report', async () => {
      await writeFileAtomic(join(out, 'report.html'), await this.parts.render(results));
    });
    if (this.#failures.length === 0) await tidy(this.tell, () => clearUnfinished(out, this.plan));
    return { recipe: this.recipe, plan: this.plan, results, step: null, failures: this.#failures };
  }

  /** A lost device takes the other methods with it, unless the same one opens again. */
  async #reopen(cause: LetheError): Promise<void> {
    const again = await this.parts.open(this.recipe.device);
    if (JSON.stringify(again) !== JSON.stringify(this.device)) throw cause;
  }

  async #make(cell: PlannedCell, place: Place): Promise<CellRecord> {
    const { recipe, material } = this;
    const { out, signal } = this.options;
    const action: Action = cell.method ? 'unlearn' : 'train';
    const store = new FileStore(progressFile(out, cell), {
      key: cell.key,
      everySeconds: recipe.checkpointSeconds,
      signal,
      onNote: (message) => this.tell({ type: 'note', level: 'warning', message }),
    });
    const original = cell.method && (await this.#weightsOf(`seed-${cell.seed}-original`));
    this.tell({ type: 'start', action, ...place });
    const task = {
      ...this.#task(cell, action),
      seed: cell.seed,
      recipe,
      material,
      checkpoint: store,
      timed: store.timed,
    };
    store.start();
    const product =
      cell.method && original
        ? await this.parts.unlearn({ ...task, method: cell.method, weights: original })
        : await this.parts.train({ ...task, options: recipe.train });
    // The clock of the store counts the work of killed processes too, and leaves out the writing of checkpoints.
    const cost = { ...product.cost, seconds: store.seconds };
    await writeFileAtomic(weightsFile(out, cell), product.weights);
    const record: CellRecord = {
      version: 1,
      key: cell.key,
      weights: sha256(product.weights),
      cost,
      details: product.details,
    };
    await writeRecord(recordFile(out, cell), record);
    await tidy(this.tell, () => store.clear());
    const { seconds, skippedSteps } = cost;
    this.tell({ type: 'end', cell: cell.id, action, seconds, skippedSteps });
    return record;
  }

  async #evaluate(cell: PlannedCell, made: CellRecord, place: Place): Promise<CellRecord> {
    this.tell({ type: 'start', action: 'evaluate', ...place });
    const weights = await this.#weightsOf(cell.id);
    const started = performance.now();
    const evaluation = await this.parts.evaluate({ ...this.#task(cell, 'evaluate'), weights });
    const record: CellRecord = { ...made, evaluation: { ...evaluation, key: cell.evaluationKey } };
    await writeRecord(recordFile(this.options.out, cell), record);
    const seconds = (performance.now() - started) / 1000;
    this.tell({ type: 'end', cell: cell.id, action: 'evaluate', seconds, metrics: evaluation.metrics });
    return record;
  }

  #task(cell: PlannedCell, action: Action) {
    return {
      recipe: this.recipe,
      material: this.material,
      seed: cell.seed,
      signal: this.options.signal,
      onProgress: progressTo(this.tell, cell.id, action),
    };
  }

  #weightsOf(id: string): Promise<Uint8Array> {
    return readFileBounded(weightsFile(this.options.out, { id }), 16 * 2 ** 30);
  }

  async #timed(cell: string, action: Action, work: () => Promise<void>): Promise<void> {
    const started = performance.now();
    this.tell({ type: 'start', cell, action, index: this.plan.length, total: this.plan.length });
    await work();
    this.tell({ type: 'end', cell, action, seconds: (performance.now() - started) / 1000 });
  }

  #environment(): Record<string, unknown> {
    const { dataset, manifest, retain } = this.material;
    const { ids: _, hashes: __, ...forget } = manifest;
    const failed = this.#failures.map(({ cell, reason }) => `${cell} failed: ${reason}`);
    return {
      ...describeEnvironment(),
      classes: dataset.classes,
      forget,
      kept: { size: retain.size, largestClass: Math.max(...classCounts(retain, dataset.classes.length)) },
      hashes: { dataset: dataset.hash, forget: hashOf(manifest) },
      notes: [...dataset.notes, ...failed],
    };
  }

  /** results.json of all that can be told so far: the seeds whose retrain has been evaluated. */
  async #writeResults(): Promise<Results> {
    const runs = this.plan.flatMap((cell) => {
      const record = this.#records.get(cell.id);
      const target = this.#records.get(`seed-${cell.seed}-retrain`);
      if (!record?.evaluation || !target?.evaluation) return [];
      return [entryOf(cell, cell.method?.options ?? this.recipe.train, record, target)];
    });
    const results: Results = {
      version: 1,
      recipe: this.recipe as unknown as Record<string, unknown>,
      device: this.device,
      environment: this.#environment(),
      runs,
    };
    await writeFileAtomic(join(this.options.out, 'results.json'), `${JSON.stringify(results, null, 1)}\n`);
    return results;
  }
}

function entryOf(
  cell: PlannedCell,
  options: Record<string, unknown>,
  record: CellRecord,
  retrain: CellRecord,
): RunEntry {
  const metrics = againstRetrain(
    record.evaluation?.metrics as Metrics,
    retrain.evaluation?.metrics as Metrics,
  );
  return {
    seed: cell.seed,
    method: cell.label,
    ...(cell.control && { control: cell.control }),
    options,
    metrics: { ...metrics, rte_seconds: record.cost.seconds },
    cost: record.cost,
    details: record.details,
    exhibits: record.evaluation?.exhibits,
  };
}
