// Work on rows: reductions along the same rows and what is done with their results along these rows (`Rows` in
// engine/program.ts). A task takes a run of rows; each row's values lie in a few blocks of scratch that stay in the second
// level cache, so that what one reduction waits for is there when the next one begins. Rows are few thousand elements
// long at most: the planner sees to it. While one row is computed the next one is fetched; results that are larger than the
// caches are written past them, a few rows at a time.
#include <algorithm>
#include <cstring>
#include <limits>

#include "loops/plan.h"
#include "runtime/kernel.h"
#include "runtime/sizes.h"

namespace lethe {
namespace {

class RowKernel : public Kernel {
 public:
  RowKernel(const Rows& rows, const Description& program) : rows_(rows), vector_(vectors()) {
    layDomain();
    const size_t n = rows_.values.size();
    last_.assign(n, -1);
    for (size_t v = 0; v < n; ++v)
      for (int a : rows_.values[v].args) last_[a] = static_cast<int>(v);
    for (const RowStore& s : rows_.stores) last_[s.value] = static_cast<int>(n);
    for (size_t v = 0; v < n; ++v) {
      loops_.push_back(loopOf(rows_.values[v]));
      if (rows_.values[v].kind != RowValue::Step || rows_.values[v].op != Op::Full) work_.push_back(v);
    }
    layState(program);
  }

  WorkspaceSize workspace(int) const override { return {0, static_cast<size_t>(stateBytes_)}; }
  double cost() const override { return static_cast<double>(count_ * length_) * static_cast<double>(rows_.values.size()); }

  void run(const Frame& frame) const override {
    if (count_ == 0 || length_ == 0) return;
    const int64_t each = std::max<int64_t>(1, length_ * static_cast<int64_t>(rows_.values.size()));
    forRanges(frame.pool, count_, std::max(together_, 4 * kGrain / each), [&](int64_t begin, int64_t end, int thread) {
      char* state = frame.workspace.of(thread);
      prepare(state);
      for (int64_t row = begin; row < end; row += together_) {
        const int64_t rows = std::min(together_, end - row);
        for (int64_t r = 0; r < rows; ++r) one(frame, row + r, r, state);
        for (const RowStore& s : streamed_)
          vector_.stream(rows * length_, reinterpret_cast<float*>(frame.memory[s.slot]) + row * length_,
                         reinterpret_cast<const float*>(state + place_[s.value]));
      }
    });
  }

 private:
  struct Dim {
    int64_t n, dense;  // `dense`: stride of the whole domain
    std::vector<int64_t> strides;  // of each load
  };
  // A load that is read where it lies, and is another one for each row.
  struct Fetched {
    int load, slot;
    int64_t offset;
  };
  static constexpr int64_t kLine = kLineBytes / 4;
  static constexpr int64_t kStreamed = 4096;  // elements that are written past the caches at once, or one row

  // Axes that stay and axes of the row, each with neighbours merged that all views walk through in one stride.
  void layDomain() {
    const size_t rank = rows_.shape.size();
    std::vector<bool> gone(rank, false);
    for (int axis : rows_.axes) gone[axis] = true;
    std::vector<int64_t> dense(rank, 1);
    for (size_t d = rank; d-- > 1;) dense[d - 1] = dense[d] * rows_.shape[d];
    for (size_t d = 0; d < rank; ++d) {
      Dim own{rows_.shape[d], dense[d], {}};
      for (const RowValue& v : rows_.values)
        if (v.kind == RowValue::Load) own.strides.push_back(v.view.strides[d]);
      std::vector<Dim>& dims = gone[d] ? along_ : kept_;
      if (!dims.empty() && merges(dims.back(), own)) {
        own.n *= dims.back().n;
        dims.back() = own;
      } else {
        dims.push_back(own);
      }
      (gone[d] ? length_ : count_) *= rows_.shape[d];
    }
    if (along_.empty()) {
      Dim one{1, 1, {}};
      for (const RowValue& v : rows_.values)
        if (v.kind == RowValue::Load) one.strides.push_back(0);
      along_.push_back(one);
    }
  }
  static bool merges(const Dim& outer, const Dim& inner) {
    if (outer.dense != inner.dense * inner.n) return false;
    for (size_t i = 0; i < inner.strides.size(); ++i)
      if (outer.strides[i] != inner.strides[i] * inner.n) return false;
    return true;
  }

