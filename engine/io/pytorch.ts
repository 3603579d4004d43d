// Between Lethe's variables and PyTorch's state dicts, for the models of lt.nn. Names need no table: our paths are
// PyTorch's names. What differs is the layout: convolutions HWIO here and OIHW there, dense layers [in, out] here and
// [out, in] there, batch norm's { mean, variance } are running_mean and running_var, and a dense layer that reads a
// flattened image finds the channel last here and first there, so its rows change places.

import { tensor } from '../create.ts';
import { isFloat, type Shape, showShape, sizeOf, stridesOf, type TypedArray } from '../dtype.ts';
import { check, LetheError } from '../error.ts';
import type { Model, Variables } from '../nn/types.ts';
import { settle } from '../options.ts';
import { key } from '../random.ts';
import { floatType } from '../runtime.ts';
import type { Tensor } from '../tensor.ts';
import { evalShape, type ShapeOf } from '../transforms/shape.ts';
import { entries, flatten, unflatten } from '../tree.ts';
import type { LazyTensor, StoredTensor, TensorForm } from './layout.ts';
import type { SafetensorsFile } from './safetensors.ts';

/** PyTorch's names and layouts: what loadSafetensors gives for a state dict that PyTorch saved. */
export type StateDict = Readonly<Record<string, StoredTensor>>;

/** The first convolution, and where an image is flattened: the dense layer that reads it and the convolution before. */
interface Anatomy {
  readonly stem?: string;
  readonly flattened?: { readonly dense: string; readonly after?: string };
}
const ANATOMIES: Readonly<Record<string, Anatomy>> = {
  mlp: { flattened: { dense: 'fc1' } },
  lenet: { stem: 'conv1', flattened: { dense: 'fc1', after: 'conv2' } },
  smallCnn: { stem: 'conv1', flattened: { dense: 'fc1', after: 'conv2' } },
  allCnn: { stem: 'features.0.0' },
  resnet18: { stem: 'conv1' },
  vgg16: { stem: 'features.0' },
};
function anatomyOf(what: string, model: Model): Anatomy {
  check(
    Object.hasOwn(ANATOMIES, model.name),
    'value',
    () =>
      `${what}: no PyTorch names for model '${model.name}'; there are some for ${Object.keys(ANATOMIES).join(', ')}`,
  );
  return ANATOMIES[model.name];
}

/** Options of toPyTorch and fromPyTorch. */
export interface PyTorchOptions {
  /**
   * [N, H, W, C] of the images. The mlp needs it, whose weights do not tell its channels from its pixels; for the other
   * models it only makes the check of shapes stricter.
   */
  inputShape?: Shape;
}

// ---- layouts ---------------------------------------------------------------------------------------------------------

/** PyTorch's axes in terms of ours, by rank. */
const axesOf = ({ length }: Shape): readonly number[] =>
  length === 4 ? [3, 2, 0, 1] : length === 2 ? [1, 0] : Array.from({ length }, (_, i) => i);
const permuted = (shape: Shape, perm: readonly number[]): number[] => perm.map((p) => shape[p]);

/** Elements of `data` with axis i of the result being axis perm[i] of `shape`. */
function transposed(data: TypedArray, shape: Shape, perm: readonly number[]): TypedArray {
  const to = permuted(shape, perm);
  const steps = permuted(stridesOf(shape), perm);
  if (to.length === 0) return data.slice();
  const out = data.slice();
  const last = to.length - 1;
  let at = 0;
  const walk = (axis: number, from: number): void => {
    if (axis < last) for (let i = 0; i < to[axis]; i++) walk(axis + 1, from + i * steps[axis]);
    else for (let i = 0; i < to[last]; i++) out[at++] = data[from + i * steps[last]];
  };
  walk(0, 0);
  return out;
}
const inverse = (perm: readonly number[]): number[] => perm.map((_, i) => perm.indexOf(i));

/** Our shape and PyTorch's axes for it; a flattened image's rows are seen as [pixels, channels]. */
function layout(shape: Shape, channels: number | null): { split: Shape; perm: readonly number[] } {
  if (channels !== null) return { split: [shape[0] / channels, channels, shape[1]], perm: [2, 1, 0] };
  return { split: shape, perm: axesOf(shape) };
}
const torchShape = (shape: Shape): number[] => permuted(shape, axesOf(shape));

