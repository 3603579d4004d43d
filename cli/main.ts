#!/usr/bin/env node
// The executable: hands the process to lethe() and its answer back to the shell.

import { lethe } from './lethe.ts';

const signals = ['SIGINT', 'SIGTERM'] as const;

/** The first signal reaches the listener; it then stands down, so the second one ends the process as usual. */
function onInterrupt(listener: () => void): () => void {
  const stop = () => {
    for (const signal of signals) process.removeListener(signal, once);
  };
  const once = () => {
    stop();
    listener();
  };
  for (const signal of signals) process.on(signal, once);
  return stop;
}

// A reader that goes away (`lethe ... | head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const { stdout, stderr, env } = process;
process.exitCode = await lethe(process.argv.slice(2), { stdout, stderr, env, onInterrupt });
