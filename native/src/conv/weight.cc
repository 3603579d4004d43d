// The weight gradient by plain products. The pixels are walked in blocks small enough to stay in cache while every
// tile of the gradient adds them up. What is summed separately is cut by shape alone: the images into a few chunks,
// each with a gradient of its own, added in order at the end; and where one gradient is too large to stay in cache, the
// source channels into slices.
#include "conv/weight.h"

#include "kernels/planning.h"
#include "microkernels/microkernel.h"

namespace lethe {
namespace {

constexpr int64_t kGradientFloats = 80 * 1024;  // of one slice of the gradient: it shares the cache with a block
constexpr int64_t kBlockPixels = 256;

class Plan {
 public:
  explicit Plan(const ConvShape& shape)
      : s(shape), perGroup(shape.C / shape.groups), results(shape.O / shape.groups),
        gradientFloats(shape.KH * shape.KW * perGroup * shape.O),
        operations(2 * shape.B * shape.N * shape.OH * shape.OW * gradientFloats) {
    cutChannels();
    cutImages();
    cutPixels();
  }

  const ConvShape& s;
  int64_t perGroup, results;  // channels of x, of dy, in a group
  int64_t gradientFloats;     // of one of the B
  int64_t operations;
  Cut slices;                 // of the channels of x in a group, to a task
  Cut chunks;                 // of the images, to a task
  int64_t images = 1;         // in a block of pixels
  int64_t rows = 1;           // of the result, in a block
  bool merged = false;        // the taps of a kernel row are one run of channels
  PaddedWindow window;        // of x, for the first block of rows

  bool depthwise() const { return s.groups > 1 && perGroup == 1 && results == 1; }
  bool sliced() const { return slices.count > 1; }
  int64_t tasks() const { return s.B * chunks.count * slices.count; }
  // Channels of x in the scratch copy.
  int64_t copied() const { return sliced() ? slices.length : s.C; }
  int64_t xFloats() const { return s.B * s.N * s.H * s.W * s.C; }
  int64_t dyFloats() const { return s.B * s.N * s.OH * s.OW * s.O; }
  int64_t scratchX() const { return images * window.rows * window.columns * copied(); }
  int64_t scratchDy() const { return images * rows * s.OW * s.O; }

 private:
  void cutChannels() {
    int64_t slice = perGroup;
    if (s.groups == 1 && gradientFloats > 2 * kGradientFloats) {
      slice = std::min(perGroup, roundUp(divideUp(perGroup, divideUp(gradientFloats, kGradientFloats)), kLine));
      // Slightly smaller ones, if those are equal.
      for (int64_t even = slice; even >= kLine && 2 * even > slice; even -= kLine) {
        if (perGroup % even != 0) continue;
        slice = even;
        break;
      }
    }
    slices = Cut(perGroup, slice);
  }

  // Each chunk has a gradient to add: fewer of them where it is large.
  void cutImages() {
    int64_t wanted = 1;
    if (operations >= kWorthThreads) {
      const int64_t all = gradientFloats > kGradientFloats ? kWantedTasks / 2 : kWantedTasks;
      wanted = std::max<int64_t>(1, std::min(s.N, all / (s.B * slices.count)));
    }
    chunks = Cut::into(s.N, wanted);
  }

  void cutPixels() {
    const int64_t plane = std::max<int64_t>(1, s.OH * s.OW);
    images = std::max<int64_t>(1, std::min(chunks.length, kBlockPixels / plane));
    rows = images > 1 ? s.OH : Cut::into(s.OH, std::max<int64_t>(1, std::min(s.OH, plane / kBlockPixels))).length;
    window.row0 = -s.padT;
    window.rows = (rows - 1) * s.strideH + (s.KH - 1) * s.dilH + 1;
    window.column0 = -s.padL;
    window.columns = (s.OW - 1) * s.strideW + (s.KW - 1) * s.dilW + 1;
    merged = s.groups == 1 && s.dilW == 1 && !sliced();
  }
};

// One task's share: one of the B, a chunk of its images, a slice of its source channels.
class Gradient {
 public:
  Gradient(const Plan& plan, const Images& x, const Images& dy, bool inPlace, float* scratch, int thread)
      : p_(plan), s_(plan.s), kernels_(microkernels()), x_(x), dy_(dy), inPlace_(inPlace), scratchX_(scratch),
        scratchDy_(scratch + roundUp(plan.scratchX(), kLine)), thread_(thread) {}

  void run(int64_t image0, int64_t images, int64_t channel0, int64_t channels, float* dw) {
    if (p_.depthwise()) std::memset(dw, 0, static_cast<size_t>(p_.gradientFloats) * sizeof(float));
    bool accumulate = false;
    for (int64_t image = image0; image < image0 + images; image += p_.images) {
      const int64_t count = std::min(p_.images, image0 + images - image);
      for (int64_t row = 0; row < s_.OH; row += p_.rows, accumulate = true) {
        const int64_t rows = std::min(p_.rows, s_.OH - row);
        locate(image, count, row, rows, channel0, channels);
        if (p_.depthwise()) addDepthwise(count, rows, dw);
        else addBlock(count, rows, channel0, channels, dw, accumulate);
      }
    }
  }

