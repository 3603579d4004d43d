// Weights that somebody made, audited by a run: which files they are, whether they fit, and the cells of a plan whose weights
// are taken and not made. All else is that of any run: jobs, records, keys, audits, report.

import { basename, dirname, join, resolve } from 'node:path';
import { check, LetheError } from '../../engine/error.ts';
import type { Need } from '../audits/record.ts';
import { fileSource, sha256File } from '../files.ts';
import { auditTable } from '../recipe/options.ts';
import { seedsOf } from '../recipe/seeds.ts';
import type { Recipe } from '../recipe.ts';
import { counted, printable, reasonOf } from '../text.ts';
import type { ForgetManifest } from '../types.ts';
import { auditsOf } from './audits.ts';
import type { GivenFacts } from './collect.ts';
import { hashOf } from './key.ts';
import type { DeviceInfo, Fit, Parts, RunData } from './parts.ts';
import { basisOf, type Cell, type GivenFile, nameOf, planCells } from './plan.ts';

/** Weights to audit: safetensors with PyTorch's names of the recipe's network. */
export interface GivenWeights {
  /** File of the model before unlearning. */
  readonly original: string;
  /** Files of unlearned models, one or more; each is a row, called by the file's name. */
  readonly unlearned: readonly string[];
  /** Files of models trained without the forgotten data: the first is the target, others are controls of audits. */
  readonly retrained?: readonly string[];
  /** Train the target as the recipe says. Default false: without files of it there is none. */
  readonly retrain?: boolean;
  /** What was forgotten, as a run wrote it down; in place of the recipe's `forget`. */
  readonly manifest?: ForgetManifest;
}

/** A file as a row, or as a control. */
interface Labelled extends GivenFile {
  readonly label: string;
}

/** What was found of given weights. */
export interface GivenFiles extends GivenFacts {
  readonly original: Labelled;
  readonly unlearned: readonly Labelled[];
  readonly retrained: readonly Labelled[];
  readonly retrain: boolean;
}

type Plain = Readonly<Record<string, unknown>>;

/**
 * A recipe, not checked yet, as audits of given weights read it: of its methods only retrain is left, and there is no search.
 * @param forget in place of what it says is to be forgotten.
 */
export function auditRecipe(recipe: object, forget?: object): Plain {
  const { search: _, methods, ...rest } = recipe as Plain;
  const isTarget = (one: unknown) => {
    const { name, label = name } = (one ?? {}) as Plain;
    return name === 'retrain' && label === name;
  };
  const listed = (Array.isArray(methods) ? methods : []).filter(isTarget);
  return {
    ...rest,
    methods: listed.length > 0 ? listed : [{ name: 'retrain' }],
    ...(forget && { forget }),
  };
}

/**
 * Reads and checks the files.
 * @throws LetheError 'value' for a file that cannot be read, or none, 'data' for one that does not fit.
 */
export async function openGiven(
  given: GivenWeights,
  { recipe, runData, parts, out }: { recipe: Recipe; runData: RunData; parts: Parts; out: string },
): Promise<GivenFiles> {
  const { original, unlearned, retrained = [], retrain = false } = given;
  check(unlearned.length > 0, 'value', () => 'unlearned: no weights to audit; expected at least one file');
  check(
    !retrain || retrained.length === 0,
    'value',
    () => 'retrained: weights are given, and are to be trained as well; expected one of both',
  );
  const undescribed: string[] = [];
  let constants: Fit['constants'] = null;
  const open = async (role: string, path: string, label: string): Promise<Labelled> => {
    check(
      resolve(dirname(path)) !== resolve(join(out, 'checkpoints')),
      'value',
      () => `${role}: ${printable(path)} lies in the folder that results go to; expected another folder`,
    );
    try {
      const sha256 = await sha256File(path);
      const fit = await parts.fit(recipe, runData, await fileSource(path));
      if (!fit.described) {
        undescribed.push(basename(path));
        constants = fit.constants;
      }
      return { path, sha256, label };
    } catch (cause) {
      if (!(cause instanceof LetheError)) throw cause;
      if (cause.kind === 'io') throw new LetheError('value', `${role}: ${reasonOf(cause)}`, { cause });
      // Which tensors do not fit may take more than a short line.
      const reason = cause.message.replace(/\s+/g, ' ').slice(0, 1000);
      throw new LetheError(cause.kind, `${role}: ${printable(path)}: ${reason}`, { cause });
    }
  };
  const targets = retrained.map((_, i) => (i === 0 ? 'retrain' : `retrain-${i + 1}`));
  const labels = labelsOf(unlearned, ['original', 'retrain', ...targets]);
  const files = {
    original: await open('original', original, 'original'),
    unlearned: [] as Labelled[],
    retrained: [] as Labelled[],
  };
  for (const [i, path] of retrained.entries())
    files.retrained.push(await open('retrained', path, targets[i]));
  for (const [i, path] of unlearned.entries()) files.unlearned.push(await open('unlearned', path, labels[i]));
  const all = [files.original, ...files.retrained, ...files.unlearned];
  return {
    ...files,
    retrain,
    command: commandOf(files, retrain),
    hashes: Object.fromEntries(all.map(({ label, sha256 }) => [label, sha256])),
    notes: [...constantsNote(undescribed, constants, recipe), ...notesOf(files, retrain, recipe)],
  };
}

