// A model's variables as the bytes of a safetensors file, and back. Files of the engine's own models carry PyTorch's
// names and layouts, so PyTorch reads them and its files are read here; other models go by the paths in their tree.

import { check, LetheError } from '../engine/error.ts';
import type { Model, Variables } from '../engine/nn/types.ts';
import type { Tensor } from '../engine/tensor.ts';
import * as lt from '../index.ts';
import { CARD, type ModelCard, readCard } from './model.ts';

/** Every tensor with its path, such as `params.conv1.weight`. */
const named = (part: unknown, prefix: string): [string, Tensor][] =>
  lt.tree.entries<Tensor>(part).map(([path, tensor]) => [`${prefix}.${path}`, tensor]);

const all = ({ params, state }: Variables) => [...named(params, 'params'), ...named(state, 'state')];

const known = (model: Model) => Object.hasOwn(lt.nn.models, model.name);

/** Number of values among the parameters. */
export function parameterCount(variables: Variables): number {
  return named(variables.params, 'params').reduce((sum, [, tensor]) => sum + tensor.size, 0);
}

/**
 * @param shape [height, width, channels] of the images.
 * @param card what the weights need besides themselves to be used, for whoever has the file alone.
 * The same variables give the same bytes.
 */
export async function toBytes(
  model: Model,
  variables: Variables,
  shape: readonly number[],
  card?: ModelCard,
): Promise<Uint8Array> {
  const inputShape = [1, ...shape];
  const tensors = known(model)
    ? await lt.io.toPyTorch(model, variables, { inputShape })
    : Object.fromEntries(all(variables));
  const described = card && { [CARD]: JSON.stringify(card) };
  return lt.io.saveSafetensors(tensors, { format: 'pt', model: model.name, ...described });
}

/**
 * The card that a file of weights carries; null where it carries none, as one from PyTorch.
 * @throws LetheError 'data' where it cannot be read.
 */
export function cardIn(bytes: Uint8Array): ModelCard | null {
  return readCard(lt.io.safetensorsMetadata(bytes));
}

/**
 * Variables of a model from the bytes of a file.
 * @throws LetheError 'data' where a name is missing or left over, or a shape differs.
 */
export function fromBytes(model: Model, bytes: Uint8Array, shape: readonly number[]): Variables {
  const inputShape = [1, ...shape];
  try {
    const { tensors } = lt.io.loadSafetensors(bytes);
    return known(model)
      ? lt.io.fromPyTorch(model, tensors, { inputShape })
      : byPath(model, tensors, inputShape);
  } catch (cause) {
    if (!(cause instanceof LetheError)) throw cause;
    throw new LetheError('data', `weights of ${model.name}: ${cause.message}`, { cause });
  }
}

function byPath(model: Model, found: lt.io.StateDict, inputShape: readonly number[]): Variables {
  const key = lt.random.key(0);
  const like = model.init(key, inputShape);
  key.dispose();
  try {
    const wanted = all(like);
    const names = new Set(wanted.map(([name]) => name));
    const stray = Object.keys(found).find((name) => !names.has(name));
    check(stray === undefined, 'data', () => `${stray} is not part of it`);
    for (const [name, tensor] of wanted) {
      const expected = tensor.shape.join(', ');
      check(found[name], 'data', () => `${name} is missing; expected [${expected}]`);
      const given = found[name].shape.join(', ');
      check(given === expected, 'data', () => `${name} is [${given}], expected [${expected}]`);
    }
    const paths = new Map(wanted.map(([name, tensor]) => [tensor, name]));
    const load = (tensor: Tensor) => lt.tensor(found[paths.get(tensor) as string].data, tensor);
    return lt.tree.map(load, like) as Variables;
  } finally {
    disposeAll(like);
  }
}

/** Gives the memory of all variables back. */
export function disposeAll(variables: Variables): void {
  for (const [, tensor] of all(variables)) tensor.dispose();
}
