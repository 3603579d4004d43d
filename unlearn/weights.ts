// A model's variables as a safetensors file, and back, a tensor at a time. Files of the engine's own models carry PyTorch's
// names and layouts, so PyTorch reads them and its files are read here; other models go by the paths in their tree.

import { check, LetheError } from '../engine/error.ts';
import type { Model, Variables } from '../engine/nn/types.ts';
import type { Tensor } from '../engine/tensor.ts';
import * as lt from '../index.ts';
import { CARD, type ModelCard, readCard } from './model.ts';
import { disposeTree } from './train/feed.ts';

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
 * The parts of a file of weights. Tensors are read when their turn comes: the variables have to stay until then.
 * @param shape [height, width, channels] of the images.
 * @param card what the weights need besides themselves to be used, for whoever has the file alone.
 * The same variables give the same bytes.
 */
export function toParts(
  model: Model,
  variables: Variables,
  shape: readonly number[],
  card?: ModelCard,
): AsyncGenerator<Uint8Array, void, void> {
  const inputShape = [1, ...shape];
  const tensors = known(model)
    ? lt.io.toPyTorchLazy(model, variables, { inputShape })
    : Object.fromEntries(all(variables));
  const described = card && { [CARD]: JSON.stringify(card) };
  return lt.io.streamSafetensors(tensors, { format: 'pt', model: model.name, ...described });
}

/**
 * The card that a file of weights carries; null where it carries none, as one from PyTorch.
 * @throws LetheError 'data' where it cannot be read.
 */
export const cardIn = ({ metadata }: lt.io.SafetensorsFile): ModelCard | null => readCard(metadata);

/**
 * Variables of a model from a file.
 * @throws LetheError 'data' where a name is missing or left over, or a shape differs; what reading throws.
 */
export async function fromFile(
  model: Model,
  file: lt.io.SafetensorsFile,
  shape: readonly number[],
): Promise<Variables> {
  const inputShape = [1, ...shape];
  try {
    return await (known(model)
      ? lt.io.fromPyTorchFile(model, file, { inputShape })
      : byPath(model, file, inputShape));
  } catch (cause) {
    if (!(cause instanceof LetheError) || cause.kind === 'io') throw cause;
    throw new LetheError('data', `weights of ${model.name}: ${cause.message}`, { cause });
  }
}

async function byPath(
  model: Model,
  file: lt.io.SafetensorsFile,
  inputShape: readonly number[],
): Promise<Variables> {
  const key = lt.random.key(0);
  const like = model.init(key, inputShape);
  key.dispose();
  const made: Tensor[] = [];
  try {
    const wanted = all(like);
    const names = new Set(wanted.map(([name]) => name));
    const stray = file.names.find((name) => !names.has(name));
    check(stray === undefined, 'data', () => `${stray} is not part of it`);
    for (const [name, tensor] of wanted) {
      const expected = tensor.shape.join(', ');
      check(Object.hasOwn(file.forms, name), 'data', () => `${name} is missing; expected [${expected}]`);
      const given = file.forms[name].shape.join(', ');
      check(given === expected, 'data', () => `${name} is [${given}], expected [${expected}]`);
    }
    for (const [name, tensor] of wanted) made.push(lt.tensor((await file.tensor(name)).data, tensor));
    const loaded = new Map(wanted.map(([, tensor], i) => [tensor, made[i]]));
    return lt.tree.map((tensor: Tensor) => loaded.get(tensor) as Tensor, like) as Variables;
  } catch (cause) {
    for (const tensor of made) tensor.dispose();
    throw cause;
  } finally {
    disposeTree(like);
  }
}
