// Forward mode: a dual value carries a primal and a tangent, and each primitive pushes both through its jvp rule. A null
// tangent is a zero known as such, so work on it is never done.

import type { MaybeZero, Operation } from '../primitives/types.ts';
import { Tensor } from '../tensor.ts';
import { bind, type Trace } from '../trace.ts';

export class JvpTrace implements Trace {
  active = true;
  readonly name = 'jvp';
  constructor(readonly level: number) {}

  process(operation: Operation, operands: readonly Tensor[], params: object): Tensor[] {
    const primals = operands.map((x) => this.primal(x));
    const tangents = operands.map((x) => this.tangent(x));
    if (tangents.every((t) => t === null)) return bind(operation, primals, params);
    if (operation.kind === 'linear call') return operation.expand(operands, params);
    if (operation.jvp === 'constant') return bind(operation, primals, params);
    const { outs, tangents: ts } = operation.jvp(primals, tangents, params);
    return outs.map((y, i) => this.dual(y, ts[i]));
  }
  primal(x: Tensor): Tensor {
    return x instanceof Dual && x.trace === this ? x.primal : x;
  }
  tangent(x: Tensor): MaybeZero {
    return x instanceof Dual && x.trace === this ? x.tangent : null;
  }
  dual(primal: Tensor, tangent: MaybeZero): Tensor {
    return tangent === null ? primal : new Dual(this, primal, tangent);
  }
}

class Dual extends Tensor {
  constructor(
    readonly trace: JvpTrace,
    readonly primal: Tensor,
    readonly tangent: Tensor,
  ) {
    super(primal.shape, primal.dtype);
  }
}
