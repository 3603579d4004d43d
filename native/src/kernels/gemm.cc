// Matrix products: the choice of blocks and the loops around the microkernel. Row-major A is read in place by
// broadcasts; only B is copied into panels one tile wide, and not even that where it is read too few times to pay.
// Blocks are cut by shape alone, and a block of k continues the sums of the one before, so neither threads nor blocks
// change a bit of the result. The exception is a short result with a long k, whose k is cut into chunks added at the end.
#include "kernels/gemm.h"

#include <cstring>

#include "microkernels/microkernel.h"
#include "kernels/planning.h"

namespace lethe {
namespace {

constexpr int64_t kPackedFloats = 128 * 1024;        // of B: half a MiB, half of a second-level cache
constexpr int64_t kTurnedFloats = 32 * 1024;         // of A

struct Plan {
  DotShape shape;
  bool inner;       // rows of A times rows of B, both contiguous along k
  bool packB;       // B goes through panels
  bool stream;
  int64_t rowBlock, rowBlocks;        // rows of C to a task
  int64_t turnRows;                   // rows transposed (and finished) at a time
  int64_t columnBlock, columnBlocks;  // columns of C to a task
  int64_t chunk, chunks;              // of k, summed separately
  int64_t kBlock;                     // of a chunk, between two visits to C
  int64_t batchBlock, batchBlocks;
  int64_t panel;  // columns of a tile
  int64_t turnStep;  // floats from row to row of transposed A

  int64_t tasks() const { return batchBlocks * chunks * rowBlocks * columnBlocks; }
  bool wholeRows() const { return columnBlocks == 1; }
};

// A column of results is a row of results: the orientation in which the long operand is read along its rows. And a
// single row is stored the same either way.
DotShape oriented(DotShape s) {
  if (s.n == 1 && s.transA && s.m > 1) return {s.batch, 1, s.m, s.k, false, false};
  if (s.m == 1) s.transA = false;
  return s;
}

Plan planOf(const DotShape& shape) {
  const Microkernels& kernels = microkernels();
  Plan p{};
  p.shape = shape;
  const int64_t m = shape.m, n = shape.n, k = shape.k;
  const int64_t flops = 2 * m * n * k;
  p.panel = kernels.dotVectors * kernels.width;

  const bool alongK = (!shape.transA || m == 1) && (shape.transB || n == 1);
  const bool fewOutputs = n == 1 || (std::min(m, n) <= 4 && k >= 4 * kernels.width);
  p.inner = alongK && fewOutputs;

  const bool shortResult = m * n <= 64 * 1024 && k >= 2048;
  p.chunks = shortResult && !p.inner ? std::min<int64_t>(8, k / 1024) : 1;
  p.chunk = roundUp(divideUp(k, p.chunks), kLine);
  p.chunks = std::max<int64_t>(1, divideUp(k, std::max<int64_t>(p.chunk, 1)));

  // B in place is read with a stride: good while its rows are short, bad when each row is another page.
  const bool shortRows = n <= 256 && k * n <= kPackedFloats;
  p.packB = !p.inner && (shape.transB ? n > 1 : (m > 48 && !shortRows));
  p.kBlock = !p.packB && !shortRows && !p.inner ? 64 : shape.transA ? 512 : 1024;
  p.kBlock = std::min(p.kBlock, std::max<int64_t>(p.chunk, 1));

  // Columns: as many as the packed block holds, fewer if that leaves threads without work, whole rows if they fit.
  const int64_t fitting = std::max(p.panel, kPackedFloats / std::max<int64_t>(p.kBlock, 1) / p.panel * p.panel);
  p.columnBlock = std::min(n, p.packB ? std::min<int64_t>(fitting, 512) : 1024);
  const bool fewRows = m * shape.batch * p.chunks < 256;
  if (fewRows && flops > kWorthThreads) p.columnBlock = std::min(p.columnBlock, roundUp(divideUp(n, 8), p.panel));
  p.columnBlock = std::max<int64_t>(p.columnBlock, 1);
  p.columnBlocks = std::max<int64_t>(1, divideUp(n, p.columnBlock));

  // Rows: all of them where that gives enough tasks, since each task packs B anew.
  const int64_t wanted = kWantedTasks, others = shape.batch * p.chunks * p.columnBlocks;
  const int64_t leastRows = p.packB ? 240 : 24;
  p.rowBlock = flops > kWorthThreads && others < wanted ? roundUp(divideUp(m, divideUp(wanted, others)), 24) : m;
  p.rowBlock = std::max<int64_t>(1, std::min(m, std::max(p.rowBlock, leastRows)));
  p.rowBlocks = std::max<int64_t>(1, divideUp(m, p.rowBlock));
  p.turnStep = roundUp(p.kBlock, kLine) + kLine;
  p.turnRows = std::min(p.rowBlock, std::max<int64_t>(24, kTurnedFloats / p.turnStep / 24 * 24));

  const int64_t least = 20 * 1000;
  p.batchBlock = std::max<int64_t>(1, std::min(shape.batch, least / std::max<int64_t>(flops, 1)));
  p.batchBlocks = divideUp(shape.batch, p.batchBlock);
  p.stream = shape.batch * m * n * 4 >= kStreamBytes && k <= p.kBlock && n % kernels.width == 0;
  return p;
}

// One task: the block of C that starts at (row0, column0) and the range of k of one chunk.
class Block {
 public:
  Block(const Plan& plan, const float* a, const float* b, float* c, char* scratch, bool stream)
      : p_(plan), s_(plan.shape), kernels_(microkernels()), a_(a), b_(b), c_(c), stream_(stream),
        packed_(reinterpret_cast<float*>(scratch)), turned_(packed_ + packedFloats(plan)) {}

