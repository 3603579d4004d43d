// Attention whose scores are never stored, as two primitives that are closed under differentiation. With the weights
//
//   P_ij = exp(scale q_i . k_j - l_i - m_j)      for the keys j that query i sees, else 0
//
//   attentionSum   y_i = sum over j of P_ij (a_i . b_j) (a'_i . b'_j) ... v_j      any number of factors, or none
//   attention      the same without factors, where l_i is the logarithm that makes the weights of row i sum to 1; l is
//                  its second result. It is found online, key by key (Milakov and Gimelshein 2018; Dao et al. 2022).
//
// attentionSum is linear in v and in each a and b. Its transposes are the same sum with queries and keys exchanged, and
// with (v, cotangent) as one more factor. The derivative for q has the factor (dq, k), that for l is -y dl. So all
// derivatives, of any order, are again attentionSum: memory grows with queries and keys, never with their product.
// A key with m = Infinity is seen by nobody; l of a query that sees no key is 0, so that nothing becomes infinite.

import { type Aval, allocate, isFloat, type Shape, showAval, sizeOf } from '../dtype.ts';
import { check } from '../error.ts';
import type { Tensor } from '../tensor.ts';
import {
  apply,
  attention,
  attentionSum,
  broadcast,
  concat,
  fillLike,
  full,
  mul,
  neg,
  reshape,
  slice,
  sub,
} from './apply.ts';
import { addMaybe, ensureBatched } from './linear.ts';
import type { AttentionParams } from './names.ts';
import { aval, sameShape } from './rules.ts';
import type { BatchRule, MaybeZero, NDArray, PrimitiveOf, SampleOperand } from './types.ts';
import { isUndefined } from './types.ts';

const exchanged = ({ scale, sees }: AttentionParams): AttentionParams => ({
  scale,
  sees: sees === 'all' ? 'all' : sees === 'past' ? 'future' : 'past',
});

/** The keys from `first` to before `last` that query i sees. */
function keysOf(i: number, keys: number, { sees }: AttentionParams): [first: number, last: number] {
  if (sees === 'past') return [0, Math.min(keys, i + 1)];
  return [sees === 'future' ? Math.min(keys, i) : 0, keys];
}

// ---- shapes and batches ----------------------------------------------------------------------------------------------

/** Checks each operand against its shape; [B, N, D] and the like. */
function checkOperands(op: string, operands: readonly Aval[], shapes: readonly Shape[]): void {
  const show = () => operands.map(showAval).join(', ');
  const [{ dtype }] = operands;
  check(
    isFloat(dtype) && operands.every((x) => x.dtype === dtype),
    'dtype',
    () => `${op}: operands must be floats of one type, got ${show()}`,
  );
  check(
    operands.length === shapes.length && shapes.every((s, i) => sameShape(s, operands[i].shape)),
    'shape',
    () => `${op}: operands ${show()} do not fit each other`,
  );
}

/** Every operand gets the batch, which joins B. */
const batchAttention =
  (name: 'attention' | 'attentionSum'): BatchRule<AttentionParams> =>
  (operands, batched, params, size) => {
    const all = operands.map((x, i) => {
      const y = ensureBatched(x, batched[i], size);
      return reshape(y, [size * y.shape[1], ...y.shape.slice(2)]);
    });
    return apply(name, all, params).map((y) => reshape(y, [size, y.shape[0] / size, ...y.shape.slice(1)]));
  };

/** A value of each row, over the columns. */
const along = (x: Tensor, like: Aval): Tensor => broadcast(x, like.shape, [0, 1]);
const times = (x: Tensor, factor: number): Tensor => mul(x, fillLike(x, factor));
const columns = (x: Tensor, from: number, to: number): Tensor =>
  slice(x, [0, 0, from], [x.shape[0], x.shape[1], to - from], [1, 1, 1]);

// ---- plain loops -----------------------------------------------------------------------------------------------------

const inner = (a: NDArray, i: number, b: NDArray, j: number): number => {
  const n = a.shape[2];
  let sum = 0;
  for (let d = 0; d < n; d++) sum += a.data[i * n + d] * b.data[j * n + d];
  return sum;
};

