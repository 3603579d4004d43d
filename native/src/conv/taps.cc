// Convolution by a list of taps: planning, the packing of weights, and the loops around the microkernel. A task takes a
// few whole images or a band of rows of one, copies them into zero-bordered scratch memory, and makes all channels of
// their results, tile by tile of pixels that follow each other in the result.
#include "conv/taps.h"

#include "microkernels/microkernel.h"
#include "kernels/planning.h"

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

namespace {

// The results whose row and column have one residue.
struct TapClass {
  int64_t row, column;         // the residues
  int64_t columns;             // results in a row
  int64_t taps, firstTap;      // in order of offset; firstTap counts through all classes
  Segment* segments;           // runs of adjacent taps
  int64_t segmentCount;
  int64_t* tapOffsets;         // each tap by itself
  int64_t *sources, *results;  // offset of each pixel of a task in the padded source and in the result
};

struct Plan {
  const TapConv& conv;
  int64_t images, imageGroups;         // to a task
  int64_t bandRows, bands;             // to a task, in rows of a class
  int64_t panel, pieces;               // columns of a tile; panels of all groups
  int64_t pieceBlock, pieceBlocks;     // to a task
  int64_t tileRows;                    // pixels in a tile
  bool pack;                           // weights go through panels
  int64_t packedFloats, batchChunk;    // for one of the B; how many are packed at a time
  int64_t classCount, pixels;          // pixels of a task, all classes
  PaddedWindow window;                 // of the first band
  int64_t operations;

  int64_t pitch() const { return window.columns * conv.sourceChannels; }
  int64_t scratchFloats() const { return images * window.rows * pitch(); }
  int64_t tasksPerBatch() const { return imageGroups * bands * pieceBlocks; }
};

Plan planOf(const TapConv& c) {
  const Microkernels& kernels = microkernels();
  Plan p{c, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, 0, 0, 0, 0, {}, 0};
  const int64_t bandable = divideUp(c.rows.result, c.rows.classes);
  const int64_t planePixels = c.rows.result * c.columns.result;
  p.operations = static_cast<int64_t>(c.operations());

  p.window.row0 = c.rows.lowest();
  p.window.column0 = c.columns.lowest();
  p.window.columns = c.columns.span(0, divideUp(c.columns.result, c.columns.classes));

  // Enough pixels to use the weights while they are near, no more source than fits.
  const int64_t planeFloats = c.rows.span(0, bandable) * p.pitch();
  p.images = std::max<int64_t>(1, std::min({c.N, divideUp(64, planePixels), kCacheFloats / std::max<int64_t>(planeFloats, 1)}));
  p.imageGroups = divideUp(c.N, p.images);
  p.bands = std::max<int64_t>(1, std::min(bandable, divideUp(planeFloats, kCacheFloats)));
  const int64_t others = c.B * p.imageGroups;
  if (p.operations >= kWorthThreads && others * p.bands < kWantedTasks && planePixels >= 256) {
    p.bands = std::min(bandable, divideUp(kWantedTasks, others));
  }
  p.bandRows = divideUp(bandable, p.bands);
  p.bands = divideUp(bandable, p.bandRows);
  p.window.rows = c.rows.span(0, p.bandRows);

  p.panel = std::min<int64_t>(kernels.convVectors * kernels.width, roundUp(c.resultPerGroup(), kernels.width));
  p.pieces = c.groups * divideUp(c.resultPerGroup(), p.panel);
  p.pieceBlocks = 1;
  if (p.operations >= kWorthThreads && others * p.bands < 4) {
    p.pieceBlocks = std::min(p.pieces, divideUp(kWantedTasks, others * p.bands));
  }
  if (c.depthwise()) p.pieceBlocks = 1;
  p.pieceBlock = divideUp(p.pieces, p.pieceBlocks);
  p.pieceBlocks = divideUp(p.pieces, p.pieceBlock);
  p.tileRows = kernels.rowsLimit[p.panel / kernels.width];

  // The gradient needs its weights turned, a depthwise one only in order of taps.
  p.pack = c.gradient() || (!c.depthwise() && c.N * planePixels >= 512);
  p.packedFloats = c.depthwise() ? c.weightFloats()
                                 : c.tapCount() * c.sourcePerGroup() * c.groups * roundUp(c.resultPerGroup(), kernels.width);
  const int64_t most = int64_t{4} << 20;
  p.batchChunk = p.pack ? std::max<int64_t>(1, std::min(c.B, most / std::max<int64_t>(p.packedFloats, 1))) : c.B;
  if (!p.pack) p.packedFloats = 0;
  p.classCount = c.rows.classes * c.columns.classes;
  p.pixels = p.images * p.bandRows * c.rows.classes * roundUp(c.columns.result, c.columns.classes);
  return p;
}

// The lists that every task reads.
struct Tables {
  TapClass* classes;
  int64_t (*order)[2];  // row and column of each tap, as packed
  float* packed;