 private:
  // Finds or makes both operands of a block.
  void locate(int64_t image, int64_t count, int64_t row, int64_t rows, int64_t channel0, int64_t channels) {
    const int64_t dyStart = ((image * s_.OH + row) * s_.OW) * s_.O;
    dyImage_ = s_.OH * s_.OW * s_.O;
    blockDy_ = dy_.data + dyStart;
    if (dy_.prologue) {
      blockDy_ = scratchDy_;
      dyImage_ = rows * s_.OW * s_.O;
      for (int64_t i = 0; i < count; ++i) {
        (*dy_.prologue)(dyStart + i * s_.OH * s_.OW * s_.O, dyImage_, scratchDy_ + i * dyImage_, thread_);
      }
    }
    PaddedWindow window = p_.window;
    window.row0 += row * s_.strideH;
    if (inPlace_) {
      xPixel_ = s_.C;
      xRow_ = s_.W * s_.C;
      xImage_ = s_.H * xRow_;
      blockX_ = x_.data + image * xImage_ + window.row0 * xRow_ + window.column0 * s_.C + channel0;
      return;
    }
    window.rows = (rows - 1) * s_.strideH + (s_.KH - 1) * s_.dilH + 1;
    const bool sliced = p_.sliced();
    fillPadded(x_, image, count, window, sliced ? channel0 : 0, sliced ? channels : s_.C, scratchX_, thread_);
    xPixel_ = sliced ? channels : s_.C;
    xRow_ = window.columns * xPixel_;
    xImage_ = window.rows * xRow_;
    blockX_ = scratchX_;
  }

  void addBlock(int64_t count, int64_t rows, int64_t channel0, int64_t channels, float* dw, bool accumulate) {
    const int64_t panel = kernels_.convVectors * kernels_.width;
    OuterTile t{};
    t.images = count, t.aImage = xImage_, t.bImage = dyImage_;
    t.lines = rows, t.aLine = s_.strideH * xRow_, t.bLine = s_.OW * s_.O;
    t.length = s_.OW, t.aStep = s_.strideW * xPixel_, t.bStep = s_.O;
    t.cRow = s_.O;
    t.accumulate = accumulate;
    const int64_t tapColumns = p_.merged ? 1 : s_.KW, run = p_.merged ? s_.KW * s_.C : channels;
    for (int64_t group = 0; group < s_.groups; ++group) {
      for (int64_t j = 0; j < p_.results; j += panel) {
        t.columns = static_cast<int>(std::min(panel, p_.results - j));
        const int64_t column = group * p_.results + j;
        const int64_t limit = kernels_.outerLimit[kernels_.vectors(t.columns)];
        const int64_t height = divideUp(run, divideUp(run, limit));
        t.b = blockDy_ + column;
        for (int64_t kh = 0; kh < s_.KH; ++kh) {
          for (int64_t kw = 0; kw < tapColumns; ++kw) {
            const float* a = blockX_ + kh * s_.dilH * xRow_ + kw * s_.dilW * xPixel_ + group * p_.perGroup;
            float* c = dw + ((kh * s_.KW + kw) * p_.perGroup + channel0) * s_.O + column;
            for (int64_t i = 0; i < run; i += height) {
              t.a = a + i;
              t.c = c + i * s_.O;
              kernels_.runOuter(static_cast<int>(std::min(height, run - i)), t);
            }
          }
        }
      }
    }
  }

  void addDepthwise(int64_t count, int64_t rows, float* dw) {
    constexpr int64_t kPiece = 64;  // of a row of pixels
    int64_t pixels[kPiece];
    for (int64_t i = 0; i < kPiece; ++i) pixels[i] = i * s_.strideW * xPixel_;
    for (int64_t kh = 0; kh < s_.KH; ++kh) {
      for (int64_t kw = 0; kw < s_.KW; kw += kPiece) {
        int64_t taps[kPiece];
        const int64_t tapCount = std::min(kPiece, s_.KW - kw);
        for (int64_t i = 0; i < tapCount; ++i) taps[i] = kh * s_.dilH * xRow_ + (kw + i) * s_.dilW * xPixel_;
        for (int64_t line = 0; line < count * rows; ++line) {
          const int64_t image = line / rows, row = line % rows;
          const float* x = blockX_ + image * xImage_ + row * s_.strideH * xRow_;
          const float* dy = blockDy_ + image * dyImage_ + row * s_.OW * s_.O;
          for (int64_t i = 0; i < s_.OW; i += kPiece) {
            kernels_.depthwiseGradient({x + i * s_.strideW * xPixel_, pixels, std::min(kPiece, s_.OW - i), taps, tapCount,
                                        dy + i * s_.O, s_.O, dw + (kh * s_.KW + kw) * s_.O});
          }
        }
      }
    }
  }

