// rows, 4 workgroups
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

let along = localIndex % 4u;
let first = localIndex / 4u * 4u;
let share = along / 1u;
let wanted = group * 16u + localIndex / 4u;
let present = wanted < 64u;
let row = min(wanted, 63u);
let c0 = row;
let element0 = (along + 0u) * 4u;
let c1_0 = element0;
let at0 = (c0 * 48u + c1_0);
let element1 = (along + 4u) * 4u;
let c1_1 = element1;
let at1 = (c0 * 48u + c1_1);
let element2 = (along + 8u) * 4u;
let c1_2 = element2;
let at2 = (c0 * 48u + c1_2);
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
if (along % 1u == 0u) {
shares0_0_f32[first + share] = total1;
}
workgroupBarrier();
total1 = shares0_0_f32[first + 0u];
total1 = maxOf(total1, shares0_0_f32[first + 1u]);
total1 = maxOf(total1, shares0_0_f32[first + 2u]);
total1 = maxOf(total1, shares0_0_f32[first + 3u]);
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
if (along % 1u == 0u) {
shares1_0_f32[first + share] = total4;
}
workgroupBarrier();
total4 = shares1_0_f32[first + 0u];
total4 = total4 + shares1_0_f32[first + 1u];
total4 = total4 + shares1_0_f32[first + 2u];
total4 = total4 + shares1_0_f32[first + 3u];
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
}
