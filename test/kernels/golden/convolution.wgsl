// conv, 2 workgroups
@group(0) @binding(0) var<storage, read> m0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> m1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> m2: array<vec4<f32>>;
var<workgroup> slabA: array<vec4<f32>, 256>;
var<workgroup> slabB: array<vec4<f32>, 64>;

struct Pixel { base: u32, y: i32, x: i32, inside: bool }
struct Tap { base: u32, k: u32, y: i32, x: i32, channel: u32 }
fn pixelAt(base: u32, p: u32) -> Pixel {
  let px = p % 8u;
  let py = p / 8u % 8u;
  let pn = p / 64u;
  return Pixel(base + pn * 256u, i32(py * 1u) - 1, i32(px * 1u) - 1, pn < 2u);
}
fn tapAt(base: u32, k: u32) -> Tap {
  let channel = k % 4u;
  let j = k / 4u % 3u;
  let i = k / 12u;
  return Tap(base, k, i32(i * 1u), i32(j * 1u), channel);
}
fn oneA(p: Pixel, t: Tap) -> vec4<f32> {
  let y = p.y + t.y;
  let x = p.x + t.x;
  let inside = p.inside & (t.k < 36u) & (y >= 0) & (y < 8) & (x >= 0) & (x < 8);
  let at = p.base + t.base + (u32(y) / 1u * 8u + u32(x) / 1u) * 4u + t.channel;
  return select(vec4<f32>(), m0[select(0u, (at) / 4u, inside)], inside);
}
alias OuterA = Pixel;
alias DepthA = Tap;
fn outerAOf(batch: u32, m: u32) -> Pixel { return pixelAt(batch * 512u + 0u * 4u, m); }
fn depthAOf(k: u32) -> Tap { let base = 0u; return tapAt(base, k); }
fn fetchA(o: Pixel, d: Tap) -> vec4<f32> { return oneA(o, d); }

struct OuterB { base: u32, n: u32 }
struct DepthB { k: u32, base: u32 }
fn outerBOf(batch: u32, n: u32) -> OuterB {
  return OuterB(batch * 288u + 0u * 8u + n, n);
}
fn depthBOf(k: u32) -> DepthB { return DepthB(k, k * 8u); }
fn fetchB(o: OuterB, d: DepthB) -> vec4<f32> {
  let inside = (o.n < 8u) & (d.k < 36u);
  let at = o.base + d.base;
  return select(vec4<f32>(), m1[select(0u, (at) / 4u, inside)], inside);
}
fn storeC(batch: u32, part: u32, m: u32, n: u32, value: vec4<f32>) {
if (m >= 128u || n >= 8u) { return; }
let base = (batch * 128u + m) * 8u + n;
let at = base;
m2[at / 4u] = value;
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let tileColumn = (group % 1u) * 16u;
let tileRow = (group / 1u % 2u) * 64u;
let part = group / 2u % 1u;
let batch = group / 2u;
let first = part * 48u;
let last = min(first + 48u, 36u);
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
