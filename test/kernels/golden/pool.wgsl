// maxPool, 1 workgroups
fn floatOf(bits: u32) -> f32 { return bitcast<f32>(bits); }
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
@group(0) @binding(0) var<storage, read> m0: array<f32>;
@group(0) @binding(1) var<storage, read_write> m1: array<f32>;
@group(0) @binding(2) var<storage, read_write> m2: array<i32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let at = group * 256u + localIndex;
if (at >= 128u) { return; }
let c = at % 4u;
let x = at / 4u % 4u;
let y = at / 16u % 4u;
let n = at / 64u;
var best = floatOf(0xff800000u);
var found = -1;
let top = i32(y * 2u) - 0;
let left = i32(x * 2u) - 0;
for (var h = max(top, 0); h < min(top + 2, 8); h++) {
for (var v = max(left, 0); v < min(left + 2, 8); v++) {
let spot = u32(h) * 8u + u32(v);
let source = (n * 64u + spot) * 4u + c;
let value = m0[source];
if (found < 0 || (!isNan(best) && (value > best || isNan(value)))) { best = value; found = i32(spot); }
}
}
m1[at] = best;
m2[at] = found;
}
