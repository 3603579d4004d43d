// The plan of a run: one cell per seed and per set of weights (the original, retrain, each method), each with a key,
// the sha256 of everything its weights depend on. A cell is done when its record carries that key and the weights
// on disk are the ones recorded (inspect.ts). Plain data; what is to be done for it is jobs.ts.

import { join } from 'node:path';
import { check } from '../../engine/error.ts';
import { canonicalJson } from '../json.ts';
import type { MethodEntry, Recipe } from '../recipe.ts';
import { sha256 } from '../sha256.ts';
import type { Cost } from '../types.ts';
import type { DeviceInfo, Evaluation, Material, MethodNeeds } from './parts.ts';

export interface Cell {
  /** `seed-0-original`: names the cell's files. */
  readonly id: string;
  readonly seed: number;
  /** `original`, or the label of the method. */
  readonly label: string;
  /** Null for the original. */
  readonly method: MethodEntry | null;
  /** The id of the cell whose weights it starts from; null where it starts from nothing. */
  readonly from: string | null;
  /** What its method trains before anything is to be forgotten, named like a cell; null for most methods. */
  readonly prepared: Pick<Cell, 'id' | 'key'> | null;
  /** On a control, the label of the method whose computation this is at learning rate 0. */
  readonly control?: string;
  /** Names the weights: sha256 of all they depend on. */
  readonly key: string;
  /** Names the evaluation of these weights. */
  readonly evaluationKey: string;
}

/** What is known to be done for a cell. Kept as cells/ID.json, written after what it names: the commit of the work. */
export interface CellRecord {
  readonly version: 1;
  readonly key: string;
  /** sha256 of the weights file, where there is one. */
  readonly weights?: string;
  /** Digest of the artifact, where there is one. */
  readonly artifact?: string;
  readonly cost: Cost;
  readonly details: Readonly<Record<string, unknown>>;
  readonly evaluation?: Evaluation & { readonly key: string };
}

/**
 * `done`: what was made and its evaluation are there; `evaluate`: not the evaluation; `resume`: begun; `todo`: nothing there;
 * `replace`: there is a finished result of other settings, which this run would overwrite.
 */
export type CellState = 'done' | 'evaluate' | 'resume' | 'todo' | 'replace';

export interface PlannedCell extends Cell {
  readonly state: CellState;
  readonly record: CellRecord | null;
  /** Its preparation is there, whole. */
  readonly isPrepared: boolean;
  /** What is wrong with what is there of it, so that it is made again. */
  readonly flaw?: string;
  /** Seconds, those of the evaluation among them, and memory; where the weights are there, of the evaluation alone. */
  readonly estimate?: { readonly seconds: number; readonly evaluation: number; readonly bytes: number };
}

type Named = { readonly id: string };
/** Files and folders of a cell, in the folder of its run. */
export const places = {
  weights: ({ id }: Named) => `checkpoints/${id}.safetensors`,
  artifact: ({ id }: Named) => `checkpoints/${id}`,
  record: ({ id }: Named) => `cells/${id}.json`,
};
export const weightsFile = (out: string, cell: Named) => join(out, places.weights(cell));
export const artifactFolder = (out: string, cell: Named) => join(out, places.artifact(cell));
export const recordFile = (out: string, cell: Named) => join(out, places.record(cell));
export const progressFile = (out: string, cell: Named) => join(out, 'unfinished', `${cell.id}.safetensors`);

/** What of a device decides the bits. Threads, sizes of memory and the processor's name do not. */
const DECIDES = ['backend', 'dtype', 'instructionSet', 'exact', 'adapter'] as const;

/**
 * The cells of a recipe in the order they run: per seed the original, retrain, then the methods, then their controls.
 * @throws LetheError 'value' where a control's label is taken by a method.
 */
export function planCells(
  recipe: Recipe,
  material: Material,
  device: DeviceInfo,
  version: string,
  needsOf: (method: MethodEntry) => MethodNeeds,
): Cell[] {
  const base = {
    version,
    data: material.dataset.hash,
    model: recipe.model,
    device: DECIDES.map((fact) => device[fact] ?? null),
  };
  const { manifest } = material;
  const { kind, classes, classIndex, ids } = manifest;
  const forget = { kind, class: classes.length > 1 ? classes : classIndex, ids };
  const { controls, ...measures } = recipe.evaluate;
  const evaluation = { ...measures, forget };
  const methods: (MethodEntry & { readonly control?: string })[] = [...recipe.methods];
  if (controls) methods.push(...controlsOf(recipe.methods, (method) => needsOf(method).control));
  return recipe.seeds.flatMap((seed) => {
    const key = (depends: object) => hashOf({ ...base, ...depends, seed });
    const cell = (label: string, own: string, rest: Pick<Cell, 'method' | 'from' | 'prepared'>): Cell => ({
      id: `seed-${seed}-${label}`,
      seed,
      label,
      key: own,
      evaluationKey: hashOf({ key: own, evaluation }),
      ...rest,
    });
    const first = { method: null, from: null, prepared: null };
    const original = cell('original', key({ train: recipe.train }), first);
    return [
      original,
      ...methods.map(({ control, ...method }): Cell => {
        const { name, options, label, sha256 } = method;
        // A method of a file is that of this very file.
        const means = { options, ...(sha256 !== undefined && { file: sha256 }) };
        const needs = needsOf(method);
        const from = needs.original ? original : null;
        const own = key({ method: name, ...means, forget, from: from?.key ?? null });
        // What is prepared must not depend on what will be forgotten.
        const prepared = needs.preparation
          ? { id: `seed-${seed}-${label}-prepared`, key: key({ prepare: name, ...means }) }
          : null;
        const made = cell(label, own, { method, from: from?.id ?? null, prepared });
        return control ? { ...made, control } : made;
      }),
    ];
  });
}

/** The same methods at learning rate 0, where no weight moves, for those that need a control and are none themselves. */
function controlsOf(methods: readonly MethodEntry[], needsControl: (method: MethodEntry) => boolean) {
  const moving = methods.filter((method) => method.options.learningRate !== 0 && needsControl(method));
  return moving.map(({ label, options, ...method }) => {
    const free = methods.every((other) => other.label !== `${label}-rate0`);
    check(
      free,
      'value',
      () =>
        `methods: the label "${label}-rate0" is that of the control of ${label}; expected another label, or evaluate: { controls: false }`,
    );
    return { ...method, label: `${label}-rate0`, options: { ...options, learningRate: 0 }, control: label };
  });
}

/** sha256 of a value as JSON with sorted keys: the same for equal values, whatever order their keys were written in. */
export const hashOf = (value: unknown): string => sha256(canonicalJson(value));
