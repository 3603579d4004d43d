// Attention: by primitives that never store the scores; or, where there are few, or the mask has an element for each, as
// softmax between two products.

import { isFloat, type Shape, showAval, sizeOf } from '../dtype.ts';
import { check, describe } from '../error.ts';
import { settle } from '../options.ts';
import * as prim from '../primitives/apply.ts';
import { expectTensors, type Tensor } from '../tensor.ts';
import { broadcastShapes, expand, inFloat32, widest } from './common.ts';
import { greaterEqual, logicalAnd, mul, where } from './elementwise.ts';
import { softmax } from './normalise.ts';
import { matmul } from './products.ts';

/** Up to here softmax between two products is faster, with its gradients: 256 queries and keys. */
const FEW_SCORES = 256 * 256;

/** Options of attention. */
export interface AttentionOptions {
  /** Bool, broadcast to the scores [..., L, S]: positions that may be seen. Default: all. */
  mask?: Tensor;
  /** Query i sees keys 0 to i only, of those that the mask lets be seen. Default false. */
  causal?: boolean;
  /** Factor of the scores. Default 1 / sqrt(d). */
  scale?: number;
}

/**
 * Scaled dot-product attention, softmax(q k^T * scale) v (Vaswani et al. 2017, section 3.2.1): q [..., L, d], k [...,
 * S, d] and v [..., S, e] give [..., L, e]; leading axes (batch, heads) broadcast. A query that may see nothing gives
 * zeros. Above 65,536 scores for each batch and head, L S, none are held in memory, nor by derivatives (Dao et al. 2022), unless
 * the mask has an axis of queries longer than 1. Weights of float16 are float32.
 * @throws 'shape' where shapes do not fit, 'value' where scale is not a number.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options?: AttentionOptions): Tensor {
  expectTensors('attention', q, k, v);
  const {
    mask,
    causal,
    scale: given,
  } = settle('attention', options, {
    mask: undefined,
    causal: false,
    scale: undefined,
  });
  if (mask !== undefined) expectTensors('attention', mask);
  const show = () => `q ${showAval(q)}, k ${showAval(k)} and v ${showAval(v)}`;
  check(
    [q, k, v].every((x) => x.ndim >= 2) &&
      q.shape.at(-1) === k.shape.at(-1) &&
      k.shape.at(-2) === v.shape.at(-2),
    'shape',
    () => `attention: ${show()} do not fit; expected [..., L, d], [..., S, d] and [..., S, e]`,
  );
  const [L, S] = [q.shape.at(-2) as number, k.shape.at(-2) as number];
  const last = mask?.shape.at(-1) ?? 1;
  check(
    last === 1 || last === S,
    'shape',
    () => `attention: the last size of mask ${showAval(mask as Tensor)} is ${last}, expected ${S} or 1`,
  );
  const scale = given ?? 1 / Math.sqrt(q.shape.at(-1) as number);
  check(
    typeof scale === 'number',
    'value',
    () => `attention: scale is ${describe(scale)}, expected a number`,
  );
  const perScore = mask !== undefined && mask.ndim !== 1 && mask.shape.at(-2) !== 1;
  const attend = perScore || L * S <= FEW_SCORES ? byScores : byTiles;
  return attend(q, k, v, { mask, causal, scale });
}

interface Weighing {
  readonly mask?: Tensor;
  readonly causal: boolean;
  readonly scale: number;
}

/** By the primitives: operands become [B, L, d] and the like, a mask of keys the m of hidden ones. */
function byTiles(q: Tensor, k: Tensor, v: Tensor, { mask, causal, scale }: Weighing): Tensor {
  const wide = widest([q, k, v].map((x) => x.dtype));
  const type = isFloat(wide) ? wide : 'float32';
  const inside = type === 'float16' ? 'float32' : type;
  const lead = [q, k, v, ...(mask ? [mask] : [])].map((x) => x.shape.slice(0, -2));
  const batch = broadcastShapes('attention', ...lead);
  const B = sizeOf(batch);
  const merged = (x: Tensor, last: Shape): Tensor =>
    prim.reshape(expand(x, [...batch, ...last]), [B, ...last]);
  const matrices = (x: Tensor): Tensor => merged(prim.convert(x, inside), x.shape.slice(-2));
  const keys = k.shape.at(-2) as number;
  const none = prim.full([B, keys], 0, inside);
  // A key with m = Infinity has the weight 0.
  const hidden = mask
    ? where(prim.reshape(merged(mask, [1, keys]), [B, keys]), none, Number.POSITIVE_INFINITY)
    : none;
  const [y] = prim.attention(matrices(q), matrices(k), hidden, matrices(v), {
    scale,
    sees: causal ? 'past' : 'all',
  });
  return prim.convert(prim.reshape(y, [...batch, ...y.shape.slice(1)]), type);
}

/** Softmax between two products. */
function byScores(q: Tensor, k: Tensor, v: Tensor, { mask, causal, scale }: Weighing): Tensor {
  const scores = mul(matmul(q, k, { transposeB: true }), scale);
  const places = scores.shape.slice(-2);
  const past = causal
    ? greaterEqual(prim.iota(places, 0, 'int32'), prim.iota(places, 1, 'int32'))
    : undefined;
  const seen = mask && past ? logicalAnd(mask, past) : (mask ?? past);
  const weights = (s: Tensor): Tensor => (seen ? where(seen, softmax(where(seen, s, -1e30)), 0) : softmax(s));
  return matmul(inFloat32(weights)(scores), v);
}