const isFlattened = ({ flattened }: Anatomy, path: string): boolean => path === `${flattened?.dense}.weight`;

const torchName = (path: string, part: 'params' | 'state'): string =>
  part === 'params' ? path : path.replace(/mean$/, 'running_mean').replace(/variance$/, 'running_var');

// ---- to PyTorch ------------------------------------------------------------------------------------------------------

/**
 * A state dict as PyTorch's module of the same architecture has it: float32 on the CPU, names as in docs/models.md. Save
 * it with lt.io.saveSafetensors; in PyTorch, `safetensors.torch.load_file` and `load_state_dict` take it.
 * @throws 'value' for a model without PyTorch names, and where the mlp misses `inputShape`.
 */
export async function toPyTorch(
  model: Model,
  variables: Variables,
  options?: PyTorchOptions,
): Promise<Record<string, StoredTensor>> {
  const dict: Record<string, StoredTensor> = Object.create(null);
  for (const [name, t] of Object.entries(toPyTorchLazy(model, variables, options)))
    dict[name] = { ...t, data: await t.data() };
  return dict;
}

/**
 * The same state dict, whose tensors are read from the device, and put into PyTorch's layout, when they are asked for: for
 * lt.io.streamSafetensors, which has one of them in memory at a time.
 */
export function toPyTorchLazy(
  model: Model,
  { params, state }: Variables,
  options?: PyTorchOptions,
): Record<string, LazyTensor> {
  const { inputShape } = settle('toPyTorch', options, { inputShape: undefined });
  const anatomy = anatomyOf('toPyTorch', model);
  const named = new Map(entries<Tensor>(params));
  const channels = channelsOf('toPyTorch', anatomy, inputShape, (path) => named.get(path)?.shape[3]);
  const dict: Record<string, LazyTensor> = Object.create(null);
  for (const [path, t] of named) {
    const { split, perm } = layout(t.shape, isFlattened(anatomy, path) ? channels : null);
    const data = async () => new Float32Array(transposed(await t.data(), split, perm));
    dict[path] = { data, shape: torchShape(t.shape), dtype: 'float32' };
  }
  for (const [path, t] of entries<Tensor>(state)) {
    const data = async () => new Float32Array(await t.data());
    dict[torchName(path, 'state')] = { data, shape: t.shape, dtype: 'float32' };
    if (path.endsWith('variance'))
      dict[path.replace(/variance$/, 'num_batches_tracked')] = {
        data: async () => Int32Array.of(0),
        shape: [],
        dtype: 'int32',
        stored: 'I64',
      };
  }
  return dict;
}

// ---- from PyTorch ----------------------------------------------------------------------------------------------------

/**
 * Variables of `model` from a state dict, as loaded by lt.io.loadSafetensors(bytes).tensors. A prefix 'module.' (from
 * DataParallel) is dropped; num_batches_tracked is not needed.
 *
 * @throws 'data' listing what is missing, unexpected or of another shape.
 */
export function fromPyTorch(model: Model, dict: StateDict, options?: PyTorchOptions): Variables {
  const { leaves, build } = match(model, dict, options);
  for (const { source, shape } of leaves) {
    const { length } = dict[source].data;
    const theirs = torchShape(shape);
    check(
      length === sizeOf(theirs),
      'data',
      () => `fromPyTorch: ${source} has ${length} elements for shape ${showShape(theirs)}`,
    );
  }
  return build(leaves.map((leaf) => leaf.tensor(dict[leaf.source].data)));
}

/**
 * As fromPyTorch, from a file opened by lt.io.openSafetensors, with one of its tensors in memory at a time.
 * @throws 'data' as fromPyTorch does, before any tensor is read; what reading throws, with nothing left behind.
 */
export async function fromPyTorchFile(
  model: Model,
  file: SafetensorsFile,
  options?: PyTorchOptions,
): Promise<Variables> {
  const { leaves, build } = match(model, file.forms, options);
  const made: Tensor[] = [];
  try {
    for (const leaf of leaves) made.push(leaf.tensor((await file.tensor(leaf.source)).data));
    return build(made);
  } catch (cause) {
    for (const t of made) t.dispose();
    throw cause;
  }
}

