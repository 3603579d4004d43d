// The microkernels for 64-bit ARM: 4 floats in a vector, 32 registers.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "microkernels/template.h"

namespace lethe {
namespace detail {
namespace {

struct Neon {
  static constexpr int width = 4;
  using Mask = int;
  float32x4_t x;

  static Neon zero() { return {vdupq_n_f32(0)}; }
  static Neon load(const float* p) { return {vld1q_f32(p)}; }
  static Neon splat(const float* p) { return {vld1q_dup_f32(p)}; }
  static Neon fma(Neon a, Neon b, Neon c) { return {vfmaq_f32(c.x, a.x, b.x)}; }
  static Neon add(Neon a, Neon b) { return {vaddq_f32(a.x, b.x)}; }
  static void store(float* p, Neon a) { vst1q_f32(p, a.x); }
  static void stream(float* p, Neon a) { store(p, a); }
  static Mask maskOf(int count) { return count; }
  static Neon loadPart(const float* p, Mask count) {
    float part[4] = {0, 0, 0, 0};
    for (int i = 0; i < count; ++i) part[i] = p[i];
    return load(part);
  }
  static void storePart(float* p, Mask count, Neon a) {
    float part[4];
    store(part, a);
    for (int i = 0; i < count; ++i) p[i] = part[i];
  }
  static float sum(Neon a) {
    const float32x2_t t = vadd_f32(vget_low_f32(a.x), vget_high_f32(a.x));
    return vget_lane_f32(t, 0) + vget_lane_f32(t, 1);
  }
  static void keep(Neon& a) { asm volatile("" : "+w"(a.x)); }

  static void transposeBlock(const float* in, int64_t inStep, float* out, int64_t outStep) {
    const float32x4_t r0 = vld1q_f32(in), r1 = vld1q_f32(in + inStep);
    const float32x4_t r2 = vld1q_f32(in + 2 * inStep), r3 = vld1q_f32(in + 3 * inStep);
    const float32x4x2_t t = vtrnq_f32(r0, r1), u = vtrnq_f32(r2, r3);
    vst1q_f32(out, vcombine_f32(vget_low_f32(t.val[0]), vget_low_f32(u.val[0])));
    vst1q_f32(out + outStep, vcombine_f32(vget_low_f32(t.val[1]), vget_low_f32(u.val[1])));
    vst1q_f32(out + 2 * outStep, vcombine_f32(vget_high_f32(t.val[0]), vget_high_f32(u.val[0])));
    vst1q_f32(out + 3 * outStep, vcombine_f32(vget_high_f32(t.val[1]), vget_high_f32(u.val[1])));
  }
};

}  // namespace

constexpr Microkernels kNeonKernels = makeMicrokernels<Neon, 4, 2, 8, 8, 8, 6, 12, 12, 8, 6>();

}  // namespace detail
}  // namespace lethe
#endif