/** total[row] += weight * v[key] */
function addRow(total: Float64Array, row: number, weight: number, v: NDArray, key: number): void {
  const n = v.shape[2];
  for (let c = 0; c < n; c++) total[row * n + c] += weight * v.data[key * n + c];
}

const stored = (total: Float64Array, { dtype }: Aval) => {
  const result = allocate(dtype, total.length);
  result.set(total);
  return result;
};

// ---- the two ---------------------------------------------------------------------------------------------------------

/** Operands of attentionSum with factors of E elements, in one size: B, queries, keys, D, C. */
const sampleOperands = (E: readonly number[], [B, N, M, D, C] = [2, 2, 3, 2, 3]): SampleOperand[] =>
  [
    [B, N, D],
    [B, M, D],
    [B, N],
    [B, M],
    [B, M, C],
    ...E.flatMap((e) => [
      [B, N, e],
      [B, M, e],
    ]),
  ].map((shape) => ({ shape }));
const withoutLogarithms = (operands: SampleOperand[]): SampleOperand[] => operands.toSpliced(2, 1);

const attentionSumPrimitive: PrimitiveOf<'attentionSum'> = {
  name: 'attentionSum',
  kind: 'root',
  shape: (operands) => {
    const [q, k, , , v, ...factors] = operands;
    const [B, N, D] = q.shape;
    const [M, C] = [k?.shape[1], v?.shape[2]];
    const wanted = factors.map((_, f) => [B, f % 2 === 0 ? N : M, factors[f - (f % 2)].shape[2]]);
    checkOperands('attentionSum', operands, [[B, N, D], [B, M, D], [B, N], [B, M], [B, M, C], ...wanted]);
    return [aval([B, N, C], q.dtype)];
  },
  jvp: (primals, tangents, params) => {
    const [q, k, l, m, v, ...factors] = primals;
    const [dq, dk, dl, dm, dv, ...dfactors] = tangents;
    const y = attentionSum(primals, params);
    const withFactor = (a: Tensor, b: Tensor): Tensor =>
      times(attentionSum([q, k, l, m, v, ...factors, a, b], params), params.scale);
    let total: MaybeZero = null;
    if (dq) total = addMaybe(total, withFactor(dq, k));
    if (dk) total = addMaybe(total, withFactor(q, dk));
    const value = addMaybe(dv, dm && neg(mul(along(dm, v), v)));
    if (value) total = addMaybe(total, attentionSum([q, k, l, m, value, ...factors], params));
    dfactors.forEach((d, f) => {
      if (d) total = addMaybe(total, attentionSum([q, k, l, m, v, ...factors.with(f, d)], params));
    });
    if (dl) total = addMaybe(total, neg(mul(along(dl, y), y)));
    return { outs: [y], tangents: [total] };
  },
  transpose: ([ct], operands, params) => {
    const at = operands.findIndex(isUndefined);
    const result: MaybeZero[] = operands.map(() => null);
    if (ct === null) return result;
    const [q, k, l, m, v] = operands as readonly Tensor[];
    const factors = operands.slice(5) as readonly Tensor[];
    /** The pairs but for one, each in the order (queries, keys), or (keys, queries). */
    const pairs = (without: number, turned: boolean): Tensor[] =>
      factors.flatMap((_, f) =>
        f % 2 === 1 || f === without
          ? []
          : turned
            ? [factors[f + 1], factors[f]]
            : [factors[f], factors[f + 1]],
      );
    if (at === 4) result[4] = attentionSum([k, q, m, l, ct, ...pairs(-1, true)], exchanged(params));
    else if (at % 2 === 1) {
      const other = factors[at - 4];
      result[at] = attentionSum([q, k, l, m, other, ...pairs(at - 5, false), ct, v], params);
    } else {
      const other = factors[at - 6];
      result[at] = attentionSum([k, q, m, l, other, ...pairs(at - 6, true), v, ct], exchanged(params));
    }
    return result;
  },
  batch: batchAttention('attentionSum'),
  reference: ([q, k, l, m, v, ...factors], params, [out]) => {
    const [B, N] = q.shape;
    const M = k.shape[1];
    const total = new Float64Array(sizeOf(out.shape));
    for (let row = 0; row < B * N; row++) {
      const [first, last] = keysOf(row % N, M, params);
      const start = Math.floor(row / N) * M;
      for (let key = start + first; key < start + last; key++) {
        let weight = Math.exp(params.scale * inner(q, row, k, key) - l.data[row] - m.data[key]);
        for (let f = 0; f < factors.length; f += 2) weight *= inner(factors[f], row, factors[f + 1], key);
        addRow(total, row, weight, v, key);
      }
    }
    return [stored(total, out)];
  },
  samples: [
    { operands: sampleOperands([]), params: { scale: 0.5, sees: 'past' }, note: 'past' },
    { operands: sampleOperands([2]), params: { scale: 0.5, sees: 'future' }, note: 'a factor, future' },
    { operands: sampleOperands([1, 3]), params: { scale: 0.5, sees: 'all' }, note: 'two factors' },
  ],
};

