// Reading results.json back, bounded and checked as a whole, so that what is made of it need not ask again. Writing it
// is runner.ts; the types are types.ts.

import * as v from 'valibot';
import { LetheError } from '../../engine/error.ts';
import { isIo, readFileBounded } from '../files.ts';
import { isMap } from '../json.ts';
import { printable, reasonOf, show } from '../text.ts';
import type { Results, VariedResults } from '../types.ts';

const MAX_BYTES = 1 << 30;
/** Maps and lists within each other: a recipe has five. Whatever walks through them would end at some thousands. */
const MAX_DEPTH = 100;

const map = v.custom<Record<string, unknown>>(isMap, 'a map');
const text = v.string('text');
const number = v.pipe(v.number('a number'), v.finite('a finite number'));
/** JSON has no NaN: what could not be measured is null. */
const measured = v.nullish(v.pipe(v.number('a number or null'), v.finite('a finite number')));
const whole = v.pipe(v.number('a whole number'), v.integer('a whole number'));
const numbers = v.pipe(v.array(number, 'a list of numbers'), v.minLength(1, 'at least one number'));
const record = <E extends v.ObjectEntries>(entries: E) => v.pipe(map, v.looseObject(entries, 'a map'));

const entropy = v.pipe(
  record({ edges: numbers, forget: numbers, retain: numbers, test: numbers }),
  v.check(
    ({ edges, ...sets }) =>
      [sets.forget, sets.retain, sets.test].every((shares) => shares.length === edges.length - 1),
    'one share less than edges in each set',
  ),
);
const matrix = v.pipe(
  v.array(numbers, 'a list of rows'),
  v.check((rows) => rows.every((row) => row.length === rows.length), 'as many columns as rows'),
);
const set = v.picklist(['forget', 'retain'], '"forget" or "retain"');
const sample = record({
  id: whole,
  set,
  label: whole,
  predicted: whole,
  confidence: number,
  png: text,
});
const shares = v.array(
  v.nullable(
    v.pipe(v.number('a number or null'), v.minValue(0, 'at least 0'), v.maxValue(100, 'at most 100')),
  ),
  'a list of percentages',
);
/** Points of an embedding at most. */
const POINTS = 400;
const embedding = v.pipe(
  record({
    about: text,
    x: v.array(number, 'a list of numbers'),
    y: v.array(number, 'a list of numbers'),
    set: v.array(v.picklist(['forget', 'gone', 'kept'], '"forget", "gone" or "kept"'), 'a list of sets'),
    label: v.array(whole, 'a list of classes'),
  }),
  v.check(
    ({ x, y, set, label }) => x.length <= POINTS && [y, set, label].every((all) => all.length === x.length),
    `equally many of x, y, set and label, at most ${POINTS}`,
  ),
);
/** Sides of an attention map and of a plane at most. */
const [MAP, PLANE] = [14, 100];
const side = (most: number) =>
  v.pipe(whole, v.minValue(1, 'at least 1'), v.maxValue(most, `at most ${most}`));
const attention = v.pipe(
  record({
    layer: text,
    height: side(MAP),
    width: side(MAP),
    maps: v.array(record({ id: whole, set, map: text, peak: measured }), 'a list of maps'),
  }),
  v.check(({ height, width, maps }) => {
    const length = 4 * Math.ceil((height * width) / 3);
    return maps.every(({ map: bytes }) => bytes.length === length && /^[A-Za-z0-9+/]+={0,2}$/.test(bytes));
  }, 'a byte in base64 for each place of each map'),
);
const place = v.pipe(number, v.minValue(0, 'at least 0'), v.maxValue(1, 'at most 1'));
const plane = v.pipe(
  record({
    side: side(PLANE),
    images: v.pipe(
      v.array(
        record({ id: whole, set, label: whole, x: place, y: place, png: v.optional(text) }),
        'three images',
      ),
      v.length(3, 'three images'),
    ),
    classes: v.array(v.pipe(whole, v.minValue(-1, 'at least -1')), 'a list of classes and how often'),
  }),
  v.check(
    ({ side: points, classes }) =>
      classes.length % 2 === 0 &&
      classes.every((count, i) => i % 2 === 0 || count > 0) &&
      classes.reduce((sum, count, i) => sum + (i % 2 === 1 ? count : 0), 0) === points * points,
    'classes and how often, side * side in all',
  ),
);
const pair = v.pipe(v.array(measured, 'two numbers'), v.length(2, 'two numbers'));
const curve = record({
  name: text,
  x: text,
  y: text,
  points: v.array(pair, 'a list of points'),
});
const scores = v.pipe(
  record({
    set,
    about: text,
    ids: v.array(whole, 'a list of ids'),
    scores: v.array(measured, 'a list of numbers'),
  }),
  v.check(({ ids, scores: all }) => ids.length === all.length, 'as many scores as ids'),
);
const audit = record({
  name: text,
  title: v.optional(text),
  options: map,
  seconds: measured,
  values: v.pipe(map, v.record(v.string(), measured)),
  intervals: v.optional(v.pipe(map, v.record(v.string(), pair))),
  curves: v.optional(v.array(curve, 'a list of curves')),
  samples: v.optional(v.array(scores, 'a list of scores')),
  notes: v.optional(v.array(text, 'a list of sentences')),
  failed: v.optional(text),
  again: v.optional(v.array(v.pipe(map, v.record(v.string(), measured)), 'a list of values')),
});
const audits = v.pipe(map, v.record(v.string(), audit));
const metrics = v.pipe(map, v.record(v.string(), measured));
const cost = record({ seconds: measured, gradientSteps: measured, samplesVisited: measured });
const exhibits = v.optional(
  record({
    entropy,
    forgetPredictions: matrix,
    samples: v.array(sample, 'a list of samples'),
    accuracyByClass: v.optional(record({ forget: shares, test: shares })),
    embedding: v.optional(embedding),
    attention: v.optional(attention),
    plane: v.optional(plane),
  }),
);
const run = record({
  seed: whole,
  method: text,
  options: map,
  metrics,
  cost,
  details: map,
  control: v.optional(text),
  cell: v.optional(text),
  given: v.optional(record({ file: text, sha256: text })),
  exhibits,
  audits: v.optional(audits),
});
/** What the record of a cell says of its audits (run/record.ts). */
export const auditsForm = audits;
/** What it says of what was made. */
export const madeForm = record({
  version: v.literal(1),
  key: text,
  weights: v.optional(text),
  artifact: v.optional(text),
  cost,
  details: map,
  failed: v.optional(text),
});
/** What it says of what was measured. */
export const measuredForm = record({ key: text, metrics, exhibits, unseen: measured });
const classesOf = (entry: v.InferOutput<typeof run>) => entry.exhibits?.forgetPredictions.length;
const trial = record({
  options: map,
  samples: measured,
  seconds: measured,
  metrics: v.optional(v.pipe(map, v.record(v.string(), measured))),
  retrain: measured,
  alone: measured,
  failed: v.optional(text),
});
const searched = record({
  method: text,
  varied: v.array(text, 'a list of names'),
  trials: v.array(trial, 'a list of trials'),
  best: record({ retrain: v.nullish(whole), alone: v.nullish(whole) }),
  chosen: v.nullish(whole),
  notes: v.array(text, 'a list of sentences'),
});
const search = record({
  seed: whole,
  rule: v.picklist(['retrain', 'alone'], '"retrain" or "alone"'),
  budget: number,
  validation: whole,
  retraining: record({ samples: measured, seconds: measured }),
  methods: v.array(searched, 'a list of methods'),
});
const results = record({
  search: v.optional(search),
  recipe: v.optional(map),
  device: v.optional(map),
  environment: v.optional(map),
  runs: v.pipe(
    v.array(run, 'a list of runs'),
    v.check(
      (entries) => new Set(entries.map(classesOf).filter((count) => count !== undefined)).size < 2,
      'predictions over equally many classes in all runs',
    ),
  ),
});

