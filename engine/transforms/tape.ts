// Reverse mode in two moves. Going forward, tangents are not numbers but variables of a tape: every operation on them
// is recorded, and since jvp rules are linear in tangents, so is the tape. Going back, the tape is transposed: each
// recorded operation turns the cotangent of its result into cotangents of its operands.

import type { Aval } from '../dtype.ts';
import { LetheError } from '../error.ts';
import { add } from '../primitives/apply.ts';
import { type MaybeZero, type Operation, type TransposeRule, Undefined } from '../primitives/types.ts';
import { Tensor } from '../tensor.ts';
import type { Trace } from '../trace.ts';

interface Entry {
  readonly transpose: TransposeRule<object>;
  readonly operands: readonly Tensor[];
  readonly params: object;
  readonly results: readonly Linear[];
}

export class TapeTrace implements Trace {
  active = true;
  readonly name = 'vjp';
  readonly entries: Entry[] = [];
  constructor(readonly level: number) {}

  variable(of: Aval): Linear {
    return new Linear(this, of);
  }

  process(operation: Operation, operands: readonly Tensor[], params: object): Tensor[] {
    if (operation.kind === 'call') return operation.expand(operands, params);
    const { name, transpose } = operation;
    if (transpose === 'nonlinear')
      throw new LetheError(
        'state',
        `${name}: a derivative rule used it on a tangent, but it has no transpose`,
      );
    const results = operation.shape(operands, params).map((a) => this.variable(a));
    this.entries.push({ transpose, operands, params, results });
    return results;
  }

  /** Cotangents of `inputs` given those of `outputs` (null: zero). May be called many times. */
  transpose(
    inputs: readonly Linear[],
    outputs: readonly MaybeZero[],
    cotangents: readonly MaybeZero[],
  ): MaybeZero[] {
    const found = new Map<Tensor, Tensor>();
    const give = (to: Tensor | null, ct: MaybeZero): void => {
      if (to === null || ct === null) return;
      const old = found.get(to);
      found.set(to, old === undefined ? ct : add(old, ct));
    };
    outputs.forEach((y, i) => {
      give(y, cotangents[i]);
    });
    for (let e = this.entries.length - 1; e >= 0; e--) {
      const { transpose, operands, params, results } = this.entries[e];
      const cts = results.map((r) => found.get(r) ?? null);
      if (cts.every((c) => c === null)) continue;
      for (const r of results) found.delete(r);
      const masked = operands.map((x) => (this.owns(x) ? new Undefined(x.shape, x.dtype) : x));
      transpose(cts, masked, params).forEach((ct, i) => {
        if (this.owns(operands[i])) give(operands[i], ct);
      });
    }
    return inputs.map((x) => found.get(x) ?? null);
  }

  private owns(x: Tensor): x is Linear {
    return x instanceof Linear && x.trace === this;
  }
}

export class Linear extends Tensor {
  constructor(
    readonly trace: TapeTrace,
    of: Aval,
  ) {
    super(of.shape, of.dtype);
  }
}