  StepLoop loopOf(const RowValue& v) const {
    if (v.kind != RowValue::Step || v.op == Op::Full || v.op == Op::Identity) return nullptr;
    int mask = 0;
    if (!v.perRow)
      for (size_t k = 0; k < v.args.size(); ++k)
        if (rows_.values[v.args[k]].perRow) mask |= 1 << k;
    const StepLoop loop = vector_.step(v.op, rows_.values[v.args[0]].dtype, v.dtype, mask);
    require(loop, "an elementwise operation is not defined for its operand's type");
    return loop;
  }

  // The state of a thread: addresses of the values and of what is fetched, single values, blocks of a row.
  void layState(const Description& program) {
    const size_t n = rows_.values.size();
    int64_t at = roundUp(static_cast<int64_t>(2 * n) * 8, kLineBytes);
    place_.assign(n, -1);
    direct_.assign(n, -1);
    const int64_t bytes = roundUp(length_ * 4, kLineBytes);
    const bool isLarge = count_ * length_ * 4 > kStreamBytes;
    together_ = isLarge ? std::max<int64_t>(1, kStreamed / length_) : 1;
    std::vector<int64_t> free;
    int load = 0;
    for (size_t v = 0; v < n; ++v) {
      const RowValue& value = rows_.values[v];
      const int own = value.kind == RowValue::Load ? load++ : -1;
      if (value.perRow) {
        place_[v] = at;
        at += kLineBytes;
        continue;
      }
      if (own >= 0 && along_.size() == 1 && along_[0].strides[own] == 1 && !isWritten(value.view.slot, program)) {
        if (start(1, own) != 0) fetched_.push_back({own, value.view.slot, value.view.offset});
        continue;
      }
      if (value.kind == RowValue::Step && value.op == Op::Identity) continue;
      const RowStore* store = value.kind == RowValue::Step ? storeFor(static_cast<int>(v), program) : nullptr;
      if (store && isLarge) {
        streamed_.push_back(*store);
        place_[v] = at;
        at += roundUp(together_ * length_ * 4, kLineBytes);
        continue;
      }
      direct_[v] = store ? store->slot : -1;
      if (store) continue;
      if (free.empty()) {
        place_[v] = at;
        at += bytes;
      } else {
        place_[v] = free.back();
        free.pop_back();
      }
      for (size_t a = 0; a <= v; ++a)
        if (last_[a] == static_cast<int>(v) && place_[a] >= 0 && !rows_.values[a].perRow && !isRenamed(a)) free.push_back(place_[a]);
    }
    stateBytes_ = at;
    for (const RowStore& s : rows_.stores) {
      bool streamed = false;
      for (const RowStore& t : streamed_) streamed = streamed || t.slot == s.slot;
      if (!streamed) copied_.push_back(s);
    }
    share_ = roundUp(divideUp(length_, static_cast<int64_t>(work_.size())), kLine);
  }
  // The store whose slot a value of elements may be computed in at once, because nothing that is read lies there; or null.
  const RowStore* storeFor(int v, const Description& program) const {
    if (along_.size() > 1 || along_[0].dense != 1) return nullptr;
    for (const RowStore& s : rows_.stores) {
      if (s.value != v || !s.whole) continue;
      bool read = false;
      for (const RowValue& l : rows_.values) read = read || (l.kind == RowValue::Load && program.mayAlias(s.slot, l.view.slot));
      if (!read) return &s;
    }
    return nullptr;
  }
  // Does a store of these rows write where the slot lies?
  bool isWritten(int slot, const Description& program) const {
    for (const RowStore& s : rows_.stores)
      if (program.mayAlias(s.slot, slot)) return true;
    return false;
  }
  // A value that another one only renames keeps its block.
  bool isRenamed(size_t a) const {
    for (const RowValue& v : rows_.values)
      if (v.kind == RowValue::Step && v.op == Op::Identity && v.args[0] == static_cast<int>(a)) return true;
    return false;
  }

