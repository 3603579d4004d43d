// loop reduced, 1 workgroups
@group(0) @binding(0) var<storage, read> m0: array<f32>;
@group(0) @binding(1) var<storage, read_write> m1: array<f32>;
var<workgroup> shares0: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let chunk = group / 1u;
let along = localIndex / 8u;
let across = localIndex % 8u;
let first = ((group % 1u) * 8u + across) * 1u;
let c1 = first;
var total0 = 0f;
let end = select(0u, min((chunk + 1u) * 1000u, 1000u), first < 6u);
for (var r = chunk * 1000u + along; r < end; r += 32u) {
let element = r;
let c0 = element;
let at = (c0 * 6u + c1);
let v0_0 = m0[at];
let v1_0 = (v0_0 * v0_0);
total0 = total0 + (v1_0);
}
let share = along / 1u;
if (along % 1u == 0u) {
shares0[share * 8u + across] = total0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 16u) {
total0 = total0 + shares0[(share + 16u) * 8u + across];
shares0[share * 8u + across] = total0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 8u) {
total0 = total0 + shares0[(share + 8u) * 8u + across];
shares0[share * 8u + across] = total0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 4u) {
total0 = total0 + shares0[(share + 4u) * 8u + across];
shares0[share * 8u + across] = total0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 2u) {
total0 = total0 + shares0[(share + 2u) * 8u + across];
shares0[share * 8u + across] = total0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 1u) {
total0 = total0 + shares0[(share + 1u) * 8u + across];
}
if (along == 0u && first < 6u) {
m1[chunk * 6u + first + 0u] = total0;
}
}
