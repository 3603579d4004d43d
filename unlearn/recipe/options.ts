// The options each method, model and data set understands, with their defaults: what a recipe may say under
// `options`. Those of methods and data sets stand in their records.

import * as v from 'valibot';
import { audits } from '../audits/index.ts';
import type { MakeAudit } from '../audits/record.ts';
import { datasetNames, records } from '../data/sets/index.ts';
import { type MethodTable, methods } from '../methods/index.ts';
import type { MethodRecord } from '../methods/record.ts';
import {
  choice,
  className,
  classNames,
  docOf,
  int,
  list,
  num,
  type OptionsSection,
  section,
  text,
} from '../options/fields.ts';
import { opt } from '../options/training.ts';

/**
 * The options of each method as a recipe states them: those it inherits from `train` have no default here, the others that
 * of the method.
 */
export const optionsOf = (table: MethodTable): Readonly<Record<string, v.GenericSchema>> =>
  Object.fromEntries(Object.values(table).map(({ record }) => [record.name, recipeSchemaOf(record)]));

/** Those of Lethe's own methods. */
export const methodOptions = optionsOf(methods);

function recipeSchemaOf({ options, inherits }: MethodRecord): v.GenericSchema {
  return withoutDefaults(options, inherits);
}

/** The section, with no defaults for the options at these paths: `epochs`, `train.epochs`. */
function withoutDefaults(options: OptionsSection, paths: readonly string[]): v.GenericSchema {
  const entries = Object.entries(options.entries).map(([key, schema]) => {
    const { wrapped } = schema as unknown as { wrapped: OptionsSection };
    if (paths.includes(key)) return [key, v.optional(wrapped)];
    const below = paths
      .filter((path) => path.startsWith(`${key}.`))
      .map((path) => path.slice(key.length + 1));
    return [key, below.length > 0 ? v.optional(withoutDefaults(wrapped, below), {}) : schema];
  });
  return section(docOf(options).about, Object.fromEntries(entries) as v.ObjectEntries);
}

/** Audits by name. */
type AuditTable = Readonly<Record<string, MakeAudit>>;
/** Lethe's own. */
export const auditTable = audits as unknown as AuditTable;

/** The options of each audit. */
export const auditOptions: Readonly<Record<string, v.GenericSchema>> = Object.fromEntries(
  Object.values(auditTable).map(({ record }) => [record.name, record.options]),
);

export const modelOptions: Readonly<Record<string, v.GenericSchema>> = {
  mlp: section('Fully connected network.', {
    hidden: opt(
      list(
        int('Units.', 1, 65_536),
        'Units of each hidden layer.',
        'a list of layer widths, such as [256, 256]',
      ),
      [256, 256],
    ),
  }),
  lenet: section('LeNet-5 with ReLU and max pools.', {}),
  smallCnn: section(
    'Two convolutions (32, 64) with max pools, dense 128: trains in seconds on a processor.',
    {},
  ),
  allCnn: section('All-CNN: convolutions only, with batch-norm.', {
    width: opt(choice("`half` is Boundary Unlearning's network.", ['half', 'full']), 'half'),
  }),
  resnet18: section('ResNet-18 with the 3x3 stem for small images.', {}),
  vgg16: section('VGG-16 with batch-norm.', {}),
};

/** The options of each data set: those of its record. */
export const datasetOptions: Readonly<Record<string, v.GenericSchema>> = Object.fromEntries(
  datasetNames.map((name) => [name, records[name].options]),
);

const yes = 'true';

/** What to forget: exactly one of the keys that say what goes (checked in recipe.ts). */
export const forgetEntries = {
  class: v.optional(classNames('Forget this whole class, or these.')),
  ratio: v.optional(
    num(
      'Forget this share of the training images, drawn at random; beside `mislabelled` and `scores` the share of those.',
      0,
      1,
    ),
  ),
  seed: v.optional(
    int(
      'With `ratio`: seed of the draw, in place of those of `seeds`: the same draw for all of them. With `scores`: of the order of equal ones, 0 unless stated.',
    ),
  ),
  withinClass: v.optional(className('With `ratio`: draw from this class only.')),
  ids: v.optional(
    list(
      int('Position.'),
      'Forget these training images, by their position in the data set.',
      'a list of positions',
    ),
  ),
  files: v.optional(
    list(text('File.'), "Forget these files, relative to the data set's folder.", 'a list of file names'),
  ),
  person: v.optional(text('Forget every image of this person.')),
  mislabelled: v.optional(
    v.pipe(
      v.literal(true, `expected ${yes}`),
      v.metadata({
        about:
          'Forget the training images whose label `dataset.mislabelled` made wrong, or with `ratio` a share of them, drawn at random.',
        expected: yes,
      }),
    ),
  ),
  scores: v.optional(
    text(
      'Forget the training images with the highest scores in this CSV file, relative to the recipe (of a recipe that comes with Lethe, to the current folder): a header with `id` and `score`, a row for each training image. `lethe memorisation` writes one.',
      'a file name',
    ),
  ),
  take: v.optional(
    choice('With `scores`: which end is forgotten, `highest` unless stated.', ['highest', 'lowest']),
  ),
};
