// Finds what the runtime offers for variables that follow a task through its awaits, and hands it to the engine. Node's
// AsyncLocalStorage is asked for by name, never imported, so that a bundle for browsers needs no word of Node.

import { type Context, setTaskLocal, type TaskLocal } from './engine/context.ts';

function taskLocal(): TaskLocal | null {
  const { AsyncContext } = globalThis as { AsyncContext?: { Variable: new () => TaskLocal } };
  if (AsyncContext) return new AsyncContext.Variable();
  const hooks = typeof process === 'object' ? process.getBuiltinModule?.('node:async_hooks') : undefined;
  if (!hooks) return null;
  const storage = new hooks.AsyncLocalStorage<Context>();
  return { get: () => storage.getStore(), run: (value, f) => storage.run(value, f) };
}

export const findTaskLocal = (): void => setTaskLocal(taskLocal());
