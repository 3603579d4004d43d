// The microkernels for AVX-512: 16 floats in a vector, 32 registers.
#if defined(__x86_64__)
// The compiler's own intrinsics start from a deliberately undefined register and then warn about it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include "microkernels/template.h"

namespace lethe {
namespace detail {
namespace {

struct Avx512 {
  static constexpr int width = 16;
  using Mask = __mmask16;
  __m512 x;

  static Avx512 zero() { return {_mm512_setzero_ps()}; }
  static Avx512 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Avx512 splat(const float* p) { return {_mm512_set1_ps(*p)}; }
  static Avx512 fma(Avx512 a, Avx512 b, Avx512 c) { return {_mm512_fmadd_ps(a.x, b.x, c.x)}; }
  static Avx512 add(Avx512 a, Avx512 b) { return {_mm512_add_ps(a.x, b.x)}; }
  static void store(float* p, Avx512 a) { _mm512_storeu_ps(p, a.x); }
  static void stream(float* p, Avx512 a) { _mm512_stream_ps(p, a.x); }
  static Mask maskOf(int count) { return static_cast<Mask>((1u << count) - 1); }
  static Avx512 loadPart(const float* p, Mask mask) { return {_mm512_maskz_loadu_ps(mask, p)}; }
  static void storePart(float* p, Mask mask, Avx512 a) { _mm512_mask_storeu_ps(p, mask, a.x); }
  static float sum(Avx512 a) {
    const __m256 low = _mm512_castps512_ps256(a.x), high = _mm512_extractf32x8_ps(a.x, 1);
    const __m256 s = _mm256_add_ps(low, high);
    __m128 t = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    t = _mm_add_ps(t, _mm_movehl_ps(t, t));
    return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
  }
  static void keep(Avx512& a) { asm volatile("" : "+v"(a.x)); }

  // Pairs of rows, then quads, then the 4x4 grid of 128-bit lanes.
  static void transposeBlock(const float* in, int64_t inStep, float* out, int64_t outStep) {
    __m512 r[16], t[16];
    LETHE_UNROLL for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(in + i * inStep);
    LETHE_UNROLL for (int i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    LETHE_UNROLL for (int i = 0; i < 16; i += 4) {
      LETHE_UNROLL for (int h = 0; h < 2; ++h) {
        const __m512d low = _mm512_castps_pd(t[i + h]), high = _mm512_castps_pd(t[i + 2 + h]);
        r[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
        r[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
      }
    }
    // r[4 g + j] now holds columns j, 4 + j, 8 + j, 12 + j of rows 4 g to 4 g + 3, one column to a lane.
    LETHE_UNROLL for (int j = 0; j < 4; ++j) {
      const __m512 a = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
      const __m512 c = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd), d = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
      _mm512_storeu_ps(out + j * outStep, _mm512_shuffle_f32x4(a, b, 0x88));
      _mm512_storeu_ps(out + (4 + j) * outStep, _mm512_shuffle_f32x4(c, d, 0x88));
      _mm512_storeu_ps(out + (8 + j) * outStep, _mm512_shuffle_f32x4(a, b, 0xdd));
      _mm512_storeu_ps(out + (12 + j) * outStep, _mm512_shuffle_f32x4(c, d, 0xdd));
    }
  }
};

}  // namespace

// Rows: one general register per row, so no more than 8. Outer: as many as the vector registers hold.
constexpr Microkernels kAvx512Kernels = makeMicrokernels<Avx512, 4, 2, 8, 8, 8, 6, 12, 12, 8, 6>();

}  // namespace detail
}  // namespace lethe
#endif