  const Plan& p_;
  const ConvShape& s_;
  const Microkernels& kernels_;
  const Images &x_, &dy_;
  bool inPlace_;
  float *scratchX_, *scratchDy_;
  int thread_;
  const float *blockX_ = nullptr, *blockDy_ = nullptr;
  int64_t xPixel_ = 0, xRow_ = 0, xImage_ = 0, dyImage_ = 0;
};

struct Shared {
  float *chunks, *x, *dy;
  Shared(const Plan& p, BumpAllocator& allocator) {
    chunks = allocator.take<float>((p.chunks.count - 1) * p.s.B * p.gradientFloats);
    x = allocator.take<float>(p.sliced() ? p.xFloats() : 0);
    dy = allocator.take<float>(p.sliced() ? p.dyFloats() : 0);
  }
};

// Several slices read the same operand: a prologue's work is then done once, into memory.
void make(Pool& pool, Images& operand, int64_t size, float* memory) {
  const Prologue* prologue = operand.prologue;
  if (!prologue) return;
  const int64_t piece = 16 * 1024;
  runTasks(pool, size * 8, divideUp(size, piece), [&](int64_t i, int thread) {
    (*prologue)(i * piece, std::min(piece, size - i * piece), memory + i * piece, thread);
  });
  operand.data = memory;
  operand.prologue = nullptr;
}

void addChunks(Pool& pool, const Plan& p, const float* chunks, float* dw, const Epilogue* epilogue) {
  const int64_t size = p.s.B * p.gradientFloats, piece = 4096;
  runTasks(pool, size * p.chunks.count * 4, divideUp(size, piece), [&](int64_t task, int thread) {
    const int64_t start = task * piece, count = std::min(piece, size - start);
    for (int64_t i = 0; i + 1 < p.chunks.count; ++i) microkernels().add(chunks + i * size + start, count, dw + start);
    if (epilogue) (*epilogue)(start, count, dw + start, thread);
  });
}

}  // namespace

WorkspaceSize directWeightGradientWorkspace(const ConvShape& s, int) {
  if (s.B * s.N * s.OH * s.OW * s.C * s.O == 0) return {};
  const Plan p(s);
  BumpAllocator allocator(nullptr);
  Shared(p, allocator);
  return {allocator.used(), static_cast<size_t>(roundUp(p.scratchX(), kLine) + p.scratchDy()) * sizeof(float)};
}

void directWeightGradient(Pool& pool, const ConvShape& s, const float* x, const float* dy, float* dw,
                          const Workspace& workspace, const Prologue* px, const Prologue* pdy,
                          const Epilogue* epilogue) {
  const Plan p(s);
  const int64_t size = s.B * p.gradientFloats;
  if (size == 0) return;
  if (s.N * s.OH * s.OW == 0) {
    std::memset(dw, 0, static_cast<size_t>(size) * sizeof(float));
    return runEpilogue(pool, size, dw, epilogue);
  }
  BumpAllocator allocator(workspace.shared);
  const Shared shared(p, allocator);
  Images source{x, px, s.H, s.W, s.C}, result{dy, pdy, s.OH, s.OW, s.O};
  if (p.sliced()) {
    make(pool, source, p.xFloats(), shared.x);
    make(pool, result, p.dyFloats(), shared.dy);
  }
  PaddedWindow all = p.window;
  all.rows = (s.OH - 1) * s.strideH + (s.KH - 1) * s.dilH + 1;
  const bool inPlace = !source.prologue && all.inside(source);

  runTasks(pool, p.operations, p.tasks(), [&](int64_t task, int thread) {
    const int64_t slice = task % p.slices.count, chunk = task / p.slices.count % p.chunks.count, b = task / p.slices.count / p.chunks.count;
    const int64_t channel0 = slice * p.slices.length, channels = std::min(p.slices.length, p.perGroup - channel0);
    const int64_t image0 = chunk * p.chunks.length, images = std::min(p.chunks.length, s.N - image0);
    float* to = (chunk == 0 ? dw : shared.chunks + (chunk - 1) * size) + b * p.gradientFloats;
    Gradient gradient(p, source, result, inPlace, reinterpret_cast<float*>(workspace.of(thread)), thread);
    gradient.run(b * s.N + image0, images, channel0, channels, to);
    if (!epilogue || p.chunks.count > 1) return;
    if (!p.sliced()) return (*epilogue)(to - dw, p.gradientFloats, to, thread);
    for (int64_t tap = 0; tap < s.KH * s.KW; ++tap) {
      float* run = to + (tap * p.perGroup + channel0) * s.O;
      (*epilogue)(run - dw, channels * s.O, run, thread);
    }
  });
  if (p.chunks.count > 1) addChunks(pool, p, shared.chunks, dw, epilogue);
}

}  // namespace lethe
