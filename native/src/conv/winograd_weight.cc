// Winograd's weight gradient: patches of x and tiles of dy to 36 frequencies, for each frequency a product summed over
// tiles, and the sums back to 3x3 taps at the end. Sums are made by a few chunks of tiles, cut by shape alone, each
// with sums of its own that are added in order.
#include "conv/winograd_weight.h"

#include "conv/winograd.h"
#include "conv/winograd_tiles.h"
#include "microkernels/microkernel.h"

namespace lethe {
namespace {

constexpr int64_t kMostWeights = 256 * 256;  // channels in times out: beyond, sums for all taps leave the caches

struct Plan {
  const ConvShape& s;
  TileGrid grid;
  Cut chunks;                    // of the blocks of one of the B, summed separately
  int64_t panel = 0, tileRows = 0;  // of the product
  int64_t vStep, dStep, sStep;   // from one frequency to the next: patches, tiles of dy, sums
  int64_t xFloats, dyFloats;     // of the rows of a block, for prologues
  int64_t gradientFloats;        // of one of the B

  explicit Plan(const ConvShape& shape)
      : s(shape), grid(s.N, s.OH, s.OW, tilesFor(s.C)), vStep(grid.mostTiles() * s.C + kLine),
        dStep(grid.mostTiles() * s.O + kLine), sStep(s.C * s.O + kLine),
        xFloats(grid.blockImages * std::min(s.H, grid.blockRows * kTile + 2) * s.W * s.C),
        dyFloats(grid.blockImages * std::min(s.OH, grid.blockRows * kTile) * s.OW * s.O), gradientFloats(9 * s.C * s.O) {
    // Each chunk has sums of its own to add: fewer of them where these are large.
    const int64_t most = s.B >= kWantedTasks ? 1 : s.C * s.O <= 128 * 128 ? 4 : 2;
    chunks = Cut::into(grid.blocks(), std::min(most, grid.blocks()));
    const Microkernels& kernels = microkernels();
    const bool wide = kernels.dotVectors > 2 && s.O % (kernels.dotVectors * kernels.width) == 0;
    panel = (wide ? kernels.dotVectors : kernels.convVectors) * kernels.width;
    tileRows = wide ? 4 : std::min(8, kernels.outerLimit[kernels.convVectors]);
  }

  int64_t sumFloats() const { return kFrequencies * sStep; }
  int64_t blockFloats() const { return kFrequencies * (vStep + dStep) + xFloats + dyFloats; }
  // A single chunk is finished by the thread that summed it.
  bool shared() const { return chunks.count > 1; }
  int64_t operations() const { return 2 * s.N * s.OH * s.OW * gradientFloats; }
};

// Adds one block of tiles to the sums.
class Worker {
 public:
  Worker(const Plan& plan, const Images& x, const Images& dy, const float* outside, float* scratch, int thread)
      : p_(plan), x_(x), dy_(dy), outside_(outside), v_(scratch), d_(v_ + kFrequencies * plan.vStep),
        xRows_(d_ + kFrequencies * plan.dStep), dyRows_(xRows_ + plan.xFloats), thread_(thread) {}

  void add(const TileBlock& block, int64_t image0, float* sums, bool accumulate) {
    const ConvShape& s = p_.s;
    const int64_t image = image0 + block.image, h0 = block.row * kTile;
    const BlockRows x(x_, image, block.images, h0 - s.padT, block.rows * kTile + 2, xRows_, thread_);
    const BlockRows dy(dy_, image, block.images, h0, block.rows * kTile, dyRows_, thread_);
    block.each(p_.grid, [&](int64_t tile, int64_t i, int64_t h, int64_t w) {
      const float* from[kFrequencies];
      float* to[kFrequencies];
      x.square<kPatch>(i, h - s.padT, w - s.padL, outside_, from);
      for (int64_t f = 0; f < kFrequencies; ++f) to[f] = v_ + f * p_.vStep + tile * s.C;
      microkernels().winograd.input(from, to, s.C);
      dy.square<kTile>(i, h, w, outside_, from);
      for (int64_t f = 0; f < kFrequencies; ++f) to[f] = d_ + f * p_.dStep + tile * s.O;
      microkernels().winograd.gradient(from, to, s.O);
    });
    multiply(block.tiles(p_.grid), sums, accumulate);
  }

