// A toy run in a process of its own, to be killed: node child.js OUT PACE.

import { run } from '../../../unlearn/run.ts';
import { toyParts, toyRecipe } from './toy.ts';

const [out, pace] = process.argv.slice(2);
console.error('at work');
await run(toyRecipe(), { out, parts: toyParts({ pace: Number(pace) }) }).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