  static int64_t packedFloats(const Plan& p) {
    return p.packB ? p.kBlock * roundUp(p.columnBlock, p.panel) : 0;
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
    for (int64_t i = 0; i + 1 < p.chunks; ++i) microkernels().add(others + i * size + start, count, c + start);
    if (epilogue) (*epilogue)(start, count, c + start, thread);
  });
}

}  // namespace

WorkspaceSize dotWorkspace(const DotShape& original, int) {
  const DotShape shape = oriented(original);
  if (shape.batch * shape.m * shape.n == 0) return {};
  const Plan p = planOf(shape);
  WorkspaceSize size;
  size.shared = (p.chunks - 1) * shape.batch * shape.m * shape.n * sizeof(float);
  size.private_ = (Block::packedFloats(p) + Block::turnedFloats(p)) * sizeof(float);
  return size;
}

void dot(Pool& pool, const DotShape& original, const float* a, const float* b, float* c, const Workspace& workspace,
         const Epilogue* epilogue) {
  const DotShape s = oriented(original);
  if (s.m != original.m) std::swap(a, b);
  if (s.batch * s.m * s.n == 0) return;
  const Plan p = planOf(s);
  const bool stream = p.stream && !epilogue && beginsLine(c);
  float* others = reinterpret_cast<float*>(workspace.shared);
  const int64_t size = s.batch * s.m * s.n;

  auto task = [&](int64_t index, int thread) {
    const int64_t columnBlock = index % p.columnBlocks;
    index /= p.columnBlocks;
    const int64_t rowBlock = index % p.rowBlocks;
    index /= p.rowBlocks;
    const int64_t chunk = index % p.chunks;
    index /= p.chunks;
    const int64_t row0 = rowBlock * p.rowBlock, rows = std::min(p.rowBlock, s.m - row0);
    const int64_t column0 = columnBlock * p.columnBlock, columns = std::min(p.columnBlock, s.n - column0);
    const int64_t k0 = chunk * p.chunk, k1 = std::min(s.k, k0 + p.chunk);
    float* result = chunk == 0 ? c : others + (chunk - 1) * size;
    const int64_t lastBatch = std::min(s.batch, (index + 1) * p.batchBlock);
    for (int64_t i = index * p.batchBlock; i < lastBatch; ++i) {
      const int64_t base = i * s.m * s.n;
      auto finished = [&](int64_t row, int64_t count) {
        if (!epilogue || p.chunks > 1) return;
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
  if (p.chunks > 1) addChunks(pool, p, others, c, epilogue);
}

}  // namespace lethe
