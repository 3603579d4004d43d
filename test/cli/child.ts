// The command line with toy parts in a process of its own, to be sent signals: node child.js PACE WORDS...

import { onInterrupt } from '../../cli/interrupt.ts';
import { lethe } from '../../cli/lethe.ts';
import { toyParts } from '../unlearn/run/toy.ts';

const [pace, ...argv] = process.argv.slice(2);
const { stdout, stderr, env } = process;
const parts = toyParts({ pace: Number(pace) });
process.exitCode = await lethe(argv, { stdout, stderr, env, onInterrupt, parts });
