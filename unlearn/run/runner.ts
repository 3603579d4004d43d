// Performing the jobs of a plan: what each action reads, calls and leaves. Each step is committed by one atomic write after
// the files it names, and what one job leaves for another lies in the folder, nowhere else. What there is to do was
// decided by plan.ts; in which order, by an executor (jobs.ts).

import { join } from 'node:path';
import { check, LetheError } from '../../engine/error.ts';
import type { Artifact } from '../artifact.ts';
import { saveManifest } from '../data/readers/manifest.ts';
import { fileSource, isIo, unchanged, writeFileAtomic } from '../files.ts';
import type { RunOptions, RunOutcome } from '../run.ts';
import { reasonOf } from '../text.ts';
import type { Results } from '../types.ts';
import { type Bank, banksFor, type CellAudit, openAudits } from './audits.ts';
import { collect, type Failure, type Setting } from './collect.ts';
import { MANIFEST, manifestOf } from './folder.ts';
import { inOrder, type Job } from './jobs.ts';
import { type Action, progressTo, type RunEvent, stackOf, tidy } from './log.ts';
import { FolderOutput, openArtifact, removeWeights, takeUp } from './output.ts';
import type { ArtifactTask, Making, Outcome, Parts, Subject } from './parts.ts';
import {
  type Cell,
  type CellRecord,
  type GivenFile,
  leavesArtifact,
  type PlannedCell,
  progressFile,
  recordFile,
  weightsFile,
} from './plan.ts';
import { readRecord, writeRecord } from './record.ts';
import { FileStore } from './store.ts';

type Named = Pick<Cell, 'id' | 'key'>;
/** What a step made, and how to make it last. */
interface Made {
  readonly outcome: Outcome;
  close(): Promise<Pick<CellRecord, 'weights' | 'artifact'>>;
}

export class Runner {
  readonly #failures: Failure[] = [];
  /** Records of the cells that are measured. */
  readonly #records = new Map<string, CellRecord>();
  /** As they were written last. */
  #results: Results | null = null;

  constructor(
    readonly setting: Setting,
    readonly options: RunOptions,
    readonly parts: Parts,
    readonly tell: (event: RunEvent) => void,
  ) {}

  /** Performs the jobs. */
  async go(jobs: readonly Job[]): Promise<Pick<RunOutcome, 'results' | 'failures'>> {
    const { signal, executor = inOrder } = this.options;
    await this.#saveManifests();
    const failed = (job: Job, cause: unknown) => this.#failed(job, cause);
    await executor.run(jobs, (job) => this.perform(job), { signal, failed });
    return { results: this.#results, failures: this.#failures };
  }

  /** What is to be forgotten, once for each forget set. */
  async #saveManifests(): Promise<void> {
    const { runData, runDataOf, plan } = this.setting;
    const { out } = this.options;
    await saveManifest(join(out, MANIFEST), runData.manifest);
    const draws = new Map(plan.flatMap(({ entries }) => entries.map((seeds) => [seeds.forget, seeds])));
    for (const [forget, seeds] of draws) {
      const own = runDataOf(seeds);
      if (own !== runData) await saveManifest(join(out, manifestOf(forget)), own.manifest);
    }
  }

