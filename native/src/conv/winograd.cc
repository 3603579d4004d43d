// Winograd's convolution, forward and input gradient: weights to 36 frequencies once a call; then, block of tiles by
// block of tiles, patches to frequencies, one matrix product for each frequency, and back. Nothing between lives longer
// than a block, whose memory belongs to one thread.
#include "conv/winograd.h"

#include "conv/winograd_tiles.h"
#include "microkernels/microkernel.h"

namespace lethe {
namespace {

struct Plan {
  const TapConv& conv;
  int64_t in, out;       // channels
  TileGrid grid;
  int64_t panel;         // columns of a product's tile
  int64_t columnBlock;   // columns between two inverse transforms
  int64_t uStep;         // floats from one frequency to the next: of weights,
  int64_t vStep, mStep;  // of patches and of products. Never a power of two, or all 36 would meet in one cache set
  int64_t rowFloats;     // of the source rows of a block, for a prologue

  explicit Plan(const TapConv& c)
      : conv(c), in(c.sourceChannels), out(c.resultChannels), grid(c.N, c.rows.result, c.columns.result, tilesFor(in)),
        panel(panelFor(out)), columnBlock(std::min(out, roundUp(in <= 64 ? 64 : 128, panel))), uStep(in * out + kLine),
        vStep(grid.mostTiles() * in + kLine), mStep(grid.mostTiles() * columnBlock + kLine),
        rowFloats(grid.blockImages * std::min(c.rows.source, grid.blockRows * kTile + 2) * c.columns.source * in) {}
  int64_t scratchFloats() const { return kFrequencies * (vStep + mStep) + columnBlock + rowFloats; }

 private:
  static int64_t panelFor(int64_t channels) {
    const Microkernels& kernels = microkernels();
    const int64_t wide = kernels.dotVectors * kernels.width;
    return channels % wide == 0 ? wide : kernels.convVectors * kernels.width;
  }
};

struct Shared {
  float *u, *outside;
  Shared(const Plan& p, BumpAllocator& allocator) {
    u = allocator.take<float>(kFrequencies * p.uStep);
    outside = allocator.take<float>(p.in);
  }
};

// Frequencies [36][panel of results][source channel][column]. The taps of a gradient come in reverse order, and its
// weights, stored by source channel, are turned a block of vectors at a time.
void transformWeights(Pool& pool, const Plan& p, const float* w, float* u) {
  const Microkernels& kernels = microkernels();
  const int64_t width = kernels.width, in = p.in, out = p.out;
  runTasks(pool, in * out * 200, divideUp(in, width), [&](int64_t task, int) {
    const int64_t first = task * width, last = std::min(in, first + width);
    float turned[9 * 16 * 16];
    for (int64_t column = 0; column < out; column += p.panel) {
      const int64_t wide = std::min(p.panel, out - column);
      for (int64_t j = column; j < column + wide; j += width) {
        if (p.conv.gradient()) {
          for (int64_t tap = 0; tap < 9; ++tap) {
            kernels.transpose(w + ((8 - tap) * out + j) * in + first, in, width, last - first, turned + tap * 256, width);
          }
        }
        for (int64_t i = first; i < last; ++i) {
          const float* from[9];
          float* to[kFrequencies];
          for (int64_t tap = 0; tap < 9; ++tap) {
            from[tap] = p.conv.gradient() ? turned + tap * 256 + (i - first) * width : w + (tap * in + i) * out + j;
          }
          for (int64_t f = 0; f < kFrequencies; ++f) to[f] = u + f * p.uStep + column * in + i * wide + j - column;
          kernels.winograd.weights(from, to, width);
        }
      }
    }
  });
}

// m[t][column] of one frequency, for the columns of one block: v[t][in] times u.
void multiply(const Plan& p, int64_t tiles, const float* v, const float* u, int64_t column, int64_t columns, float* m) {
  const Microkernels& kernels = microkernels();
  const int limit = kernels.rowsLimit[p.panel / kernels.width];
  int64_t aRows[kMostRows], cRows[kMostRows];
  for (int i = 0; i < kMostRows; ++i) {
    aRows[i] = i * p.in;
    cRows[i] = i * p.columnBlock;
  }
  const Segment all{0, 0, p.in, 0};
  RowsTile t{};
  t.aRows = aRows;
  t.cRows = cRows;
  t.segments = &all;
  t.segmentCount = 1;
  const int64_t height = tiles % limit == 0 ? limit : tiles % 4 == 0 ? 4 : divideUp(tiles, divideUp(tiles, limit));
  for (int64_t j = 0; j < columns; j += p.panel) {
    const int64_t wide = std::min(p.panel, p.out - column - j);
    t.b = u + (column + j) * p.in;
    t.bStep = wide;
    t.columns = static_cast<int>(wide);
    for (int64_t i = 0; i < tiles; i += height) {
      t.a = v + i * p.in;
      t.c = m + i * p.columnBlock + j;
      kernels.runRows(static_cast<int>(std::min(height, tiles - i)), t);
    }
  }
}

class Worker {
 public:
  Worker(const Plan& plan, const Images& in, const Shared& shared, float* result, char* scratch, int thread, bool stream)
      : p_(plan), in_(in), shared_(shared), result_(result), v_(reinterpret_cast<float*>(scratch)),
        m_(v_ + kFrequencies * plan.vStep), dropped_(m_ + kFrequencies * plan.mStep), rows_(dropped_ + plan.columnBlock),
        thread_(thread), stream_(stream) {}

