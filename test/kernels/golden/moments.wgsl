// moments, 20 workgroups
@group(0) @binding(0) var<storage, read> m0: array<f32>;
@group(0) @binding(1) var<storage, read_write> m1: array<f32>;
@group(0) @binding(2) var<storage, read_write> m2: array<f32>;
var<workgroup> shares0: array<f32, 256>;
var<workgroup> shares1: array<f32, 256>;
var<workgroup> shares2: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let chunk = group / 1u;
let along = localIndex / 8u;
let across = localIndex % 8u;
let first = ((group % 1u) * 8u + across) * 1u;
let c1 = first;
var count = 0f;
var mean0 = 0f;
var squares0 = 0f;
let start = min(first, 5u);
let o1 = start;
let origin0 = select(0f, m0[(o1) + 0u], abs(m0[(o1) + 0u]) <= 3.4028234e38f);
var from0 = origin0;
let end = select(0u, min((chunk + 1u) * 500u, 10000u), first < 6u);
for (var r = chunk * 500u + along; r < end; r += 32u) {
let element = r;
let c0 = element;
let at = (c0 * 6u + c1);
let v0_0 = m0[at];
from0 = select(from0, select(origin0, v0_0, abs(v0_0) <= 3.4028234e38f), count == 0f);
let d_v0_0 = v0_0 - from0;
mean0 += d_v0_0;
squares0 += d_v0_0 * d_v0_0;
count += 1f;
}
let off0 = mean0 / max(count, 1f);
squares0 -= mean0 * off0;
squares0 = select(squares0, 0f, squares0 < 0f);
mean0 = from0 - origin0 + off0;
let share = along / 1u;
if (along % 1u == 0u) {
shares0[share * 8u + across] = count;
shares1[share * 8u + across] = mean0;
shares2[share * 8u + across] = squares0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 16u) {
{
let more = shares0[(share + 16u) * 8u + across];
let weight = more / max(count + more, 1f);
let other0 = shares1[(share + 16u) * 8u + across];
let apart0 = other0 - mean0;
squares0 += shares2[(share + 16u) * 8u + across] + apart0 * apart0 * count * weight;
mean0 = select(mean0 + other0, mean0 + apart0 * weight, abs(apart0) <= 3.4028234e38f);
count += more;
}
shares0[share * 8u + across] = count;
shares1[share * 8u + across] = mean0;
shares2[share * 8u + across] = squares0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 8u) {
{
let more = shares0[(share + 8u) * 8u + across];
let weight = more / max(count + more, 1f);
let other0 = shares1[(share + 8u) * 8u + across];
let apart0 = other0 - mean0;
squares0 += shares2[(share + 8u) * 8u + across] + apart0 * apart0 * count * weight;
mean0 = select(mean0 + other0, mean0 + apart0 * weight, abs(apart0) <= 3.4028234e38f);
count += more;
}
shares0[share * 8u + across] = count;
shares1[share * 8u + across] = mean0;
shares2[share * 8u + across] = squares0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 4u) {
{
let more = shares0[(share + 4u) * 8u + across];
let weight = more / max(count + more, 1f);
let other0 = shares1[(share + 4u) * 8u + across];
let apart0 = other0 - mean0;
squares0 += shares2[(share + 4u) * 8u + across] + apart0 * apart0 * count * weight;
mean0 = select(mean0 + other0, mean0 + apart0 * weight, abs(apart0) <= 3.4028234e38f);
count += more;
}
shares0[share * 8u + across] = count;
shares1[share * 8u + across] = mean0;
shares2[share * 8u + across] = squares0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 2u) {
{
let more = shares0[(share + 2u) * 8u + across];
let weight = more / max(count + more, 1f);
let other0 = shares1[(share + 2u) * 8u + across];
let apart0 = other0 - mean0;
squares0 += shares2[(share + 2u) * 8u + across] + apart0 * apart0 * count * weight;
mean0 = select(mean0 + other0, mean0 + apart0 * weight, abs(apart0) <= 3.4028234e38f);
count += more;
}
shares0[share * 8u + across] = count;
shares1[share * 8u + across] = mean0;
shares2[share * 8u + across] = squares0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 1u) {
{
let more = shares0[(share + 1u) * 8u + across];
let weight = more / max(count + more, 1f);
let other0 = shares1[(share + 1u) * 8u + across];
let apart0 = other0 - mean0;
squares0 += shares2[(share + 1u) * 8u + across] + apart0 * apart0 * count * weight;
mean0 = select(mean0 + other0, mean0 + apart0 * weight, abs(apart0) <= 3.4028234e38f);
count += more;
}
}
if (along == 0u && first < 6u) {
m1[chunk * 6u + first + 0u] = mean0;
m2[chunk * 6u + first + 0u] = squares0;
}
}

// moments joined, 1 workgroups
@group(0) @binding(0) var<storage, read> m0: array<f32>;
@group(0) @binding(1) var<storage, read> m1: array<f32>;
@group(0) @binding(2) var<storage, read> m2: array<f32>;
@group(0) @binding(3) var<storage, read_write> m3: array<f32>;
@group(0) @binding(4) var<storage, read_write> m4: array<f32>;
var<workgroup> shares0: array<f32, 256>;
var<workgroup> shares1: array<f32, 256>;
var<workgroup> shares2: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) groups: vec3<u32>, @builtin(local_invocation_index) localIndex: u32) {
let group = groups.y * 65535u + groups.x;

let chunk = group / 1u;
let along = localIndex / 128u;
let across = localIndex % 128u;
let first = ((group % 1u) * 128u + across) * 1u;
let c1 = first;
var count = 0f;
var mean0 = 0f;
var squares0 = 0f;
let start = min(first, 5u);
let o1 = start;
let origin0 = select(0f, m0[(o1) + 0u], abs(m0[(o1) + 0u]) <= 3.4028234e38f);
let end = select(0u, min((chunk + 1u) * 20u, 20u), first < 6u);
for (var r = chunk * 20u + along; r < end; r += 2u) {
let element = r;
let c0 = element;
let at = (c0 * 6u + c1);
let v0_0 = m1[at];
let v1_0 = m2[at];
{
let more = select(500f, 500f, element == 19u);
let weight = more / max(count + more, 1f);
let other0 = v0_0;
let apart0 = other0 - mean0;
squares0 += v1_0 + apart0 * apart0 * count * weight;
mean0 = select(mean0 + other0, mean0 + apart0 * weight, abs(apart0) <= 3.4028234e38f);
count += more;
}
}
let share = along / 1u;
if (along % 1u == 0u) {
shares0[share * 128u + across] = count;
shares1[share * 128u + across] = mean0;
shares2[share * 128u + across] = squares0;
}
workgroupBarrier();
if (along % 1u == 0u && share < 1u) {
{
let more = shares0[(share + 1u) * 128u + across];
let weight = more / max(count + more, 1f);
let other0 = shares1[(share + 1u) * 128u + across];
let apart0 = other0 - mean0;
squares0 += shares2[(share + 1u) * 128u + across] + apart0 * apart0 * count * weight;
mean0 = select(mean0 + other0, mean0 + apart0 * weight, abs(apart0) <= 3.4028234e38f);
count += more;
}
}
if (along == 0u && first < 6u) {
m3[chunk * 6u + first + 0u] = origin0 + mean0;
m4[chunk * 6u + first + 0u] = squares0 / 10000f;
}
}
