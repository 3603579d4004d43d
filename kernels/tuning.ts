// Tables of measured choices. `lethe bench tune` writes one for the adapter it ran on; tables of families of adapters
// that were measured come with the package (shipped.ts). Of the tables that fit an adapter a later one wins: shipped,
// then given; where none has a product's class, the heuristic decides.

import { LetheError } from '../engine/error.ts';
import { type Choice, classOf, dtypeOfClass, readChoice, refusal, type Tuning } from './choice.ts';
import type { Traits } from './lowering.ts';
import { shipped } from './shipped.ts';

/** Raised when kernels change so that what was measured for the old ones no longer holds. */
export const KERNELS = 1;

/** Measured choices for a family of adapters; `lethe bench tune` writes one. */
export interface TuningTable {
  /** The version of this form. */
  readonly format: 1;
  /** The version of the kernels that were measured; tables of another are passed over. */
  readonly kernels: number;
  /** The table holds for adapters whose description contains this text, in whatever case. */
  readonly adapter: string;
  /** From classes of products (see `classOf`) to choices as text (see `writeChoice`). */
  readonly choices: Readonly<Record<string, string>>;
}

const CLASS = /^(dot|conv|convGradInput|convGradWeight) \d{1,5}x\d{1,5}x\d{1,5}x\d{1,5}(?: float16)?$/;
const MOST_CHOICES = 10_000;

/** A table out of JSON from anywhere. Errors are 'data' and begin with `where`. */
export function parseTable(json: unknown, where: string): TuningTable {
  const fail = (what: string): never => {
    throw new LetheError('data', `${where}: ${what}`);
  };
  const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 60);
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return fail(`expected a tuning table, found ${show(json)}`);
  const { format, kernels, adapter, choices } = json as Record<string, unknown>;
  if (format !== 1) return fail(`format: expected 1, found ${show(format)}`);
  if (!Number.isSafeInteger(kernels)) return fail(`kernels: expected a whole number, found ${show(kernels)}`);
  if (typeof adapter !== 'string' || adapter === '')
    return fail(`adapter: expected a name, found ${show(adapter)}`);
  if (typeof choices !== 'object' || choices === null || Array.isArray(choices))
    return fail(`choices: expected an object, found ${show(choices)}`);
  const entries = Object.entries(choices);
  if (entries.length > MOST_CHOICES)
    fail(`choices: expected at most ${MOST_CHOICES}, found ${entries.length}`);
  for (const [key, text] of entries) {
    if (!CLASS.test(key)) fail(`choices: expected a name such as "dot 1024x1024x1024x1", found ${show(key)}`);
    if (typeof text !== 'string' || readChoice(text) === null)
      fail(`choices: ${key}: expected a text such as "staged 64x64x16 of 4x4", found ${show(text)}`);
  }
  return { format, kernels: kernels as number, adapter, choices: choices as Record<string, string> };
}

/** 'off': the heuristic alone. Else tables beside the shipped ones; those of other adapters are passed over. */
export type TuningOption = 'off' | readonly TuningTable[];

/** What holds for an adapter, and a line for people on where it comes from. A given choice the device cannot run throws. */
export function tuningFor(
  adapter: string,
  traits: Traits,
  given: TuningOption = [],
): { readonly tuning: Tuning; readonly about: string } {
  if (given === 'off') return { tuning: () => undefined, about: 'off' };
  const choices = new Map<string, Choice>();
  const about: string[] = [];
  const fits = ({ adapter: name, kernels }: TuningTable): boolean =>
    kernels === KERNELS && adapter.toLowerCase().includes(name.toLowerCase());
  const take = (table: TuningTable, source: string, strict: boolean): void => {
    if (!fits(table)) return;
    let taken = 0;
    for (const [key, text] of Object.entries(table.choices)) {
      const choice = readChoice(text) as Choice;
      const reason = refusal(choice.tiles, traits, dtypeOfClass(key));
      if (reason !== null && strict)
        throw new LetheError('data', `tuning table of "${table.adapter}": ${key}: "${text}": ${reason}`);
      if (reason !== null) continue;
      choices.set(key, choice);
      taken++;
    }
    about.unshift(`${taken} ${source}`);
  };
  for (const table of shipped) take(table, `shipped for ${table.adapter}`, false);
  given.forEach((table, n) => {
    take(parseTable(table, `tuning table ${n + 1}`), 'given', true);
  });
  return { tuning: (shape) => choices.get(classOf(shape)), about: about.join(', ') || 'heuristic' };
}
