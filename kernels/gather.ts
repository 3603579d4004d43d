// Reading and adding at computed positions. A gather is an invocation for a result. A scatter has no atomics to lean on
// (WGSL has none for floats, and their order would differ from run to run): an invocation owns a column of the result,
// or a stretch of one, clears it and walks all updates of the column in order, adding those that fall into its stretch.

import { isFloat, sizeOf } from '../engine/dtype.ts';
import { denseView } from '../engine/graph/dense.ts';
import { emitEach } from './each.ts';
import type { Emitter, Lowering } from './lowering.ts';
import { emitLoop } from './reduce.ts';
import { literal, toMemory } from './shader.ts';

/** Whole slices (gather, scatter) or single elements (the two `Along`). */
type Kind = 'slices' | 'elements';

const gather =
  (kind: Kind): Emitter<'gather' | 'gatherAlong'> =>
  (i, to) => {
    const [x, indices] = i.inputs;
    const [out] = i.outputs;
    const { axis } = i.params;
    const n = x.shape[axis];
    const inner = sizeOf(x.shape.slice(axis + 1));
    const count = kind === 'slices' ? sizeOf(indices.shape) : out.shape[axis];
    const shader = to.shader(kind === 'slices' ? 'gather' : 'gatherAlong');
    const missing = toMemory(literal(isFloat(x.dtype) ? Number.NaN : 0, x.dtype), x.dtype);
    const index = shader.read(indices.slot, 'int32');
    emitEach(
      shader,
      sizeOf(out.shape),
      to,
      `let outer = at / ${count * inner}u;
let source = ${index}[${kind === 'slices' ? `at / ${inner}u % ${count}u` : 'at'}];
var value = ${missing};
if (source >= 0 && source < ${n}) { value = ${shader.read(x.slot, x.dtype)}[(outer * ${n}u + u32(source)) * ${inner}u + at % ${inner}u]; }
${shader.write(out.slot, out.dtype)}[at] = value;`,
    );
  };

const scatter =
  (kind: Kind): Emitter<'scatter' | 'scatterAlong'> =>
  (i, to) => {
    const [updates, indices] = i.inputs;
    const [out] = i.outputs;
    const { axis } = i.params;
    const size = out.shape[axis];
    const inner = sizeOf(out.shape.slice(axis + 1));
    const count = kind === 'slices' ? sizeOf(indices.shape) : updates.shape[axis];
    const columns = sizeOf(out.shape) / Math.max(1, size);
    if (size === 0 || columns === 0) return;
    if (out.dtype === 'float16') {
      // Added up in float32 and rounded once.
      const sums = to.scratch(sizeOf(out.shape), 'float32');
      scatter(kind)({ ...i, outputs: [{ ...out, slot: sums, dtype: 'float32' }] }, to);
      emitLoop(
        {
          shape: out.shape,
          inputs: [denseView(sums, 'float32', out.shape)],
          steps: [{ op: 'convert', args: [0], dtype: 'float16' }],
          stores: [{ value: 1, slot: out.slot }],
          reductions: [],
        },
        to,
      );
      return;
    }
    const stretches = stretchesFor(columns, size, to);
    const length = Math.ceil(size / stretches);
    const shader = to.shader(kind === 'slices' ? 'scatter' : 'scatterAlong');
    const target = shader.write(out.slot, out.dtype);
    const position = `(outer * ${count}u + k) * ${inner}u + column % ${inner}u`;
    // Bools are added up as the words they are.
    const toRegister = (e: string): string => (updates.dtype === 'float16' ? `f32(${e})` : e);
    const add =
      count === 0
        ? ''
        : `for (var k = 0u; k < ${count}u; k++) {
let found = ${shader.read(indices.slot, 'int32')}[${kind === 'slices' ? 'k' : position}];
if (found >= begin && found < end) { ${target}[base + u32(found) * ${inner}u] += ${toRegister(`${shader.read(updates.slot, updates.dtype)}[${position}]`)}; }
}`;
    emitEach(
      shader,
      columns * stretches,
      to,
      `let column = at % ${columns}u;
let outer = column / ${inner}u;
let begin = i32(at / ${columns}u * ${length}u);
let end = min(begin + ${length}, ${size});
let base = outer * ${size * inner}u + column % ${inner}u;
for (var k = begin; k < end; k++) { ${target}[base + u32(k) * ${inner}u] = ${literal(0, out.dtype === 'bool' ? 'uint32' : out.dtype)}; }
${add}`,
    );
  };

/** Each stretch of a column reads all its updates: only as many as the device needs to be busy. */
function stretchesFor(columns: number, size: number, to: Lowering): number {
  const enough = to.traits.software ? 64 : 16384;
  const wanted = Math.min(size, Math.max(1, Math.ceil(enough / columns)));
  return Math.ceil(size / Math.ceil(size / wanted));
}

export const gatherEmitters = {
  gather: gather('slices'),
  gatherAlong: gather('elements'),
  scatter: scatter('slices'),
  scatterAlong: scatter('elements'),
};
