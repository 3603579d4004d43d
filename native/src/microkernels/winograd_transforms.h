// The five linear maps of Winograd's minimal convolution F(4x4, 3x3), each applied along both axes of a small square of
// pixels or taps, for a vector of channels at a time. The interpolation points are 0, +-p, +-q and infinity with p =
// 1/sqrt(2), q = sqrt(2): any p and q cost the same, and these lose the least precision (about twice the error of plain
// products; the textbook's 1 and 2 lose six times as much). Include from template.h only.
#pragma once
#include "microkernels/microkernel.h"

namespace lethe {
namespace detail {

constexpr float kP = 0.70710678118654752440f, kQ = 1.41421356237309504880f;
constexpr float kP2 = 0.5f, kQ2 = 2.0f, kP3 = kP * kP2, kQ3 = kQ * kQ2;

template <class V> inline __attribute__((always_inline)) V constant(float x) { return V::splat(&x); }
// a + s * b
template <class V> inline __attribute__((always_inline)) V plus(V a, float s, V b) { return V::fma(constant<V>(s), b, a); }
template <class V> inline __attribute__((always_inline)) V times(float s, V b) { return V::fma(constant<V>(s), b, V::zero()); }

// Six pixels to six frequencies.
template <class V> struct InputMap {
  static constexpr int from = 6, to = 6;
  static inline __attribute__((always_inline)) void apply(const V* d, V* t) {
    const V pEven = plus(d[4], -kQ2, d[2]), pOdd = plus(d[3], -kQ2, d[1]);
    const V qEven = plus(d[4], -kP2, d[2]), qOdd = plus(d[3], -kP2, d[1]);
    t[0] = V::add(plus(d[0], -(kP2 + kQ2), d[2]), d[4]);
    t[1] = plus(pEven, kP, pOdd);
    t[2] = plus(pEven, -kP, pOdd);
    t[3] = plus(qEven, kQ, qOdd);
    t[4] = plus(qEven, -kQ, qOdd);
    t[5] = V::add(plus(d[1], -(kP2 + kQ2), d[3]), d[5]);
  }
};

// Six frequencies to four results.
template <class V> struct OutputMap {
  static constexpr int from = 6, to = 4;
  static inline __attribute__((always_inline)) void apply(const V* m, V* y) {
    const V pSum = V::add(m[1], m[2]), pDifference = plus(m[1], -1, m[2]);
    const V qSum = V::add(m[3], m[4]), qDifference = plus(m[3], -1, m[4]);
    y[0] = V::add(V::add(m[0], pSum), qSum);
    y[1] = plus(times(kP, pDifference), kQ, qDifference);
    y[2] = plus(times(kP2, pSum), kQ2, qSum);
    y[3] = plus(plus(m[5], kP3, pDifference), kQ3, qDifference);
  }
};

// The transpose of OutputMap: four gradients to six frequencies.
template <class V> struct GradientMap {
  static constexpr int from = 4, to = 6;
  static inline __attribute__((always_inline)) void apply(const V* y, V* m) {
    const V pEven = plus(y[0], kP2, y[2]), pOdd = plus(times(kP, y[1]), kP3, y[3]);
    const V qEven = plus(y[0], kQ2, y[2]), qOdd = plus(times(kQ, y[1]), kQ3, y[3]);
    m[0] = y[0];
    m[1] = V::add(pEven, pOdd);
    m[2] = plus(pEven, -1, pOdd);
    m[3] = V::add(qEven, qOdd);
    m[4] = plus(qEven, -1, qOdd);
    m[5] = y[3];
  }
};

constexpr float kNp = 1 / (2 * kP2 * (kP2 - kQ2)), kNq = 1 / (2 * kQ2 * (kQ2 - kP2));

// Three taps to six frequencies.
template <class V> struct WeightMap {
  static constexpr int from = 3, to = 6;
  static inline __attribute__((always_inline)) void apply(const V* w, V* u) {
    const V pEven = plus(times(kNp, w[0]), kNp * kP2, w[2]), qEven = plus(times(kNq, w[0]), kNq * kQ2, w[2]);
    u[0] = w[0];
    u[1] = plus(pEven, kNp * kP, w[1]);
    u[2] = plus(pEven, -kNp * kP, w[1]);
    u[3] = plus(qEven, kNq * kQ, w[1]);
    u[4] = plus(qEven, -kNq * kQ, w[1]);
    u[5] = w[2];
  }
};

// The transpose of WeightMap: six frequencies to three taps' gradients.
template <class V> struct WeightGradientMap {
  static constexpr int from = 6, to = 3;
  static inline __attribute__((always_inline)) void apply(const V* s, V* w) {
    const V pSum = V::add(s[1], s[2]), pDifference = plus(s[1], -1, s[2]);
    const V qSum = V::add(s[3], s[4]), qDifference = plus(s[3], -1, s[4]);
    w[0] = plus(plus(s[0], kNp, pSum), kNq, qSum);
    w[1] = plus(times(kNp * kP, pDifference), kNq * kQ, qDifference);
    w[2] = plus(plus(s[5], kNp * kP2, pSum), kNq * kQ2, qSum);
  }
};

// in: from x from pointers, out: to x to pointers, row by row; `count` channels, a multiple of the width.
template <class V, template <class> class Map, bool STREAM>
void transformSquare(const float* const* in, float* const* out, int64_t count) {
  using M = Map<V>;
  for (int64_t c = 0; c < count; c += V::width) {
    V half[M::to][M::from];
    LETHE_UNROLL for (int j = 0; j < M::from; ++j) {
      V column[M::from], result[M::to];
      LETHE_UNROLL for (int i = 0; i < M::from; ++i) column[i] = V::load(in[i * M::from + j] + c);
      M::apply(column, result);
      LETHE_UNROLL for (int i = 0; i < M::to; ++i) half[i][j] = result[i];
    }
    LETHE_UNROLL for (int i = 0; i < M::to; ++i) {
      V result[M::to];
      M::apply(half[i], result);
      LETHE_UNROLL for (int j = 0; j < M::to; ++j) {
        if (STREAM) V::stream(out[i * M::to + j] + c, result[j]);
        else V::store(out[i * M::to + j] + c, result[j]);
      }
    }
  }
}

template <class V> constexpr WinogradTransforms makeTransforms() {
  return {transformSquare<V, InputMap, false>,   transformSquare<V, OutputMap, false>,
          transformSquare<V, OutputMap, true>,   transformSquare<V, GradientMap, false>,
          transformSquare<V, WeightMap, false>,  transformSquare<V, WeightGradientMap, false>};
}

}  // namespace detail
}  // namespace lethe
