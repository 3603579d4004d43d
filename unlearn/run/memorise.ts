// Memorisation of a recipe's training samples as a file of scores, for forget sets of what a model learned by heart: the recipe's
// reference models are trained into a folder beside the file, where each stays as soon as it is done, and asked about every
// sample. What the number is stands in statistics/memorisation.ts.

import { basename, dirname } from 'node:path';
import { check } from '../../engine/error.ts';
import { Artifact } from '../artifact.ts';
import { folderStore } from '../artifact-folder.ts';
import { saveScores } from '../data/readers/scores.ts';
import { sweepTemporary } from '../files.ts';
import { knownMethods } from '../recipe/own.ts';
import { checkRecipe, type Recipe } from '../recipe.ts';
import { type RunOptions, readRecipe } from '../run.ts';
import { quantileOf } from '../statistics/interval.ts';
import { printable } from '../text.ts';
import type { Cost } from '../types.ts';
import { version } from './environment.ts';
import { hashOf } from './key.ts';
import { progressTo } from './log.ts';
import { basisOf } from './plan.ts';
import { alone, prepare, talk } from './single.ts';

/** Options of memorise. */
export interface MemoriseOptions
  extends Pick<RunOptions, 'data' | 'device' | 'signal' | 'onEvent' | 'parts'> {
  /** The CSV file to write: `id,score,in,out,noise`, a row for each training sample. */
  readonly out: string;
  /** Pairs of reference models; those of the recipe's `bank` unless stated. The more, the surer. */
  readonly pairs?: number;
  /** Folder of the models. Default: beside the file, its name without `.csv` and with `.bank`. */
  readonly bank?: string;
}

/** What memorise found. */
export interface MemorisationFile {
  /** The file of scores. */
  readonly file: string;
  /** The folder of the models: more pairs later train only the further ones. */
  readonly bank: string;
  /** Training samples, each with a score. */
  readonly samples: number;
  /** Reference models, two a pair. */
  readonly models: number;
  /** Of these, trained by this call; the others were there. */
  readonly trained: number;
  /** The largest standard error that a score can have with so many models. */
  readonly noise: number;
  /** Samples whose score is above twice that. */
  readonly sure: number;
  /** How the scores are spread: -1 to 1. */
  readonly quantiles: readonly {
    /** Of the samples, 0 to 1. */
    readonly share: number;
    /** What theirs are at most. */
    readonly score: number;
  }[];
  /** What training the models took, whichever call trained them. */
  readonly cost: Cost;
}

const SHARES = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1];
/** In standard errors: what is above is unlikely to be chance. */
const STANDARD_ERRORS = 2;

/**
 * Estimates how far each training sample of a recipe is memorised, and writes the scores. A killed call goes on with the next
 * model; what is to be forgotten plays no part. Feldman and Zhang, NeurIPS 2020, with halves in place of 70 %.
 * @param source a recipe: file, name of one that comes with Lethe, or plain object.
 * @throws LetheError 'value' or 'data' for wrong input, and a folder of models of another recipe; 'io' where it cannot be
 * written; 'state' when it was stopped.
 */
export async function memorise(
  source: string | object,
  { out, pairs, bank, ...options }: MemoriseOptions,
): Promise<MemorisationFile> {
  const stated =
    typeof source === 'string'
      ? await readRecipe(source)
      : checkRecipe(source, 'recipe', await knownMethods(source));
  // What is to be forgotten may ask for these very scores.
  const given = { ...stated, methods: [], forget: { ratio: 0.5 } } as Recipe;
  const { recipe, parts, device, runData } = await prepare(
    { ...given, bank: { ...given.bank, ...(pairs !== undefined && { pairs: checked(pairs) }) } },
    options,
  );
  const { base } = basisOf(recipe, runData, device, version);
  const key = hashOf({ ...base, bank: 'references' });
  const folder = bank ?? `${out.replace(/\.csv$/i, '')}.bank`;
  const { tell } = talk(options);
  return alone(out, options, async () => {
    await sweepTemporary(dirname(out), (name) => name === basename(out));
    const store = folderStore(folder);
    const found = await Artifact.find(store);
    check(
      found === null || found.key === key,
      'value',
      () =>
        `${printable(folder)}: holds models of another recipe, data, device or version; expected an empty folder, or the one that this was begun in`,
    );
    await found?.verify();
    const artifact = found ?? Artifact.create(store, { method: 'bank', key });
    tell({ type: 'start', cell: out, action: 'bank', index: 1, total: 1 });
    const { signal } = options;
    const onProgress = progressTo(tell, out, 'bank');
    const { memorisation, trained, cost } = await parts.memorise({
      ...{ recipe, runData, seed: 0, signal, onProgress, artifact },
    });
    const { ids, size } = runData.dataset.train;
    const [score, inside, outside, noise] = (['scores', 'inside', 'outside', 'noise'] as const).map((name) =>
      memorisation[name].subarray(0, size),
    );
    await saveScores(out, { id: ids, score, in: inside, out: outside, noise });
    tell({ type: 'end', cell: out, action: 'bank', seconds: cost.seconds });
    const largest = quantileOf(noise, 1);
    return {
      file: out,
      bank: folder,
      samples: size,
      models: 2 * recipe.bank.pairs,
      trained,
      noise: largest,
      sure: score.filter((value) => value > STANDARD_ERRORS * largest).length,
      quantiles: SHARES.map((share) => ({ share, score: quantileOf(score, share) })),
      cost,
    };
  });
}

function checked(pairs: number): number {
  check(
    Number.isInteger(pairs) && pairs >= 1 && pairs <= 500,
    'value',
    () => `pairs: expected a whole number from 1 to 500, got ${String(pairs)}`,
  );
  return pairs;
}
