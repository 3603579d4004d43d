// The one error class of the engine and of everything above it, and what raises it. A message never needs a stack trace
// to be understood; `kind` lets callers react.

/**
 * What kind of thing went wrong.
 *
 * - 'shape': sizes or axes of tensors do not fit the operation.
 * - 'dtype': an element type does not fit, or the device does not have it.
 * - 'value': an argument or option that cannot be, a misspelt option among them.
 * - 'data': a malformed file or recipe, or files that are not where they should be.
 * - 'state': the right call at the wrong time: use after dispose, no device chosen, a value that escaped from its transformation.
 * - 'device': a device is missing, was lost, ran out of memory or failed.
 * - 'io': a file could not be read or written.
 */
export type ErrorKind = 'shape' | 'dtype' | 'value' | 'data' | 'state' | 'device' | 'io';

/**
 * The one error class of Lethe. Its message says in one line what was being done, what was found and what would have
 * fitted.
 */
export class LetheError extends Error {
  /** Always 'LetheError'. */
  override readonly name = 'LetheError';
  /** @param options `cause`: the error underneath, where there is one. */
  constructor(
    /** What kind of thing went wrong: see {@link ErrorKind}. */
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
