/**
 * lt.io: safetensors files and PyTorch's state dicts, as functions on bytes and arrays.
 *
 * @module
 */

export type { Stored } from './codec.ts';
export type { LazyTensor, Metadata, StoredTensor, TensorForm } from './layout.ts';
export {
  fromPyTorch,
  fromPyTorchFile,
  type PyTorchOptions,
  type StateDict,
  toPyTorch,
  toPyTorchLazy,
} from './pytorch.ts';
export {
  type ByteSource,
  loadSafetensors,
  openSafetensors,
  type Safetensors,
  type SafetensorsFile,
  safetensorsMetadata,
  saveSafetensors,
  streamSafetensors,
  type Tensors,
} from './safetensors.ts';
