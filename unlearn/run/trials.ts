// Which options a search tries: the stated ones first, then points of the ranges, cut so that all trials of a method fit
// into its budget. The list is a function of recipe, seed and sizes alone, never of times.

import * as v from 'valibot';
import type { Range, Work } from '../methods/record.ts';
import type { OptionsSection } from '../options/fields.ts';
import { Stream } from '../random.ts';
import type { Ranges } from '../recipe/ranges.ts';

type Options = Readonly<Record<string, unknown>>;

interface Trials {
  /** Options of each trial, the first being the stated ones. */
  readonly options: readonly Options[];
  /** What was cut so that they fit, in sentences. */
  readonly notes: readonly string[];
}

export interface TrialsInput {
  /** The options as the recipe has them. */
  readonly stated: Options;
  readonly ranges: Ranges;
  /** The schema of the options. */
  readonly schema: OptionsSection;
  readonly count: number;
  readonly seed: number;
  /** What the trials may cost together, and what one costs: `effort`. */
  readonly allowance: number;
  readonly costOf: (options: Options) => number;
}

/** Samples through the network in units of training: a forward pass is a third of a forward and a backward pass. */
export const effort = ({ train, infer }: Work): number => train + infer / 3;

/** The trials of one method. */
export function drawTrials(input: TrialsInput): Trials {
  const { stated, ranges, count, allowance, costOf } = input;
  const drawn = distinct([stated, ...points(input)], count);
  const notes: string[] = [];
  const sum = (list: readonly Options[]) => list.reduce((all, options) => all + costOf(options), 0);
  const fits = (list: readonly Options[]) => sum(list) <= allowance;
  const cuts = new Map<string, number>();
  let options = drawn;
  while (!fits(options)) {
    const option = costOption(options, costOf);
    if (option === null) break;
    const uncut = options;
    const capped = (cap: number): Options[] =>
      uncut.map((one) => ({ ...one, [option]: Math.min(cap, one[option] as number) }));
    const cap = largest(Math.max(...uncut.map((one) => one[option] as number)) - 1, (cap) =>
      fits(capped(cap)),
    );
    options = capped(cap);
    cuts.set(option, cap);
  }
  options = distinct(options, count);
  if (cuts.size > 0) {
    const said = [...cuts].map(([option, cap]) => `${option} cut to ${cap}`).join(', ');
    const enough = fits(options) ? `, so that ${options.length} trials fit into the budget` : '';
    notes.push(`${said} at most${enough}`);
  }
  const fit = largest(options.length, (count) => fits(options.slice(0, count)));
  if (fit < options.length) notes.push(`${fit} of ${options.length} trials fit into the budget`);
  if (!fits(options.slice(0, fit))) notes.push('a single trial is more than the budget');
  if (drawn.length < count)
    notes.push(`${Object.keys(ranges).join(' and ')}: no more than ${drawn.length} settings to try`);
  return { options: options.slice(0, fit), notes };
}

/**
 * The largest whole number from 1 to `most` that holds, 1 where none does. Where one holds so do all below it, so that
 * a few looks are enough: there may be 100,000 epochs to cut, for each of 10,000 trials.
 */
function largest(most: number, holds: (n: number) => boolean): number {
  let [low, high] = [1, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The first `count` that differ from each other. */
function distinct(list: Iterable<Options>, count: number): Options[] {
  const found = new Map<string, Options>();
  for (const options of list) {
    if (found.size === count) break;
    const name = JSON.stringify(options);
    if (!found.has(name)) found.set(name, options);
  }
  return [...found.values()];
}

/** Points tried for each trial that is wanted: lists of a few values repeat themselves. */
const PATIENCE = 20;

/**
 * Options at points that fill the ranges evenly however many are taken: an additive recurrence with the generalised golden
 * ratio (Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences", 2018), moved by a random shift (Cranley and
 * Patterson 1976) that the seed decides.
 */
function* points({ stated, ranges, schema, count, seed }: TrialsInput): Generator<Options> {
  const names = Object.keys(ranges);
  let ratio = 2;
  for (let i = 0; i < 60; i++) ratio = (1 + ratio) ** (1 / (names.length + 1));
  const stream = new Stream(seed, 0x73656172);
  const shift = names.map(() => stream.between(0, 1));
  for (let n = 1; n <= PATIENCE * count; n++) {
    const values = names.map((name, k) => {
      const place = (shift[k] + n / ratio ** (k + 1)) % 1;
      return [name, valueAt(ranges[name], place, schema.entries[name] as v.GenericSchema)];
    });
    yield { ...stated, ...Object.fromEntries(values) };
  }
}

/** The value of a range at a place, 0 to 1: to three digits, and whole where the option has to be. */
export function valueAt(range: Range, place: number, schema: v.GenericSchema): unknown {
  if (!('from' in range)) return range[Math.min(range.length - 1, Math.floor(place * range.length))];
  const { from, to, log } = range;
  const exact = log ? from * (to / from) ** place : from + (to - from) * place;
  const short = Math.min(to, Math.max(from, Number(exact.toPrecision(3))));
  return v.is(schema, short) ? short : Math.round(exact);
}

/**
 * The option by which trials are made cheaper: `epochs`, else the whole number whose half saves most; null where none above 1
 * costs anything.
 */
function costOption(trials: readonly Options[], costOf: TrialsInput['costOf']): string | null {
  const saved = new Map<string, number>();
  for (const options of trials) {
    const cost = costOf(options);
    for (const [name, value] of Object.entries(options)) {
      if (!Number.isInteger(value) || (value as number) < 2) continue;
      const less = cost - costOf({ ...options, [name]: Math.floor((value as number) / 2) });
      if (less > 0) saved.set(name, (saved.get(name) ?? 0) + less);
    }
  }
  if (saved.has('epochs')) return 'epochs';
  let best: string | null = null;
  for (const [name, less] of saved) if (best === null || less > (saved.get(best) as number)) best = name;
  return best;
}
