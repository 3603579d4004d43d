// See taps_plan.h.
#include "conv/taps_plan.h"

namespace lethe {

// Enough pixels to use the weights while they are near, no more source than fits.
TapBands::TapBands(const TapConv& c, int64_t operations) {
  const int64_t bandable = divideUp(c.rows.result, c.rows.classes);
  const int64_t planePixels = c.rows.result * c.columns.result;
  window.row0 = c.rows.lowest();
  window.column0 = c.columns.lowest();
  window.columns = c.columns.span(0, divideUp(c.columns.result, c.columns.classes));

  const int64_t planeFloats = c.rows.span(0, bandable) * window.columns * c.sourceChannels;
  images = Cut(c.N, std::min({c.N, divideUp(64, planePixels), kCacheFloats / std::max<int64_t>(planeFloats, 1)}));
  int64_t wanted = std::max<int64_t>(1, std::min(bandable, divideUp(planeFloats, kCacheFloats)));
  const int64_t others = c.B * images.count;
  if (operations >= kWorthThreads && others * wanted < kWantedTasks && planePixels >= 256) {
    wanted = std::min(bandable, divideUp(kWantedTasks, others));
  }
  rows = Cut::into(bandable, wanted);
  window.rows = c.rows.span(0, rows.length);
}

TapPanels::TapPanels(const TapConv& c, int64_t operations, int64_t others) {
  const Microkernels& kernels = microkernels();
  width = std::min<int64_t>(kernels.convVectors * kernels.width, roundUp(c.resultPerGroup(), kernels.width));
  count = c.groups * divideUp(c.resultPerGroup(), width);
  const bool tooFew = operations >= kWorthThreads && others < 4 && !c.depthwise();
  blocks = Cut::into(count, tooFew ? std::min(count, divideUp(kWantedTasks, others)) : 1);
  tileRows = kernels.rowsLimit[width / kernels.width];
}

// The gradient needs its weights turned, a depthwise one only in order of taps.
TapPacking::TapPacking(const TapConv& c) {
  wanted = c.gradient() || (!c.depthwise() && c.N * c.rows.result * c.columns.result >= 512);
  if (!wanted) {
    batch = Cut(c.B, c.B);
    return;
  }
  floats = c.depthwise() ? c.weightFloats()
                         : c.tapCount() * c.sourcePerGroup() * c.groups * roundUp(c.resultPerGroup(), microkernels().width);
  const int64_t most = int64_t{4} << 20;
  batch = Cut(c.B, std::min(c.B, most / std::max<int64_t>(floats, 1)));
}

TapPlan::TapPlan(const TapConv& c)
    : conv(c), operations(static_cast<int64_t>(c.operations())), bands(c, operations),
      panels(c, operations, c.B * bands.images.count * bands.rows.count), packing(c),
      classes(c.rows.classes * c.columns.classes),
      pixels(bands.images.length * bands.rows.length * c.rows.classes * roundUp(c.columns.result, c.columns.classes)) {}

Panel::Panel(const TapPlan& p, int64_t index) {
  const int64_t perGroup = p.panels.count / p.conv.groups;
  group = index / perGroup;
  first = index % perGroup * p.panels.width;
  count = std::min(p.panels.width, p.conv.resultPerGroup() - first);
  wide = roundUp(count, microkernels().width);
}

TapTables::TapTables(const TapPlan& p, BumpAllocator& allocator, bool build) {
  const TapConv& c = p.conv;
  classes = allocator.take<TapClass>(p.classes);
  order = allocator.take<int64_t[2]>(c.tapCount());
  Segment* segments = allocator.take<Segment>(c.tapCount());
  int64_t* offsets = allocator.take<int64_t>(c.tapCount());
  int64_t* sources = allocator.take<int64_t>(p.pixels);
  int64_t* results = allocator.take<int64_t>(p.pixels);
  packed = allocator.take<float>(p.packing.floats * p.packing.batch.length);
  if (!build) return;
  int64_t tap = 0, pixel = 0;
  for (int64_t r = 0; r < c.rows.classes; ++r) {
    for (int64_t q = 0; q < c.columns.classes; ++q) {
      TapClass& k = classes[r * c.columns.classes + q];
      k = {r, q, c.columns.count(q), 0, tap, segments + tap, 0, offsets + tap, sources + pixel, results + pixel};
      listTaps(p, k);
      listPixels(p, k);
      tap += k.taps;
      pixel += p.bands.images.length * p.bands.rows.length * k.columns;
    }
  }
}

void TapTables::listTaps(const TapPlan& p, TapClass& k) {
  const TapConv& c = p.conv;
  const int64_t channels = c.sourcePerGroup();
  c.rows.eachTap(k.row, [&](int64_t kh, int64_t rowOffset) {
    int64_t adjacent = -1;  // where a run of this row would go on
    c.columns.eachTap(k.column, [&](int64_t kw, int64_t columnOffset) {
      const int64_t at = (rowOffset - p.bands.window.row0) * p.pitch() + (columnOffset - p.bands.window.column0) * c.sourceChannels;
      order[k.firstTap + k.taps][0] = kh;
      order[k.firstTap + k.taps][1] = kw;
      k.tapOffsets[k.taps] = at;
      if (at == adjacent) k.segments[k.segmentCount - 1].length += channels;
      else k.segments[k.segmentCount++] = {at, (k.firstTap + k.taps) * channels, channels, 0};
      adjacent = c.groups == 1 ? at + channels : -1;
      ++k.taps;
    });
  });
}

void TapTables::listPixels(const TapPlan& p, TapClass& k) {
  const TapConv& c = p.conv;
  const int64_t rows = std::min(p.bands.rows.length, c.rows.count(k.row));
  const int64_t imageSource = p.bands.window.rows * p.pitch(), imageResult = c.rows.result * c.columns.result;
  int64_t i = 0;
  for (int64_t image = 0; image < p.bands.images.length; ++image) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < k.columns; ++column, ++i) {
        k.sources[i] = image * imageSource + row * c.rows.step * p.pitch() + column * c.columns.step * c.sourceChannels;
        k.results[i] = (image * imageResult + (row * c.rows.classes + k.row) * c.columns.result +
                        column * c.columns.classes + k.column) * c.resultChannels;
      }
    }
  }
}

}  // namespace lethe
