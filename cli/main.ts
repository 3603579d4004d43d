#!/usr/bin/env node
// The executable: hands the process to lethe() and its answer back to the shell.

import { onInterrupt } from './interrupt.ts';
import { lethe } from './lethe.ts';

// A reader that goes away (`lethe ... | head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const { stdout, stderr, env } = process;
process.exitCode = await lethe(process.argv.slice(2), { stdout, stderr, env, onInterrupt });