  Tables(const Plan& p, Carver& carver, bool build) {
    const TapConv& c = p.conv;
    classes = carver.take<TapClass>(p.classCount);
    order = carver.take<int64_t[2]>(c.tapCount());
    Segment* segments = carver.take<Segment>(c.tapCount());
    int64_t* offsets = carver.take<int64_t>(c.tapCount());
    int64_t* sources = carver.take<int64_t>(p.pixels);
    int64_t* results = carver.take<int64_t>(p.pixels);
    packed = carver.take<float>(p.packedFloats * p.batchChunk);
    if (!build) return;
    int64_t tap = 0, pixel = 0;
    for (int64_t r = 0; r < c.rows.classes; ++r) {
      for (int64_t q = 0; q < c.columns.classes; ++q) {
        TapClass& k = classes[r * c.columns.classes + q];
        k = {r, q, c.columns.count(q), 0, tap, segments + tap, 0, offsets + tap, sources + pixel, results + pixel};
        listTaps(p, k);
        listPixels(p, k);
        tap += k.taps;
        pixel += p.images * p.bandRows * k.columns;
      }
    }
  }

 private:
  void listTaps(const Plan& p, TapClass& k) {
    const TapConv& c = p.conv;
    const int64_t channels = c.sourcePerGroup();
    c.rows.eachTap(k.row, [&](int64_t kh, int64_t rowOffset) {
      int64_t adjacent = -1;  // where a run of this row would go on
      c.columns.eachTap(k.column, [&](int64_t kw, int64_t columnOffset) {
        const int64_t at = (rowOffset - p.window.row0) * p.pitch() + (columnOffset - p.window.column0) * c.sourceChannels;
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

  void listPixels(const Plan& p, TapClass& k) {
    const TapConv& c = p.conv;
    const int64_t rows = std::min(p.bandRows, c.rows.count(k.row));
    const int64_t imageSource = p.window.rows * p.pitch(), imageResult = c.rows.result * c.columns.result;
    int64_t i = 0;
    for (int64_t image = 0; image < p.images; ++image) {
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < k.columns; ++column, ++i) {
          k.sources[i] = image * imageSource + row * c.rows.step * p.pitch() + column * c.columns.step * c.sourceChannels;
          k.results[i] = (image * imageResult + (row * c.rows.classes + k.row) * c.columns.result +
                          column * c.columns.classes + k.column) * c.resultChannels;
        }
      }
    }
  }
};

struct Piece {
  int64_t group, first, count, wide;  // columns of the group: where, how many, and padded to vectors
};

Piece pieceOf(const Plan& p, int64_t i) {
  const int64_t perGroup = p.pieces / p.conv.groups, first = i % perGroup * p.panel;
  const int64_t count = std::min(p.panel, p.conv.resultPerGroup() - first);
  return {i / perGroup, first, count, roundUp(count, microkernels().width)};
}

// The panel of one piece within the packed weights of one of the B.
float* panelOf(const Plan& p, float* packed, const Piece& piece) {
  const int64_t depth = p.conv.tapCount() * p.conv.sourcePerGroup();
  return packed + depth * (piece.group * roundUp(p.conv.resultPerGroup(), microkernels().width) + piece.first);
}

// One tap of one panel: [source channel][result channel].
void packTap(const Plan& p, const Tables& t, const float* w, float* packed, const Piece& piece, int64_t tap) {
  const TapConv& c = p.conv;
  const int64_t from = t.order[tap][0] * c.columns.taps + t.order[tap][1], depth = c.sourcePerGroup();
  float* out = panelOf(p, packed, piece) + tap * depth * piece.wide;
  if (c.gradient()) {
    const float* in = w + (from * c.resultPerGroup() + piece.first) * c.sourceChannels + piece.group * depth;
    microkernels().transpose(in, c.sourceChannels, piece.count, depth, out, piece.wide);
  } else {
    const float* in = w + from * depth * c.resultChannels + piece.group * c.resultPerGroup() + piece.first;
    for (int64_t i = 0; i < depth; ++i) {
      std::memcpy(out + i * piece.wide, in + i * c.resultChannels, static_cast<size_t>(piece.count) * sizeof(float));
    }
  }
}

void packWeights(Pool& pool, const Plan& p, const Tables& t, const float* w, int64_t batches) {
  const TapConv& c = p.conv;
  const int64_t pieces = c.depthwise() ? 1 : p.pieces;
  const int64_t tapFloats = c.depthwise() ? c.resultChannels : c.sourcePerGroup() * p.panel;
  const int64_t tapBlock = std::min(c.tapCount(), divideUp(8 * 1024, std::max<int64_t>(tapFloats, 1)));
  const int64_t tapBlocks = divideUp(c.tapCount(), tapBlock);
  const auto task = [&](int64_t i, int) {
    const int64_t first = i % tapBlocks * tapBlock, last = std::min(c.tapCount(), first + tapBlock);
    const int64_t b = i / tapBlocks / pieces;
    const float* from = w + b * c.weightFloats();
    float* packed = t.packed + b * p.packedFloats;
    for (int64_t tap = first; tap < last; ++tap) {
      if (c.depthwise()) {
        std::memcpy(packed + tap * c.resultChannels,
                    from + (t.order[tap][0] * c.columns.taps + t.order[tap][1]) * c.resultChannels,
                    static_cast<size_t>(c.resultChannels) * sizeof(float));
      } else {
        packTap(p, t, from, packed, pieceOf(p, i / tapBlocks % pieces), tap);
      }
    }
  };
  runTasks(pool, 8 * batches * c.weightFloats(), batches * pieces * tapBlocks, task);
}

// All results of one class for one piece: `pixels` of them, listed in the tables.
void runPiece(const Plan& p, const TapClass& k, const Piece& piece, int64_t pixels, const float* source,
              const float* weights, int64_t weightStep, float* result, bool stream) {
  const Microkernels& kernels = microkernels();
  RowsTile tile{};
  tile.a = source + piece.group * p.conv.sourcePerGroup();
  tile.segments = k.segments;
  tile.segmentCount = k.segmentCount;
  tile.b = weights;
  tile.bStep = weightStep;
  tile.c = result + piece.group * p.conv.resultPerGroup() + piece.first;
  tile.columns = static_cast<int>(piece.count);
  tile.stream = stream;
  const int64_t height = pixels > 0 ? divideUp(pixels, divideUp(pixels, p.tileRows)) : 1;
  for (int64_t i = 0; i < pixels; i += height) {
    tile.aRows = k.sources + i;
    tile.cRows = k.results + i;
    kernels.runRows(static_cast<int>(std::min(height, pixels - i)), tile);
  }
}

void runDepthwise(const Plan& p, const TapClass& k, int64_t pixels, const float* source, const float* weights, float* result) {
  const int64_t channels = p.conv.resultChannels;
  microkernels().depthwise({source, k.sources, pixels, k.tapOffsets, k.taps, weights + k.firstTap * channels, channels,
                            result, k.results});
}

}  // namespace

WorkspaceSize tapConvWorkspace(const TapConv& conv, int) {
  if (conv.resultFloats() == 0) return {};
  const Plan p = planOf(conv);
  Carver carver(nullptr);
  Tables(p, carver, false);
  return {carver.used(), static_cast<size_t>(p.scratchFloats()) * sizeof(float)};
}

void tapConv(Pool& pool, const TapConv& conv, const float* source, const float* w, float* result,
             const Workspace& workspace, const Prologue* prologue, const Epilogue* epilogue) {
  if (conv.resultFloats() == 0) return;
  Plan p = planOf(conv);
  const Images images{source, prologue, conv.rows.source, conv.columns.source, conv.sourceChannels};
  // Where no window leaves the image, the image itself will do.
  const PaddedWindow all{p.window.row0, conv.rows.span(0, p.bandRows * p.bands), p.window.column0, p.window.columns};
  const bool inPlace = !prologue && all.inside(images);
  const int64_t scratchRows = p.window.rows;
  if (inPlace) p.window.columns = images.width, p.window.rows = images.height;
  Carver carver(workspace.shared);
  const Tables tables(p, carver, true);
  const int64_t resultPlane = conv.rows.result * conv.columns.result * conv.resultChannels;
  const int64_t tasks = p.tasksPerBatch();
  const bool late = p.pieceBlocks > 1;
  const bool stream = !epilogue && conv.resultFloats() * 4 >= kStreamBytes && beginsLine(result) &&
                      conv.resultPerGroup() % microkernels().width == 0;

  for (int64_t b0 = 0; b0 < conv.B; b0 += p.batchChunk) {
    const int64_t batches = std::min(p.batchChunk, conv.B - b0);
    if (p.pack) packWeights(pool, p, tables, w + b0 * conv.weightFloats(), batches);
    runTasks(pool, p.operations, batches * tasks, [&](int64_t task, int thread) {
      const int64_t b = b0 + task / tasks;
      const int64_t pieceBlock = task % p.pieceBlocks, band = task / p.pieceBlocks % p.bands;
      const int64_t image0 = task / p.pieceBlocks / p.bands % p.imageGroups * p.images;
      const int64_t count = std::min(p.images, conv.N - image0), image = b * conv.N + image0;
      const int64_t row0 = band * p.bandRows;

      PaddedWindow window = p.window;
      window.row0 += row0 * conv.rows.step;
      const float* from;
      if (inPlace) {
        from = source + image * images.planeFloats() + window.row0 * p.pitch() + window.column0 * conv.sourceChannels;
      } else {
        window.rows = scratchRows;
        float* scratch = reinterpret_cast<float*>(workspace.of(thread));
        fillPadded(images, image, count, window, 0, conv.sourceChannels, scratch, thread);
        from = scratch;
      }

      const float* weights = p.pack ? tables.packed + (b - b0) * p.packedFloats : w + b * conv.weightFloats();
      float* to = result + image * resultPlane + row0 * conv.rows.classes * conv.columns.result * conv.resultChannels;
      for (int64_t i = 0; i < p.classCount; ++i) {
        const TapClass& k = tables.classes[i];
        const int64_t rows = std::max<int64_t>(0, std::min(p.bandRows, conv.rows.count(k.row) - row0));
        // Several images only where a band is a whole plane, so that the pixels of a task are the first of the list.
        const int64_t pixels = count * rows * k.columns;
        if (conv.depthwise()) {
          runDepthwise(p, k, pixels, from, weights, to);
          continue;
        }
        const int64_t end = std::min(p.pieces, (pieceBlock + 1) * p.pieceBlock);
        for (int64_t j = pieceBlock * p.pieceBlock; j < end; ++j) {
          const Piece piece = pieceOf(p, j);
          if (p.pack) {
            runPiece(p, k, piece, pixels, from, panelOf(p, const_cast<float*>(weights), piece), piece.wide, to, stream);
          } else {
            runPiece(p, k, piece, pixels, from, weights + piece.group * conv.resultPerGroup() + piece.first,
                     conv.resultChannels, to, stream);
          }
        }
      }
      if (epilogue && !late) {
        const int64_t rows = std::min(p.bandRows * conv.rows.classes, conv.rows.result - row0 * conv.rows.classes);
        const int64_t floats = p.bands == 1 ? count * resultPlane : rows * conv.columns.result * conv.resultChannels;
        (*epilogue)(to - result, floats, to, thread);
      }
    });
  }
  if (late) runEpilogue(pool, conv.resultFloats(), result, epilogue);
}

}  // namespace lethe
