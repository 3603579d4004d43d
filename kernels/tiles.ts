// The loop of a tiled product, in three ways. Staged: the workgroup fetches a slab of each factor into workgroup memory and
// every invocation multiplies out of it; for GPUs. By matrices: slabs likewise, but subgroups multiply whole matrices out
// of them; for GPUs with tensor cores (matrix.ts). Direct: invocations fetch into registers themselves; the workgroup is
// one row of them, and no barrier is needed; for software adapters, where every element that an invocation reads for
// itself costs time. Where the row is a subgroup, its invocations fetch A together, each a part, and hand the parts around.
// All accumulate along k in the same order. Where results go is none of this file's business.

/** Tile of a workgroup (rows, columns, depth) and of an invocation (rows, columns); each invocation's a multiple of 4. */
export interface Tiles {
  /** Of a workgroup's tile. */
  readonly rows: number;
  /** Of a workgroup's tile. */
  readonly columns: number;
  /** Steps along the sums that are fetched at a time. */
  readonly depth: number;
  /** Of an invocation's tile. */
  readonly ownRows: number;
  /** Of an invocation's tile. */
  readonly ownColumns: number;
  /** Invocations fetch into registers, without workgroup memory. */
  readonly direct: boolean;
  /** The workgroup is one subgroup of 8, and its invocations hand A around; direct, with 8 rows. */
  readonly shared?: boolean;
  /** Subgroups multiply matrices of this kind; ownRows and ownColumns are then a subgroup's. */
  readonly matrix?: MatrixKind;
}

/** Sums that an invocation keeps in registers, and loads it does for a slab: more only spill, or bloat the source. */
export const MOST_SUMS = 128;
export const MOST_LOADS = 32;

/** What a device multiplies as a whole: rows x depth by depth x columns, of a component type, into float32. */
export interface MatrixKind {
  /** Type of the factors. */
  readonly component: 'f16' | 'f32';
  /** Of the result. */
  readonly rows: number;
  /** Of the result. */
  readonly columns: number;
  /** Columns of the first factor. */
  readonly depth: number;
}

/**
 * One factor. `outer` is m for A and n for B. The WGSL of `declarations` defines, with the side as suffix: struct Outer and
 * `outerOf(batch, o)`, what depends on the row or column only; struct Depth and `depthOf(k)`, what depends on k only; and
 * `fetch(outer, depth) -> vec4<f32>`, the elements at four neighbouring positions along `along`, zero outside. Fetches
 * do not branch.
 */
export interface Factor {
  readonly along: 'outer' | 'depth';
  readonly declarations: string;
}