/** Names of files without their endings, made labels that differ from each other and from those taken, on any disk. */
export function labelsOf(paths: readonly string[], taken: readonly string[]): string[] {
  const used = new Set(taken);
  return paths.map((path) => {
    const name = basename(path).replace(/\.safetensors$/i, '');
    // With room for a number behind it: a label has 64 characters at most.
    const plain = name.replace(/[^A-Za-z0-9._+-]/g, '-').replace(/^[^A-Za-z0-9]+/, '');
    const stem = plain.slice(0, 56) || 'unlearned';
    let label = stem;
    for (let i = 2; used.has(label.toLowerCase()); i++) label = `${stem}-${i}`;
    used.add(label.toLowerCase());
    return label;
  });
}

function constantsNote(files: readonly string[], constants: Fit['constants'], { model }: Recipe): string[] {
  if (files.length === 0) return [];
  const numbers = (list: readonly number[]) => list.map((x) => Number(x.toPrecision(4))).join(', ');
  const those = constants
    ? `mean ${numbers(constants.mean)}, deviation ${numbers(constants.std)} for pixels in [0, 1]`
    : 'none';
  return [
    `Without constants of normalisation: ${files.map(printable).join(', ')}. Those of the recipe are taken (${model.normalisation}: ${those}); what was trained with others looks worse here than it is.`,
  ];
}

type Files = Pick<GivenFiles, 'original' | 'unlearned' | 'retrained'>;

function notesOf({ original, unlearned, retrained }: Files, retrain: boolean, recipe: Recipe): string[] {
  const notes = unlearned
    .filter(({ sha256 }) => sha256 === original.sha256)
    .map(({ label }) => `${label} is the original, byte for byte: nothing was unlearned in it.`);
  const [, ...controls] = retrained;
  if (controls.length > 0)
    notes.push(
      `${counted(controls.length, 'further retrained model')} for floors and controls of audits: ${controls.map(({ path }) => printable(basename(path))).join(', ')}.`,
    );
  if (retrain)
    notes.push(
      'The retrained model was trained as the recipe says (train); how the given ones were trained is not known.',
    );
  const needing = (need: Need) =>
    recipe.audits
      .filter(({ name }) => auditTable[name].record.needs.includes(need))
      .map(({ label }) => label);
  const running = needing('unlearn');
  if (running.length > 0)
    notes.push(
      `What made the given weights is not known: ${running.join(', ')} would run it on reference models, and cannot be made.`,
    );
  const referring = needing('references').filter((label) => !running.includes(label));
  if (referring.length > 0)
    notes.push(
      `The reference models of ${referring.join(', ')} are trained as the recipe says (train); how the given ones were trained is not known.`,
    );
  return notes;
}

/** The command that gives the results again, with names of files and no folders. */
function commandOf({ original, unlearned, retrained }: Files, retrain: boolean): string {
  const word = ({ path }: GivenFile) => {
    const name = basename(path);
    return /^[\w.+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
  };
  return [
    `lethe audit recipe.yaml --original ${word(original)}`,
    ...unlearned.map((file) => `--unlearned ${word(file)}`),
    ...retrained.map((file) => `--retrained ${word(file)}`),
    ...(retrain ? ['--retrain'] : []),
    '--out out',
  ].join(' ');
}

/** The cells of given weights, and of a retrained model where one is to be trained. */
export function planGiven(
  recipe: Recipe,
  runData: RunData,
  device: DeviceInfo,
  version: string,
  { original, retrained, unlearned, retrain }: GivenFiles,
): Cell[] {
  const [seeds] = seedsOf(recipe);
  const { base, forget, measures } = basisOf(recipe, runData, device, version);
  const cellOf = ({ path, sha256, label }: Labelled, judge: Cell['judge'] = 'test'): Cell => {
    const id = nameOf(label, seeds.train);
    const key = hashOf({ ...base, given: sha256 });
    const evaluationKey = hashOf({ key, evaluation: measures });
    const made = { method: null, given: { path, sha256 }, from: null, prepared: null, trial: false };
    const entries = [seeds];
    return {
      id,
      seed: seeds.train,
      entries,
      label,
      ...made,
      weights: id,
      judge,
      key,
      evaluationKey,
      audits: null,
    };
  };
  const needs = { original: false, preparation: false, control: false };
  const trained = () =>
    planCells(
      { ...recipe, audits: [] },
      () => runData,
      device,
      version,
      () => needs,
    ).find(({ label }) => label === 'retrain');
  const [first, ...others] = retrained;
  const target = (retrain ? trained() : first && cellOf(first)) ?? null;
  const start = cellOf(original);
  const controls = others.map((file) => cellOf(file, null));
  const lacks = new Set<Need>(['unlearn']);
  if (!target) lacks.add('retrain');
  // Nothing is retrained unless that was asked for.
  if (!retrain && controls.length === 0) lacks.add('retrains');
  const rows = [start, ...(target ? [target] : []), ...unlearned.map((file) => cellOf(file))];
  const given = {
    seeds,
    drawn: false,
    forget,
    base,
    original: start,
    retrain: target,
    retrains: controls,
    single: true,
    lacks,
  };
  return [...rows.map((cell) => ({ ...cell, audits: auditsOf(recipe, { ...given, cell }) })), ...controls];
}
