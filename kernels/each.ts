// The same small work for each of many items. On a GPU an item is an invocation. On a software adapter
// starting a subgroup costs about as much as loading and storing a dozen vectors: there the workgroup is one subgroup that
// goes through many items, with neighbours side by side.

import type { Lowering } from './lowering.ts';
import type { Shader } from './shader.ts';

export const GPU_THREADS = 256;
/** The vectors of the CPUs that software adapters run on. */
export const CPU_THREADS = 8;
/** Steps of a CPU's workgroup: where there are enough of them, more gain nothing; two dozen workgroups keep it busy. */
export const STEPS = 256;
export const CPU_GROUPS = 24;

/** A kernel that does `main` for each item below `count`; main sees its number as `at`, and does not return. */
export function emitEach(shader: Shader, count: number, to: Lowering, main: string, declarations = ''): void {
  if (count === 0) return;
  if (!to.traits.software) {
    const guarded = `let at = group * ${GPU_THREADS}u + localIndex;
if (at >= ${count}u) { return; }
${main}`;
    const groups = Math.ceil(count / GPU_THREADS);
    to.add(shader.kernel({ threads: GPU_THREADS, groups, declarations, main: guarded }));
    return;
  }
  const vectors = Math.ceil(count / CPU_THREADS);
  const steps = Math.min(STEPS, Math.ceil(vectors / CPU_GROUPS));
  const share = steps * CPU_THREADS;
  const loop = `let end = min((group + 1u) * ${share}u, ${count}u);
for (var at = group * ${share}u + localIndex; at < end; at += ${CPU_THREADS}u) {
${main}
}`;
  to.add(
    shader.kernel({ threads: CPU_THREADS, groups: Math.ceil(vectors / steps), declarations, main: loop }),
  );
}
