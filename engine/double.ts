// A world in float64: functions written for any device run on a reference backend with every float widened, whatever
// they captured. It is a staging trace at the bottom of all others: it sees each call that would reach the device,
// replaces tensors from elsewhere by their copies here, and notes the call, so that a wrong one can be found later.

import type { Device } from './device.ts';
import { type DType, isFloat, showAval, type TypedArray } from './dtype.ts';
import { LetheError } from './error.ts';
import { traceGraph } from './graph/graph.ts';
import { convert } from './primitives/apply.ts';
import { isCall, type Operation } from './primitives/types.ts';
import { upload, withDevice } from './runtime.ts';
import { Concrete, type Tensor } from './tensor.ts';
import { bind, type Trace, unstaged, withTrace } from './trace.ts';

/** An operation that reached the device, with the values it met. */
interface Step {
  readonly operation: Operation;
  readonly operands: readonly Concrete[];
  readonly params: object;
}

const wide = (dtype: DType): DType => (isFloat(dtype) ? 'float64' : dtype);
const widened = (params: object): object =>
  'dtype' in params ? { ...params, dtype: wide(params.dtype as DType) } : params;

class DoubleTrace implements Trace {
  active = true;
  readonly name = 'checkGradients';
  readonly steps: Step[] = [];
  constructor(
    readonly level: number,
    private readonly world: DoubleWorld,
  ) {}

  process(operation: Operation, operands: readonly Tensor[], params: object): Tensor[] {
    const here = operands.map((x) => this.world.copyOf(x as Concrete));
    this.steps.push({ operation, operands: here, params });
    if (isCall(operation)) return operation.expand(here, params);
    return unstaged(() => bind(operation, here, widened(params)));
  }
}

export class DoubleWorld {
  private readonly copies = new Map<Concrete, Concrete>();
  /** @param device a reference backend in float64. */
  constructor(private readonly device: Device) {}

  /** Copies of tensors from elsewhere, so that they may be met later. */
  async admit(tensors: Iterable<Concrete>): Promise<void> {
    for (const x of tensors) if (!this.copies.has(x)) this.copies.set(x, this.place(await x.data(), x));
  }
  place(data: TypedArray, { shape, dtype }: { shape: readonly number[]; dtype: DType }): Concrete {
    return upload(isFloat(dtype) ? Float64Array.from(data) : data, shape, wide(dtype), this.device);
  }
  copyOf(x: Concrete): Concrete {
    const known = this.copies.get(x);
    if (known) return known;
    if (x.storage.backend !== this.device.backend)
      throw new LetheError(
        'state',
        `checkGradients: met ${showAval(x)} of another device that tracing did not find`,
      );
    return isFloat(x.dtype) && x.dtype !== 'float64'
      ? (unstaged(() => convert(x, 'float64')) as Concrete)
      : x;
  }
  /** Runs f here. The results are concrete; `steps` are in the order in which they were computed. */
  run<R>(f: () => R): { result: R; steps: Step[] } {
    return withDevice(this.device, () =>
      withTrace(
        (level) => new DoubleTrace(level, this),
        (trace) => ({ result: f(), steps: trace.steps }),
        true,
      ),
    );
  }
}

/** The concrete tensors that f uses without being given them. Computes nothing. */
export function capturedBy(inputs: readonly Tensor[], f: (xs: Tensor[]) => readonly Tensor[]): Concrete[] {
  const { graph } = traceGraph(inputs, f, (ys) => [...ys]);
  const given = new Set<Tensor>(inputs);
  return graph.constants.map((c) => c.value).filter((x) => !given.has(x));
}

export const isConcrete = (x: unknown): x is Concrete => x instanceof Concrete;
