// Matrix products: the choice of blocks and the loops around the microkernel. Row-major A is read in place by
// broadcasts; only B is copied into panels one tile wide, and not even that where it is read too few times to pay.
// Blocks are cut by shape alone, and a block of k continues the sums of the one before, so neither threads nor blocks
// change a bit of the result. The exception is a short result with a long k, whose k is cut into chunks added at the end.
#include "kernels/gemm.h"

#include <cstring>

#include "kernels/planning.h"
#include "microkernels/microkernel.h"

namespace lethe {
namespace {

constexpr int64_t kPackedFloats = 128 * 1024;        // of B: half a MiB, half of a second-level cache
constexpr int64_t kTurnedFloats = 32 * 1024;         // of A

// A column of results is a row of results: the orientation in which the long operand is read along its rows. And a
// single row is stored the same either way.
DotShape oriented(DotShape s) {
  if (s.n == 1 && s.transA && s.m > 1) return {s.batch, 1, s.m, s.k, false, false};
  if (s.m == 1) s.transA = false;
  return s;
}

// How a product is cut. Each part is chosen from the shape and from those before it.
class Plan {
 public:
  explicit Plan(const DotShape& s) : shape(s) {
    chooseReading();
    cutDepth();
    cutColumns();
    cutRows();
    cutBatch();
    stream = s.batch * s.m * s.n * 4 >= kStreamBytes && s.k <= kBlock && s.n % kernels_.width == 0;
  }

  DotShape shape;
  bool inner = false;     // rows of A times rows of B, both contiguous along k
  bool packB = false;     // B goes through panels
  bool stream = false;    // C is written past the caches
  int64_t panel = 0;      // columns of a tile
  Cut chunks;             // of k, summed separately
  int64_t kBlock = 1;     // of a chunk, between two visits to C
  Cut rows, columns;      // of C, to a task
  int64_t turnRows = 0;   // rows transposed (and finished) at a time
  int64_t turnStep = 0;   // floats from row to row of transposed A
  Cut batch;

  int64_t tasks() const { return batch.count * chunks.count * rows.count * columns.count; }
  bool wholeRows() const { return columns.count == 1; }

 private:
  int64_t flops() const { return 2 * shape.m * shape.n * shape.k; }
  // B in place is read with a stride: good while its rows are short, bad when each row is another page.
  bool shortRows() const { return shape.n <= 256 && shape.k * shape.n <= kPackedFloats; }

  void chooseReading() {
    const int64_t m = shape.m, n = shape.n, k = shape.k;
    const bool alongK = (!shape.transA || m == 1) && (shape.transB || n == 1);
    const bool fewOutputs = n == 1 || (std::min(m, n) <= 4 && k >= 4 * kernels_.width);
    inner = alongK && fewOutputs;
    packB = !inner && (shape.transB ? n > 1 : (m > 48 && !shortRows()));
    panel = kernels_.dotVectors * kernels_.width;
  }

  void cutDepth() {
    const int64_t k = shape.k;
    const bool shortResult = shape.m * shape.n <= 64 * 1024 && k >= 2048;
    const int64_t wanted = shortResult && !inner ? std::min<int64_t>(8, k / 1024) : 1;
    chunks = Cut(k, roundUp(divideUp(k, wanted), kLine));
    kBlock = !packB && !shortRows() && !inner ? 64 : shape.transA ? 512 : 1024;
    kBlock = std::min(kBlock, chunks.length);
  }

  // As many as the packed block holds, fewer if that leaves threads without work, whole rows if they fit.
  void cutColumns() {
    const int64_t n = shape.n;
    const int64_t fitting = std::max(panel, kPackedFloats / kBlock / panel * panel);
    int64_t wanted = std::min(n, packB ? std::min<int64_t>(fitting, 512) : 1024);
    const bool fewRows = shape.m * shape.batch * chunks.count < 256;
    if (fewRows && flops() > kWorthThreads) wanted = std::min(wanted, roundUp(divideUp(n, 8), panel));
    columns = Cut(n, wanted);
  }

  // All of them where that gives enough tasks, since each task packs B anew.
  void cutRows() {
    const int64_t m = shape.m, others = shape.batch * chunks.count * columns.count;
    const int64_t least = packB ? 240 : 24;
    const bool tooFew = flops() > kWorthThreads && others < kWantedTasks;
    const int64_t wanted = tooFew ? roundUp(divideUp(m, divideUp(kWantedTasks, others)), 24) : m;
    rows = Cut(m, std::min(m, std::max(wanted, least)));
    turnStep = roundUp(kBlock, kLine) + kLine;
    turnRows = std::min(rows.length, std::max<int64_t>(24, kTurnedFloats / turnStep / 24 * 24));
  }

