// Training and a method in a process of its own, to be killed: node child.js FOLDER. Writes the final values.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as lt from '../../../index.ts';
import { writeFileAtomic } from '../../../unlearn/files.ts';
import { methods } from '../../../unlearn/methods/index.ts';
import { FileStore } from '../../../unlearn/run/store.ts';
import { train } from '../../../unlearn/train.ts';
import { cut, stripes, tinyCnn, valuesOf } from '../problems.ts';

const [folder] = process.argv.slice(2);
await lt.init({ device: 'auto' });
const model = tinyCnn();
const data = stripes(600);
const key = lt.random.key(1);
const store = (name: string) => new FileStore(join(folder, `${name}.safetensors`), { key: name });
const options = { epochs: 24, batchSize: 16, learningRate: 0.05, augment: { crop: 1, flip: true } };
const { variables } = await train({ model, data, options, key, checkpoint: store('train') });
const quick = { epochs: 12, batchSize: 16, learningRate: 1e-3 };
const input = { model, variables, ...cut(data, 1), key, checkpoint: store('unlearn') };
const unlearned = await methods.boundaryShrink(quick).unlearn(input);
const done = join(folder, 'done.json');
if (existsSync(done)) throw new Error('the result is already there');
await writeFileAtomic(done, Buffer.from(JSON.stringify(await valuesOf(unlearned.variables))));
await lt.close();
