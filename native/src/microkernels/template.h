// The microkernels, written once over a vector type `V` and compiled for each instruction set by a file of its own.
// Include from those files only. Everything here is a template over V, whose name differs per instruction set, and
// nothing of the standard library is used: otherwise the linker could keep the AVX-512 copy of a shared inline function
// for a machine that has none.
//
// V offers: width, Mask, zero, load, store, stream, splat (of a float in memory), fma(a, b, c) = a * b + c, add, sum,
// maskOf(count), loadPart, storePart.
#pragma once
#include "microkernels/microkernel.h"

#define LETHE_UNROLL _Pragma("GCC unroll 16")

#include "microkernels/winograd_transforms.h"

namespace lethe {
namespace detail {

// Only the last vector of a row can be partial.
template <class V, int NV, bool PART> struct RowOf {
  using Mask = typename V::Mask;
  static inline __attribute__((always_inline)) V load(const float* p, int v, Mask mask) {
    return PART && v == NV - 1 ? V::loadPart(p + v * V::width, mask) : V::load(p + v * V::width);
  }
  static inline __attribute__((always_inline)) void store(float* p, int v, Mask mask, V x) {
    if (PART && v == NV - 1) V::storePart(p + v * V::width, mask, x);
    else V::store(p + v * V::width, x);
  }
};

template <class V, int MR, int NV, bool PART> void rowsTile(const RowsTile& t) {
  using Row = RowOf<V, NV, PART>;
  const auto mask = V::maskOf(t.columns - (NV - 1) * V::width);
  V sum[MR][NV];
  LETHE_UNROLL for (int r = 0; r < MR; ++r) {
    LETHE_UNROLL for (int v = 0; v < NV; ++v) {
      sum[r][v] = t.accumulate ? Row::load(t.c + t.cRows[r], v, mask) : V::zero();
    }
  }
  const int64_t bStep = t.bStep;
  const float* a[MR];
  LETHE_UNROLL for (int r = 0; r < MR; ++r) a[r] = t.a + t.aRows[r];
  const Segment* const end = t.segments + t.segmentCount;
  for (const Segment* s = t.segments; s != end; ++s) {
    const float* b = t.b + s->b * bStep + s->shift;
    const int64_t last = s->a + s->length;
#pragma GCC unroll 4
    for (int64_t k = s->a; k < last; ++k) {
      V y[NV];
      LETHE_UNROLL for (int v = 0; v < NV; ++v) y[v] = Row::load(b, v, mask);
      b += bStep;
      LETHE_UNROLL for (int r = 0; r < MR; ++r) {
        const V x = V::splat(a[r] + k);
        LETHE_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = V::fma(x, y[v], sum[r][v]);
      }
    }
  }
  float* const c = t.c;
  const int64_t* const cRows = t.cRows;
  if (!PART && t.stream) {
    LETHE_UNROLL for (int r = 0; r < MR; ++r) {
      float* row = c + cRows[r];
      LETHE_UNROLL for (int v = 0; v < NV; ++v) V::stream(row + v * V::width, sum[r][v]);
    }
    return;
  }
  LETHE_UNROLL for (int r = 0; r < MR; ++r) {
    float* row = c + cRows[r];
    LETHE_UNROLL for (int v = 0; v < NV; ++v) Row::store(row, v, mask, sum[r][v]);
  }
}

template <class V, int MR, int NV, bool PART> void outerTile(const OuterTile& t) {
  using Row = RowOf<V, NV, PART>;
  const auto mask = V::maskOf(t.columns - (NV - 1) * V::width);
  V sum[MR][NV];
  LETHE_UNROLL for (int r = 0; r < MR; ++r) {
    LETHE_UNROLL for (int v = 0; v < NV; ++v) {
      sum[r][v] = t.accumulate ? Row::load(t.c + r * t.cRow, v, mask) : V::zero();
    }
  }
  const int64_t aStep = t.aStep, bStep = t.bStep, length = t.length;
  for (int64_t image = 0; image < t.images; ++image) {
    for (int64_t line = 0; line < t.lines; ++line) {
      const float* a = t.a + image * t.aImage + line * t.aLine;
      const float* b = t.b + image * t.bImage + line * t.bLine;
#pragma GCC unroll 4
      for (int64_t k = 0; k < length; ++k) {
        V y[NV];
        LETHE_UNROLL for (int v = 0; v < NV; ++v) y[v] = Row::load(b, v, mask);
        LETHE_UNROLL for (int r = 0; r < MR; ++r) {
          const V x = V::splat(a + r);
          LETHE_UNROLL for (int v = 0; v < NV; ++v) sum[r][v] = V::fma(x, y[v], sum[r][v]);
        }
        a += aStep;
        b += bStep;
      }
    }
  }
  LETHE_UNROLL for (int r = 0; r < MR; ++r) {
    LETHE_UNROLL for (int v = 0; v < NV; ++v) Row::store(t.c + r * t.cRow, v, mask, sum[r][v]);
  }
}

// Whole blocks through registers (V::transposeBlock, width x width), the rim one by one.
template <class V>
void transpose(const float* in, int64_t inStep, int64_t rows, int64_t columns, float* out, int64_t outStep) {
  constexpr int64_t W = V::width;
  const int64_t wholeRows = rows - rows % W, wholeColumns = columns - columns % W;
  for (int64_t j = 0; j < wholeColumns; j += W) {
    for (int64_t i = 0; i < wholeRows; i += W) V::transposeBlock(in + i * inStep + j, inStep, out + j * outStep + i, outStep);
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < wholeRows ? wholeColumns : 0; j < columns; ++j) out[j * outStep + i] = in[i * inStep + j];
  }
}

// Four chains hide the latency of the FMA; what does not fill them goes into the first.
template <class V> float inner(const float* a, const float* b, int64_t length) {
  constexpr int64_t W = V::width;
  V sum[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
  int64_t k = 0;
  for (; k + 4 * W <= length; k += 4 * W) {
    LETHE_UNROLL for (int i = 0; i < 4; ++i) sum[i] = V::fma(V::load(a + k + i * W), V::load(b + k + i * W), sum[i]);
  }
  for (; k < length; k += W) {
    const auto mask = V::maskOf(static_cast<int>(length - k < W ? length - k : W));
    sum[0] = V::fma(V::loadPart(a + k, mask), V::loadPart(b + k, mask), sum[0]);
  }
  return V::sum(V::add(V::add(sum[0], sum[1]), V::add(sum[2], sum[3])));
}

template <class V, int P> void depthwisePixels(const DepthwiseRow& t, int64_t first) {
  constexpr int64_t W = V::width;
  for (int64_t c = 0; c < t.channels; c += W) {
    const auto mask = V::maskOf(static_cast<int>(t.channels - c < W ? t.channels - c : W));
    V sum[P];
    LETHE_UNROLL for (int p = 0; p < P; ++p) sum[p] = V::zero();
    for (int64_t tap = 0; tap < t.tapCount; ++tap) {
      const V w = V::loadPart(t.w + tap * t.channels + c, mask);
      const float* x = t.x + t.taps[tap] + c;
      LETHE_UNROLL for (int p = 0; p < P; ++p) sum[p] = V::fma(V::loadPart(x + t.pixels[first + p], mask), w, sum[p]);
    }
    LETHE_UNROLL for (int p = 0; p < P; ++p) V::storePart(t.y + t.results[first + p] + c, mask, sum[p]);
  }
}

template <class V> void depthwise(const DepthwiseRow& t) {
  int64_t p = 0;
  for (; p + 8 <= t.pixelCount; p += 8) depthwisePixels<V, 8>(t, p);
  for (; p < t.pixelCount; ++p) depthwisePixels<V, 1>(t, p);
}

template <class V, int T> void depthwiseGradientTaps(const DepthwiseGradient& t, int64_t first) {
  constexpr int64_t W = V::width;
  for (int64_t c = 0; c < t.channels; c += W) {
    const auto mask = V::maskOf(static_cast<int>(t.channels - c < W ? t.channels - c : W));
    V sum[T];
    LETHE_UNROLL for (int i = 0; i < T; ++i) sum[i] = V::loadPart(t.dw + (first + i) * t.channels + c, mask);
    for (int64_t p = 0; p < t.pixelCount; ++p) {
      const V dy = V::loadPart(t.dy + p * t.channels + c, mask);
      const float* x = t.x + t.pixels[p] + c;
      LETHE_UNROLL for (int i = 0; i < T; ++i) sum[i] = V::fma(V::loadPart(x + t.taps[first + i], mask), dy, sum[i]);
    }
    LETHE_UNROLL for (int i = 0; i < T; ++i) V::storePart(t.dw + (first + i) * t.channels + c, mask, sum[i]);
  }
}

template <class V> void depthwiseGradient(const DepthwiseGradient& t) {
  int64_t tap = 0;
  for (; tap + 9 <= t.tapCount; tap += 9) depthwiseGradientTaps<V, 9>(t, tap);
  for (; tap + 3 <= t.tapCount; tap += 3) depthwiseGradientTaps<V, 3>(t, tap);
  for (; tap < t.tapCount; ++tap) depthwiseGradientTaps<V, 1>(t, tap);
}

template <class V> void add(const float* in, int64_t count, float* out) {
  constexpr int64_t W = V::width;
  int64_t i = 0;
  for (; i + W <= count; i += W) V::store(out + i, V::add(V::load(out + i), V::load(in + i)));
  for (; i < count; ++i) out[i] += in[i];
}

template <class V> int64_t burn(int64_t rounds, float* sink) {
  constexpr int kChains = 12;
  V sum[kChains];
  LETHE_UNROLL for (int i = 0; i < kChains; ++i) sum[i] = V::splat(sink);
  V x = V::splat(sink + 1), y = V::splat(sink + 2);
  for (int64_t k = 0; k < rounds; ++k) {
    LETHE_UNROLL for (int i = 0; i < kChains; ++i) {
      sum[i] = V::fma(x, y, sum[i]);
      V::keep(sum[i]);  // or equal chains would become one
    }
  }
  LETHE_UNROLL for (int i = 1; i < kChains; ++i) sum[0] = V::add(sum[0], sum[i]);
  *sink = V::sum(sum[0]) * 0.0f;
  return rounds * kChains * V::width * 2;
}

template <class V> void triad(const float* b, const float* c, float s, int64_t count, float* a) {
  constexpr int64_t W = V::width;
  const V factor = V::splat(&s);
  for (int64_t i = 0; i + W <= count; i += W) V::stream(a + i, V::fma(V::load(c + i), factor, V::load(b + i)));
}

// The table, filled at compile time: tiles of v vectors have up to ROWS_v (OUTER_v) rows.
template <class V, int NV, int MR> struct Fill {
  static constexpr void rows(Microkernels& k) {
    k.rows[0][NV][MR] = rowsTile<V, MR, NV, false>;
    k.rows[1][NV][MR] = rowsTile<V, MR, NV, true>;
    Fill<V, NV, MR - 1>::rows(k);
  }
  static constexpr void outer(Microkernels& k) {
    k.outer[0][NV][MR] = outerTile<V, MR, NV, false>;
    k.outer[1][NV][MR] = outerTile<V, MR, NV, true>;
    Fill<V, NV, MR - 1>::outer(k);
  }
};
template <class V, int NV> struct Fill<V, NV, 0> {
  static constexpr void rows(Microkernels&) {}
  static constexpr void outer(Microkernels&) {}
};

template <class V, int DOT, int CONV, int R1, int R2, int R3, int R4, int O1, int O2, int O3, int O4>
constexpr Microkernels makeMicrokernels() {
  Microkernels k{V::width, DOT, CONV, {0, R1, R2, R3, R4}, {0, O1, O2, O3, O4}, {}, {}, transpose<V>, inner<V>,
                 depthwise<V>, depthwiseGradient<V>, add<V>, burn<V>, triad<V>, makeTransforms<V>()};
  Fill<V, 1, R1>::rows(k);
  Fill<V, 2, R2>::rows(k);
  Fill<V, 3, R3>::rows(k);
  Fill<V, 4, R4>::rows(k);
  Fill<V, 1, O1>::outer(k);
  Fill<V, 2, O2>::outer(k);
  Fill<V, 3, O3>::outer(k);
  Fill<V, 4, O4>::outer(k);
  return k;
}

}  // namespace detail
}  // namespace lethe