  // Small products share a task.
  void cutBatch() {
    const int64_t least = 20 * 1000;
    batch = Cut(shape.batch, std::min(shape.batch, least / std::max<int64_t>(flops(), 1)));
  }

  const Microkernels& kernels_ = microkernels();
};

// One task: the block of C that starts at (row0, column0) and the range of k of one chunk.
class Block {
 public:
  Block(const Plan& plan, const float* a, const float* b, float* c, char* scratch, bool stream)
      : p_(plan), s_(plan.shape), kernels_(microkernels()), a_(a), b_(b), c_(c), stream_(stream),
        packed_(reinterpret_cast<float*>(scratch)), turned_(packed_ + packedFloats(plan)) {}

  static int64_t packedFloats(const Plan& p) {
    return p.packB ? p.kBlock * roundUp(p.columns.length, p.panel) : 0;
  }
  static int64_t turnedFloats(const Plan& p) { return p.shape.transA && !p.inner ? p.turnRows * p.turnStep : 0; }

  // `finished(row, rows)` is called when those rows of the block are complete.
  template <class F>
  void run(int64_t row0, int64_t rows, int64_t column0, int64_t columns, int64_t k0, int64_t k1, F&& finished) {
    for (int64_t k = k0;; k += p_.kBlock) {
      const int64_t length = std::min(p_.kBlock, k1 - k);
      const bool last = k + p_.kBlock >= k1;
      if (p_.packB) pack(k, length, column0, columns);
      for (int64_t row = row0; row < row0 + rows; row += p_.turnRows) {
        const int64_t some = std::min(p_.turnRows, row0 + rows - row);
        const float* a = a_ + row * s_.k + k;
        int64_t aStep = s_.k;
        if (s_.transA) {
          kernels_.transpose(a_ + k * s_.m + row, s_.m, length, some, turned_, p_.turnStep);
          a = turned_;
          aStep = p_.turnStep;
        }
        tiles(a, aStep, row, some, k, length, column0, columns, k > k0);
        if (last) finished(row, some);
      }
      if (last) return;
    }
  }

 private:
  // Panels [k][panel], the last one as wide as its vectors; what hangs over is never stored and may hold anything.
  void pack(int64_t k, int64_t length, int64_t column0, int64_t columns) {
    for (int64_t j = 0; j < columns; j += p_.panel) {
      const int64_t count = std::min(p_.panel, columns - j), wide = roundUp(count, kernels_.width);
      float* out = packed_ + j * p_.kBlock;
      if (s_.transB) {
        kernels_.transpose(b_ + (column0 + j) * s_.k + k, s_.k, count, length, out, wide);
      } else {
        const float* in = b_ + k * s_.n + column0 + j;
        for (int64_t i = 0; i < length; ++i) std::memcpy(out + i * wide, in + i * s_.n, count * sizeof(float));
      }
    }
  }

  void tiles(const float* a, int64_t aStep, int64_t row0, int64_t rows, int64_t k, int64_t length, int64_t column0,
             int64_t columns, bool accumulate) {
    const Segment all{0, 0, length, 0};
    int64_t aRows[kMostRows], cRows[kMostRows];
    for (int i = 0; i < kMostRows; ++i) {
      aRows[i] = i * aStep;
      cRows[i] = i * s_.n;
    }
    RowsTile t{};
    t.aRows = aRows;
    t.cRows = cRows;
    t.segments = &all;
    t.segmentCount = 1;
    t.accumulate = accumulate;
    t.stream = stream_;
    // Tiles of equal height: the limit of the narrowest panel would do for the others too, but wide panels come first.
    const int limit = kernels_.rowsLimit[kernels_.vectors(static_cast<int>(std::min(p_.panel, columns)))];
    const int64_t tileRows = divideUp(rows, divideUp(rows, limit));
    for (int64_t i = 0; i < rows; i += tileRows) {
      const int height = static_cast<int>(std::min(tileRows, rows - i));
      t.a = a + i * aStep;
      for (int64_t j = 0; j < columns; j += p_.panel) {
        const int64_t count = std::min(p_.panel, columns - j);
        t.columns = static_cast<int>(count);
        t.b = p_.packB ? packed_ + j * p_.kBlock : b_ + k * s_.n + column0 + j;
        t.bStep = p_.packB ? roundUp(count, kernels_.width) : s_.n;
        t.c = c_ + (row0 + i) * s_.n + column0 + j;
        kernels_.runRows(height, t);
      }
    }
  }

