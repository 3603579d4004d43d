// cumsum, 1 workgroups
@group(0) @binding(0) var<storage, read> m0: array<f32>;
@group(0) @binding(1) var<storage, read_write> m1: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let at = group * 256u + localIndex;
if (at >= 64u) { return; }
let base = at / 1u * 48u + at % 1u;
var total = 0f;
for (var k = 0u; k < 48u; k++) {
total += m0[base + k * 1u];
m1[base + k * 1u] = total;
}
}
