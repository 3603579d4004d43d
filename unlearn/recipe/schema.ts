// The recipe as a schema: every key, its type, range, default and one sentence about it. What stands under `options`
// depends on a name beside it and is in options.ts; reading files, line numbers and messages are recipe.ts.

import * as v from 'valibot';
import { forgetKeys } from '../data/forget-spec.ts';
import { datasetNames, records } from '../data/sets/index.ts';
import { share } from '../data/sets/record.ts';
import { bool, choice, int, list, num, options, prose, section, text } from '../options/fields.ts';
import { type TrainOptions, trainSchema } from '../options/training.ts';
import { devices } from './names.ts';
import { auditOptions, forgetEntries, methodOptions, modelOptions } from './options.ts';
import type { Ranges } from './ranges.ts';
import type { SeedEntry } from './seeds.ts';

const withPeople = datasetNames.filter((name) => records[name].people).map((name) => `\`${name}\``);

const keys = (table: Readonly<Record<string, unknown>>) => Object.keys(table);

const seed = int('Seed.', 0, 2 ** 31 - 1);
const seeds = v.strictObject({ train: seed, forget: v.optional(seed), unlearn: v.optional(seed) });
const seedEntry = 'a seed, or a map of the seeds train, forget and unlearn';

const label = (about: string) =>
  v.optional(
    v.pipe(
      text(about, 'a label of letters, digits and . _ + -'),
      v.regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, 'expected a label of letters, digits and . _ + -'),
    ),
  );

const truth = section(
  'What is known of the resulting model by construction: then the report tells how well each metric and audit sees it ([which-metric.md](which-metric.md)).',
  {
    knows: num(
      'How much of what the forgotten images taught is still in the model: 0 for one trained without them, 1 for one that keeps all.',
      0,
      1,
    ),
    shows: v.optional(
      num(
        'How much of it its answers show; below 0 where they are further off than those of a model trained without them. Default: `knows`.',
        -1,
        1,
      ),
    ),
  },
);

const method = section('One method to run.', {
  name: choice('Method; not needed beside `file`.', keys(methodOptions)),
  file: v.optional(
    text(
      'In place of `name`: the file of a method of your own, relative to the recipe. The run runs it.',
      'a file name',
    ),
  ),
  sha256: v.optional(
    v.pipe(
      text('With `file`: of the file, which is refused if it has another. A run fills it in.', 'a sha256'),
      v.regex(/^[0-9a-f]{64}$/, 'expected a sha256, 64 digits in hex'),
    ),
  ),
  label: label(
    "Name of this entry in files and tables; needed where a method occurs twice. Default: the method's name.",
  ),
  options: v.optional(options('Options of the method, see below.'), {}),
  truth: v.optional(truth),
  search: v.optional(
    v.pipe(
      v.union(
        [v.literal(false), v.record(v.string(), v.unknown())],
        'expected false, or a map of options to ranges',
      ),
      v.metadata({
        about:
          'With `search`: `false` leaves the options as they are; a map names those to vary, in place of the ones below that are searched, each with its values `[1, 2, 5]` or a range `{ from: 1e-4, to: 1e-2, log: true }`.',
        expected: 'false, or a map of options to ranges',
      }),
    ),
  ),
});

const auditName = choice('Audit.', keys(auditOptions));
const audit = section('One audit.', {
  name: auditName,
  label: label('Name of this entry in results; needed where an audit occurs twice. Default: its name.'),
  options: v.optional(options('Options of the audit, see below.'), {}),
});

/** Runs that `vary` may ask for. */
const MOST_RUNS = 100;
const runsExpected = `a list of 2 to ${MOST_RUNS} runs`;

