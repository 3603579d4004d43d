// What results.json says: the recipe, the device, the data, and a row for each cell that is measured, set against the
// retrain of its seed. Reading it back is results.ts.

import { basename } from 'node:path';
import { classCounts } from '../data/split.ts';
import { type MethodTable, recordOf } from '../methods/index.ts';
import { againstRetrain } from '../metrics/measure.ts';
import { type Seeds, seedsOf } from '../recipe/seeds.ts';
import type { Recipe } from '../recipe.ts';
import type { Metrics, Results, RunEntry, SearchLog } from '../types.ts';
import { describeEnvironment } from './environment.ts';
import { hashOf } from './key.ts';
import type { DeviceInfo, RunData } from './parts.ts';
import type { CellRecord, PlannedCell, RunDataOf } from './plan.ts';

/** What a run works on. */
export interface Setting {
  readonly recipe: Recipe;
  readonly device: DeviceInfo;
  /** With the forget set of the first seeds. */
  readonly runData: RunData;
  readonly runDataOf: RunDataOf;
  readonly plan: readonly PlannedCell[];
  /** How the options of the recipe were chosen; null where they are stated. */
  readonly search: SearchLog | null;
  /** By name. */
  readonly methods: MethodTable;
  /** What is known of weights that were given, for the environment; absent where all are made. */
  readonly told?: GivenFacts;
}

/** What results say of weights that were given. */
export interface GivenFacts {
  /** The command that gives the results again. */
  readonly command: string;
  /** sha256 of the files by their names. */
  readonly hashes: Readonly<Record<string, string>>;
  /** What has to be known of them, in sentences. */
  readonly notes: readonly string[];
}

export interface Failure {
  readonly cell: string;
  readonly reason: string;
}

/** All that can be told so far: the seeds whose retrain has been evaluated. `records` are those of the measured cells. */
export function collect(
  { recipe, device, runData, plan, search, methods, told }: Setting,
  records: ReadonlyMap<string, CellRecord>,
  failures: readonly Failure[],
): Results {
  const runs = seedsOf(recipe).flatMap((seeds) => {
    const cells = plan.filter(
      ({ judge, entries }) => judge === 'test' && entries.some(({ seed }) => seed === seeds.seed),
    );
    const retrain = cells.find(({ label }) => label === 'retrain');
    const target = retrain ? records.get(retrain.id)?.evaluation?.metrics : null;
    return cells.flatMap((cell) => {
      const record = records.get(cell.id);
      if (!record?.evaluation || target === undefined) return [];
      const options = cell.given ? {} : (cell.method?.options ?? recipe.train);
      const metrics = target ? againstRetrain(record.evaluation.metrics, target) : record.evaluation.metrics;
      return [entryOf(cell, seeds, options, record, metrics)];
    });
  });
  return {
    version: 1,
    recipe: recipe as unknown as Record<string, unknown>,
    device,
    environment: { ...environment(runData, failures, told), ...ownMethods(recipe, methods) },
    ...(search && { search }),
    runs,
  };
}

function environment(
  { dataset, manifest, retain }: RunData,
  failures: readonly Failure[],
  told: Setting['told'],
): Record<string, unknown> {
  const { ids: _, hashes: __, ...forget } = manifest;
  const failed = failures.map(({ cell, reason }) => `${cell} failed: ${reason}`);
  return {
    ...describeEnvironment(),
    classes: dataset.classes,
    forget,
    kept: { size: retain.size, largestClass: Math.max(...classCounts(retain, dataset.classes.length)) },
    ...(told && { command: told.command }),
    hashes: { dataset: dataset.hash, forget: hashOf(manifest), ...told?.hashes },
    notes: [...dataset.notes, ...(told?.notes ?? []), ...failed],
  };
}

/** What tables say of methods from files: a report is drawn without the files. */
function ownMethods({ methods: entries }: Recipe, table: MethodTable): Record<string, unknown> {
  const own = entries.flatMap(({ name, file, sha256 }) => {
    const record = file === undefined ? undefined : recordOf(name, table);
    return record ? [[name, { title: record.title, kind: record.kind, paper: record.paper, sha256 }]] : [];
  });
  return own.length > 0 ? { methods: Object.fromEntries(own) } : {};
}

function entryOf(
  cell: PlannedCell,
  { seed, ...seeds }: Seeds,
  options: Record<string, unknown>,
  record: CellRecord,
  metrics: Metrics,
): RunEntry {
  const known = new Set(cell.audits?.entries.map(({ key }) => key));
  const audits = Object.fromEntries(
    Object.entries(record.audits ?? {}).flatMap(([label, { key, ...finding }]) =>
      known.has(key) ? [[label, finding]] : [],
    ),
  );
  return {
    seed,
    seeds,
    cell: cell.id,
    method: cell.label,
    ...(cell.control && { control: cell.control }),
    ...(cell.given && { given: { file: basename(cell.given.path), sha256: cell.given.sha256 } }),
    options,
    metrics: { ...metrics, rte_seconds: record.cost.seconds },
    cost: record.cost,
    details: record.details,
    exhibits: record.evaluation?.exhibits,
    ...(Object.keys(audits).length > 0 && { audits }),
  };
}
