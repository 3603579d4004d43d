// Numbers, durations and counts as text.

import type { Unit } from '../metrics/record.ts';
import type { Spread } from '../statistics/summarise.ts';

const MINUS = '\u2212';

/** Fixed digits with a true minus sign; an en dash where there is no number. */
export function number(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

export function signed(value: number, digits = 2): string {
  const text = number(value, digits);
  return value > 0 && Number(text) !== 0 ? '+' + text : text;
}

/** A metric's name with its unit; times choose theirs by their size. */
export function titled({ title, unit }: { readonly title: string; readonly unit: Unit }): string {
  return unit === 's' ? title : `${title}, ${unit}`;
}

/** "93.10 ± 0.21"; the spread only where there is one. */
export function spread(value: Spread | null | undefined, digits = 2): string {
  if (!value) return '–';
  return value.std === null
    ? number(value.mean, digits)
    : `${number(value.mean, digits)} ± ${number(value.std, digits)}`;
}

/** "0.10 to 0.72". */
export const interval = ([low, high]: readonly [number, number], digits = 2) =>
  `${number(low, digits)} to ${number(high, digits)}`;

/** "0.4 s", "12 s", "3.5 min", "2.1 h". */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(seconds < 1200 ? 1 : 0)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** "27×" or "1.4×". */
export function times(factor: number): string {
  return `${factor >= 10 ? Math.round(factor).toLocaleString('en-US') : factor.toFixed(1)}×`;
}

/** "16× faster", "1.4× slower", "same time". */
export function comparedWith(speedup: number): string {
  if (speedup > 1.05) return `${times(speedup)} faster`;
  return speedup < 0.95 ? `${times(1 / speedup)} slower` : 'same time';
}

/** The same in a sentence: "16× faster than retraining", "in the time of retraining". */
export const besideRetraining = (speedup: number): string => {
  const said = comparedWith(speedup);
  return said === 'same time' ? 'in the time of retraining' : `${said} than retraining`;
};

export function count(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value)
    ? '–'
    : Math.round(value).toLocaleString('en-US');
}

export function percent(share: number, digits = 0): string {
  return `${(100 * share).toFixed(digits)}%`;
}

/** "a", "a and b", "a, b and c". */
export function listed(items: readonly string[], last = 'and'): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)}`;
}

/** "12.0" or "12.0 to 34.5". */
export function range(values: readonly number[], digits = 1): string {
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => number(value, digits));
  return low === high ? low : `${low} to ${high}`;
}