const figure = record({
  mean: number,
  std: v.nullable(number),
  n: whole,
  measurable: v.optional(v.literal(false, 'false or nothing')),
});
const model = record({
  label: text,
  name: text,
  role: v.picklist(['original', 'retrain', 'method'], '"original", "retrain" or "method"'),
  figures: v.pipe(map, v.record(v.string(), figure)),
});
const grades = ['close', 'partly', 'far', 'exact', 'none', 'void'] as const;
const verdict = record({
  grade: v.picklist(grades, 'a grade'),
  badge: text,
  best: v.nullable(text),
  headline: text,
  certainty: v.nullable(text),
});
const variedRun = record({
  label: text,
  at: v.nullable(number),
  title: v.nullable(text),
  forgotten: v.nullable(number),
  verdict: v.nullable(verdict),
  models: v.array(model, 'a list of models'),
});
const varied = record({
  kind: v.literal('varied', '"varied", or no kind'),
  recipe: map,
  about: text,
  runs: v.pipe(v.array(variedRun, 'a list of runs'), v.minLength(1, 'at least one run')),
});

/** Reads results of one run. @throws LetheError as loadAny, and 'value' for those of several. */
export async function loadResults(path: string): Promise<Results> {
  const found = await loadAny(path);
  if (!('kind' in found)) return found;
  throw new LetheError(
    'value',
    `${printable(path)}: the results of several runs; expected those of one of them, in the folder of its name`,
  );
}

/**
 * Reads results of one run, or of the several runs of a recipe with `vary`.
 * @throws LetheError 'value' where there is no such file, 'data' where it is not as `lethe run` writes it: with the place
 * in it, what was expected there and what was found.
 */
export async function loadAny(path: string): Promise<Results | VariedResults> {
  let text: string;
  try {
    text = (await readFileBounded(path, MAX_BYTES)).toString('utf8');
  } catch (cause) {
    if (!isIo(cause)) throw cause;
    throw new LetheError('value', `results: ${reasonOf(cause)}`, { cause });
  }
  const bad = (what: string) => new LetheError('data', `${printable(path)}: ${what}`);
  const ours = '; expected a results.json written by lethe run';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw bad(`not JSON (${reasonOf(cause)})${ours}`);
  }
  if (!isMap(value)) throw bad(`not a map${ours}`);
  if (value.version !== 1) throw bad(`version ${show(value.version)}${ours}`);
  if (!within(value, MAX_DEPTH)) throw bad(`more than ${MAX_DEPTH} maps and lists within each other`);
  const form = value.kind === undefined ? results : varied;
  const { issues } = v.safeParse(form as v.GenericSchema, value, { abortEarly: true });
  if (issues) {
    const [{ path: steps = [], message, input }] = issues;
    const at = printable(steps.map((step) => String(step.key)).join('.'));
    throw bad(
      input === undefined
        ? `${at} is missing`
        : `${at}: expected ${message}, got ${input === null ? 'null' : show(input)}`,
    );
  }
  return value as unknown as Results | VariedResults;
}

function within(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => within(inner, depth - 1));
}
