// loop, 1 workgroups
@group(0) @binding(0) var<storage, read_write> m0: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let at = group * 256u + localIndex;
if (at >= 128u) { return; }
let first = at * 4u;
let c0 = first;
let v0_0 = 0f;
let v0_1 = 0f;
let v0_2 = 0f;
let v0_3 = 0f;
m0[(first) / 4u] = vec4(v0_0, v0_1, v0_2, v0_3);
}

// attention, 8 workgroups
fn floatOf(bits: u32) -> f32 { return bitcast<f32>(bits); }
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
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
fn logTail(f: f32) -> f32 {
  var p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  return f * (f * f) * p;
}
struct Split { m: f32, e: f32 }
fn split(x: f32) -> Split {
  let tiny = x < 1.17549435e-38f;
  let b = bitcast<i32>(select(x, x * 8388608f, tiny)) - 0x3f3504f3;
  return Split(bitcast<f32>((b & 0x007fffff) + 0x3f3504f3), f32((b >> 23u) - select(0, 23, tiny)));
}
fn logOf(x: f32) -> f32 {
  let s = split(x);
  let f = s.m - 1f;
  var y = logTail(f) - s.e * 2.12194440e-4f;
  y = y - 0.5f * (f * f);
  y = (f + y) + s.e * 0.693359375f;
  y = select(y, x, x > 3.4028234e38f);
  y = select(y, floatOf(0xff800000u), x == 0f);
  return select(y, floatOf(0x7fc00000u), x < 0f || isNan(x));
}
@group(0) @binding(0) var<storage, read> m0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> m1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> m2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> m3: array<f32>;
@group(0) @binding(4) var<storage, read_write> m4: array<f32>;
@group(0) @binding(5) var<storage, read_write> m5: array<f32>;
fn query0(row: u32, d: u32) -> vec4<f32> { return m0[row * 2u + 0u + d]; }
fn key0(row: u32, d: u32) -> vec4<f32> { return m1[row * 2u + 0u + d]; }
fn value(row: u32, d: u32) -> vec4<f32> { return m2[row * 2u + 0u + d]; }
var<workgroup> keys0: array<vec4<f32>, 64>;
var<workgroup> values: array<vec4<f32>, 64>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let chunk = group % 1u;
let tile = group / 1u % 8u;
let b = group / 8u;
let keys = b * 512u;
let query = tile * 64u + localIndex;
let at = b * 512u + min(query, 511u);
var own0: array<vec4<f32>, 2>;
for (var d = 0u; d < 2u; d++) { own0[d] = query0(at, d); }
var total: array<vec4<f32>, 2>;
var top = -3.4028234e38f;
var sum = 0f;
let first = 0u;
let last = 512u;
for (var start = first; start < last; start += 32u) {
workgroupBarrier();
for (var i = localIndex; i < 64u; i += 64u) {
keys0[i] = key0(keys + min(start + i / 2u, last - 1u), i % 2u);
}
for (var i = localIndex; i < 64u; i += 64u) {
values[i] = value(keys + min(start + i / 2u, last - 1u), chunk * 2u + i % 2u);
}
workgroupBarrier();
for (var j = 0u; j < min(32u, last - start); j++) {
let key = start + j;
let row = keys + key;

var sum0 = vec4<f32>();
for (var d = 0u; d < 2u; d++) { sum0 += own0[d] * keys0[j * 2u + d]; }
let product0 = (sum0.x + sum0.y) + (sum0.z + sum0.w);
let score = product0 * 0.3535533845424652f;
let m = m3[row];
let x = score - m;
if (x > top) {
let shrink = expOf(top - x);
top = x;
sum *= shrink;
for (var c = 0u; c < 2u; c++) { total[c] *= shrink; }
}
let weight = expOf(x - top);
sum += weight;

for (var c = 0u; c < 2u; c++) { total[c] += weight * values[j * 2u + c]; }
}
}
if (query < 512u) {
let share = select(1f / sum, 1f, sum == 0f);
for (var c = 0u; c < 2u; c++) { total[c] *= share; }
for (var c = 0u; c < 8u; c++) {
let column = chunk * 8u + c;
if (column < 8u) { m4[at * 8u + column] = total[c / 4u][c % 4u]; }
}
if (chunk == 0u) { m5[at] = select(top + logOf(sum), 0f, sum == 0f); }
}
}
