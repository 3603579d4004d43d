// The data of a run as its recipe says: read, given wrong labels where it asks for that, some held out, and cut into what is to be
// forgotten and what is kept.

import { check, LetheError } from '../../engine/error.ts';
import {
  channelStatistics,
  datasets,
  forgetSet,
  loadScores,
  makeSplit,
  mislabel,
  rightLabels,
  type Scores,
} from '../data/index.ts';
import { classCounts, holdOutById } from '../data/split.ts';
import { codeOf, isIo } from '../files.ts';
import { isDrawn, type Seeds, seedsOf } from '../recipe/seeds.ts';
import { shippedNames } from '../recipe/shipped.ts';
import type { Recipe } from '../recipe.ts';
import { printable, reasonOf } from '../text.ts';
import type { Dataset, ForgetSpec, Split } from '../types.ts';
import type { RunData } from './parts.ts';

/** Reads the data set and draws the forget set of the first of the recipe's seeds. */
export async function loadRunData(recipe: Recipe, folder?: string): Promise<RunData> {
  const { name, options, mislabelled } = recipe.dataset;
  const read = await datasets.load(datasets.byName(name), { dir: folder, ...options });
  const whole = mislabelled ? mislabel(read, mislabelled) : read;
  const { dataset, validation } = withValidation(whole, recipe.validation);
  if (validation) checkNamed(recipe, validation);
  const { scores } = recipe.forget;
  const table = scores === undefined ? undefined : await scoresIn(scores, recipe);
  return { dataset, validation, ...forgetting(recipe, dataset, seedsOf(recipe)[0], table) };
}

/** The same data with the forget set of other seeds, where it is drawn. */
export const drawRunData = (recipe: Recipe, runData: RunData, seeds: Seeds): RunData => ({
  ...runData,
  ...forgetting(recipe, runData.dataset, seeds),
});

/** The forget set that a recipe asks for; one drawn at random is that of the seeds. */
function forgetting({ forget }: Recipe, dataset: Dataset, { forget: seed }: Seeds, scores?: Scores) {
  return forgetSet(dataset, (isDrawn(forget) ? { ...forget, seed } : forget) as ForgetSpec, scores);
}

/** A file that is not there is wrong input, and one command makes it. */
async function scoresIn(file: string, { name }: Recipe): Promise<Scores> {
  try {
    return await loadScores(file);
  } catch (cause) {
    if (!isIo(cause)) throw cause;
    // The name of a recipe that comes with Lethe is all the command needs; of others the path is not known here.
    const recipe = shippedNames().includes(name) ? name : 'RECIPE';
    const missing = codeOf((cause as LetheError).cause) === 'ENOENT';
    const what = missing ? `no file ${printable(file)}` : reasonOf(cause);
    throw new LetheError(
      'value',
      `forget.scores: ${what}; it is made by: lethe memorisation ${recipe} --out ${printable(file)}`,
      { cause },
    );
  }
}

/**
 * The data set without the images that are held out, as if they were not there: its statistics are those of the others. What is
 * held out is to judge by, as test images are: where labels were made wrong, it has its right ones.
 * @throws LetheError 'value' where none would be held out, or none of a class kept.
 */
function withValidation(dataset: Dataset, share: number): { dataset: Dataset; validation: Split | null } {
  if (share === 0) return { dataset, validation: null };
  const { classes, train, notes, mislabelled } = dataset;
  const { kept, held } = holdOutById(train, share);
  const [before, after] = [train, kept].map((split) => classCounts(split, classes.length));
  const lost = classes.find((_, k) => before[k] > 0 && after[k] === 0);
  check(
    held.size > 0 && lost === undefined,
    'value',
    () =>
      `validation: ${share} of ${train.size} training samples leaves ${lost === undefined ? 'none to judge by' : `none of class ${printable(lost)} to train on`}; expected another share, or more samples`,
  );
  const right = mislabelled ? ', with their right labels' : '';
  const note = `${held.size} of ${train.size} training samples are held out for validation${right}`;
  const still = new Set(kept.ids);
  return {
    dataset: {
      ...dataset,
      train: kept,
      ...channelStatistics(kept),
      ...(mislabelled && { mislabelled: new Map([...mislabelled].filter(([id]) => still.has(id))) }),
      notes: [...notes, note],
    },
    validation: mislabelled ? makeSplit({ ...held, labels: rightLabels(dataset, held) }) : held,
  };
}

/** @throws LetheError 'value' where a sample that is held out is to be forgotten: no model has learned it. */
function checkNamed({ forget: { ids = [], files = [] } }: Recipe, held: Split): void {
  const named: readonly unknown[] = [
    ...ids.filter((id) => held.ids.includes(id)),
    ...files.filter((file) => held.files?.includes(file)),
  ];
  check(
    named.length === 0,
    'value',
    () =>
      `forget: ${printable(String(named[0]))} is held out for validation, no model is trained on it (${named.length} in all); expected other samples, or validation: 0`,
  );
}