/** One of our tensors: where its elements come from, and how it is made of them. */
interface Source {
  /** Its name in the state dict. */
  readonly source: string;
  readonly shape: Shape;
  tensor(data: TypedArray): Tensor;
}

/** Finds a tensor of the state dict for each of the model's. */
function match(
  model: Model,
  dict: Readonly<Record<string, TensorForm>>,
  options?: PyTorchOptions,
): { leaves: Source[]; build: (tensors: readonly Tensor[]) => Variables } {
  const { inputShape } = settle('fromPyTorch', options, { inputShape: undefined });
  const anatomy = anatomyOf('fromPyTorch', model);
  const names = Object.keys(dict);
  const parallel = names.length > 0 && names.every((n) => n.startsWith('module.'));
  const left = new Map(names.map((n) => [parallel ? n.slice('module.'.length) : n, n]));
  const shapeOf = (name: string): Shape | undefined => {
    const source = left.get(name);
    return source === undefined ? undefined : dict[source].shape;
  };
  const channels = channelsOf('fromPyTorch', anatomy, inputShape, (path) => shapeOf(path)?.[0]);
  const stem = anatomy.stem && shapeOf(`${anatomy.stem}.weight`)?.[1];
  const seed = key(0);
  const template = evalShape((k: Tensor) => model.init(k, inputShape ?? [1, 32, 32, stem || 3]), seed) as {
    params: ShapeOf;
    state: ShapeOf;
  };
  seed.dispose();

  const missing: string[] = [];
  const wrong: string[] = [];
  const leaves: Source[] = [];
  for (const part of ['params', 'state'] as const)
    for (const [path, expected] of entries<ShapeOf>(template[part])) {
      const name = torchName(path, part);
      const source = left.get(name);
      left.delete(name);
      if (source === undefined) {
        missing.push(name);
        continue;
      }
      const given = dict[source];
      const flattened = isFlattened(anatomy, path);
      // Without an input shape, any number of pixels will do.
      const free = flattened && !inputShape && channels && given.shape[1] % channels === 0;
      const shape = free ? [given.shape[1], expected.shape[1]] : expected.shape;
      const theirs = torchShape(shape);
      if (showShape(given.shape) !== showShape(theirs) || !isFloat(given.dtype)) {
        wrong.push(
          `${name} is ${given.dtype}${showShape(given.shape)}, expected float32${showShape(theirs)}`,
        );
        continue;
      }
      const { split, perm } = layout(shape, flattened ? channels : null);
      const ours = (data: TypedArray) => transposed(data, permuted(split, perm), inverse(perm));
      leaves.push({
        source,
        shape,
        tensor: (data) => tensor(ours(data), { shape, dtype: floatType() }),
      });
    }
  const unexpected = [...left.keys()].filter((n) => !n.endsWith('num_batches_tracked'));
  const list = (what: string, names: readonly string[]): string[] => {
    if (names.length === 0) return [];
    const rest = names.length > 8 ? `, and ${names.length - 8} more` : '';
    return [`${what} ${names.slice(0, 8).join(', ')}${rest}`];
  };
  const problems = [...list('missing', missing), ...list('unexpected', unexpected), ...list('wrong:', wrong)];
  if (problems.length > 0)
    throw new LetheError(
      'data',
      `fromPyTorch: the state dict does not fit ${model.name}: ${problems.join('; ')}`,
    );
  return { leaves, build: (tensors) => unflatten(flatten(template).def, tensors) };
}

/** Channels of the image that is flattened: the input's, or what the convolution before it gives. */
function channelsOf(
  what: string,
  { flattened }: Anatomy,
  inputShape: Shape | undefined,
  filters: (path: string) => number | undefined,
): number | null {
  if (!flattened) return null;
  if (flattened.after) return filters(`${flattened.after}.weight`) ?? null;
  check(
    inputShape !== undefined,
    'value',
    () =>
      `${what}: pass { inputShape: [N, H, W, C] }: PyTorch flattens images channel first, so the order of ${flattened.dense}'s inputs depends on it`,
  );
  return inputShape[inputShape.length - 1];
}
