// What the emitters build: one compute shader with its storage buffers, ready to become a pipeline and a dispatch.
// Sizes are written into the source as constants: there are no uniforms, and equal work gives equal source, which is
// what pipelines are cached by. This file knows WGSL's surface and nothing about any primitive.

import type { DType } from '../engine/dtype.ts';
import { roundHalf } from '../engine/half.ts';
import { withHelpers } from './math.ts';

/** A stretch of an array. */
export interface Part {
  /** First element. */
  readonly from: number;
  /** Number of elements. */
  readonly size: number;
}

/** A storage buffer of a kernel: which slot, or which part of it, and whether the kernel writes it. */
export interface Binding {
  /** Number of the slot. */
  readonly slot: number;
  /** Does the kernel write it? */
  readonly write: boolean;
  /** The part that is bound. Default: all of it. */
  readonly part?: Part;
}

/** One dispatch of one compute shader. */
export interface Kernel {
  /** What it does, for messages and profiles. */
  readonly label: string;
  /** WGSL; the entry point is `main`. */
  readonly source: string;
  /** Buffers of group 0, in order. */
  readonly bindings: readonly Binding[];
  /** Workgroups; spread over two dimensions where one does not hold them. */
  readonly groups: number;
  /** Workgroups along x, y and z, for a shader that is not ours and wants them so. */
  readonly dispatch?: readonly [number, number, number];
}

/** The portable limit of workgroups in a dimension. */
export const MAX_GROUPS = 65535;

/** The type of an element in memory: a bool is a 32-bit 0 or 1. */
export const memoryType = (dtype: DType): 'f16' | 'f32' | 'i32' | 'u32' =>
  dtype === 'float16'
    ? 'f16'
    : dtype === 'int32'
      ? 'i32'
      : dtype === 'uint32' || dtype === 'bool'
        ? 'u32'
        : 'f32';
/** The type of a value in registers; float16 is computed with in f32. */
export const valueType = (dtype: DType): 'f32' | 'i32' | 'u32' | 'bool' =>
  dtype === 'bool' ? 'bool' : dtype === 'int32' ? 'i32' : dtype === 'uint32' ? 'u32' : 'f32';

/** A number as a WGSL expression. NaN and the infinities, which WGSL cannot write, come from their bits at run time. */
export function literal(value: number, dtype: DType): string {
  switch (valueType(dtype)) {
    case 'bool':
      return value ? 'true' : 'false';
    case 'i32':
      return `i32(${value | 0})`;
    case 'u32':
      return `${value >>> 0}u`;
    default: {
      const x = dtype === 'float16' ? roundHalf(value) : Math.fround(value);
      if (Number.isNaN(x)) return 'floatOf(0x7fc00000u)';
      if (!Number.isFinite(x)) return `floatOf(${x > 0 ? '0x7f800000u' : '0xff800000u'})`;
      return Object.is(x, -0) ? 'floatOf(0x80000000u)' : `${x}f`;
    }
  }
}

/** An element of memory as a value, and a value as an element of memory. */
export const fromMemory = (element: string, dtype: DType): string =>
  dtype === 'bool' ? `(${element} != 0u)` : dtype === 'float16' ? `f32(${element})` : element;
export const toMemory = (value: string, dtype: DType): string =>
  dtype === 'bool' ? `select(0u, 1u, ${value})` : dtype === 'float16' ? `f16(${value})` : value;
/** A value in registers, rounded to what memory of its type holds. */
export const rounded = (value: string, dtype: DType): string =>
  dtype === 'float16' ? `halfOf(${value})` : value;

interface Bound {
  readonly slot: number;
  readonly name: string;
  readonly type: string;
  write: boolean;
}

interface Source {
  /** Invocations in a workgroup. */
  readonly threads: number;
  readonly groups: number;
  /** Declarations at module scope: functions, workgroup memory. */
  readonly declarations?: string;
  /** The body of main; sees `group` (number of the workgroup) and `localIndex` (number within it), both u32. */
  readonly main: string;
}

/** What a module has to ask for, by what it uses. */
const ENABLE: readonly (readonly [RegExp, string])[] = [
  [/\bf16\b/, 'f16'],
  [/\bsubgroup(Broadcast|ShuffleXor)\(|\bsubgroup_matrix_/, 'subgroups'],
  [/\bsubgroup_matrix_/, 'chromium_experimental_subgroup_matrix'],
];

/** Subgroups take different matrices, each the same in all its invocations; analysis knows workgroups only. */
const UNIFORM = 'diagnostic(off, chromium.subgroup_matrix_uniformity);\n';

export class Shader {
  private readonly bound: Bound[] = [];
  /** `place` maps slots that share memory (a donated input and its output) to one of them. */
  constructor(
    readonly label: string,
    private readonly place: (slot: number) => number,
    /** Arrays, by place, of which only a part is bound; indices count from its beginning. */
    private readonly parts: ReadonlyMap<number, Part> = new Map(),
  ) {}

  /** The array a slot is read through; `width` 4 sees it as vectors. */
  read(slot: number, dtype: DType, width: 1 | 4 = 1): string {
    return this.bind(slot, dtype, width, false);
  }
  write(slot: number, dtype: DType, width: 1 | 4 = 1): string {
    return this.bind(slot, dtype, width, true);
  }
  /** Reading floats of either format as f32: the expression for an index. */
  floats(slot: number, dtype: DType, width: 1 | 4): (index: string) => string {
    const array = this.read(slot, dtype, width);
    const type = width === 4 ? 'vec4<f32>' : 'f32';
    return (index) => (dtype === 'float16' ? `${type}(${array}[${index}])` : `${array}[${index}]`);
  }
  private bind(slot: number, dtype: DType, width: 1 | 4, write: boolean): string {
    const at = this.place(slot);
    const scalar = memoryType(dtype);
    const type = width === 4 ? `vec4<${scalar}>` : scalar;
    let known = this.bound.find((b) => b.slot === at && b.type === type);
    if (known === undefined) {
      known = { slot: at, name: `m${this.bound.length}`, type, write };
      this.bound.push(known);
    }
    known.write ||= write;
    return known.name;
  }

  kernel({ threads, groups, declarations = '', main }: Source): Kernel {
    const buffers = this.bound.map(
      (b, i) =>
        `@group(0) @binding(${i}) var<storage, ${b.write ? 'read_write' : 'read'}> ${b.name}: array<${b.type}>;`,
    );
    const guard = groups > MAX_GROUPS ? `if (group >= ${groups}u) { return; }` : '';
    const code = `${buffers.join('\n')}
${declarations}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * ${MAX_GROUPS}u + groups.x;
${guard}
${main}
}
`;
    const enabled = ENABLE.filter(([used]) => used.test(code)).map(([, name]) => `enable ${name};\n`);
    return {
      label: this.label,
      source: `${enabled.join('')}${code.includes('subgroup_matrix_') ? UNIFORM : ''}${withHelpers(code)}`,
      bindings: this.bound.map(({ slot, write }) => {
        const part = this.parts.get(slot);
        return part ? { slot, write, part } : { slot, write };
      }),
      groups,
    };
  }
}
