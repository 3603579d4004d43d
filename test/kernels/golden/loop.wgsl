// loop, 6 workgroups
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
@group(0) @binding(0) var<storage, read> m0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> m1: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let at = group * 256u + localIndex;
if (at >= 1500u) { return; }
let first = at * 4u;
let c0 = first;
let q0 = m0[(first) / 4u];
let v0_0 = q0.x;
let v0_1 = q0.y;
let v0_2 = q0.z;
let v0_3 = q0.w;
let v1_0 = 2f;
let v2_0 = (v0_0 * v1_0);
let v3_0 = 1f;
let v4_0 = (v2_0 + v3_0);
let v5_0 = select(0f, v4_0, v4_0 > 0f || isNan(v4_0));
let v1_1 = 2f;
let v2_1 = (v0_1 * v1_1);
let v3_1 = 1f;
let v4_1 = (v2_1 + v3_1);
let v5_1 = select(0f, v4_1, v4_1 > 0f || isNan(v4_1));
let v1_2 = 2f;
let v2_2 = (v0_2 * v1_2);
let v3_2 = 1f;
let v4_2 = (v2_2 + v3_2);
let v5_2 = select(0f, v4_2, v4_2 > 0f || isNan(v4_2));
let v1_3 = 2f;
let v2_3 = (v0_3 * v1_3);
let v3_3 = 1f;
let v4_3 = (v2_3 + v3_3);
let v5_3 = select(0f, v4_3, v4_3 > 0f || isNan(v4_3));
m1[(first) / 4u] = vec4(v5_0, v5_1, v5_2, v5_3);
}
