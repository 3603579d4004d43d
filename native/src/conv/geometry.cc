// See geometry.h.
#include "conv/geometry.h"

#include <algorithm>

namespace lethe {

int64_t TapAxis::lowest() const {
  int64_t low = 0;
  bool any = false;
  for (int64_t c = 0; c < classes; ++c) {
    if (count(c) == 0) continue;
    eachTap(c, [&](int64_t, int64_t offset) {
      low = any ? std::min(low, offset) : offset;
      any = true;
    });
  }
  return low;
}

int64_t TapAxis::span(int64_t first, int64_t counted) const {
  const int64_t low = lowest();
  int64_t end = 0;
  for (int64_t c = 0; c < classes; ++c) {
    const int64_t last = std::min(first + counted, count(c)) - 1 - first;
    if (last < 0) continue;
    eachTap(c, [&](int64_t, int64_t offset) { end = std::max(end, last * step + offset - low + 1); });
  }
  return end;
}

TapConv TapConv::forward(const ConvShape& s) {
  return {s.B, s.N, s.groups, s.C, s.O,
          {s.H, s.OH, s.KH, s.strideH, 1, s.dilH, s.padT, false},
          {s.W, s.OW, s.KW, s.strideW, 1, s.dilW, s.padL, false}};
}

TapConv TapConv::inputGradient(const ConvShape& s) {
  return {s.B, s.N, s.groups, s.O, s.C,
          {s.OH, s.H, s.KH, 1, s.strideH, s.dilH, s.padT, true},
          {s.OW, s.W, s.KW, 1, s.strideW, s.dilW, s.padL, true}};
}

}  // namespace lethe