const attentionPrimitive: PrimitiveOf<'attention'> = {
  name: 'attention',
  kind: 'root',
  shape: (operands) => {
    const [q, k, , v] = operands;
    const [B, N, D] = q.shape;
    const [M, C] = [k?.shape[1], v?.shape[2]];
    checkOperands('attention', operands, [
      [B, N, D],
      [B, M, D],
      [B, M],
      [B, M, C],
    ]);
    return [aval([B, N, C], q.dtype), aval([B, N], q.dtype)];
  },
  // With w = [v, 1]: the last column of a weighted sum of w is the change of l, whose part in y is -y dl.
  jvp: (primals, [dq, dk, dm, dv], params) => {
    const [q, k, m, v] = primals;
    const [y, l] = attention(q, k, m, v, params);
    let change: MaybeZero = dv && attentionSum([q, k, l, m, dv], params);
    if (!dq && !dk && !dm) return { outs: [y, l], tangents: [change, null] };
    const [B, M, C] = v.shape;
    const w = concat([v, full([B, M, 1], 1, v.dtype)], 2);
    const withFactor = (a: Tensor, b: Tensor): Tensor =>
      times(attentionSum([q, k, l, m, w, a, b], params), params.scale);
    const sums = [
      dq && withFactor(dq, k),
      dk && withFactor(q, dk),
      dm && attentionSum([q, k, l, m, neg(mul(along(dm, w), w))], params),
    ].reduce<MaybeZero>(addMaybe, null) as Tensor;
    const dl = reshape(columns(sums, C, C + 1), l.shape);
    change = addMaybe(change, sub(columns(sums, 0, C), mul(along(dl, y), y)));
    return { outs: [y, l], tangents: [change, dl] };
  },
  transpose: 'nonlinear',
  batch: batchAttention('attention'),
  reference: ([q, k, m, v], params, outputs) => {
    const [B, N] = q.shape;
    const M = k.shape[1];
    const total = new Float64Array(sizeOf(outputs[0].shape));
    const logarithms = new Float64Array(B * N);
    const scores = new Float64Array(M);
    for (let row = 0; row < B * N; row++) {
      const [first, last] = keysOf(row % N, M, params);
      const start = Math.floor(row / N) * M;
      let top = -Number.MAX_VALUE;
      for (let j = first; j < last; j++) {
        scores[j] = params.scale * inner(q, row, k, start + j) - m.data[start + j];
        if (scores[j] > top) top = scores[j];
      }
      let sum = 0;
      for (let j = first; j < last; j++) sum += Math.exp(scores[j] - top);
      if (sum === 0) continue;
      logarithms[row] = top + Math.log(sum);
      for (let j = first; j < last; j++) addRow(total, row, Math.exp(scores[j] - top) / sum, v, start + j);
    }
    return [stored(total, outputs[0]), stored(logarithms, outputs[1])];
  },
  samples: [
    { operands: withoutLogarithms(sampleOperands([])), params: { scale: 0.5, sees: 'all' } },
    {
      operands: withoutLogarithms(sampleOperands([], [1, 3, 2, 1, 1])),
      params: { scale: 1, sees: 'future' },
      note: 'the last query sees no key',
    },
  ],
};

export const attentionPrimitives = { attention: attentionPrimitive, attentionSum: attentionSumPrimitive };
