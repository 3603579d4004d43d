// Values as JSON that is compared, hashed and read back.

/** Whether a value is a map of keys to values: no list, no array of numbers. */
export const isMap = (x: unknown): x is Record<string, unknown> =>
  typeof x === 'object' && x !== null && !Array.isArray(x) && !ArrayBuffer.isView(x);

const byKey = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);

/** JSON with sorted keys: the same for equal values, whatever order their keys were written in. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, x) => (isMap(x) ? Object.fromEntries(Object.entries(x).sort(byKey)) : x));
}

/** Where in a value there is something that JSON would leave out or change, such as NaN; null where there is nothing. */
export function notJson(value: unknown, place = ''): string | null {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null;
  if (typeof value === 'number') return Number.isFinite(value) ? null : `${place || 'it'} is ${value}`;
  const plain = typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!plain && !Array.isArray(value)) return `${place || 'it'} is ${named(value)}`;
  for (const [key, item] of Object.entries(value as object)) {
    const wrong = notJson(item, place ? `${place}.${key}` : key);
    if (wrong) return wrong;
  }
  return null;
}

const named = (value: unknown): string =>
  typeof value === 'object'
    ? `a ${value?.constructor?.name}`
    : `${value === undefined ? '' : 'a '}${typeof value}`;

/** The value where it is a map, else an empty one. */
export const mapOf = (x: unknown): Record<string, unknown> => (isMap(x) ? x : {});