  // Where the row begins: in the dense domain (load -1), or in a load.
  int64_t start(int64_t row, int load) const {
    int64_t at = 0;
    for (size_t d = kept_.size(); d-- > 0;) {
      at += row % kept_[d].n * (load < 0 ? kept_[d].dense : kept_[d].strides[load]);
      row /= kept_[d].n;
    }
    return at;
  }
  // Calls `f(first element of the row, count, first element in memory, stride)` for each run of the row.
  template <class F> void runs(int load, size_t dim, int64_t at, int64_t& done, F&& f) const {
    const Dim& d = along_[dim];
    const int64_t stride = load < 0 ? d.dense : d.strides[load];
    if (dim + 1 == along_.size()) {
      f(done, d.n, at, stride);
      done += d.n;
      return;
    }
    for (int64_t i = 0; i < d.n; ++i) runs(load, dim + 1, at + i * stride, done, f);
  }

  // What is the same for all rows of a task.
  void prepare(char* state) const {
    char** value = reinterpret_cast<char**>(state);
    for (size_t v = 0; v < rows_.values.size(); ++v) {
      value[v] = place_[v] < 0 ? nullptr : state + place_[v];
      const RowValue& own = rows_.values[v];
      if (own.kind != RowValue::Step || own.op != Op::Full) continue;
      const uint32_t bits = constantBits(own.dtype, own.value);
      std::memcpy(value[v], &bits, 4);
    }
  }

  // A row, the `nth` of those that are written together.
  void one(const Frame& frame, int64_t row, int64_t nth, char* state) const {
    char** value = reinterpret_cast<char**>(state);
    for (const RowStore& s : streamed_) value[s.value] = state + place_[s.value] + nth * length_ * 4;
    char** next = value + rows_.values.size();
    for (size_t i = 0; i < fetched_.size(); ++i)
      next[i] = frame.memory[fetched_[i].slot] + (fetched_[i].offset + start(std::min(row + 1, count_ - 1), fetched_[i].load)) * 4;
    int64_t load = 0, fetched = 0;
    for (size_t k = 0; k < work_.size(); ++k) {
      const size_t v = work_[k];
      const RowValue& own = rows_.values[v];
      if (direct_[v] >= 0) value[v] = frame.memory[direct_[v]] + start(row, -1) * 4;
      if (own.kind == RowValue::Load) read(frame, row, own, load++, value[v], place_[v] >= 0);
      else if (own.kind == RowValue::Reduction) reduce(own, value, value[v]);
      else compute(own, loops_[v], value, v);
      const int64_t upTo = std::min(length_, fetched + share_);
      for (size_t i = 0; i < fetched_.size(); ++i)
        for (int64_t at = fetched; at < upTo; at += kLine) __builtin_prefetch(next[i] + at * 4, 0, 2);
      fetched = upTo;
    }
    for (const RowStore& s : copied_) write(frame, row, s, value[s.value]);
  }

  void read(const Frame& frame, int64_t row, const RowValue& own, int load, char*& to, bool isCopied) const {
    char* from = frame.memory[own.view.slot] + (own.view.offset + start(row, load)) * 4;
    if (own.perRow) {
      std::memcpy(to, from, 4);
    } else if (!isCopied) {
      to = from;
    } else {
      int64_t done = 0;
      runs(load, 0, 0, done, [&](int64_t first, int64_t n, int64_t at, int64_t stride) {
        vector_.gather(n, to + first * 4, from + at * 4, stride);
      });
    }
  }

