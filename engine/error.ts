// The one error class of the engine and of everything above it. A LetheError says what was being done, what was
// found and what would have fitted; it never needs a stack trace to be understood. `kind` lets callers react:
// 'shape' | 'dtype' | 'value' (an impossible option), 'data' (a malformed file, or files that are not where they should
// be), 'state' (use after dispose, no device), 'device' (a backend failed), 'io' (reading or writing failed).

export type ErrorKind = 'shape' | 'dtype' | 'value' | 'data' | 'state' | 'device' | 'io';

export class LetheError extends Error {
  override readonly name = 'LetheError';
  constructor(
    readonly kind: ErrorKind,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Throws a LetheError unless `condition` holds. The message is a thunk so that the happy path builds no strings. */
export function check(condition: unknown, kind: ErrorKind, message: () => string): asserts condition {
  if (!condition) throw new LetheError(kind, message());
}

/** What a wrong argument is, in a few words. */
export const describe = (x: unknown): string =>
  x === null || x === undefined || typeof x === 'number' || typeof x === 'boolean'
    ? String(x)
    : typeof x === 'string'
      ? `'${x}'`
      : x instanceof Promise
        ? 'a Promise (await it first)'
        : Array.isArray(x)
          ? 'an array'
          : typeof x === 'object'
            ? 'an object'
            : `a ${typeof x}`;
