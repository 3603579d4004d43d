// What results.json says: the recipe, the device, the data, and a row for each cell that is measured, set against the
// retrain of its seed. Reading it back is results.ts.

import { classCounts } from '../data/split.ts';
import { type MethodTable, recordOf } from '../methods/index.ts';
import { againstRetrain } from '../metrics/measure.ts';
import type { Recipe } from '../recipe.ts';
import type { Metrics, Results, RunEntry } from '../types.ts';
import { describeEnvironment } from './environment.ts';
import type { DeviceInfo, Material } from './parts.ts';
import { type CellRecord, hashOf, type PlannedCell } from './plan.ts';

/** What a run works on. */
export interface Setting {
  readonly recipe: Recipe;
  readonly device: DeviceInfo;
  readonly material: Material;
  readonly plan: readonly PlannedCell[];
  /** By name. */
  readonly methods: MethodTable;
}

export interface Failure {
  readonly cell: string;
  readonly reason: string;
}

/** All that can be told so far: the seeds whose retrain has been evaluated. `records` are those of the measured cells. */
export function collect(
  { recipe, device, material, plan, methods }: Setting,
  records: ReadonlyMap<string, CellRecord>,
  failures: readonly Failure[],
): Results {
  const runs = plan.flatMap((cell) => {
    const record = records.get(cell.id);
    const target = records.get(`seed-${cell.seed}-retrain`);
    if (!record?.evaluation || !target?.evaluation) return [];
    return [entryOf(cell, cell.method?.options ?? recipe.train, record, target)];
  });
  return {
    version: 1,
    recipe: recipe as unknown as Record<string, unknown>,
    device,
    environment: { ...environment(material, failures), ...ownMethods(recipe, methods) },
    runs,
  };
}

function environment(
  { dataset, manifest, retain }: Material,
  failures: readonly Failure[],
): Record<string, unknown> {
  const { ids: _, hashes: __, ...forget } = manifest;
  const failed = failures.map(({ cell, reason }) => `${cell} failed: ${reason}`);
  return {
    ...describeEnvironment(),
    classes: dataset.classes,
    forget,
    kept: { size: retain.size, largestClass: Math.max(...classCounts(retain, dataset.classes.length)) },
    hashes: { dataset: dataset.hash, forget: hashOf(manifest) },
    notes: [...dataset.notes, ...failed],
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
