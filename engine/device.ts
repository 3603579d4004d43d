// A device as users hold it: a backend, and the float type that tensors on it have by default. Which one is current is in
// runtime.ts.

import type { Backend } from './backend.ts';
import { DTYPES, type DType } from './dtype.ts';
import { check } from './error.ts';

const DEVICES_WITH: Partial<Record<DType, string>> = {
  float16: "device 'webgpu' has on adapters with shader-f16, and 'reference'",
  float64: "device 'reference' has",
};
/** @throws 'dtype' with the devices that have it, where this one does not. */
export function checkSupport(backend: Backend, dtype: DType): void {
  check(
    DTYPES.includes(dtype),
    'dtype',
    () => `dtype is ${JSON.stringify(dtype)}, expected one of ${DTYPES.join(', ')}`,
  );
  check(
    backend.supports(dtype),
    'dtype',
    () => `device '${backend.name}' has no ${dtype} here; ${DEVICES_WITH[dtype]}`,
  );
}

/** A place to compute: what `open` and `init` return, or made for a backend of one's own. */
export class Device {
  /** @throws LetheError 'dtype' where the backend lacks the float type. */
  constructor(
    /** What computes. */
    readonly backend: Backend,
    /** The float type of tensors that are made without one. Default 'float32'. */
    readonly dtype: 'float32' | 'float64' = 'float32',
  ) {
    checkSupport(backend, dtype);
  }
  /** Its name: 'webgpu', 'cpu' or 'reference'. */
  get device(): Backend['name'] {
    return this.backend.name;
  }
  /** Facts for people: processor, instruction set, threads, adapter. */
  get info(): Backend['info'] {
    return this.backend.info;
  }
}
