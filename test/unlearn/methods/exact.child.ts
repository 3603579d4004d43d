// A preparation and a removal in a process of its own, to be killed: node exact.child.js METHOD FOLDER. Says a line at each
// report of progress, and at the end the digest.

import * as lt from '../../../index.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { stripes, tinyMlp } from '../problems.ts';

const [name, folder] = process.argv.slice(2);
const train = { epochs: 2, batchSize: 16 };
const method =
  name === 'sisa' ? methods.sisa({ shards: 2, slices: 2, train }) : methods.arcane({ blocks: 2, train });
await lt.init({ device: 'reference' });
const onProgress = () => console.log('going on');
const input = { model: tinyMlp(), data: stripes(40), key: lt.random.key(6), onProgress };
const prepared = await method.prepare({ ...input, folder });
await method.queue(prepared, { ids: [3, 17] });
const after = await method.forget(prepared, { ids: [] }, { folder, onProgress });
console.log(method.digest(after));
