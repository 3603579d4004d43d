// lt.io: safetensors files and PyTorch's state dicts, as functions on bytes and arrays.

export type { Stored } from './codec.ts';
export { fromPyTorch, type PyTorchOptions, type StateDict, toPyTorch } from './pytorch.ts';
export {
  loadSafetensors,
  type Safetensors,
  type StoredTensor,
  safetensorsMetadata,
  saveSafetensors,
} from './safetensors.ts';
