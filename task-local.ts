// Finds what the runtime offers for variables that follow a task through its awaits, and hands it to the engine. Node's
// AsyncLocalStorage is asked for at run time, never imported, so that a bundle for browsers holds no word of it.

import type { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, setTaskLocal, type TaskLocal } from './engine/context.ts';

type Hooks = { AsyncLocalStorage: new () => AsyncLocalStorage<Context> };

function useHooks({ AsyncLocalStorage }: Hooks): void {
  const storage = new AsyncLocalStorage();
  setTaskLocal({ get: () => storage.getStore(), run: (value, f) => storage.run(value, f) });
}

/** Resolves once the engine has what there is. Where Node can, and in browsers, that is before this returns. */
export function findTaskLocal(): Promise<void> {
  const { AsyncContext } = globalThis as { AsyncContext?: { Variable: new () => TaskLocal } };
  const name = 'node:async_hooks';
  if (AsyncContext) setTaskLocal(new AsyncContext.Variable());
  else if (typeof process === 'object' && typeof process.versions?.node === 'string') {
    // Before Node 20.16 modules of its own come by import alone; bundlers are to leave it to Node.
    if (!process.getBuiltinModule)
      return import(/* @vite-ignore */ /* webpackIgnore: true */ name).then(useHooks);
    useHooks(process.getBuiltinModule(name) as Hooks);
  }
  return Promise.resolve();
}
