// A model's variables as the bytes of a safetensors file, and back. Names are the paths in the tree, layouts the
// engine's own (HWIO); files with PyTorch's names are the business of the engine's io.

import { check } from '../engine/error.ts';
import type { Variables } from '../engine/nn/types.ts';
import type { Tensor } from '../engine/tensor.ts';
import * as lt from '../index.ts';
import { decodeArrays, encodeArrays, type State } from './run/arrays.ts';

/** Every tensor with its path, such as `params.conv1.kernel`. */
const named = (part: unknown, prefix: string): [string, Tensor][] =>
  lt.tree.entries<Tensor>(part as never).map(([path, tensor]) => [`${prefix}.${path}`, tensor]);

const all = ({ params, state }: Variables) => [...named(params, 'params'), ...named(state, 'state')];

/** Number of values among the parameters. */
export function parameterCount(variables: Variables): number {
  return named(variables.params, 'params').reduce((sum, [, tensor]) => sum + tensor.size, 0);
}

export async function toBytes(variables: Variables): Promise<Uint8Array> {
  const arrays: State['arrays'] = {};
  for (const [name, tensor] of all(variables)) {
    arrays[name] = { data: Float32Array.from(await tensor.data()), shape: [...tensor.shape] };
  }
  return Buffer.concat(encodeArrays(arrays, { format: 'lethe' }));
}

/**
 * Variables of the form of `like` with the values of the file. `like` stays the caller's.
 * @throws LetheError 'data' where a name is missing or left over, or a shape differs.
 */
export function fromBytes(bytes: Uint8Array, like: Variables): Variables {
  const { arrays } = decodeArrays(bytes);
  const wanted = all(like);
  const names = new Set(wanted.map(([name]) => name));
  const stray = Object.keys(arrays).find((name) => !names.has(name));
  check(stray === undefined, 'data', () => `weights: ${stray} is not part of this model`);
  const values = new Map<Tensor, Tensor>();
  for (const [name, tensor] of wanted) {
    const found = arrays[name];
    check(found, 'data', () => `weights: ${name} is missing; expected [${tensor.shape.join(', ')}]`);
    check(
      found.shape.join() === tensor.shape.join(),
      'data',
      () => `weights: ${name} is [${found.shape.join(', ')}], expected [${tensor.shape.join(', ')}]`,
    );
    values.set(tensor, lt.tensor(found.data, { shape: tensor.shape, dtype: tensor.dtype }));
  }
  return lt.tree.map((tensor: Tensor) => values.get(tensor) as Tensor, like as never) as unknown as Variables;
}

/** Gives the memory of all variables back. */
export function disposeAll(variables: Variables): void {
  for (const [, tensor] of all(variables)) tensor.dispose();
}
