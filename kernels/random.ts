// Philox4x32-10 with the element's number as counter, an invocation for a block of four words. 'bits' and 'uniform' have
// the bits of every other backend. 'normal' computes in float32 where the others compute in double: it agrees with them
// within a few units in the last place of the largest value, as tests state.

import { sizeOf } from '../engine/dtype.ts';
import { emitEach } from './each.ts';
import type { Emitter } from './lowering.ts';
import { toMemory } from './shader.ts';

const PHILOX = `fn multiplyHigh(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let cross = al * bh + (middle & 0xffffu);
  return ah * bh + (middle >> 16u) + (cross >> 16u);
}
fn philox(block: u32, first: u32, second: u32) -> vec4<u32> {
  var c = vec4(block, 0u, 0u, 0u);
  var k0 = first;
  var k1 = second;
  for (var round = 0; round < 10; round++) {
    c = vec4(multiplyHigh(0xcd9e8d57u, c.z) ^ c.y ^ k0, 0xcd9e8d57u * c.z, multiplyHigh(0xd2511f53u, c.x) ^ c.w ^ k1, 0xd2511f53u * c.x);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return c;
}`;

/** sqrt(-2 ln u1) times cos and sin of 2 pi u2; the quarter turn is split off exactly, near 1 the logarithm is log1p. */
const NORMAL = `fn minusLog(k: u32) -> f32 {
  let below = f32(16777216u - k) * 5.9604644775390625e-8f;
  return -select(logOf(f32(k) * 5.9604644775390625e-8f), log1pOf(-below), below < 0.25f);
}
fn boxMuller(a: u32, b: u32) -> vec2<f32> {
  let radius = sqrt(2f * minusLog((a >> 8u) + 1u));
  let turns = f32(b >> 8u) * 2.384185791015625e-7f;
  let quarter = floor(turns + 0.5f);
  let t = (turns - quarter) * 1.57079632679489662f;
  let z = t * t;
  var s = 2.7557319e-6f;
  s = s * z - 1.98412698e-4f;
  s = s * z + 8.33333333e-3f;
  s = s * z - 1.66666667e-1f;
  let sine = t + t * z * s;
  var c = -2.75573192e-7f;
  c = c * z + 2.48015873e-5f;
  c = c * z - 1.38888889e-3f;
  c = c * z + 4.16666667e-2f;
  c = c * z - 0.5f;
  let cosine = 1f + z * c;
  switch (u32(quarter) & 3u) {
    case 0u: { return radius * vec2(cosine, sine); }
    case 1u: { return radius * vec2(-sine, cosine); }
    case 2u: { return radius * vec2(-cosine, -sine); }
    default: { return radius * vec2(sine, -cosine); }
  }
}`;

const VALUES = {
  bits: { code: 'let values = words;', declarations: '' },
  uniform: { code: 'let values = vec4<f32>(words >> vec4(8u)) * 5.9604644775390625e-8f;', declarations: '' },
  uniformHalf: { code: 'let values = vec4<f32>(words >> vec4(21u)) * 4.8828125e-4f;', declarations: '' },
  normal: {
    code: 'let values = vec4(boxMuller(words.x, words.y), boxMuller(words.z, words.w));',
    declarations: NORMAL,
  },
};

const random: Emitter<'random'> = (i, to) => {
  const [key] = i.inputs;
  const [out] = i.outputs;
  const { distribution } = i.params;
  const n = sizeOf(i.params.shape);
  const keys = sizeOf(key.shape) / 2;
  const blocks = Math.ceil(n / 4);
  const shader = to.shader('random');
  const words = shader.read(key.slot, 'uint32');
  const target = shader.write(out.slot, out.dtype);
  const half = out.dtype === 'float16';
  const { code, declarations } = VALUES[half && distribution === 'uniform' ? 'uniformHalf' : distribution];
  emitEach(
    shader,
    keys * blocks,
    to,
    `let key = at / ${Math.max(1, blocks)}u;
let block = at % ${Math.max(1, blocks)}u;
let words = philox(block, ${words}[key * 2u], ${words}[key * 2u + 1u]);
${code}
for (var l = 0u; l < min(4u, ${n}u - block * 4u); l++) { ${target}[key * ${n}u + block * 4u + l] = ${toMemory('values[l]', out.dtype)}; }`,
    `${PHILOX}\n${declarations}`,
  );
};

export const randomEmitters = { random };