 private:
  void multiply(int64_t tiles, float* sums, bool accumulate) {
    const ConvShape& s = p_.s;
    OuterTile t{};
    t.images = t.lines = 1;
    t.length = tiles;
    t.aStep = s.C;
    t.bStep = s.O;
    t.cRow = s.O;
    t.accumulate = accumulate;
    for (int64_t f = 0; f < kFrequencies; ++f) {
      for (int64_t j = 0; j < s.O; j += p_.panel) {
        t.columns = static_cast<int>(std::min(p_.panel, s.O - j));
        t.b = d_ + f * p_.dStep + j;
        for (int64_t i = 0; i < s.C; i += p_.tileRows) {
          t.a = v_ + f * p_.vStep + i;
          t.c = sums + f * p_.sStep + i * s.O + j;
          microkernels().runOuter(static_cast<int>(std::min(p_.tileRows, s.C - i)), t);
        }
      }
    }
  }

  const Plan& p_;
  const Images &x_, &dy_;
  const float* outside_;
  float *v_, *d_, *xRows_, *dyRows_;
  int thread_;
};

// Sums of some source channels, of all chunks, back to taps. The first chunk's sums serve as the place to add.
void finish(const Plan& p, float* sums, int64_t first, int64_t count, float* dw) {
  const ConvShape& s = p.s;
  for (int64_t i = first; i < first + count; ++i) {
    const float* from[kFrequencies];
    float* to[9];
    for (int64_t f = 0; f < kFrequencies; ++f) {
      float* sum = sums + f * p.sStep + i * s.O;
      for (int64_t chunk = 1; chunk < p.chunks.count; ++chunk) microkernels().add(sum + chunk * p.sumFloats(), s.O, sum);
      from[f] = sum;
    }
    for (int64_t tap = 0; tap < 9; ++tap) to[tap] = dw + (tap * s.C + i) * s.O;
    microkernels().winograd.weightGradient(from, to, s.O);
  }
}

struct Shared {
  float *sums, *outside;
  Shared(const Plan& p, BumpAllocator& allocator) {
    sums = allocator.take<float>(p.shared() ? p.s.B * p.chunks.count * p.sumFloats() : 0);
    outside = allocator.take<float>(std::max(p.s.C, p.s.O));
  }
};

}  // namespace

bool winogradWeightFits(const ConvShape& s) {
  return winogradFits(TapConv::forward(s)) && s.C * s.O <= kMostWeights;
}

WorkspaceSize winogradWeightWorkspace(const ConvShape& s, int) {
  const Plan p(s);
  BumpAllocator allocator(nullptr);
  Shared(p, allocator);
  return {allocator.used(), static_cast<size_t>(p.blockFloats() + (p.shared() ? 0 : p.sumFloats())) * sizeof(float)};
}

void winogradWeight(Pool& pool, const ConvShape& s, const float* x, const float* dy, float* dw,
                    const Workspace& workspace, const Prologue* px, const Prologue* pdy, const Epilogue* epilogue) {
  const Plan p(s);
  BumpAllocator allocator(workspace.shared);
  const Shared shared(p, allocator);
  std::memset(shared.outside, 0, static_cast<size_t>(std::max(s.C, s.O)) * sizeof(float));
  const Images source{x, px, s.H, s.W, s.C}, result{dy, pdy, s.OH, s.OW, s.O};

  runTasks(pool, s.B * p.operations(), s.B * p.chunks.count, [&](int64_t task, int thread) {
    const int64_t b = task / p.chunks.count, first = task % p.chunks.count * p.chunks.length;
    float* scratch = reinterpret_cast<float*>(workspace.of(thread));
    float* sums = p.shared() ? shared.sums + task * p.sumFloats() : scratch + p.blockFloats();
    Worker worker(p, source, result, shared.outside, scratch, thread);
    for (int64_t i = first; i < std::min(first + p.chunks.length, p.grid.blocks()); ++i) {
      worker.add(TileBlock(p.grid, i), b * s.N, sums, i > first);
    }
    if (p.shared()) return;
    float* to = dw + b * p.gradientFloats;
    finish(p, sums, 0, s.C, to);
    if (epilogue) (*epilogue)(b * p.gradientFloats, p.gradientFloats, to, thread);
  });
  if (!p.shared()) return;

  const int64_t some = 8, parts = divideUp(s.C, some);
  runTasks(pool, s.B * p.sumFloats() * p.chunks.count * 4, s.B * parts, [&](int64_t task, int thread) {
    const int64_t b = task / parts, first = task % parts * some, count = std::min(some, s.C - first);
    float* to = dw + b * p.gradientFloats;
    finish(p, shared.sums + b * p.chunks.count * p.sumFloats(), first, count, to);
    for (int64_t tap = 0; epilogue && tap < 9; ++tap) {
      float* run = to + (tap * s.C + first) * s.O;
      (*epilogue)(run - dw, count * s.O, run, thread);
    }
  });
}

}  // namespace lethe
