// dot, 1 workgroups
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
@group(0) @binding(0) var<storage, read> m0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> m1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> m2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> m3: array<vec4<f32>>;
var<workgroup> slabA: array<vec4<f32>, 256>;
var<workgroup> slabB: array<vec4<f32>, 128>;

struct OuterA { base: u32, at: u32, inside: bool }
struct DepthA { k: u32, base: u32 }
fn outerAOf(batch: u32, o: u32) -> OuterA {
  return OuterA(batch * 3072u + o * 48u, o, o < 64u);
}
fn depthAOf(k: u32) -> DepthA { return DepthA(k, k * 1u); }
fn fetchA(o: OuterA, d: DepthA) -> vec4<f32> {
  let inside = o.inside & (d.k < 48u);
  return select(vec4<f32>(), m0[select(0u, (o.base + d.base) / 4u, inside)], inside);
}


struct OuterB { base: u32, at: u32, inside: bool }
struct DepthB { k: u32, base: u32 }
fn outerBOf(batch: u32, o: u32) -> OuterB {
  return OuterB(batch * 1536u + o * 1u, o, o < 32u);
}
fn depthBOf(k: u32) -> DepthB { return DepthB(k, k * 32u); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> {
  let inside = o.inside & (d.k < 48u);
  return select(vec4<f32>(), m1[select(0u, (o.base + d.base) / 4u, inside)], inside);
}

fn storeC(batch: u32, part: u32, m: u32, n: u32, value: vec4<f32>) {
if (m >= 64u || n >= 32u) { return; }
let base = (batch * 64u + m) * 32u + n;
let at = base;
let c1 = at % 32u;
let c1_rest = at / 32u;
let c0 = c1_rest;
let q0 = m2[((c1)) / 4u];
let v0_0 = q0.x;
let v0_1 = q0.y;
let v0_2 = q0.z;
let v0_3 = q0.w;
let v2_0 = (value.x + v0_0);
let v3_0 = select(0f, v2_0, v2_0 > 0f || isNan(v2_0));
let v2_1 = (value.y + v0_1);
let v3_1 = select(0f, v2_1, v2_1 > 0f || isNan(v2_1));
let v2_2 = (value.z + v0_2);
let v3_2 = select(0f, v2_2, v2_2 > 0f || isNan(v2_2));
let v2_3 = (value.w + v0_3);
let v3_3 = select(0f, v2_3, v2_3 > 0f || isNan(v2_3));
m3[(at) / 4u] = vec4(v3_0, v3_1, v3_2, v3_3);
}
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let tileColumn = (group % 1u) * 32u;
let tileRow = (group / 1u % 1u) * 64u;
let part = group / 1u % 1u;
let batch = group / 1u;
let first = part * 48u;
let last = min(first + 48u, 48u);
let right = localIndex % 8u;
let down = localIndex / 8u;
var sum0_0 = vec4<f32>();
var sum1_0 = vec4<f32>();
var sum2_0 = vec4<f32>();
var sum3_0 = vec4<f32>();
let outerA0 = outerAOf(batch, tileRow + localIndex / 4u);
let outerA1 = outerAOf(batch, tileRow + (localIndex + 128u) / 4u);
let outerB0 = outerBOf(batch, tileColumn + localIndex % 8u * 4u);
for (var k = first; k < last; k += 16u) {
let depthA = depthAOf(k + localIndex % 4u * 4u);
slabA[localIndex] = fetchA(outerA0, depthA);
slabA[(localIndex + 128u)] = fetchA(outerA1, depthA);
slabB[localIndex] = fetchB(outerB0, depthBOf(k + localIndex / 8u));
workgroupBarrier();
for (var q = 0u; q < 4u; q++) {
let a0 = slabA[((down + 0u) * 4u + 0u) * 4u + q];
let a1 = slabA[((down + 0u) * 4u + 1u) * 4u + q];
let a2 = slabA[((down + 0u) * 4u + 2u) * 4u + q];
let a3 = slabA[((down + 0u) * 4u + 3u) * 4u + q];
let b0_0 = slabB[(q * 4u + 0u) * 8u + right + 0u];
sum0_0 = fma(vec4(a0.x), b0_0, sum0_0);
sum1_0 = fma(vec4(a1.x), b0_0, sum1_0);
sum2_0 = fma(vec4(a2.x), b0_0, sum2_0);
sum3_0 = fma(vec4(a3.x), b0_0, sum3_0);
let b1_0 = slabB[(q * 4u + 1u) * 8u + right + 0u];
sum0_0 = fma(vec4(a0.y), b1_0, sum0_0);
sum1_0 = fma(vec4(a1.y), b1_0, sum1_0);
sum2_0 = fma(vec4(a2.y), b1_0, sum2_0);
sum3_0 = fma(vec4(a3.y), b1_0, sum3_0);
let b2_0 = slabB[(q * 4u + 2u) * 8u + right + 0u];
sum0_0 = fma(vec4(a0.z), b2_0, sum0_0);
sum1_0 = fma(vec4(a1.z), b2_0, sum1_0);
sum2_0 = fma(vec4(a2.z), b2_0, sum2_0);
sum3_0 = fma(vec4(a3.z), b2_0, sum3_0);
let b3_0 = slabB[(q * 4u + 3u) * 8u + right + 0u];
sum0_0 = fma(vec4(a0.w), b3_0, sum0_0);
sum1_0 = fma(vec4(a1.w), b3_0, sum1_0);
sum2_0 = fma(vec4(a2.w), b3_0, sum2_0);
sum3_0 = fma(vec4(a3.w), b3_0, sum3_0);
}
workgroupBarrier();
}
var own = array<vec4<f32>, 4>(sum0_0, sum1_0, sum2_0, sum3_0);
for (var i = 0u; i < 4u; i++) {
storeC(batch, part, tileRow + (down + i / 4u * 16u) * 4u + i / 1u % 4u, tileColumn + (right + i % 1u * 8u) * 4u, own[i]);
}
}
