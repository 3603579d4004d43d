// Convolutions as sums over taps: the forward product and the input gradient are one thing, a source, a result, and for
// each position of the result a list of taps and where they lie in the source.
#pragma once
#include "conv/conv.h"

namespace lethe {

// One of the two directions of the plane: where the taps of result position `classes * j + c` lie, relative to
// source position `step * j`.
struct TapAxis {
  int64_t source, result, taps;
  int64_t step, classes;  // forward: the stride, 1. Gradient: 1, the stride
  int64_t dilation, pad;
  bool gradient;

  // Positions of the result in class c.
  int64_t count(int64_t c) const { return c < result ? (result - c + classes - 1) / classes : 0; }
  // Calls f(tap, offset) for the taps of class c, in order of offset.
  template <class F> void eachTap(int64_t c, F&& f) const {
    for (int64_t i = 0; i < taps; ++i) {
      const int64_t tap = gradient ? taps - 1 - i : i;
      const int64_t at = gradient ? c + pad - tap * dilation : tap * dilation - pad;
      if (at % classes == 0) f(tap, at / classes);
    }
  }
  // Offset of the first tap of any class, 0 if there is none.
  int64_t lowest() const;
  // How many source positions, from first * step + lowest(), the results of positions j in [first, first + counted) of
  // all classes need.
  int64_t span(int64_t first, int64_t counted) const;
};

struct TapConv {
  int64_t B, N, groups, sourceChannels, resultChannels;
  TapAxis rows, columns;

  static TapConv forward(const ConvShape& s);
  static TapConv inputGradient(const ConvShape& s);

  int64_t sourcePerGroup() const { return sourceChannels / groups; }
  int64_t resultPerGroup() const { return resultChannels / groups; }
  int64_t tapCount() const { return rows.taps * columns.taps; }
  int64_t weightFloats() const { return tapCount() * sourcePerGroup() * resultChannels; }
  int64_t resultFloats() const { return B * N * rows.result * columns.result * resultChannels; }
  bool gradient() const { return rows.gradient; }
  double operations() const {
    return 2.0 * resultFloats() * tapCount() * sourcePerGroup() / (rows.classes * columns.classes);
  }
  // Each channel by itself: lanes run over channels instead of over the results of one.
  bool depthwise() const { return groups > 1 && sourcePerGroup() == 1 && resultPerGroup() == 1; }
};

}  // namespace lethe
