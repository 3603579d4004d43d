// The plan of a run: one cell per set of weights (the original, retrain, each method) and seeds, each with a key, the
// sha256 of everything its weights depend on. Entries of `seeds` that share what a cell depends on share the cell. A cell
// is done when its record carries that key and the weights on disk are the ones recorded (inspect.ts). Plain data; what is
// to be done for it is jobs.ts.

import { join } from 'node:path';
import { check } from '../../engine/error.ts';
import { drawsForget, type Seeds, seedsOf } from '../recipe/seeds.ts';
import type { MethodEntry, Recipe } from '../recipe.ts';
import type { Cost } from '../types.ts';
import { type Audits, auditsOf, type KeptFinding } from './audits.ts';
import { hashOf } from './key.ts';
import type { DeviceInfo, Evaluation, MethodNeeds, RunData } from './parts.ts';

export interface Cell {
  /** `seed-0-original`: names the cell's files. Seeds that are not all the same stand there as train.forget.unlearn. */
  readonly id: string;
  /** Decides all that is random in it: the train seed, or that of the methods. */
  readonly seed: number;
  /** The entries of the recipe's `seeds` that it belongs to, the first of them deciding what it works on. */
  readonly entries: readonly Seeds[];
  /** `original`, or the label of the method. */
  readonly label: string;
  /** Null for the original, and for what was given. */
  readonly method: MethodEntry | null;
  /** The file its weights are taken from, where they are given and not made. */
  readonly given?: GivenFile;
  /** The id of the cell whose weights it starts from; null where it starts from nothing. */
  readonly from: string | null;
  /**
   * The id of the cell whose weights are evaluated: its own, but for an original that is measured on the forget set of
   * another seed as well.
   */
  readonly weights: string;
  /**
   * What its method trains before anything is to be forgotten, or for one that starts from the original the record of its
   * training; named like a cell. Null for most methods.
   */
  readonly prepared: Pick<Cell, 'id' | 'key'> | null;
  /**
   * What it is measured on in place of test images: those held out, for cells of a search. Null for a model that is there
   * for the audits of others alone.
   */
  readonly judge: 'test' | 'validation' | null;
  /** One of the settings that a search tries: its weights are not kept once they are measured. */
  readonly trial: boolean;
  /** On a control, the label of the method whose computation this is at learning rate 0. */
  readonly control?: string;
  /** Names the weights: sha256 of all they depend on. */
  readonly key: string;
  /** Names the evaluation of these weights. */
  readonly evaluationKey: string;
  /** What is asked of it beside the metrics; null for nothing. */
  readonly audits: Audits | null;
}

/** Weights that somebody made. */
export interface GivenFile {
  /** Where it lies. */
  readonly path: string;
  /** Of its bytes, in hex. */
  readonly sha256: string;
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
  /** By label. */
  readonly audits?: Readonly<Record<string, KeptFinding>>;
  /** Of a trial: why its options led to nothing, such as a loss that diverged. It is not tried again. */
  readonly failed?: string;
}

/**
 * `done`: what was made, its evaluation and its audits are there; `audit`: not all audits; `evaluate`: not the evaluation;
 * `resume`: begun; `todo`: nothing there; `replace`: there is a finished result of other settings, which this run would
 * overwrite.
 */
export type CellState = 'done' | 'audit' | 'evaluate' | 'resume' | 'todo' | 'replace';

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

/** Whether a cell leaves an artifact, as methods with a preparation of their own do, and no weights. */
export const leavesArtifact = ({ prepared, from }: Pick<Cell, 'prepared' | 'from'>): boolean =>
  prepared !== null && from === null;

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

/** The data, with the forget set of these seeds. */
export type RunDataOf = (seeds: Seeds) => RunData;

/**
 * The cells of a recipe in the order they run: per entry of `seeds` the original, retrain, then the methods, then their
 * controls, each where it is first needed.
 * @throws LetheError 'value' where a control's label is taken by a method.
 */