  const Plan& p_;
  const DotShape& s_;
  const Microkernels& kernels_;
  const float* a_;
  const float* b_;
  float* c_;
  bool stream_;
  float* packed_;
  float* turned_;
};

void innerProducts(const Plan& p, const float* a, const float* b, float* c, int64_t row0, int64_t rows, int64_t column0,
                   int64_t columns) {
  const Microkernels& kernels = microkernels();
  const int64_t n = p.shape.n, k = p.shape.k;
  for (int64_t j = column0; j < column0 + columns; ++j) {
    for (int64_t i = row0; i < row0 + rows; ++i) c[i * n + j] = kernels.inner(a + i * k, b + j * k, k);
  }
}

// Chunks of k, added in order into the first, which is `c` itself.
void addChunks(Pool& pool, const Plan& p, const float* others, float* c, const Epilogue* epilogue) {
  const int64_t size = p.shape.batch * p.shape.m * p.shape.n, piece = 4096;
  pool.run(divideUp(size, piece), [&](int64_t task, int thread) {
    const int64_t start = task * piece, count = std::min(piece, size - start);
    for (int64_t i = 0; i + 1 < p.chunks.count; ++i) microkernels().add(others + i * size + start, count, c + start);
    if (epilogue) (*epilogue)(start, count, c + start, thread);
  });
}

}  // namespace

WorkspaceSize dotWorkspace(const DotShape& original, int) {
  const DotShape shape = oriented(original);
  if (shape.batch * shape.m * shape.n == 0) return {};
  const Plan p(shape);
  WorkspaceSize size;
  size.shared = (p.chunks.count - 1) * shape.batch * shape.m * shape.n * sizeof(float);
  size.private_ = (Block::packedFloats(p) + Block::turnedFloats(p)) * sizeof(float);
  return size;
}

void dot(Pool& pool, const DotShape& original, const float* a, const float* b, float* c, const Workspace& workspace,
         const Epilogue* epilogue) {
  const DotShape s = oriented(original);
  if (s.m != original.m) std::swap(a, b);
  if (s.batch * s.m * s.n == 0) return;
  const Plan p(s);
  const bool stream = p.stream && !epilogue && beginsLine(c);
  float* others = reinterpret_cast<float*>(workspace.shared);
  const int64_t size = s.batch * s.m * s.n;

  auto task = [&](int64_t index, int thread) {
    const int64_t columnBlock = index % p.columns.count;
    index /= p.columns.count;
    const int64_t rowBlock = index % p.rows.count;
    index /= p.rows.count;
    const int64_t chunk = index % p.chunks.count;
    index /= p.chunks.count;
    const int64_t row0 = rowBlock * p.rows.length, rows = std::min(p.rows.length, s.m - row0);
    const int64_t column0 = columnBlock * p.columns.length, columns = std::min(p.columns.length, s.n - column0);
    const int64_t k0 = chunk * p.chunks.length, k1 = std::min(s.k, k0 + p.chunks.length);
    float* result = chunk == 0 ? c : others + (chunk - 1) * size;
    const int64_t lastBatch = std::min(s.batch, (index + 1) * p.batch.length);
    for (int64_t i = index * p.batch.length; i < lastBatch; ++i) {
      const int64_t base = i * s.m * s.n;
      auto finished = [&](int64_t row, int64_t count) {
        if (!epilogue || p.chunks.count > 1) return;
        const int64_t start = base + row * s.n + column0;
        if (p.wholeRows()) return (*epilogue)(start, count * s.n, c + start, thread);
        for (int64_t r = 0; r < count; ++r) (*epilogue)(start + r * s.n, columns, c + start + r * s.n, thread);
      };
      const float* ai = a + i * s.m * s.k;
      const float* bi = b + i * s.k * s.n;
      if (p.inner) {
        innerProducts(p, ai, bi, result + base, row0, rows, column0, columns);
        finished(row0, rows);
      } else {
        Block block(p, ai, bi, result + base, workspace.of(thread), stream);
        block.run(row0, rows, column0, columns, k0, k1, finished);
      }
    }
  };

  runTasks(pool, 2 * size * s.k, p.tasks(), task);
  if (p.chunks.count > 1) addChunks(pool, p, others, c, epilogue);
}

}  // namespace lethe
