// A plan as a graph of jobs. A job is plain data: what to do, for which cell, after which others, and what it leaves in
// the folder of the run, where the jobs that come after it find it. Whoever has the recipe, the data and that folder can
// take one. An executor decides where and in which order; the first one is a loop.

import { check } from '../../engine/error.ts';
import { hashOf } from './key.ts';
import type { Action } from './log.ts';
import { type Cell, leavesArtifact, places } from './plan.ts';

/** A piece of a run as plain data, JSON. */
export interface Job {
  /** `seed-0-salun/unlearn`; `report`. */
  readonly id: string;
  /** What is done. */
  readonly action: Action;
  /** The id of the cell; `report` for the report. */
  readonly cell: string;
  /** Ids of the jobs whose outputs it reads. */
  readonly inputs: readonly string[];
  /** Files and folders it leaves, in the folder of the run. */
  readonly outputs: readonly string[];
  /** sha256 of all that its outputs depend on. */
  readonly key: string;
}

/** How an executor is to go on where a job fails. */
export interface Policy {
  /** No job begins after it aborts. */
  readonly signal?: AbortSignal;
  /** Told of each job that failed. What it throws ends all; otherwise the jobs that need this one are left out. */
  failed(job: Job, cause: unknown): Promise<void>;
}

/** Performs jobs, each once and after its inputs. */
export interface Executor {
  /** Performs all jobs; `perform` does one. */
  run(jobs: readonly Job[], perform: (job: Job) => Promise<void>, policy: Policy): Promise<void>;
}

/** The jobs of cells, in an order that the graph allows. */
export function planJobs(cells: readonly Cell[]): Job[] {
  /** The job that makes each preparation; cells that share one come after the same. */
  const preparations = new Map<string, string>();
  const jobs = cells.flatMap((cell): Job[] => {
    const { id, method, given, judge, prepared, from, weights } = cell;
    const job = (action: Action, key: string, inputs: string[], outputs: string[]): Job => ({
      id: jobId(id, action),
      action,
      cell: id,
      inputs,
      outputs,
      key,
    });
    const making = given ? 'take' : method ? 'unlearn' : 'train';
    const evaluation = job('evaluate', cell.evaluationKey, [jobId(weights, making)], [places.record(cell)]);
    if (weights !== id) return [evaluation];
    if (judge === null) return [job(making, cell.key, [], [places.weights(cell), places.record(cell)])];
    const needs = from === null ? [] : [jobId(from, 'train')];
    if (prepared) {
      const beforehand = [places.artifact(prepared), places.record(prepared)];
      const shared = preparations.get(prepared.id);
      const own = shared === undefined ? [job('prepare', prepared.key, [], beforehand)] : [];
      const before = shared ?? own[0].id;
      preparations.set(prepared.id, before);
      const made = leavesArtifact(cell) ? places.artifact(cell) : places.weights(cell);
      return [...own, job('unlearn', cell.key, [...needs, before], [made, places.record(cell)]), evaluation];
    }
    return [job(making, cell.key, needs, [places.weights(cell), places.record(cell)]), evaluation];
  });
  const evaluations = jobs.filter(({ action }) => action === 'evaluate');
  const audits = auditJobs(cells);
  const report: Job = {
    id: 'report',
    action: 'report',
    cell: 'report',
    inputs: [...evaluations, ...audits.filter(({ action }) => action === 'audit')].map(({ id }) => id),
    outputs: ['results.json', 'report.html'],
    key: hashOf([...evaluations, ...audits].map(({ key }) => key)),
  };
  return checkJobs([...jobs, ...audits, report]);
}

/** The jobs of audits, which come last, and of the banks they need. */
function auditJobs(cells: readonly Cell[]): Job[] {
  const banks = new Map<string, Job>();
  const jobs = cells.flatMap(({ id, audits }): Job[] => {
    if (!audits) return [];
    for (const { id: bank, key } of audits.banks)
      banks.set(bank, {
        id: jobId(bank, 'bank'),
        action: 'bank',
        cell: bank,
        inputs: [],
        outputs: [places.artifact({ id: bank })],
        key,
      });
    const { own, retrain } = audits.repeats;
    const first = audits.retrain === null ? [] : [audits.retrain];
    const measured = [id, audits.original, ...first, ...own, ...retrain];
    const cellsUsed = [
      ...measured.map((one) => jobId(one, 'evaluate')),
      ...audits.retrains.map((one) => jobId(one, 'take')),
    ];
    return [
      {
        id: jobId(id, 'audit'),
        action: 'audit',
        cell: id,
        inputs: [...new Set(cellsUsed), ...audits.banks.map((bank) => jobId(bank.id, 'bank'))],
        outputs: [places.record({ id })],
        key: hashOf(audits.entries.map(({ key }) => key)),
      },
    ];
  });
  return [...banks.values(), ...jobs];
}

const jobId = (cell: string, action: Action): string => `${cell}/${action}`;

/**
 * The jobs, each after its inputs and otherwise in the order given.
 * @throws LetheError 'value' for two of one id, an input that is no job, a cycle, and one output of two cells.
 */
export function checkJobs(jobs: readonly Job[]): Job[] {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  check(byId.size === jobs.length, 'value', () => `jobs: ${twice(jobs.map(({ id }) => id))} is there twice`);
  const owners = new Map<string, string>();
  for (const { cell, outputs } of jobs)
    for (const output of outputs) {
      const owner = owners.get(output) ?? cell;
      check(owner === cell, 'value', () => `jobs: ${owner} and ${cell} would both write ${output}`);
      owners.set(output, cell);
    }
  const ordered = new Map<string, Job>();
  const add = (job: Job, above: readonly string[]): void => {
    if (ordered.has(job.id)) return;
    const path = [...above, job.id];
    check(!above.includes(job.id), 'value', () => `jobs: a cycle: ${path.join(' after ')}`);
    for (const input of job.inputs) {
      const before = byId.get(input);
      check(before, 'value', () => `jobs: ${job.id} needs ${input}, which is no job`);
      add(before, path);
    }
    ordered.set(job.id, job);
  };
  for (const job of jobs) add(job, []);
  return [...ordered.values()];
}

const twice = (names: readonly string[]): string | undefined =>
  names.find((name, i) => names.indexOf(name) < i);

/** Whether a job is left out when some of its inputs failed: the report is drawn of what there is. */
const needsAll = ({ action }: Job): boolean => action !== 'report';

/** One after the other, in this process. */
export const inOrder: Executor = {
  async run(jobs, perform, { signal, failed }) {
    const without = new Set<string>();
    for (const job of checkJobs(jobs)) {
      signal?.throwIfAborted();
      if (needsAll(job) && job.inputs.some((id) => without.has(id))) {
        without.add(job.id);
        continue;
      }
      try {
        await perform(job);
      } catch (cause) {
        await failed(job, cause);
        without.add(job.id);
      }
    }
  },
};