export function planCells(
  recipe: Recipe,
  runDataOf: RunDataOf,
  device: DeviceInfo,
  version: string,
  needsOf: (method: MethodEntry) => MethodNeeds,
  judge: Cell['judge'] = 'test',
): Cell[] {
  const drawn = drawsForget(recipe);
  const { controls } = recipe.evaluate;
  const methods: (MethodEntry & { readonly control?: string })[] = [...recipe.methods];
  if (controls) methods.push(...controlsOf(recipe.methods, (method) => needsOf(method).control));
  const cells = new Map<string, Cell>();
  const audited: (Pick<Parameters<typeof auditsOf>[1], 'seeds' | 'forget' | 'base'> & {
    readonly own: readonly Cell[];
    readonly original: Cell;
    readonly retrain: Cell;
  })[] = [];
  /** The original of each train seed, as it was first planned. */
  const originals = new Map<number, Cell>();
  for (const seeds of seedsOf(recipe)) {
    const { train, unlearn } = seeds;
    const { base, forget, measures } = basisOf(recipe, runDataOf(seeds), device, version);
    const draw = drawn ? seeds.forget : train;
    const evaluation = { ...measures, ...(judge === 'validation' && { judge }) };
    const put = (cell: Omit<Cell, 'entries' | 'evaluationKey' | 'judge' | 'trial' | 'audits'>): Cell => {
      const evaluationKey = hashOf({ key: cell.key, evaluation });
      const entries = [...(cells.get(cell.id)?.entries ?? []), seeds];
      const trial = judge === 'validation' && cell.from !== null;
      const { audits = null } = cells.get(cell.id) ?? {};
      const whole = { ...cell, entries, judge, trial, evaluationKey, audits };
      cells.set(cell.id, whole);
      return whole;
    };
    const first = originals.get(train);
    const name = nameOf('original', train);
    // Measured on another forget set the same weights are another row.
    const another = first !== undefined && drawn && first.entries[0].forget !== seeds.forget;
    const original = put({
      id: another ? `seed-${train}.${draw}-original` : name,
      seed: train,
      label: 'original',
      key: hashOf({ ...base, train: recipe.train, seed: train }),
      weights: name,
      method: null,
      from: null,
      prepared: null,
    });
    if (!first) originals.set(train, original);
    const own: Cell[] = [original];
    for (const { control, ...method } of methods) {
      const { name, options, label, sha256 } = method;
      // A method of a file is that of this very file.
      const means = { options, ...(sha256 !== undefined && { file: sha256 }) };
      const needs = needsOf(method);
      const from = needs.original ? original : null;
      const seed = from ? unlearn : train;
      const id = from ? nameOf(label, train, draw, unlearn) : nameOf(label, train, draw);
      const key = hashOf({ ...base, method: name, ...means, forget, from: from?.key ?? null, seed });
      const networks = () => ({
        // What is prepared must not depend on what will be forgotten.
        id: nameOf(`${label}-prepared`, train),
        key: hashOf({ ...base, prepare: name, ...means, seed }),
      });
      const record = (of: Cell) => ({
        // Of the same training for all methods that take updates back.
        id: nameOf('original-updates', train, draw),
        key: hashOf({ updates: of.key, forget }),
      });
      const prepared = needs.preparation ? (from ? record(from) : networks()) : null;
      const made = { id, seed, label, key, method, from: from?.weights ?? null, weights: id, prepared };
      own.push(put(control ? { ...made, control } : made));
    }
    const retrain = own.find(({ label }) => label === 'retrain');
    if (judge === 'test' && retrain) audited.push({ seeds, forget, base, own, original, retrain });
  }
  const single = new Set(audited.map(({ seeds }) => seeds.train)).size < 2;
  /** Of other originals, and one of each: several seeds of a method on one original are not several trainings. */
  const repeatsOf = (label: string, { seeds, forget }: (typeof audited)[number]): Cell[] => {
    const found = new Map<number, Cell>();
    for (const other of audited) {
      const { train } = other.seeds;
      if (train === seeds.train || found.has(train) || hashOf(other.forget) !== hashOf(forget)) continue;
      const cell = other.own.find((one) => one.label === label);
      if (cell) found.set(train, cell);
    }
    return [...found.values()];
  };
  for (const row of audited)
    for (const cell of row.own) {
      if (cell.control || cells.get(cell.id)?.audits) continue;
      const { own: _, ...given } = row;
      const repeats = { own: repeatsOf(cell.label, row), retrain: repeatsOf('retrain', row) };
      const audits = auditsOf(recipe, { ...given, drawn, cell, repeats, single });
      cells.set(cell.id, { ...(cells.get(cell.id) as Cell), audits });
    }
  return [...cells.values()];
}

/** What keys have in common: what all weights depend on, what is forgotten, and what an evaluation depends on beside weights. */
export function basisOf(recipe: Recipe, { dataset, manifest }: RunData, device: DeviceInfo, version: string) {
  const { kind, classes, classIndex, ids } = manifest;
  const forget = { kind, class: classes.length > 1 ? classes : classIndex, ids };
  const base = {
    version,
    data: dataset.hash,
    // Absent rather than 0: cells that were done without one stay done.
    ...(recipe.validation > 0 && { validation: recipe.validation }),
    model: recipe.model,
    device: DECIDES.map((fact) => device[fact] ?? null),
  };
  const { controls: _, ...measures } = recipe.evaluate;
  return { base, forget, measures: { ...measures, forget } };
}

/** `seed-0-LABEL`; seeds that differ all stand in it. */
export const nameOf = (label: string, ...seeds: readonly number[]): string =>
  `seed-${seeds.every((seed) => seed === seeds[0]) ? seeds[0] : seeds.join('.')}-${label}`;

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
