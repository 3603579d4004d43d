// The roots `attention` and `attentionSum` (engine/primitives/attention.ts). A task is a tile of queries of one batch;
// it goes through the keys tile by tile, so that no more than a tile of scores is ever in memory. A tile is stored keys x
// queries: then keys, values and factors are read in place, rows of scores are vectors of queries, and only the queries
// are transposed, once a task. Tiles are cut by shape alone: neither threads nor the order of tasks change a bit.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "kernels/planning.h"
#include "loops/vector.h"
#include "microkernels/microkernel.h"
#include "runtime/kernel.h"

namespace lethe {
namespace {

constexpr int64_t kQueries = 64;  // of a tile; vectors of every instruction set divide it
constexpr int64_t kKeys = 64;

// Rows of queries beside rows of keys, whose products are a tile of scores or of a factor.
struct Pair {
  int queries, keys;  // slots
  int64_t depth;
};

struct Range {
  int64_t first, last;
};

// What both roots share. Operands: q, k, ..., m and v where the root has them, then two for each factor.
class AttentionKernel : public Kernel {
 public:
  AttentionKernel(const Instruction& i, size_t m, size_t v, size_t factors) : m_(i.input(m).slot), v_(i.input(v).slot), y_(i.output(0).slot) {
    const Shape &q = i.input(0).shape, &k = i.input(1).shape, &value = i.input(v).shape;
    require(q.size() == 3 && k.size() == 3 && value.size() == 3, "attention's queries, keys and values have rank 3");
    batch_ = q[0], n_ = q[1], keys_ = k[1], c_ = value[2];
    require(k[0] == batch_ && value[0] == batch_ && value[1] == keys_ && k[2] == q[2], "attention's operands do not fit each other");
    require(isProduct(i.input(m).size, {batch_, keys_}) && isProduct(i.output(0).size, {batch_, n_, c_}), "attention's operands or result have the wrong size");
    for (const Operand& o : i.inputs) require(o.dtype == DType::Float32, "attention needs float32 operands");
    for (const Operand& o : i.outputs) require(o.dtype == DType::Float32, "attention's results are float32"), written_ += o.size;
    require(i.inputs.size() >= factors && (i.inputs.size() - factors) % 2 == 0, "a factor of attention has two operands");
    pairs_.push_back({i.input(0).slot, i.input(1).slot, q[2]});
    for (size_t f = factors; f < i.inputs.size(); f += 2) {
      const Shape &a = i.input(f).shape, &b = i.input(f + 1).shape;
      require(a.size() == 3 && b.size() == 3 && a[2] == b[2], "the operands of a factor of attention do not fit each other");
      require(a[0] == batch_ && b[0] == batch_ && a[1] == n_ && b[1] == keys_, "a factor of attention does not fit queries and keys");
      pairs_.push_back({i.input(f).slot, i.input(f + 1).slot, a[2]});
    }
    require(i.values(Param::Scale).size() == 1, "attention has one scale");
    scale_ = static_cast<float>(i.values(Param::Scale)[0]);
    const int64_t sees = i.number(Param::Sees);
    require(sees >= 0 && sees < kSights, "attention does not know which keys are seen");
    sees_ = static_cast<Sight>(sees);
  }

  double cost() const override {
    double each = c_ + 8;
    for (const Pair& p : pairs_) each += p.depth;
    return static_cast<double>(batch_ * n_) * static_cast<double>(keys_) * each / 8;
  }

  WorkspaceSize workspace(int) const override {
    if (written_ == 0) return {};
    BumpAllocator allocator(nullptr);
    const Scratch scratch(allocator, pairs_);
    return {0, allocator.used()};
  }

  void run(const RunContext& f) const override {
    if (written_ == 0) return;
    const int64_t tiles = divideUp(n_, kQueries);
    runTasks(f.pool, static_cast<int64_t>(std::min(cost() * 8, 1e15)), batch_ * tiles, [&](int64_t task, int thread) {
      BumpAllocator allocator(f.workspace.of(thread));
      const Scratch scratch(allocator, pairs_);
      const int64_t b = task / tiles, first = task % tiles * kQueries;
      queries(f, scratch, b, {first, std::min(n_, first + kQueries)});
    });
  }

 protected:
  // Memory of a task. `transposed[p]`: [depth, kQueries] of pair p.
  struct Scratch {
    Scratch(BumpAllocator& allocator, const std::vector<Pair>& pairs) {
      for (const Pair& p : pairs) transposed.push_back(allocator.take<float>(p.depth * kQueries));
      tile = allocator.take<float>(kKeys * kQueries);
      factor = pairs.size() > 1 ? allocator.take<float>(kKeys * kQueries) : nullptr;
      for (float** x : {&top, &sum, &shrink}) *x = allocator.take<float>(kQueries);
    }
    std::vector<float*> transposed;
    float *tile, *factor, *top, *sum, *shrink;
  };