  void compute(const RowValue& own, StepLoop loop, char** value, size_t v) const {
    if (own.op == Op::Identity) {
      if (own.perRow) std::memcpy(value[v], value[own.args[0]], 4);
      else value[v] = value[own.args[0]];
    } else {
      char* args[3] = {value[v], value[v], value[v]};
      for (size_t k = 0; k < own.args.size(); ++k) args[k] = value[own.args[k]];
      loop(own.perRow ? 1 : length_, value[v], args[0], args[1], args[2]);
    }
  }

  // Sums in double and int64; a value of the row counts once for each element.
  void reduce(const RowValue& own, char** value, char* to) const {
    const RowValue& from = rows_.values[own.args[0]];
    const Fold fold = own.fold;
    const char* x = value[own.args[0]];
    const int64_t times = from.perRow && fold == Fold::Sum ? length_ : 1;
    if (from.dtype == DType::Float32) {
      double acc = fold == Fold::Sum ? 0 : fold == Fold::Max ? -kInfinity : kInfinity;
      vector_.foldRun(fold, from.dtype, from.perRow ? 1 : length_, x, &acc);
      const float result = static_cast<float>(acc * static_cast<double>(times));
      const float shared = own.divisor == 1 ? result : result / static_cast<float>(own.divisor);
      std::memcpy(to, &shared, 4);
    } else {
      int64_t acc = fold == Fold::Sum ? 0 : fold == Fold::Max ? lowest(from.dtype) : highest(from.dtype);
      vector_.foldRun(fold, from.dtype, from.perRow ? 1 : length_, x, &acc);
      const uint32_t result = static_cast<uint32_t>(static_cast<uint64_t>(acc) * static_cast<uint64_t>(times));
      std::memcpy(to, &result, 4);
    }
  }
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static int64_t lowest(DType t) { return t == DType::Int32 ? std::numeric_limits<int32_t>::min() : 0; }
  static int64_t highest(DType t) {
    return t == DType::Int32 ? std::numeric_limits<int32_t>::max() : int64_t{std::numeric_limits<uint32_t>::max()};
  }

  void write(const Frame& frame, int64_t row, const RowStore& s, const char* from) const {
    char* to = frame.memory[s.slot];
    if (!s.whole) {
      std::memcpy(to + row * 4, from, 4);
      return;
    }
    to += start(row, -1) * 4;
    if (to == from) return;
    const int64_t step = rows_.values[s.value].perRow ? 0 : 1;
    int64_t done = 0;
    runs(-1, 0, 0, done, [&](int64_t first, int64_t n, int64_t at, int64_t) {
      vector_.gather(n, to + at * 4, from + first * step * 4, step);
    });
  }

  const Rows rows_;
  const VectorTable& vector_;
  int64_t count_ = 1, length_ = 1;  // rows, and elements of each
  std::vector<Dim> kept_, along_;
  std::vector<int> last_;           // the last value that reads it, or one beyond the last for what is stored
  std::vector<StepLoop> loops_;
  std::vector<size_t> work_;        // all values but constants
  std::vector<int64_t> place_;      // in a thread's state; -1: read where it lies, or computed in its slot:
  std::vector<int> direct_;         // that slot, or -1
  std::vector<RowStore> streamed_;  // those whose values are written past the caches
  std::vector<RowStore> copied_;    // the others
  std::vector<Fetched> fetched_;
  int64_t share_ = 0;               // elements of the next row that are fetched with each value
  int64_t together_ = 1;            // rows whose results are written together
  int64_t stateBytes_ = 0;
};

}  // namespace

KernelPtr makeRows(const Instruction& i, const Description& program) {
  return std::make_unique<RowKernel>(*i.rows, program);
}

}  // namespace lethe