interface Loop {
  readonly threads: number;
  readonly declarations: string;
  /** Sees batch, tileRow, tileColumn, and `first` and `last` of k; leaves `own`, an array of vectors. */
  readonly code: string;
  /** Row and column of own[i], relative to the tile. */
  readonly row: string;
  readonly column: string;
  readonly results: number;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const COMPONENT = 'xyzw';

/** How four steps along k are read: A by row or by four rows, B by column or by four columns. */
interface Access {
  readonly a: (i: number, s: number) => string;
  readonly b: (j: number, s: number) => string;
}

/** Sums are vectors of four columns: sum{row}_{columns / 4}. */
function multiply(t: Tiles, a: Factor, b: Factor, read: Access): string {
  const lines: string[] = [];
  const groups = t.ownColumns / 4;
  if (a.along === 'depth') for (const i of range(t.ownRows)) lines.push(`let a${i} = ${read.a(i, 0)};`);
  if (b.along === 'depth') for (const j of range(t.ownColumns)) lines.push(`let b${j} = ${read.b(j, 0)};`);
  for (const s of range(4)) {
    const c = COMPONENT[s];
    if (a.along === 'outer')
      for (const i of range(t.ownRows / 4)) lines.push(`let a${s}_${i} = ${read.a(i, s)};`);
    for (const j of range(groups)) {
      const across = range(4).map((q) => `b${j * 4 + q}.${c}`);
      lines.push(`let b${s}_${j} = ${b.along === 'outer' ? read.b(j, s) : `vec4(${across.join(', ')})`};`);
    }
    for (const i of range(t.ownRows)) {
      const x = a.along === 'outer' ? `a${s}_${i >> 2}.${COMPONENT[i & 3]}` : `a${i}.${c}`;
      for (const j of range(groups)) lines.push(`sum${i}_${j} = fma(vec4(${x}), b${s}_${j}, sum${i}_${j});`);
    }
  }
  return lines.join('\n');
}

const sumsOf = (t: Tiles): string[] =>
  range(t.ownRows).flatMap((i) => range(t.ownColumns / 4).map((j) => `sum${i}_${j}`));
const start = (t: Tiles): string =>
  sumsOf(t)
    .map((s) => `var ${s} = vec4<f32>();`)
    .join('\n');
/** Results go on through an array, so that what happens to them is compiled once. */
const finish = (t: Tiles): string =>
  `var own = array<vec4<f32>, ${sumsOf(t).length}>(${sumsOf(t).join(', ')});`;

/** `subgroup`: the invocations of one, where the device has subgroups of one size. */
export const loopOf = (t: Tiles, a: Factor, b: Factor, subgroup: number): Loop =>
  t.direct ? direct(t, a, b) : t.matrix ? matrices(t, t.matrix, a, b, subgroup) : staged(t, a, b);

function direct(t: Tiles, a: Factor, b: Factor): Loop {
  const threads = t.columns / t.ownColumns;
  const groups = t.ownColumns / 4;
  const outers = [
    ...range(t.shared ? 0 : a.along === 'depth' ? t.ownRows : t.ownRows / 4).map((i) => {
      const row = a.along === 'depth' ? i : i * 4;
      return `let outerA${i} = outerAOf(batch, tileRow + ${row}u);`;
    }),
    ...range(b.along === 'depth' ? t.ownColumns : groups).map((j) => {
      const [group, rest] = b.along === 'depth' ? [j >> 2, j & 3] : [j, 0];
      return `let outerB${j} = outerBOf(batch, tileColumn + (localIndex + ${group * threads}u) * 4u + ${rest}u);`;
    }),
  ];
  // A's share of an invocation: a row, or four rows at one of four steps.
  const together =
    a.along === 'depth'
      ? 'let fetchedA = fetchA(outerA, depthAOf(k));'
      : 'let fetchedA = fetchA(outerA, depthAOf(k + localIndex / 2u));';
  if (t.shared)
    outers.push(
      `let outerA = outerAOf(batch, tileRow + ${a.along === 'depth' ? 'localIndex' : 'localIndex % 2u * 4u'});`,
    );
  const depths = (side: 'A' | 'B', f: Factor): string[] =>
    range(f.along === 'depth' ? 1 : 4).map((s) => `let depth${side}${s} = depth${side}Of(k + ${s}u);`);
  const access: Access = {
    a: (i, s) =>
      t.shared
        ? `subgroupBroadcast(fetchedA, ${a.along === 'depth' ? i : s * 2 + i}u)`
        : `fetchA(outerA${i}, depthA${s})`,
    b: (j, s) => `fetchB(outerB${j}, depthB${s})`,
  };
  return {
    threads,
    declarations: '',
    code: `${start(t)}
${outers.join('\n')}
for (var k = first; k < last; k += 4u) {
${[...(t.shared ? [together] : depths('A', a)), ...depths('B', b)].join('\n')}
${multiply(t, a, b, access)}
}
${finish(t)}`,
    row: `i / ${groups}u`,
    column: `(localIndex + i % ${groups}u * ${threads}u) * 4u`,
    results: t.ownRows * groups,
  };
}

function staged(t: Tiles, a: Factor, b: Factor): Loop {
  const across = t.columns / t.ownColumns;
  const down = t.rows / t.ownRows;
  const threads = across * down;
  const groups = t.ownColumns / 4;
  const quarter = t.depth / 4;
  const [loadA, loadB] = [load('A', a, t.rows, t.depth, threads), load('B', b, t.columns, t.depth, threads)];
  // Slabs are [outer][depth / 4] along depth and [depth][outer / 4] along outer.
  const access: Access = {
    a: (i, s) =>
      a.along === 'depth'
        ? `slabA[((down + ${(i >> 2) * down}u) * 4u + ${i & 3}u) * ${quarter}u + q]`
        : `slabA[(q * 4u + ${s}u) * ${t.rows / 4}u + down + ${i * down}u]`,
    b: (j, s) =>
      b.along === 'depth'
        ? `slabB[((right + ${(j >> 2) * across}u) * 4u + ${j & 3}u) * ${quarter}u + q]`
        : `slabB[(q * 4u + ${s}u) * ${t.columns / 4}u + right + ${j * across}u]`,
  };
  return {
    threads,
    declarations: `var<workgroup> slabA: array<vec4<f32>, ${(t.rows * t.depth) / 4}>;
var<workgroup> slabB: array<vec4<f32>, ${(t.columns * t.depth) / 4}>;`,
    code: `let right = localIndex % ${across}u;
let down = localIndex / ${across}u;
${start(t)}
${loadA.before}
${loadB.before}
for (var k = first; k < last; k += ${t.depth}u) {
${loadA.during}
${loadB.during}
workgroupBarrier();
for (var q = 0u; q < ${quarter}u; q++) {
${multiply(t, a, b, access)}
}
workgroupBarrier();
}
${finish(t)}`,
    row: `(down + i / ${groups * 4}u * ${down}u) * 4u + i / ${groups}u % 4u`,
    column: `(right + i % ${groups}u * ${across}u) * 4u`,
    results: t.ownRows * groups,
  };
}

/** A slab of scalars, as matrices are loaded from: a row a step of depth or of the outer axis, whichever neighbours lie in. */
function matrixSlab(side: 'A' | 'B', f: Factor, outer: number, { depth, matrix }: Tiles, threads: number) {
  const { component } = matrix as MatrixKind;
  const length = f.along === 'depth' ? depth : outer;
  // Rows start 16 bytes apart from a power of two, so that a column does not lie in one bank.
  const stride = length + (component === 'f16' ? 8 : 4);
  const put = (at: string, vector: string): string => `{
let four = vec4<${component}>(${vector});
let at = ${at} / ${length / 4}u * ${stride}u + ${at} % ${length / 4}u * 4u;
slab${side}[at] = four.x;
slab${side}[at + 1u] = four.y;
slab${side}[at + 2u] = four.z;
slab${side}[at + 3u] = four.w;
}`;
  const size = (f.along === 'depth' ? outer : depth) * stride;
  return {
    ...load(side, f, outer, depth, threads, put),
    declaration: `var<workgroup> slab${side}: array<${component}, ${size}>;`,
    /** The matrix whose corner lies at (o, d). */
    matrix: (type: string, o: string, d: number): string => {
      const [row, column] = f.along === 'depth' ? [o, `${d}u`] : [`${d}u`, o];
      // A's rows and B's columns are the outer axis.
      const order = (f.along === 'depth') === (side === 'A') ? 'row_major' : 'col_major';
      return `subgroupMatrixLoad<${type}, ${order}>(&slab${side}, (${row}) * ${stride}u + ${column}, ${stride}u)`;
    },
  };
}

function matrices(t: Tiles, kind: MatrixKind, a: Factor, b: Factor, subgroup: number): Loop {
  const { component, rows, columns, depth } = kind;
  const across = t.columns / t.ownColumns;
  const subgroups = across * (t.rows / t.ownRows);
  const threads = subgroups * subgroup;
  const [slabA, slabB] = [matrixSlab('A', a, t.rows, t, threads), matrixSlab('B', b, t.columns, t, threads)];
  const [high, wide] = [t.ownRows / rows, t.ownColumns / columns];
  const left = `subgroup_matrix_left<${component}, ${depth}, ${rows}>`;
  const right = `subgroup_matrix_right<${component}, ${columns}, ${depth}>`;
  const result = `subgroup_matrix_result<f32, ${columns}, ${rows}>`;
  const sums = range(high).flatMap((i) => range(wide).map((j) => `sum${i}_${j}`));
  const multiplied = range(t.depth / depth).map((step) =>
    [
      '{',
      ...range(high).map((i) => `let a${i} = ${slabA.matrix(left, `down + ${i * rows}u`, step * depth)};`),
      ...range(wide).map(
        (j) => `let b${j} = ${slabB.matrix(right, `right + ${j * columns}u`, step * depth)};`,
      ),
      ...range(high).flatMap((i) =>
        range(wide).map((j) => {
          const sum = `sum${i}_${j}`;
          return `${sum} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, ${sum});`;
        }),
      ),
      '}',
    ].join('\n'),
  );
  // The layout of a matrix is implementation-defined: results go through memory, a band of matrices at a time.
  const band = rows * t.ownColumns;
  const share = band / 4 / subgroup;
  const bands = range(high).map((i) =>
    [
      'workgroupBarrier();',
      ...range(wide).map(
        (j) =>
          `subgroupMatrixStore<row_major>(&bands, band + ${j * columns}u, sum${i}_${j}, ${t.ownColumns}u);`,
      ),
      'workgroupBarrier();',
      ...range(share).map((v) => {
        const at = `band + (localIndex % ${subgroup}u + ${v * subgroup}u) * 4u`;
        const four = range(4).map((l) => `bands[${at} + ${l}u]`);
        return `own[${i * share + v}] = vec4(${four.join(', ')});`;
      }),
    ].join('\n'),
  );
  const within = `(localIndex % ${subgroup}u + i % ${share}u * ${subgroup}u)`;
  return {
    threads,
    declarations: `${slabA.declaration}
${slabB.declaration}
var<workgroup> bands: array<f32, ${subgroups * band}>;`,
    code: `let own_subgroup = localIndex / ${subgroup}u;
let right = own_subgroup % ${across}u * ${t.ownColumns}u;
let down = own_subgroup / ${across}u * ${t.ownRows}u;
let band = own_subgroup * ${band}u;
${sums.map((s) => `var ${s}: ${result};`).join('\n')}
${slabA.before}
${slabB.before}
for (var k = first; k < last; k += ${t.depth}u) {
${slabA.during}
${slabB.during}
workgroupBarrier();
${multiplied.join('\n')}
workgroupBarrier();
}
var own: array<vec4<f32>, ${high * share}>;
${bands.join('\n')}`,
    row: `down + i / ${share}u * ${rows}u + ${within} / ${t.ownColumns / 4}u`,
    column: `right + ${within} % ${t.ownColumns / 4}u * 4u`,
    results: high * share,
  };
}

/**
 * Fetching a slab: each invocation its share, rows and columns worked out once before the loop. `put` is the statement
 * that stores a vector of four as number `at` of the slab.
 */
function load(
  side: 'A' | 'B',
  f: Factor,
  outer: number,
  depth: number,
  threads: number,
  put = (at: string, vector: string): string => `slab${side}[${at}] = ${vector};`,
): { before: string; during: string } {
  const inner = f.along === 'depth' ? depth / 4 : outer / 4;
  const vectors = (outer * depth) / 4;
  const tile = side === 'A' ? 'tileRow' : 'tileColumn';
  const before: string[] = [];
  const during: string[] = [];
  const sameDepth = f.along === 'depth' && threads % inner === 0;
  if (sameDepth) during.push(`let depth${side} = depth${side}Of(k + localIndex % ${inner}u * 4u);`);
  for (const n of range(Math.ceil(vectors / threads))) {
    const at = n === 0 ? 'localIndex' : `(localIndex + ${n * threads}u)`;
    const [fast, slow] = [`${at} % ${inner}u * 4u`, `${at} / ${inner}u`];
    const [o, d] = f.along === 'depth' ? [slow, fast] : [fast, slow];
    before.push(`let outer${side}${n} = outer${side}Of(batch, ${tile} + ${o});`);
    const own = sameDepth ? `depth${side}` : `depth${side}Of(k + ${d})`;
    const store = put(at, `fetch${side}(outer${side}${n}, ${own})`);
    during.push((n + 1) * threads > vectors ? `if (${at} < ${vectors}u) { ${store} }` : store);
  }
  return { before: before.join('\n'), during: during.join('\n') };
}