  virtual void queries(const RunContext& f, const Scratch& s, int64_t b, Range rows) const = 0;

  // Transposes the queries' rows of every pair; lanes beyond the last query are 0.
  void transpose(const RunContext& f, const Scratch& s, int64_t b, Range rows) const {
    const int64_t count = rows.last - rows.first;
    for (size_t p = 0; p < pairs_.size(); ++p) {
      const int64_t depth = pairs_[p].depth;
      if (depth == 0) continue;
      float* to = s.transposed[p];
      if (count < kQueries) std::fill(to, to + depth * kQueries, 0.0f);
      microkernels().transpose(f.at<const float>(pairs_[p].queries) + (b * n_ + rows.first) * depth, depth, count, depth, to, kQueries);
    }
    float* q = s.transposed[0];
    for (int64_t i = 0; i < pairs_[0].depth * kQueries; ++i) q[i] *= scale_;
  }

  // Calls tile(keys, isFirst) for the tiles of keys that any of these queries sees; false if there are none.
  template <class F> bool eachTile(Range rows, F&& tile) const {
    const int64_t first = sees_ == Sight::Future ? std::min(keys_, rows.first) : 0;
    const int64_t last = sees_ == Sight::Past ? std::min(keys_, rows.last) : keys_;
    for (int64_t j = first; j < last; j += kKeys) tile(Range{j, std::min(last, j + kKeys)}, j == first);
    return first < last;
  }

  // out[key][query] = products of pair p.
  void products(const RunContext& f, const Scratch& s, size_t p, int64_t b, Range keys, float* out) const {
    const Microkernels& kernels = microkernels();
    const int64_t depth = pairs_[p].depth, panel = std::min<int64_t>(kQueries, kernels.dotVectors * kernels.width);
    const Segment all{0, 0, depth, 0};
    int64_t aRows[kMostRows], cRows[kMostRows];
    for (int r = 0; r < kMostRows; ++r) aRows[r] = r * depth, cRows[r] = r * kQueries;
    RowsTile t{};
    t.aRows = aRows, t.cRows = cRows, t.segments = &all, t.segmentCount = 1, t.bStep = kQueries;
    t.columns = static_cast<int>(panel);
    const float* a = f.at<const float>(pairs_[p].keys) + (b * keys_ + keys.first) * depth;
    const int64_t count = keys.last - keys.first, limit = kernels.rowsLimit[kernels.vectors(t.columns)];
    const int64_t height = divideUp(count, divideUp(count, limit));
    for (int64_t i = 0; i < kQueries; i += panel) {
      t.b = s.transposed[p] + i;
      for (int64_t j = 0; j < count; j += height) {
        t.a = a + j * depth;
        t.c = out + j * kQueries + i;
        kernels.runRows(static_cast<int>(std::min(height, count - j)), t);
      }
    }
  }

  // Scores of a tile; -inf where a query does not see the key.
  void scores(const RunContext& f, const Scratch& s, int64_t b, Range rows, Range keys) const {
    products(f, s, 0, b, keys, s.tile);
    if (sees_ == Sight::All) return;
    for (int64_t j = keys.first; j < keys.last; ++j) {
      float* row = s.tile + (j - keys.first) * kQueries;
      // Of queries before the key, or after it.
      const int64_t at = std::clamp<int64_t>(j - rows.first + (sees_ == Sight::Future ? 1 : 0), 0, kQueries);
      if (sees_ == Sight::Past) std::fill(row, row + at, -INFINITY);
      else std::fill(row + at, row + kQueries, -INFINITY);
    }
  }

  // y[query] (+)= sum over the tile's keys of weight * v[key]
  void addValues(const RunContext& f, const Scratch& s, int64_t b, Range rows, Range keys, bool accumulate) const {
    const Microkernels& kernels = microkernels();
    const int64_t panel = kernels.dotVectors * kernels.width, count = rows.last - rows.first;
    OuterTile t{};
    t.images = t.lines = 1;
    t.length = keys.last - keys.first, t.aStep = kQueries, t.bStep = c_, t.cRow = c_;
    t.accumulate = accumulate;
    float* y = f.at<float>(y_) + (b * n_ + rows.first) * c_;
    const float* v = f.at<const float>(v_) + (b * keys_ + keys.first) * c_;
    for (int64_t c = 0; c < c_; c += panel) {
      t.columns = static_cast<int>(std::min(panel, c_ - c));
      t.b = v + c;
      const int64_t height = kernels.outerLimit[kernels.vectors(t.columns)];
      for (int64_t i = 0; i < count; i += height) {
        t.a = s.tile + i;
        t.c = y + i * c_ + c;
        kernels.runOuter(static_cast<int>(std::min(height, count - i)), t);
      }
    }
  }

