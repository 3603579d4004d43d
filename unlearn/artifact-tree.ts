// Trees of tensors in artifacts: safetensors whose names are the paths in the tree, and the form of the tree beside them.

import { check, LetheError } from '../engine/error.ts';
import type { LazyTensor } from '../engine/io/index.ts';
import type { Tensor } from '../engine/tensor.ts';
import * as lt from '../index.ts';
import type { Artifact } from './artifact.ts';
import type { ContentRef } from './artifact-store.ts';

/**
 * Puts a tree of tensors, as safetensors whose names are the paths in the tree, one tensor in memory at a time. The tensors
 * stay the caller's.
 * @throws LetheError 'value' for leaves that are no tensors, and for two with one path.
 */
export async function putTree(artifact: Artifact, name: string, tree: unknown): Promise<ContentRef> {
  const leaves = lt.tree.entries<Tensor>(tree);
  for (const [path, leaf] of leaves)
    check(leaf instanceof lt.Tensor, 'value', () => `artifact: ${name}: ${path || 'the tree'} is no tensor`);
  const tensors: Record<string, LazyTensor> = Object.fromEntries(leaves);
  const paths = Object.keys(tensors).length;
  check(paths === leaves.length, 'value', () => `artifact: ${name}: two tensors have one path`);
  const form = JSON.stringify(lt.tree.map(() => 0, tree) ?? null);
  return artifact.put(name, lt.io.streamSafetensors(tensors, { tree: form }));
}

/**
 * A tree of tensors that was put, bit for bit; the tensors are the caller's.
 * @throws LetheError 'data' for what is no such tree; as `get` does.
 */
export async function getTree<T>(artifact: Artifact, name: string): Promise<T> {
  const file = await lt.io.openSafetensors(await artifact.get(name));
  let form: unknown;
  try {
    form = JSON.parse(file.metadata.tree);
  } catch (cause) {
    throw new LetheError('data', `artifact: ${name} holds no tree of tensors`, { cause });
  }
  const { def } = lt.tree.flatten(form);
  const made: Tensor[] = [];
  try {
    for (const [path] of lt.tree.entries(form)) {
      check(Object.hasOwn(file.forms, path), 'data', () => `artifact: ${name}: ${path} is missing in it`);
      const { data, shape, dtype } = await file.tensor(path);
      made.push(lt.tensor(data, { shape, dtype }));
    }
    return lt.tree.unflatten(def, made) as T;
  } catch (cause) {
    for (const tensor of made) tensor.dispose();
    throw cause;
  }
}
