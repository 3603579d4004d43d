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
let r5 = 1f;
var total1 = floatOf(0xff800000u);
let q0 = m0[(at0) / 4u];
let v0_0 = q0.x;
let v0_1 = q0.y;
let v0_2 = q0.z;
let v0_3 = q0.w;
total1 = maxOf(total1, (maxOf((maxOf(v0_0, v0_1)), (maxOf(v0_2, v0_3)))));
let q8 = m0[(at1) / 4u];
let v8_0 = q8.x;
let v8_1 = q8.y;
let v8_2 = q8.z;
let v8_3 = q8.w;
total1 = maxOf(total1, (maxOf((maxOf(v8_0, v8_1)), (maxOf(v8_2, v8_3)))));
let q16 = m0[(at2) / 4u];
let v16_0 = q16.x;
let v16_1 = q16.y;
let v16_2 = q16.z;
let v16_3 = q16.w;
total1 = maxOf(total1, (maxOf((maxOf(v16_0, v16_1)), (maxOf(v16_2, v16_3)))));
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
let v10_0 = (v8_0 - r1);
let v10_1 = (v8_1 - r1);
let v10_2 = (v8_2 - r1);
let v10_3 = (v8_3 - r1);
let v11_0 = expOf(v10_0);
let v11_1 = expOf(v10_1);
let v11_2 = expOf(v10_2);
let v11_3 = expOf(v10_3);
total4 = total4 + ((v11_0 + v11_1) + (v11_2 + v11_3));
let v18_0 = (v16_0 - r1);
let v18_1 = (v16_1 - r1);
let v18_2 = (v16_2 - r1);
let v18_3 = (v16_3 - r1);
let v19_0 = expOf(v18_0);
let v19_1 = expOf(v18_1);
let v19_2 = expOf(v18_2);
let v19_3 = expOf(v18_3);
total4 = total4 + ((v19_0 + v19_1) + (v19_2 + v19_3));
if (along % 1u == 0u) {
shares1_0_f32[first + share] = total4;
}
workgroupBarrier();
total4 = shares1_0_f32[first + 0u];
total4 = total4 + shares1_0_f32[first + 1u];
total4 = total4 + shares1_0_f32[first + 2u];
total4 = total4 + shares1_0_f32[first + 3u];
let r4 = total4;
let r6 = (r5 / r4);
let v7_0 = (v3_0 * r6);
let v7_1 = (v3_1 * r6);
let v7_2 = (v3_2 * r6);
let v7_3 = (v3_3 * r6);
m1[at0 / 4u] = vec4(v7_0, v7_1, v7_2, v7_3);
let v15_0 = (v11_0 * r6);
let v15_1 = (v11_1 * r6);
let v15_2 = (v11_2 * r6);
let v15_3 = (v11_3 * r6);
m1[at1 / 4u] = vec4(v15_0, v15_1, v15_2, v15_3);
let v23_0 = (v19_0 * r6);
let v23_1 = (v19_1 * r6);
let v23_2 = (v19_2 * r6);
let v23_3 = (v19_3 * r6);
m1[at2 / 4u] = vec4(v23_0, v23_1, v23_2, v23_3);
}
