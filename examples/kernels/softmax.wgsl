// Softmax of rows: an invocation does a row alone, in three passes over it. Short, and right for any size; a workgroup that
// shared a row would be faster. Run it with
//
//   lethe bench kernel examples/kernels/softmax.wgsl
//
//! primitive: softmax
//! bindings: x, y
//! workgroups: ceil(rows / 64)

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  let first = at.x * columns;
  if (at.x >= rows) { return; }
  var largest = x[first];
  for (var i = 1u; i < columns; i++) { largest = max(largest, x[first + i]); }
  var sum = 0f;
  for (var i = 0u; i < columns; i++) { sum += exp(x[first + i] - largest); }
  for (var i = 0u; i < columns; i++) { y[first + i] = exp(x[first + i] - largest) / sum; }
}
