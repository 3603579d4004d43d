// Convolution to few channels (the input gradient of a network's first layer): a tile whose lanes were the three
// channels of a result would be mostly empty. So the source is turned into zero-bordered planes, one for each channel,
// and a tile is all result channels of some dozens of pixels. Pixels are counted along the padded rows, straight on
// from one row to the next; what falls into the border is computed and dropped.
#include "conv/planar.h"

#include "conv/padded.h"
#include "kernels/planning.h"
#include "microkernels/microkernel.h"

namespace lethe {
namespace {

struct Plan {
  const TapConv& conv;
  int64_t tile = 0;         // pixels
  Cut rows;                 // of the result, to a task
  PaddedWindow window;      // of the first band of them
  int64_t plane = 0;        // floats of one source plane of a band, with what tiles read beyond it
  int64_t resultPlane = 0;
  int64_t depth;            // products to a result

  explicit Plan(const TapConv& c) : conv(c), depth(c.tapCount() * c.sourceChannels) {
    const Microkernels& kernels = microkernels();
    for (int v = 1; v <= kMostVectors; ++v) {
      if (kernels.rowsLimit[v] >= c.resultChannels) tile = v * kernels.width;
    }
    window.row0 = c.rows.lowest();
    window.column0 = c.columns.lowest();
    window.columns = c.columns.span(0, c.columns.result);
    rows = Cut::into(c.rows.result, std::min(wantedBands(), c.rows.result));
    window.rows = c.rows.span(0, rows.length);
    resultPlane = roundUp(rows.length * window.columns, tile) + kLine;
    plane = roundUp(window.rows * window.columns, tile) + tile + kLine;
  }
  int64_t scratchFloats() const {
    return conv.sourceChannels * plane + conv.resultChannels * resultPlane + rowFloats();
  }
  // One row made by a prologue.
  int64_t rowFloats() const { return roundUp(conv.columns.source * conv.sourceChannels, kLine); }

 private:
  // What of the source fits, and enough for all threads.
  int64_t wantedBands() const {
    const int64_t all = conv.rows.span(0, conv.rows.result) * window.columns * conv.sourceChannels;
    const int64_t fitting = divideUp(all, kCacheFloats);
    return conv.operations() >= kWorthThreads ? std::max(fitting, kWantedTasks / (conv.B * conv.N)) : fitting;
  }
};

struct Tables {
  Segment* segments;
  float* turned;  // weights of the forward product, [B][result channel][tap][source channel]

  Tables(const Plan& p, BumpAllocator& allocator, bool build) {
    const TapConv& c = p.conv;
    segments = allocator.take<Segment>(c.tapCount());
    turned = allocator.take<float>(c.gradient() ? 0 : c.B * c.weightFloats());
    if (!build) return;
    int64_t i = 0;
    c.rows.eachTap(0, [&](int64_t kh, int64_t rowOffset) {
      c.columns.eachTap(0, [&](int64_t kw, int64_t columnOffset) {
        const int64_t tap = kh * c.columns.taps + kw;
        const int64_t shift = (rowOffset - p.window.row0) * p.window.columns + columnOffset - p.window.column0;
        segments[i++] = {tap * c.sourceChannels * (c.gradient() ? c.resultChannels : 1), 0, c.sourceChannels, shift};
      });
    });
  }
};

// Source planes of one band; the border and what lies beyond the image are zero.
void fillPlanes(const Plan& p, const Images& in, int64_t image, int64_t row0, float* planes, float* row, int thread) {
  const int64_t channels = in.channels, pitch = p.window.columns;
  const int64_t left = std::min(pitch, std::max<int64_t>(0, -p.window.column0));
  const int64_t count = std::min(pitch, in.width - p.window.column0) - left;
  std::memset(planes, 0, static_cast<size_t>(channels * p.plane) * sizeof(float));
  if (count <= 0) return;
  for (int64_t i = 0; i < p.window.rows; ++i) {
    const int64_t h = row0 + i;
    if (h < 0 || h >= in.height) continue;
    const int64_t start = ((image * in.height + h) * in.width + p.window.column0 + left) * channels;
    if (in.prologue) (*in.prologue)(start, count * channels, row, thread);
    microkernels().transpose(in.prologue ? row : in.data + start, channels, count, channels, planes + i * pitch + left, p.plane);
  }
}

}  // namespace

WorkspaceSize planarConvWorkspace(const TapConv& conv, int) {
  const Plan p(conv);
  BumpAllocator allocator(nullptr);
  Tables(p, allocator, false);
  return {allocator.used(), static_cast<size_t>(p.scratchFloats()) * sizeof(float)};
}

void planarConv(Pool& pool, const TapConv& conv, const float* source, const float* w, float* result,
                const Workspace& workspace, const Prologue* prologue, const Epilogue* epilogue) {
  const Microkernels& kernels = microkernels();
  const Plan p(conv);
  BumpAllocator allocator(workspace.shared);
  const Tables tables(p, allocator, true);
  const Images images{source, prologue, conv.rows.source, conv.columns.source, conv.sourceChannels};
  const int64_t channels = conv.resultChannels, width = conv.columns.result;
  const float* weights = w;
  if (!conv.gradient()) {
    for (int64_t b = 0; b < conv.B; ++b) {
      kernels.transpose(w + b * conv.weightFloats(), channels, p.depth, channels, tables.turned + b * conv.weightFloats(), p.depth);
    }
    weights = tables.turned;
  }
  runTasks(pool, static_cast<int64_t>(conv.operations()), conv.B * conv.N * p.rows.count, [&](int64_t task, int thread) {
    const int64_t band = task % p.rows.count, image = task / p.rows.count, row0 = band * p.rows.length;
    const int64_t rows = std::min(p.rows.length, conv.rows.result - row0);
    float* planes = reinterpret_cast<float*>(workspace.of(thread));
    float* out = planes + conv.sourceChannels * p.plane;
    fillPlanes(p, images, image, p.window.row0 + row0, planes, out + channels * p.resultPlane, thread);

    int64_t aRows[kMostRows], cRows[kMostRows];
    for (int64_t i = 0; i < channels; ++i) {
      aRows[i] = i * (conv.gradient() ? conv.sourceChannels : p.depth);
      cRows[i] = i * p.resultPlane;
    }
    RowsTile tile{};
    tile.a = weights + image / conv.N * conv.weightFloats();
    tile.aRows = aRows;
    tile.cRows = cRows;
    tile.segments = tables.segments;
    tile.segmentCount = conv.tapCount();
    tile.bStep = p.plane;
    tile.columns = static_cast<int>(p.tile);
    for (int64_t i = 0; i < rows * p.window.columns; i += p.tile) {
      tile.b = planes + i;
      tile.c = out + i;
      kernels.runRows(static_cast<int>(channels), tile);
    }

    float* to = result + (image * conv.rows.result + row0) * width * channels;
    for (int64_t i = 0; i < rows; ++i) {
      kernels.transpose(out + i * p.window.columns, p.resultPlane, channels, width, to + i * width * channels, channels);
    }
    if (epilogue) (*epilogue)(to - result, rows * width * channels, to, thread);
  });
}

}  // namespace lethe