  // `image0`: of the first image of this one of the B.
  void run(const TileBlock& block, int64_t image0) {
    const int64_t tiles = block.tiles(p_.grid);
    enter(block, image0);
    for (int64_t column = 0; column < p_.out; column += p_.columnBlock) {
      const int64_t columns = std::min(p_.columnBlock, p_.out - column);
      for (int64_t f = 0; f < kFrequencies; ++f) {
        multiply(p_, tiles, v_ + f * p_.vStep, shared_.u + f * p_.uStep, column, columns, m_ + f * p_.mStep);
      }
      leave(block, image0, column, columns);
    }
  }

 private:
  void enter(const TileBlock& block, int64_t image0) {
    const int64_t low = p_.conv.rows.lowest(), left = p_.conv.columns.lowest();
    const BlockRows rows(in_, image0 + block.image, block.images, block.row * kTile + low, block.rows * kTile + 2, rows_, thread_);
    block.each(p_.grid, [&](int64_t tile, int64_t image, int64_t h, int64_t w) {
      const float* patch[kFrequencies];
      float* to[kFrequencies];
      rows.square<kPatch>(image, h + low, w + left, shared_.outside, patch);
      for (int64_t f = 0; f < kFrequencies; ++f) to[f] = v_ + f * p_.vStep + tile * p_.in;
      microkernels().winograd.input(patch, to, p_.in);
    });
  }

  void leave(const TileBlock& block, int64_t image0, int64_t column, int64_t columns) {
    const TileGrid& g = p_.grid;
    const Transform transform = stream_ ? microkernels().winograd.outputStreamed : microkernels().winograd.output;
    block.each(g, [&](int64_t tile, int64_t image, int64_t h, int64_t w) {
      const float* from[kFrequencies];
      float* to[kTile * kTile];
      for (int64_t f = 0; f < kFrequencies; ++f) from[f] = m_ + f * p_.mStep + tile * p_.columnBlock;
      for (int64_t i = 0; i < kTile; ++i) {
        float* row = result_ + (((image0 + block.image + image) * g.height + h + i) * g.width + w) * p_.out + column;
        for (int64_t j = 0; j < kTile; ++j) {
          to[i * kTile + j] = h + i < g.height && w + j < g.width ? row + j * p_.out : dropped_;
        }
      }
      transform(from, to, columns);
    });
  }

  const Plan& p_;
  const Images& in_;
  const Shared& shared_;
  float* result_;
  float *v_, *m_, *dropped_, *rows_;
  int thread_;
  bool stream_;
};

}  // namespace

bool winogradFits(const TapConv& c) {
  const int64_t width = microkernels().width;
  return c.groups == 1 && c.rows.taps == 3 && c.columns.taps == 3 && c.rows.dilation == 1 && c.columns.dilation == 1 &&
         c.rows.step * c.rows.classes * c.columns.step * c.columns.classes == 1 && c.sourceChannels % width == 0 &&
         c.resultChannels % width == 0;
}

double winogradGain(const TapConv& c) {
  const double covered = static_cast<double>(roundUp(c.rows.result, kTile) * roundUp(c.columns.result, kTile));
  return 4.0 * c.rows.result * c.columns.result / covered;
}

int64_t winogradBlocks(const TapConv& c) { return Plan(c).grid.blocks(); }

WorkspaceSize winogradWorkspace(const TapConv& c, int) {
  const Plan p(c);
  BumpAllocator allocator(nullptr);
  Shared(p, allocator);
  return {allocator.used(), static_cast<size_t>(p.scratchFloats()) * sizeof(float)};
}

void winograd(Pool& pool, const TapConv& c, const float* source, const float* w, float* result,
              const Workspace& workspace, const Prologue* prologue, const Epilogue* epilogue) {
  const Plan p(c);
  BumpAllocator allocator(workspace.shared);
  const Shared shared(p, allocator);
  std::memset(shared.outside, 0, static_cast<size_t>(p.in) * sizeof(float));
  const Images images{source, prologue, c.rows.source, c.columns.source, c.sourceChannels};
  const bool stream = !epilogue && c.resultFloats() * 4 >= kStreamBytes && beginsLine(result);
  for (int64_t b = 0; b < c.B; ++b) {
    transformWeights(pool, p, w + b * c.weightFloats(), shared.u);
    runTasks(pool, static_cast<int64_t>(c.operations()) / c.B, p.grid.blocks(), [&](int64_t task, int thread) {
      const TileBlock block(p.grid, task);
      Worker(p, images, shared, result, workspace.of(thread), thread, stream).run(block, b * c.N);
      if (!epilogue) return;
      const int64_t h = block.row * kTile, end = std::min(p.grid.height, h + block.rows * kTile);
      const int64_t start = ((b * c.N + block.image) * p.grid.height + h) * p.grid.width * p.out;
      const int64_t rows = p.grid.bands == 1 ? block.images * p.grid.height : end - h;
      (*epilogue)(start, rows * p.grid.width * p.out, result + start, thread);
    });
  }
}

}  // namespace lethe