  void zero(const RunContext& f, int64_t b, Range rows) const {
    float* y = f.at<float>(y_) + b * n_ * c_;
    std::fill(y + rows.first * c_, y + rows.last * c_, 0.0f);
  }

  int m_, v_, y_;
  std::vector<Pair> pairs_;  // scores, then factors
  int64_t batch_, n_, keys_, c_, written_ = 0;
  float scale_;
  Sight sees_;
};

class Attention : public AttentionKernel {
 public:
  explicit Attention(const Instruction& i) : AttentionKernel(i, 2, 3, 4), l_(i.output(1).slot) {
    require(i.inputs.size() == 4 && i.outputs.size() == 2, "attention has four operands and two results");
    require(isProduct(i.output(1).size, {batch_, n_}), "attention's second result has the wrong size");
  }

 protected:
  void queries(const RunContext& f, const Scratch& s, int64_t b, Range rows) const override {
    const VectorTable& loops = vectors();
    transpose(f, s, b, rows);
    std::fill(s.top, s.top + kQueries, -FLT_MAX);
    std::fill(s.sum, s.sum + kQueries, 0.0f);
    const float* m = f.at<const float>(m_) + b * keys_;
    float* y = f.at<float>(y_) + (b * n_ + rows.first) * c_;
    const int64_t count = rows.last - rows.first;
    const bool any = eachTile(rows, [&](Range keys, bool first) {
      const int64_t some = keys.last - keys.first;
      scores(f, s, b, rows, keys);
      loops.attentionTops(some, kQueries, s.tile, m + keys.first, s.top, s.shrink);
      loops.attentionExponentials(some, kQueries, s.tile, s.top, s.shrink, s.sum);
      if (!first) scaleRows(y, count, s.shrink);
      addValues(f, s, b, rows, keys, !first);
    });
    if (!any) zero(f, b, rows);
    // A query that sees no key has the sum 0, and weights of 0.
    for (int64_t i = 0; i < count; ++i) s.shrink[i] = s.sum[i] == 0.0f ? 1.0f : 1.0f / s.sum[i];
    scaleRows(y, count, s.shrink);
    float* logarithms = s.shrink;
    loops.step(Op::Log, DType::Float32, DType::Float32, 0)(kQueries, logarithms, s.sum, nullptr, nullptr);
    float* l = f.at<float>(l_) + b * n_ + rows.first;
    for (int64_t i = 0; i < count; ++i) l[i] = s.sum[i] == 0.0f ? 0.0f : s.top[i] + logarithms[i];
  }

 private:
  void scaleRows(float* y, int64_t count, const float* factors) const {
    const StepLoop times = vectors().step(Op::Mul, DType::Float32, DType::Float32, 2);
    for (int64_t i = 0; i < count; ++i) {
      if (factors[i] != 1.0f) times(c_, y + i * c_, y + i * c_, factors + i, nullptr);
    }
  }

  int l_;
};

class AttentionSum : public AttentionKernel {
 public:
  explicit AttentionSum(const Instruction& i) : AttentionKernel(i, 3, 4, 5), l_(i.input(2).slot) {
    require(i.outputs.size() == 1 && isProduct(i.input(2).size, {batch_, n_}), "attentionSum's operands or result have the wrong size");
  }

 protected:
  void queries(const RunContext& f, const Scratch& s, int64_t b, Range rows) const override {
    const VectorTable& loops = vectors();
    const StepLoop times = loops.step(Op::Mul, DType::Float32, DType::Float32, 0);
    transpose(f, s, b, rows);
    float* l = s.top;
    std::fill(l, l + kQueries, 0.0f);
    std::copy_n(f.at<const float>(l_) + b * n_ + rows.first, rows.last - rows.first, l);
    const float* m = f.at<const float>(m_) + b * keys_;
    const bool any = eachTile(rows, [&](Range keys, bool first) {
      const int64_t some = keys.last - keys.first;
      scores(f, s, b, rows, keys);
      loops.attentionWeights(some, kQueries, s.tile, l, m + keys.first);
      for (size_t p = 1; p < pairs_.size(); ++p) {
        products(f, s, p, b, keys, s.factor);
        times(some * kQueries, s.tile, s.tile, s.factor, nullptr);
      }
      addValues(f, s, b, rows, keys, !first);
    });
    if (!any) zero(f, b, rows);
  }

 private:
  int l_;
};

}  // namespace

KernelPtr makeAttention(const Instruction& i, const Description&) { return std::make_unique<Attention>(i); }
KernelPtr makeAttentionSum(const Instruction& i, const Description&) { return std::make_unique<AttentionSum>(i); }

}  // namespace lethe