const varied = section('One of the runs.', {
  label: v.pipe(
    text('Its name, and that of its folder.', 'a label of letters, digits and . _ + -'),
    v.regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, 'expected a label of letters, digits and . _ + -'),
  ),
  at: v.optional(
    v.pipe(
      v.number('expected a number'),
      v.finite('expected a number'),
      v.metadata({
        about: 'Its place on the axis: a number for each of the runs, or for none.',
        expected: 'a number',
      }),
    ),
  ),
  set: v.pipe(
    v.custom<Record<string, unknown>>(
      (x) => typeof x === 'object' && x !== null && !Array.isArray(x),
      'expected a map of keys to values',
    ),
    v.metadata({
      about:
        'What it has in place of what the recipe says: a map of keys, with points in between as after `--set`, to values: `forget.ratio: 0.1`, `methods.salun.options.density: 0.5`, or a whole map, `forget: { class: 3 }`.',
      expected: 'a map of keys to values',
    }),
  ),
});

const vary = section(
  'Several runs of this recipe that differ in one thing, with a report of their own ([running.md](running.md#several-runs-of-one-recipe)).',
  {
    about: text('What they differ in, in words: the axis of the figures.'),
    runs: v.pipe(
      list(varied, 'The runs, in their order.', runsExpected, 2),
      v.maxLength(MOST_RUNS, `expected ${runsExpected}`),
    ),
  },
);

const bank = section('Further models that some audits need, trained as the original is.', {
  pairs: v.optional(
    int(
      'Pairs of reference models: of each two, every training and test image is in the training of exactly one.',
      1,
      500,
    ),
    2,
  ),
  retrains: v.optional(int('Retrained models of other seeds, for each forget set.', 1, 1000), 2),
});

const search = section(
  'Look for each method’s options before the run, on held-out images and a seed of its own ([search.md](search.md)); needs `validation`.',
  {
    seed: v.optional(
      int(
        'Seed of the original, the forget set and the retrain that options are tried on: none of `seeds`.',
        0,
        2 ** 31 - 1,
      ),
      1000,
    ),
    trials: v.optional(int('Settings tried of each method, the stated one being the first.', 1, 10_000), 8),
    budget: v.optional(num('What the trials of a method may cost together, in retrainings.', 0, 10_000), 1),
    rule: v.optional(
      choice(
        'How the best is told: `retrain`, nearest to the retrain of the same seed; `alone`, without any retrain, from images that no model has seen.',
        ['retrain', 'alone'],
      ),
      'retrain',
    ),
  },
);

