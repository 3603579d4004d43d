// dot, 2 workgroups
@group(0) @binding(0) var<storage, read> m0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> m1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> m2: array<vec4<f32>>;
var<workgroup> slabA: array<vec4<f32>, 256>;
var<workgroup> slabB: array<vec4<f32>, 128>;

struct OuterA { base: u32, at: u32, inside: bool }
struct DepthA { k: u32, base: u32 }
fn outerAOf(batch: u32, o: u32) -> OuterA {
  return OuterA(batch * 256u + o * 8u, o, o < 32u);
}
fn depthAOf(k: u32) -> DepthA { return DepthA(k, k * 1u); }
fn fetchA(o: OuterA, d: DepthA) -> vec4<f32> {
  let inside = o.inside & (d.k < 8u);
  return select(vec4<f32>(), m0[select(0u, (o.base + d.base) / 4u, inside)], inside);
}


struct OuterB { base: u32, at: u32, inside: bool }
struct DepthB { k: u32, base: u32 }
fn outerBOf(batch: u32, o: u32) -> OuterB {
  return OuterB(batch * 256u + o * 8u, o, o < 32u);
}
fn depthBOf(k: u32) -> DepthB { return DepthB(k, k * 1u); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> {
  let inside = o.inside & (d.k < 8u);
  return select(vec4<f32>(), m1[select(0u, (o.base + d.base) / 4u, inside)], inside);
}

fn storeC(batch: u32, part: u32, m: u32, n: u32, value: vec4<f32>) {
if (m >= 32u || n >= 32u) { return; }
let base = (batch * 32u + m) * 32u + n;
let at = base;
let c0 = at;
let v1_0 = 0.3535533845424652f;
let v2_0 = (value.x * v1_0);
let v1_1 = 0.3535533845424652f;
let v2_1 = (value.y * v1_1);
let v1_2 = 0.3535533845424652f;
let v2_2 = (value.z * v1_2);
let v1_3 = 0.3535533845424652f;
let v2_3 = (value.w * v1_3);
m2[(at) / 4u] = vec4(v2_0, v2_1, v2_2, v2_3);
}
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let tileColumn = (group % 1u) * 32u;
let tileRow = (group / 1u % 1u) * 64u;
let part = group / 1u % 1u;
let batch = group / 1u;
let first = part * 16u;
let last = min(first + 16u, 8u);
let right = localIndex % 8u;
let down = localIndex / 8u;
var sum0_0 = vec4<f32>();
var sum1_0 = vec4<f32>();
var sum2_0 = vec4<f32>();
var sum3_0 = vec4<f32>();
let outerA0 = outerAOf(batch, tileRow + localIndex / 4u);
let outerA1 = outerAOf(batch, tileRow + (localIndex + 128u) / 4u);
let outerB0 = outerBOf(batch, tileColumn + localIndex / 4u);
for (var k = first; k < last; k += 16u) {
let depthA = depthAOf(k + localIndex % 4u * 4u);
slabA[localIndex] = fetchA(outerA0, depthA);
slabA[(localIndex + 128u)] = fetchA(outerA1, depthA);
let depthB = depthBOf(k + localIndex % 4u * 4u);
slabB[localIndex] = fetchB(outerB0, depthB);
workgroupBarrier();
for (var q = 0u; q < 4u; q++) {
let a0 = slabA[((down + 0u) * 4u + 0u) * 4u + q];
let a1 = slabA[((down + 0u) * 4u + 1u) * 4u + q];
let a2 = slabA[((down + 0u) * 4u + 2u) * 4u + q];
let a3 = slabA[((down + 0u) * 4u + 3u) * 4u + q];
let b0 = slabB[((right + 0u) * 4u + 0u) * 4u + q];
let b1 = slabB[((right + 0u) * 4u + 1u) * 4u + q];
let b2 = slabB[((right + 0u) * 4u + 2u) * 4u + q];
let b3 = slabB[((right + 0u) * 4u + 3u) * 4u + q];
let b0_0 = vec4(b0.x, b1.x, b2.x, b3.x);
sum0_0 = fma(vec4(a0.x), b0_0, sum0_0);
sum1_0 = fma(vec4(a1.x), b0_0, sum1_0);
sum2_0 = fma(vec4(a2.x), b0_0, sum2_0);
sum3_0 = fma(vec4(a3.x), b0_0, sum3_0);
let b1_0 = vec4(b0.y, b1.y, b2.y, b3.y);
sum0_0 = fma(vec4(a0.y), b1_0, sum0_0);
sum1_0 = fma(vec4(a1.y), b1_0, sum1_0);
sum2_0 = fma(vec4(a2.y), b1_0, sum2_0);
sum3_0 = fma(vec4(a3.y), b1_0, sum3_0);
let b2_0 = vec4(b0.z, b1.z, b2.z, b3.z);
sum0_0 = fma(vec4(a0.z), b2_0, sum0_0);
sum1_0 = fma(vec4(a1.z), b2_0, sum1_0);
sum2_0 = fma(vec4(a2.z), b2_0, sum2_0);
sum3_0 = fma(vec4(a3.z), b2_0, sum3_0);
let b3_0 = vec4(b0.w, b1.w, b2.w, b3.w);
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

// rows, 2 workgroups
fn floatOf(bits: u32) -> f32 { return bitcast<f32>(bits); }
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn maxOf(a: f32, b: f32) -> f32 { return select(b, a, a > b || isNan(a)); }
fn powerOfTwo(n: i32) -> f32 { return bitcast<f32>(u32(n + 127) << 23u); }
fn scaleBy(y: f32, n: i32) -> f32 { let h = n >> 1u; return y * powerOfTwo(h) * powerOfTwo(n - h); }
struct Exponential { p: f32, n: i32 }
fn exponential(x: f32) -> Exponential {
  let k = i32(x * 1.44269504088896341f + select(-0.5f, 0.5f, x > 0f));
  let n = f32(k);
  let r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  var q = 1.9875691500e-4f;
  q = q * r + 1.3981999507e-3f;
  q = q * r + 8.3334519073e-3f;
  q = q * r + 4.1665795894e-2f;
  q = q * r + 1.6666665459e-1f;
  q = q * r + 5.0000001201e-1f;
  return Exponential(q * (r * r) + r, k);
}
fn expOf(x: f32) -> f32 {
  let e = exponential(clamp(x, -104f, 88.8f));
  let y = scaleBy(e.p + 1f, e.n);
  return select(select(y, floatOf(0x7f800000u), x > 88.7228394f), x, isNan(x));
}
@group(0) @binding(0) var<storage, read> m0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> m1: array<vec4<f32>>;
var<workgroup> shares0_0_f32: array<f32, 64>;
var<workgroup> shares1_0_f32: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let along = localIndex % 2u;
let first = localIndex / 2u * 2u;
let share = along / 1u;
let wanted = group * 32u + localIndex / 2u;
let present = wanted < 64u;
let row = min(wanted, 63u);
let c0 = row;
let element0 = (along + 0u) * 4u;
let c1_0 = element0;
let at0 = (c0 * 32u + c1_0);
let element1 = (along + 2u) * 4u;
let c1_1 = element1;
let at1 = (c0 * 32u + c1_1);
let element2 = (along + 4u) * 4u;
let c1_2 = element2;
let at2 = (c0 * 32u + c1_2);
let element3 = (along + 6u) * 4u;
let c1_3 = element3;
let at3 = (c0 * 32u + c1_3);
var total1 = floatOf(0xff800000u);
let q0 = m0[(at0) / 4u];
let v0_0 = q0.x;
let v0_1 = q0.y;
let v0_2 = q0.z;
let v0_3 = q0.w;
total1 = maxOf(total1, (maxOf((maxOf(v0_0, v0_1)), (maxOf(v0_2, v0_3)))));
let q6 = m0[(at1) / 4u];
let v6_0 = q6.x;
let v6_1 = q6.y;
let v6_2 = q6.z;
let v6_3 = q6.w;
total1 = maxOf(total1, (maxOf((maxOf(v6_0, v6_1)), (maxOf(v6_2, v6_3)))));
let q12 = m0[(at2) / 4u];
let v12_0 = q12.x;
let v12_1 = q12.y;
let v12_2 = q12.z;
let v12_3 = q12.w;
total1 = maxOf(total1, (maxOf((maxOf(v12_0, v12_1)), (maxOf(v12_2, v12_3)))));
let q18 = m0[(at3) / 4u];
let v18_0 = q18.x;
let v18_1 = q18.y;
let v18_2 = q18.z;
let v18_3 = q18.w;
total1 = maxOf(total1, (maxOf((maxOf(v18_0, v18_1)), (maxOf(v18_2, v18_3)))));
if (along % 1u == 0u) {
shares0_0_f32[first + share] = total1;
}
workgroupBarrier();
total1 = shares0_0_f32[first + 0u];
total1 = maxOf(total1, shares0_0_f32[first + 1u]);
let r1 = total1;
var total4 = 0f;
let v2_0 = (v0_0 - r1);
let v2_1 = (v0_1 - r1);
let v2_2 = (v0_2 - r1);
let v2_3 = (v0_3 - r1);
let v3_0 = expOf(v2_0);
let v3_1 = expOf(v2_1);
let v3_2 = expOf(v2_2);
let v3_3 = expOf(v2_3);
total4 = total4 + ((v3_0 + v3_1) + (v3_2 + v3_3));
let v8_0 = (v6_0 - r1);
let v8_1 = (v6_1 - r1);
let v8_2 = (v6_2 - r1);
let v8_3 = (v6_3 - r1);
let v9_0 = expOf(v8_0);
let v9_1 = expOf(v8_1);
let v9_2 = expOf(v8_2);
let v9_3 = expOf(v8_3);
total4 = total4 + ((v9_0 + v9_1) + (v9_2 + v9_3));
let v14_0 = (v12_0 - r1);
let v14_1 = (v12_1 - r1);
let v14_2 = (v12_2 - r1);
let v14_3 = (v12_3 - r1);
let v15_0 = expOf(v14_0);
let v15_1 = expOf(v14_1);
let v15_2 = expOf(v14_2);
let v15_3 = expOf(v14_3);
total4 = total4 + ((v15_0 + v15_1) + (v15_2 + v15_3));
let v20_0 = (v18_0 - r1);
let v20_1 = (v18_1 - r1);
let v20_2 = (v18_2 - r1);
let v20_3 = (v18_3 - r1);
let v21_0 = expOf(v20_0);
let v21_1 = expOf(v20_1);
let v21_2 = expOf(v20_2);
let v21_3 = expOf(v20_3);
total4 = total4 + ((v21_0 + v21_1) + (v21_2 + v21_3));
if (along % 1u == 0u) {
shares1_0_f32[first + share] = total4;
}
workgroupBarrier();
total4 = shares1_0_f32[first + 0u];
total4 = total4 + shares1_0_f32[first + 1u];
let r4 = total4;
let v5_0 = (v3_0 / r4);
let v5_1 = (v3_1 / r4);
let v5_2 = (v3_2 / r4);
let v5_3 = (v3_3 / r4);
m1[at0 / 4u] = vec4(v5_0, v5_1, v5_2, v5_3);
let v11_0 = (v9_0 / r4);
let v11_1 = (v9_1 / r4);
let v11_2 = (v9_2 / r4);
let v11_3 = (v9_3 / r4);
m1[at1 / 4u] = vec4(v11_0, v11_1, v11_2, v11_3);
let v17_0 = (v15_0 / r4);
let v17_1 = (v15_1 / r4);
let v17_2 = (v15_2 / r4);
let v17_3 = (v15_3 / r4);
m1[at2 / 4u] = vec4(v17_0, v17_1, v17_2, v17_3);
let v23_0 = (v21_0 / r4);
let v23_1 = (v21_1 / r4);
let v23_2 = (v21_2 / r4);
let v23_3 = (v21_3 / r4);
m1[at3 / 4u] = vec4(v23_0, v23_1, v23_2, v23_3);
}

// dot, 2 workgroups
@group(0) @binding(0) var<storage, read> m0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> m1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> m2: array<vec4<f32>>;
var<workgroup> slabA: array<vec4<f32>, 256>;
var<workgroup> slabB: array<vec4<f32>, 64>;

struct OuterA { base: u32, at: u32, inside: bool }
struct DepthA { k: u32, base: u32 }
fn outerAOf(batch: u32, o: u32) -> OuterA {
  return OuterA(batch * 1024u + o * 32u, o, o < 32u);
}
fn depthAOf(k: u32) -> DepthA { return DepthA(k, k * 1u); }
fn fetchA(o: OuterA, d: DepthA) -> vec4<f32> {
  let inside = o.inside & (d.k < 32u);
  return select(vec4<f32>(), m0[select(0u, (o.base + d.base) / 4u, inside)], inside);
}


struct OuterB { base: u32, at: u32, inside: bool }
struct DepthB { k: u32, base: u32 }
fn outerBOf(batch: u32, o: u32) -> OuterB {
  return OuterB(batch * 256u + o * 1u, o, o < 8u);
}
fn depthBOf(k: u32) -> DepthB { return DepthB(k, k * 8u); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> {
  let inside = o.inside & (d.k < 32u);
  return select(vec4<f32>(), m1[select(0u, (o.base + d.base) / 4u, inside)], inside);
}

fn storeC(batch: u32, part: u32, m: u32, n: u32, value: vec4<f32>) {
if (m >= 32u || n >= 8u) { return; }
let base = (batch * 32u + m) * 8u + n;
let at = base;
m2[at / 4u] = value;
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let tileColumn = (group % 1u) * 16u;
let tileRow = (group / 1u % 1u) * 64u;
let part = group / 1u % 1u;
let batch = group / 1u;
let first = part * 32u;
let last = min(first + 32u, 32u);
let right = localIndex % 4u;
let down = localIndex / 4u;
var sum0_0 = vec4<f32>();
var sum1_0 = vec4<f32>();
var sum2_0 = vec4<f32>();
var sum3_0 = vec4<f32>();
let outerA0 = outerAOf(batch, tileRow + localIndex / 4u);
let outerA1 = outerAOf(batch, tileRow + (localIndex + 64u) / 4u);
let outerA2 = outerAOf(batch, tileRow + (localIndex + 128u) / 4u);
let outerA3 = outerAOf(batch, tileRow + (localIndex + 192u) / 4u);
let outerB0 = outerBOf(batch, tileColumn + localIndex % 4u * 4u);
for (var k = first; k < last; k += 16u) {
let depthA = depthAOf(k + localIndex % 4u * 4u);
slabA[localIndex] = fetchA(outerA0, depthA);
slabA[(localIndex + 64u)] = fetchA(outerA1, depthA);
slabA[(localIndex + 128u)] = fetchA(outerA2, depthA);
slabA[(localIndex + 192u)] = fetchA(outerA3, depthA);
slabB[localIndex] = fetchB(outerB0, depthBOf(k + localIndex / 4u));
workgroupBarrier();
for (var q = 0u; q < 4u; q++) {
let a0 = slabA[((down + 0u) * 4u + 0u) * 4u + q];
let a1 = slabA[((down + 0u) * 4u + 1u) * 4u + q];
let a2 = slabA[((down + 0u) * 4u + 2u) * 4u + q];
let a3 = slabA[((down + 0u) * 4u + 3u) * 4u + q];
let b0_0 = slabB[(q * 4u + 0u) * 4u + right + 0u];
sum0_0 = fma(vec4(a0.x), b0_0, sum0_0);
sum1_0 = fma(vec4(a1.x), b0_0, sum1_0);
sum2_0 = fma(vec4(a2.x), b0_0, sum2_0);
sum3_0 = fma(vec4(a3.x), b0_0, sum3_0);
let b1_0 = slabB[(q * 4u + 1u) * 4u + right + 0u];
sum0_0 = fma(vec4(a0.y), b1_0, sum0_0);
sum1_0 = fma(vec4(a1.y), b1_0, sum1_0);
sum2_0 = fma(vec4(a2.y), b1_0, sum2_0);
sum3_0 = fma(vec4(a3.y), b1_0, sum3_0);
let b2_0 = slabB[(q * 4u + 2u) * 4u + right + 0u];
sum0_0 = fma(vec4(a0.z), b2_0, sum0_0);
sum1_0 = fma(vec4(a1.z), b2_0, sum1_0);
sum2_0 = fma(vec4(a2.z), b2_0, sum2_0);
sum3_0 = fma(vec4(a3.z), b2_0, sum3_0);
let b3_0 = slabB[(q * 4u + 3u) * 4u + right + 0u];
sum0_0 = fma(vec4(a0.w), b3_0, sum0_0);
sum1_0 = fma(vec4(a1.w), b3_0, sum1_0);
sum2_0 = fma(vec4(a2.w), b3_0, sum2_0);
sum3_0 = fma(vec4(a3.w), b3_0, sum3_0);
}
workgroupBarrier();
}
var own = array<vec4<f32>, 4>(sum0_0, sum1_0, sum2_0, sum3_0);
for (var i = 0u; i < 4u; i++) {
storeC(batch, part, tileRow + (down + i / 4u * 16u) * 4u + i / 1u % 4u, tileColumn + (right + i % 1u * 4u) * 4u, own[i]);
}
}
