// The plan of a run: one cell per seed and per set of weights (the original, retrain, each method), each with a key,
// the sha256 of everything its weights depend on. A cell is done when its record carries that key and the weights
// on disk are the ones recorded. Plain data; carrying it out is run.ts.

import { join } from 'node:path';
import { check } from '../../engine/error.ts';
import { isThere, sha256File } from '../files.ts';
import { canonicalJson } from '../json.ts';
import type { MethodEntry, Recipe } from '../recipe.ts';
import { sha256 } from '../sha256.ts';
import type { Cost } from '../types.ts';
import type { DeviceInfo, Evaluation, Material } from './parts.ts';
import { readRecord } from './record.ts';

export interface Cell {
  /** `seed-0-original`: names the cell's files. */
  readonly id: string;
  readonly seed: number;
  /** `original`, or the label of the method. */
  readonly label: string;
  /** Null for the original. */
  readonly method: MethodEntry | null;
  /** On a control, the label of the method whose computation this is at learning rate 0. */
  readonly control?: string;
  /** Names the weights: sha256 of all they depend on. */
  readonly key: string;
  /** Names the evaluation of these weights. */
  readonly evaluationKey: string;
}

/** What is known to be done for a cell. Kept as cells/ID.json, written after the weights: the commit of the work. */
export interface CellRecord {
  readonly version: 1;
  readonly key: string;
  /** sha256 of the weights file. */
  readonly weights: string;
  readonly cost: Cost;
  readonly details: Readonly<Record<string, unknown>>;
  readonly evaluation?: Evaluation & { readonly key: string };
}

/**
 * `done`: weights and evaluation are there; `evaluate`: weights only; `resume`: begun; `todo`: nothing there;
 * `replace`: there is a finished result of other settings, which this run would overwrite.
 */
export type CellState = 'done' | 'evaluate' | 'resume' | 'todo' | 'replace';

export interface PlannedCell extends Cell {
  readonly state: CellState;
  readonly record: CellRecord | null;
  /** What is wrong with what is there of it, so that it is made again. */
  readonly flaw?: string;
  /** Seconds, those of the evaluation among them, and memory; where the weights are there, of the evaluation alone. */
  readonly estimate?: { readonly seconds: number; readonly evaluation: number; readonly bytes: number };
}

export const weightsFile = (out: string, cell: { id: string }) =>
  join(out, 'checkpoints', `${cell.id}.safetensors`);
export const recordFile = (out: string, cell: { id: string }) => join(out, 'cells', `${cell.id}.json`);
export const progressFile = (out: string, cell: { id: string }) =>
  join(out, 'unfinished', `${cell.id}.safetensors`);

/** What of a device decides the bits. Threads, sizes of memory and the processor's name do not. */
const DECIDES = ['backend', 'dtype', 'instructionSet', 'exact', 'adapter'] as const;

/**
 * The cells of a recipe in the order they run: per seed the original, retrain, then the methods, then their controls.
 * @param needsControl which methods get one; none by default.
 * @throws LetheError 'value' where a control's label is taken by a method.
 */
export function planCells(
  recipe: Recipe,
  material: Material,
  device: DeviceInfo,
  version: string,
  needsControl: (method: MethodEntry) => boolean = () => false,
): Cell[] {
  const base = {
    version,
    data: material.dataset.hash,
    model: recipe.model,
    device: DECIDES.map((fact) => device[fact] ?? null),
  };
  const { manifest } = material;
  const forget = { kind: manifest.kind, class: manifest.classIndex, ids: manifest.ids };
  const { controls, ...measures } = recipe.evaluate;
  const evaluation = { ...measures, forget };
  const methods: (MethodEntry & { readonly control?: string })[] = [...recipe.methods];
  if (controls) methods.push(...controlsOf(recipe.methods, needsControl));
  return recipe.seeds.flatMap((seed) => {
    const cell = (label: string, method: MethodEntry | null, depends: object, control?: string): Cell => {
      const key = hashOf({ ...base, ...depends, seed });
      return {
        id: `seed-${seed}-${label}`,
        seed,
        label,
        method,
        ...(control && { control }),
        key,
        evaluationKey: hashOf({ key, evaluation }),
      };
    };
    const original = cell('original', null, { train: recipe.train });
    return [
      original,
      ...methods.map(({ control, ...method }) => {
        const { name, options, label } = method;
        // Retrain starts from nothing; all others start from the original's weights.
        const from = name === 'retrain' ? null : original.key;
        return cell(label, method, { method: name, options, forget, from }, control);
      }),
    ];
  });
}

/** The same methods at learning rate 0, where no weight moves, for those that need a control and are none themselves. */
function controlsOf(methods: readonly MethodEntry[], needsControl: (method: MethodEntry) => boolean) {
  const moving = methods.filter((method) => method.options.learningRate !== 0 && needsControl(method));
  return moving.map(({ name, label, options }) => {
    const free = methods.every((other) => other.label !== `${label}-rate0`);
    check(
      free,
      'value',
      () =>
        `methods: the label "${label}-rate0" is that of the control of ${label}; expected another label, or evaluate: { controls: false }`,
    );
    return { name, label: `${label}-rate0`, options: { ...options, learningRate: 0 }, control: label };
  });
}

/** What is already there of each cell. Reads only. */
export async function inspectCells(out: string, cells: readonly Cell[]): Promise<PlannedCell[]> {
  const planned: PlannedCell[] = [];
  for (const cell of cells) planned.push({ ...cell, ...(await inspect(out, cell)) });
  return planned;
}

type Inspection = Pick<PlannedCell, 'state' | 'record' | 'flaw'>;

async function inspect(out: string, cell: Cell): Promise<Inspection> {
  const path = weightsFile(out, cell);
  const there = await isThere(path);
  const { record, flaw } = await readRecord(recordFile(out, cell));
  if (record && record.key !== cell.key && there) return { state: 'replace', record: null };
  const begun = await isThere(progressFile(out, cell));
  const anew = { state: begun ? 'resume' : 'todo', record: null } as const;
  if (record?.key !== cell.key) return { ...anew, flaw };
  if (!there) return { ...anew, flaw: 'its weights are gone' };
  if ((await sha256File(path)) !== record.weights)
    return { ...anew, flaw: 'its weights are not the ones recorded' };
  return { state: record.evaluation?.key === cell.evaluationKey ? 'done' : 'evaluate', record, flaw };
}

/** sha256 of a value as JSON with sorted keys: the same for equal values, whatever order their keys were written in. */
export const hashOf = (value: unknown): string => sha256(canonicalJson(value));
