// What belongs to a task and not to the process: the device it computes on, and the scope that owns the tensors it makes.
// Asynchronous tasks take turns in one thread, so a plain variable would show each of them what another left there. The
// runtime has a place that follows a task through its awaits (AsyncLocalStorage in Node, AsyncContext where a browser
// offers it); whoever loads the engine hands it in. Without one, state lasts while a function is on the stack, and code
// after an await meets that of the process: it may miss its own, but never gets another task's.

import type { Device } from './device.ts';
import type { Scope } from './tensor.ts';

export interface Context {
  /** The current device: shared by all that runs in one task, whoever chooses it. */
  readonly task: { device: Device | null };
  readonly scope: Scope | null;
}

/** A variable with one value for each task, as AsyncContext.Variable. */
export interface TaskLocal {
  get(): Context | undefined;
  /** Runs f, and all that goes on from it later, with this value. */
  run<R>(value: Context, f: () => R): R;
}

/** Of the process: for all that runs in no task of its own. */
const root: Context = { task: { device: null }, scope: null };

let called: Context | undefined;
const onStack: TaskLocal = {
  get: () => called,
  run: (value, f) => {
    const outer = called;
    called = value;
    try {
      return f();
    } finally {
      called = outer;
    }
  },
};
let local = onStack;

/** Called before there are tasks; null for a runtime that has no such variable. */
export const setTaskLocal = (given: TaskLocal | null): void => {
  local = given ?? onStack;
};
/** Whether a context lasts beyond the first await of the function it was given. */
export const followsAwaits = (): boolean => local !== onStack;

export const context = (): Context => local.get() ?? root;
/** Runs f in the current context with some of it replaced. */
export const inContext = <R>(changes: Partial<Context>, f: () => R): R =>
  local.run({ ...context(), ...changes }, f);

export const isPromise = (x: unknown): x is PromiseLike<unknown> =>
  typeof x === 'object' && x !== null && 'then' in x && typeof x.then === 'function';