export const recipeSchema = section('A recipe.', {
  name: v.pipe(
    text('Short name, used for the output folder.', 'a name of letters, digits and . _ + -'),
    v.regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, 'expected a name of letters, digits and . _ + -'),
  ),
  description: v.optional(prose('What this recipe shows.'), ''),
  dataset: section('The data.', {
    name: choice('Data set.', datasetNames),
    options: v.optional(options('Options of the data set, see below.'), {}),
    mislabelled: v.optional(
      section(
        'Wrong labels, given on purpose. Which images get one, and which, is a matter of seed and id alone. Test images keep their labels, and so do those that are held out for validation.',
        {
          share: share('Share of the training images that get the label of another class.'),
          seed: v.optional(int('Of the choice.'), 0),
        },
      ),
    ),
  }),
  forget: section(
    `What is to be forgotten: exactly one of ${forgetKeys.map((key) => `\`${key}\``).join(', ')}; \`ratio\` may stand beside the last two.`,
    forgetEntries,
  ),
  model: section('The network.', {
    name: choice('Architecture.', keys(modelOptions)),
    options: v.optional(options('Options of the architecture, see below.'), {}),
    normalisation: v.optional(
      choice(
        'Done inside the network: `dataset` uses mean and deviation per channel of the images a model may depend on: all training images for the original and what starts from it, those that are kept for retrain, and none for a method that prepares for removals, such as SISA, which takes `half`. `half` is (x - 0.5) / 0.5, `none` leaves pixels in [0, 1].',
        ['dataset', 'half', 'none'],
      ),
      'dataset',
    ),
  }),
  train: v.optional(trainSchema, {}),
  methods: list(
    method,
    'What to compare. `retrain` always runs, listed or not.',
    'a list of at least one method',
  ),
  seeds: v.optional(
    list(
      v.union([seed, seeds], `expected ${seedEntry}`),
      'One whole run for each seed. In place of a number also three: `{ train, forget, unlearn }`, for the original and retrain, for the draw of the forget set, and for the methods; those left out are that of `train`.',
      'a list of seeds, such as [0, 1, 2]',
    ),
    [0],
  ),
  validation: v.optional(
    num(
      'Share of the training images that is held out: no model is trained on them, methods may judge by them, and a search does. Which ones is a matter of their ids alone, the same for all seeds.',
      0,
      0.5,
    ),
    0,
  ),
  search: v.optional(search),
  evaluate: v.optional(
    section('Evaluation.', {
      batchSize: v.optional(int('Samples per forward pass.', 1, 1_000_000), 500),
      mia: v.optional(
        choice(
          "Members of the MIA: `even` draws them at random, evenly over the classes; `released` takes the first ones, as SalUn's code does.",
          ['even', 'released'],
        ),
        'even',
      ),
      miaDraws: v.optional(int('Draws of members with `even`: the attack is fitted on each.', 1, 100), 5),
      controls: v.optional(
        bool(
          'Run each method that lets batch-norm gather statistics of the forgotten data alone once more at learning rate 0, as LABEL-rate0: what the statistics forget, the weights did not.',
        ),
        true,
      ),
      exhibits: v.optional(
        bool(
          'Collect what the report draws: entropy histograms, predictions, features, attention maps of the images shown, and answers on a plane through three images. About 2,000 more forward passes a model.',
        ),
        true,
      ),
      images: v.optional(
        bool(
          `Show sample images in the report. Default: true, but false for ${withPeople.join(' and ')}: people stay out of reports unless asked for.`,
        ),
      ),
    }),
    {},
  ),
  audits: v.optional(
    list(
      v.union([auditName, audit], 'expected the name of an audit, or a map with name, label and options'),
      'What to ask of each model beside the metrics ([audits.md](audits.md)): names, or maps with `name`, `label` and `options`.',
      'a list of audits, such as [probe, rmia]',
      0,
    ),
    [],
  ),
  bank: v.optional(bank, {}),
  vary: v.optional(vary),
  device: v.optional(choice('Where to compute.', devices), 'auto'),
  checkpointSeconds: v.optional(num('A killed run loses at most about this much work.', 0, 86_400), 30),
});

type Filled = v.InferOutput<typeof recipeSchema>;

export type { TrainOptions };

/** A method as the recipe lists it, its options complete. */
export interface MethodEntry {
  readonly name: string;
  readonly label: string;
  readonly options: Record<string, unknown>;
  /** The file of a method of the user's own; a relative path counts from the current folder. */
  readonly file?: string;
  /** Of that file. */
  readonly sha256?: string;
  /** Not searched, or over these ranges; over those of its record where nothing is said. */
  readonly search?: false | Ranges;
  /** What is known of its result by construction. */
  readonly truth?: { readonly knows: number; readonly shows?: number };
}

/** An audit as the recipe lists it, its options complete. */
export interface AuditEntry {
  readonly name: string;
  readonly label: string;
  readonly options: Record<string, unknown>;
}

/** The runs that a recipe asks for, where it asks for several. */
interface Vary {
  /** What they differ in. */
  readonly about: string;
  /** In their order, two at least. */
  readonly runs: readonly VaryRun[];
}
/** One of them. */
export interface VaryRun {
  /** Its name, and that of its folder. */
  readonly label: string;
  /** Its place on the axis; all of the runs have one, or none has. */
  readonly at?: number;
  /** Keys of the recipe to values. In a recipe that is complete: the keys that differ from it, as a whole and complete. */
  readonly set: Readonly<Record<string, unknown>>;
}

/** A recipe, complete: every default filled in, every name known. */
export type Recipe = Omit<Filled, 'methods' | 'seeds' | 'audits' | 'vary'> & {
  /** Absent where it asks for one run. */
  readonly vary?: Vary;
  readonly audits: readonly AuditEntry[];
  readonly methods: readonly MethodEntry[];
  readonly seeds: readonly SeedEntry[];
};
