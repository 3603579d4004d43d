// A matrix product in tiles, as plain as it can be: a workgroup computes 16 x 16 elements of C, an invocation one of them.
// It steps along the depth 16 at a time; in each step every invocation brings one element of A and one of B into
// workgroup memory, where all 256 read what the others brought. Run it with
//
//   lethe bench kernel examples/kernels/matmul.wgsl
//
//! primitive: dot
//! bindings: a, b, c
//! workgroups: ceil(columns / 16), ceil(rows / 16), batch

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;

const TILE = 16u;
var<workgroup> tileA: array<array<f32, TILE>, TILE>;
var<workgroup> tileB: array<array<f32, TILE>, TILE>;

@compute @workgroup_size(TILE, TILE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) at: vec3<u32>) {
  let row = group.y * TILE + at.y;
  let column = group.x * TILE + at.x;
  var sum = 0f;
  for (var k = 0u; k < depth; k += TILE) {
    // Outside of the matrices there are zeros. Every invocation reaches the barriers, also one that has nothing to write.
    var x = 0f;
    if (row < rows && k + at.x < depth) { x = a[(group.z * rows + row) * depth + k + at.x]; }
    var y = 0f;
    if (column < columns && k + at.y < depth) { y = b[(group.z * depth + k + at.y) * columns + column]; }
    tileA[at.y][at.x] = x;
    tileB[at.y][at.x] = y;
    workgroupBarrier();
    for (var i = 0u; i < TILE; i++) { sum = fma(tileA[at.y][i], tileB[i][at.x], sum); }
    workgroupBarrier();
  }
  if (row < rows && column < columns) { c[(group.z * rows + row) * columns + column] = sum; }
}
