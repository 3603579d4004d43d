// The microkernels for AVX2 with FMA: 8 floats in a vector, 16 registers.
#if defined(__x86_64__)
#include <immintrin.h>

#include "microkernels/template.h"

namespace lethe {
namespace detail {
namespace {

struct Avx2 {
  static constexpr int width = 8;
  using Mask = __m256i;
  __m256 x;

  static Avx2 zero() { return {_mm256_setzero_ps()}; }
  static Avx2 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Avx2 splat(const float* p) { return {_mm256_broadcast_ss(p)}; }
  static Avx2 fma(Avx2 a, Avx2 b, Avx2 c) { return {_mm256_fmadd_ps(a.x, b.x, c.x)}; }
  static Avx2 add(Avx2 a, Avx2 b) { return {_mm256_add_ps(a.x, b.x)}; }
  static void store(float* p, Avx2 a) { _mm256_storeu_ps(p, a.x); }
  static void stream(float* p, Avx2 a) { _mm256_stream_ps(p, a.x); }
  static Mask maskOf(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Avx2 loadPart(const float* p, Mask mask) { return {_mm256_maskload_ps(p, mask)}; }
  static void storePart(float* p, Mask mask, Avx2 a) { _mm256_maskstore_ps(p, mask, a.x); }
  static float sum(Avx2 a) {
    __m128 t = _mm_add_ps(_mm256_castps256_ps128(a.x), _mm256_extractf128_ps(a.x, 1));
    t = _mm_add_ps(t, _mm_movehl_ps(t, t));
    return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
  }
  static void keep(Avx2& a) { asm volatile("" : "+x"(a.x)); }

  static void transposeBlock(const float* in, int64_t inStep, float* out, int64_t outStep) {
    __m256 r[8], t[8];
    LETHE_UNROLL for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(in + i * inStep);
    LETHE_UNROLL for (int i = 0; i < 8; i += 2) {
      t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    LETHE_UNROLL for (int i = 0; i < 8; i += 4) {
      LETHE_UNROLL for (int h = 0; h < 2; ++h) {
        r[i + 2 * h] = _mm256_shuffle_ps(t[i + h], t[i + 2 + h], 0x44);
        r[i + 2 * h + 1] = _mm256_shuffle_ps(t[i + h], t[i + 2 + h], 0xee);
      }
    }
    LETHE_UNROLL for (int j = 0; j < 4; ++j) {
      _mm256_storeu_ps(out + j * outStep, _mm256_permute2f128_ps(r[j], r[4 + j], 0x20));
      _mm256_storeu_ps(out + (4 + j) * outStep, _mm256_permute2f128_ps(r[j], r[4 + j], 0x31));
    }
  }
};

}  // namespace

// Four vectors across would leave too few registers for rows.
constexpr Microkernels kAvx2Kernels = makeMicrokernels<Avx2, 2, 2, 8, 6, 4, 0, 8, 6, 4, 0>();

}  // namespace detail
}  // namespace lethe
#endif