  /** Does what a job says, unless that is done. */
  async perform(job: Job): Promise<void> {
    if (job.action === 'report') return this.#report();
    if (job.action === 'bank') return this.#bank(job.cell);
    const cell = this.setting.plan.find(({ id }) => id === job.cell);
    check(cell, 'value', () => `${job.id}: the plan has no such cell`);
    if (job.action === 'evaluate') return this.#evaluate(cell);
    if (job.action === 'audit') return this.#audit(cell);
    if (job.action === 'prepare') return this.#prepare(cell);
    if (cell.state === 'done') this.tell({ type: 'skip', ...this.#place(cell) });
    if (cell.record) return;
    if (cell.given) return this.#take(cell, cell.given);
    if (job.action === 'train') return this.#train(cell);
    if (cell.trial) return this.#try(cell);
    return leavesArtifact(cell) ? this.#forget(cell) : this.#unlearn(cell);
  }

  /** A setting that a search tries. One that leads to nothing, as a rate that is too high, is an answer too. */
  async #try(cell: PlannedCell): Promise<void> {
    const started = performance.now();
    try {
      await this.#unlearn(cell);
    } catch (cause) {
      if (!(cause instanceof LetheError && cause.kind === 'value')) throw cause;
      const { out } = this.options;
      const seconds = (performance.now() - started) / 1000;
      const cost = { seconds, gradientSteps: Number.NaN, samplesVisited: Number.NaN };
      const failed = reasonOf(cause);
      await writeRecord(recordFile(out, cell), { version: 1, key: cell.key, cost, details: {}, failed });
      this.tell({ type: 'note', level: 'info', message: `${cell.id}: leads to nothing: ${failed}` });
      this.tell({ type: 'end', cell: cell.id, action: 'unlearn', seconds });
    }
  }

  /**
   * Copies given weights into the folder: what is audited stays what it was, whatever becomes of the file, and all that comes
   * after finds it where weights of a run lie.
   */
  async #take(cell: PlannedCell, { path, sha256 }: GivenFile): Promise<void> {
    const { out, signal } = this.options;
    const started = performance.now();
    this.tell({ type: 'start', action: 'take', ...this.#place(cell) });
    const output = new FolderOutput(out, cell);
    await output.weights(unchanged(path, sha256, signal));
    const made = await output.close();
    const cost = { seconds: Number.NaN, gradientSteps: Number.NaN, samplesVisited: Number.NaN };
    await writeRecord(recordFile(out, cell), { version: 1, key: cell.key, ...made, cost, details: {} });
    const seconds = (performance.now() - started) / 1000;
    this.tell({ type: 'end', cell: cell.id, action: 'take', seconds });
  }

  #train(cell: PlannedCell): Promise<void> {
    const { train: options } = this.setting.recipe;
    return this.#intoFolder(cell, 'train', (task) => this.parts.train({ ...task, options }));
  }

  async #unlearn(cell: PlannedCell): Promise<void> {
    const { method, from, prepared } = cell;
    const { out } = this.options;
    check(method, 'value', () => `${cell.id}: no method`);
    const weights = from === null ? null : await fileSource(weightsFile(out, { id: from }));
    if (!prepared)
      return this.#intoFolder(cell, 'unlearn', (task) => this.parts.unlearn({ ...task, method, weights }));
    const { store: updates } = await openArtifact(out, prepared);
    const { record } = await readRecord(recordFile(out, prepared));
    return this.#intoFolder(cell, 'unlearn', async (task) => {
      const { cost, details } = await this.parts.unlearn({ ...task, method, weights, updates });
      return { cost, details: { ...details, preparation: record?.cost } };
    });
  }

  async #prepare(cell: PlannedCell): Promise<void> {
    if (cell.record || cell.isPrepared || !cell.prepared) return;
    if (!leavesArtifact(cell)) return this.#recordTraining(cell, cell.prepared);
    await this.#onArtifact(cell, cell.prepared, 'prepare', (task) => this.parts.prepare(task));
  }

  /** The original's training once more, with what its steps changed. */
  async #recordTraining(cell: PlannedCell, own: Named): Promise<void> {
    const { method } = cell;
    check(method, 'value', () => `${cell.id}: no method`);
    const warn = (message: string) =>
      this.tell({ type: 'note', level: 'warning', message: `${own.id}: ${message}` });
    const artifact = await takeUp(this.options.out, own, { method: 'updates', from: null, warn });
    return this.#make(cell, own, 'prepare', async (checkpoint) => {
      const { train: options } = this.setting.recipe;
      const task = { ...this.#task(cell, 'prepare'), seed: cell.entries[0].train, timed: checkpoint.timed };
      const outcome = await this.parts.record({ ...task, options, method, artifact, checkpoint });
      return { outcome, close: async () => ({ artifact: artifact.digest() }) };
    });
  }

  async #forget(cell: PlannedCell): Promise<void> {
    const { record } = await readRecord(recordFile(this.options.out, cell.prepared ?? cell));
    await this.#onArtifact(cell, cell, 'unlearn', async (task) => {
      const { cost, details } = await this.parts.forget(task);
      // What it cost to be able to forget so belongs beside what forgetting cost.
      return { cost, details: { ...details, preparation: record?.cost } };
    });
  }

  #intoFolder(cell: PlannedCell, action: Action, work: (task: Making) => Promise<Outcome>): Promise<void> {
    const output = new FolderOutput(this.options.out, cell);
    return this.#make(cell, cell, action, async (checkpoint) => {
      const outcome = await work({
        ...this.#task(cell, action),
        checkpoint,
        timed: checkpoint.timed,
        output,
      });
      return { outcome, close: () => output.close() };
    });
  }

  /** A step of a method that keeps an artifact. It goes on from what the artifact holds; `checkpoint` keeps the clock. */
  async #onArtifact(
    cell: PlannedCell,
    own: Named,
    action: Action,
    work: (task: ArtifactTask) => Promise<Outcome>,
  ): Promise<void> {
    const { method, prepared } = cell;
    check(method, 'value', () => `${cell.id}: no method`);
    const from = own === prepared ? null : prepared;
    const warn = (message: string) =>
      this.tell({ type: 'note', level: 'warning', message: `${cell.id}: ${message}` });
    const artifact = await takeUp(this.options.out, own, { method: method.name, from, warn });
    return this.#make(cell, own, action, async (checkpoint) => {
      await checkpoint.load();
      const task = this.#task(cell, action);
      let saving = Promise.resolve();
      const onProgress: typeof task.onProgress = (progress) => {
        saving = saving.then(() => checkpoint.save({ arrays: {}, meta: {} }));
        saving.catch(() => {});
        task.onProgress(progress);
      };
      const working = work({ ...task, onProgress, method, artifact, timed: checkpoint.timed });
      const outcome = await working.finally(() => saving);
      await artifact.commit();
      return { outcome, close: async () => ({ artifact: artifact.digest() }) };
    });
  }

  /** A step that makes something: its clock, its events, its record. */
  async #make(
    cell: PlannedCell,
    own: Named,
    action: Action,
    work: (checkpoint: FileStore) => Promise<Made>,
  ): Promise<void> {
    const { out, signal } = this.options;
    const store = new FileStore(progressFile(out, own), {
      key: own.key,
      everySeconds: this.setting.recipe.checkpointSeconds,
      signal,
      onNote: (message) => this.tell({ type: 'note', level: 'warning', message }),
    });
    this.tell({ type: 'start', action, ...this.#place(cell) });
    store.start();
    const { outcome, close } = await work(store);
    // The clock of the store counts the work of killed processes too, and leaves out the writing of checkpoints.
    const cost = { ...outcome.cost, seconds: store.seconds };
    const { weights, artifact } = await close();
    const { details } = outcome;
    await writeRecord(recordFile(out, own), { version: 1, key: own.key, weights, artifact, cost, details });
    await tidy(this.tell, () => store.clear());
    const { seconds, skippedSteps } = cost;
    this.tell({ type: 'end', cell: cell.id, action, seconds, skippedSteps });
  }

  async #evaluate(cell: PlannedCell): Promise<void> {
    if ((cell.state === 'done' || cell.state === 'audit') && cell.record) {
      this.#records.set(cell.id, cell.record);
      return;
    }
    const { out } = this.options;
    const { record: made } = await readRecord(recordFile(out, { id: cell.weights }));
    if (made?.key === cell.key && made.failed !== undefined) return;
    this.tell({ type: 'start', action: 'evaluate', ...this.#place(cell) });
    check(made?.key === cell.key, 'state', () => `${cell.id}: nothing was made that could be evaluated`);
    const subject = await this.#subject(cell, made);
    const started = performance.now();
    const { judge } = cell;
    const task = { ...this.#task(cell, 'evaluate'), ...subject };
    const evaluation = await this.parts.evaluate({ ...task, ...(judge && { judge }) });
    const measured = { ...evaluation, key: cell.evaluationKey };
    // What a trial was worth is known now: nobody needs its weights.
    const { weights, artifact, ...rest } = made;
    const record: CellRecord = { ...rest, ...(!cell.trial && { weights, artifact }), evaluation: measured };
    await writeRecord(recordFile(out, cell), record);
    if (cell.trial) await tidy(this.tell, () => removeWeights(out, cell));
    this.#records.set(cell.id, record);
    const seconds = (performance.now() - started) / 1000;
    this.tell({ type: 'end', cell: cell.id, action: 'evaluate', seconds, metrics: evaluation.metrics });
    if (judge === 'test') await this.#writeResults();
  }

  async #subject(cell: Cell, made: CellRecord): Promise<Subject> {
    const { out } = this.options;
    if (!leavesArtifact(cell) || !cell.method)
      return { weights: await fileSource(weightsFile(out, { id: cell.weights })) };
    const artifact = await openArtifact(out, cell);
    check(
      artifact.digest() === made.artifact,
      'data',
      () => `${cell.id}: its artifact is not the one recorded`,
    );
    return { artifact, method: cell.method };
  }

  /** Trains the models of a bank, where a cell is to be audited with them. */
  async #bank(id: string): Promise<void> {
    const { recipe, runDataOf, plan } = this.setting;
    const users = plan.filter(({ audits }) => audits?.banks.some((bank) => bank.id === id));
    const bank = users[0]?.audits?.banks.find((one) => one.id === id);
    check(bank, 'value', () => `${id}: the plan has no such bank`);
    const isNeeded = ({ audits, record }: PlannedCell) =>
      audits && banksFor(audits, openAudits(audits, record?.audits)).some((one) => one.id === id);
    if (!users.some(isNeeded)) return;
    const { out, signal } = this.options;
    const warn = (message: string) =>
      this.tell({ type: 'note', level: 'warning', message: `${id}: ${message}` });
    const artifact = await takeUp(out, bank, { method: 'bank', from: null, warn });
    const started = performance.now();
    const index = plan.indexOf(users[0]) + 1;
    this.tell({ type: 'start', cell: id, action: 'bank', index, total: plan.length });
    const { seeds, kind } = bank;
    const onProgress = progressTo(this.tell, id, 'bank');
    const runData = runDataOf(seeds);
    await this.parts.bank({ recipe, runData, seed: seeds.train, signal, onProgress, kind, artifact });
    await artifact.commit();
    const seconds = (performance.now() - started) / 1000;
    this.tell({ type: 'end', cell: id, action: 'bank', seconds });
  }

  /** Makes the audits of a cell that are not there yet; each is kept as soon as it is made. */
  async #audit(cell: PlannedCell): Promise<void> {
    const { audits, method } = cell;
    let record = this.#records.get(cell.id);
    if (!audits || !record) return;
    const open = openAudits(audits, record.audits);
    if (open.length === 0) return;
    const { out } = this.options;
    this.tell({ type: 'start', action: 'audit', ...this.#place(cell) });
    const started = performance.now();
    const subject = async (id: string): Promise<Subject> => {
      const other = this.setting.plan.find((one) => one.id === id);
      const made = other && (await readRecord(recordFile(out, { id: other.weights }))).record;
      check(other && made?.key === other.key, 'state', () => `${id}: nothing was made to compare with`);
      return this.#subject(other, made);
    };
    const banks: Partial<Record<Bank['kind'], Artifact>> = {};
    for (const bank of banksFor(audits, open)) banks[bank.kind] = await openArtifact(out, bank);
    const labels = new Set(audits.entries.map(({ label }) => label));
    const kept = Object.entries(record.audits ?? {}).filter(([label]) => labels.has(label));
    const found = new Map(kept);
    const own = await subject(cell.id);
    const other = async (id: string) => (id === cell.id ? own : subject(id));
    await this.parts.audit({
      ...this.#task(cell, 'audit'),
      seed: cell.entries[0].train,
      audits: open,
      method,
      banks,
      subjects: {
        own,
        original: await other(audits.original),
        ...(audits.retrain !== null && { retrain: await other(audits.retrain) }),
        retrains: await Promise.all(audits.retrains.map(other)),
        repeats: {
          own: await Promise.all(audits.repeats.own.map(other)),
          retrain: await Promise.all(audits.repeats.retrain.map(other)),
        },
      },
      again: audits.again,
      onFinding: async ({ label }, finding) => {
        const { key } = open.find((one) => one.label === label) as CellAudit;
        found.set(label, { ...finding, key });
        record = { ...(record as CellRecord), audits: Object.fromEntries(found) };
        await writeRecord(recordFile(out, cell), record);
        this.#records.set(cell.id, record);
      },
    });
    const seconds = (performance.now() - started) / 1000;
    this.tell({ type: 'end', cell: cell.id, action: 'audit', seconds });
    await this.#writeResults();
  }

  async #report(): Promise<void> {
    const { out } = this.options;
    const results = await this.#writeResults();
    const { length: total } = this.setting.plan;
    const started = performance.now();
    this.tell({ type: 'start', cell: 'report', action: 'report', index: total, total });
    await writeFileAtomic(join(out, 'report.html'), await this.parts.render(results));
    const seconds = (performance.now() - started) / 1000;
    this.tell({ type: 'end', cell: 'report', action: 'report', seconds });
  }

  /** The others can go on without one method, but not without the models they start from or are measured by. */
  async #failed(job: Job, cause: unknown): Promise<void> {
    const { failFast, signal } = this.options;
    const cell = this.setting.plan.find(({ id }) => id === job.cell);
    const needed =
      !cell || (job.action !== 'audit' && (cell.label === 'original' || cell.label === 'retrain'));
    if (needed || isIo(cause) || failFast || signal?.aborted) throw cause;
    if (cause instanceof LetheError && cause.kind === 'device') await this.#reopen(cause);
    const reason = reasonOf(cause);
    this.#failures.push({ cell: cell.id, reason });
    const message = `${cell.id} failed: ${reason}`;
    this.tell({ type: 'note', level: 'error', message, detail: stackOf(cause) });
  }

  /** A lost device takes the other methods with it, unless the same one opens again. */
  async #reopen(cause: LetheError): Promise<void> {
    const { recipe, device } = this.setting;
    const again = await this.parts.open(recipe.device);
    if (JSON.stringify(again) !== JSON.stringify(device)) throw cause;
  }

  #place({ id }: Named) {
    const { plan } = this.setting;
    return { cell: id, index: plan.findIndex((cell) => cell.id === id) + 1, total: plan.length };
  }

  #task(cell: Cell, action: Action) {
    const { recipe, runDataOf } = this.setting;
    const runData = runDataOf(cell.entries[0]);
    const onProgress = progressTo(this.tell, cell.id, action);
    return { recipe, runData, seed: cell.seed, signal: this.options.signal, onProgress };
  }

  async #writeResults(): Promise<Results> {
    const results = collect(this.setting, this.#records, this.#failures);
    await writeFileAtomic(join(this.options.out, 'results.json'), `${JSON.stringify(results, null, 1)}\n`);
    this.#results = results;
    return results;
  }
}
