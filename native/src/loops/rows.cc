// Work on rows: reductions along the same rows and what is done with their results along these rows (`Rows` in
// engine/program.ts). A task takes a run of rows; each row's values lie in a few blocks of scratch that stay in the second
// level cache, so that what one reduction waits for is there when the next one begins. Rows are few thousand elements
// long at most: the planner sees to it. While one row is computed the next one is fetched, and of results that are larger
// than the caches the one before is written past them: memory and arithmetic take their time together.
#include <algorithm>
#include <cstring>
#include <limits>

#include "loops/plan.h"
#include "loops/row_plan.h"
#include "runtime/kernel.h"

namespace lethe {
namespace {

class RowKernel : public Kernel {
 public:
  RowKernel(const Rows& rows, const Description& program) : plan_(rows, program), vector_(vectors()) {}

  WorkspaceSize workspace(int) const override { return {0, static_cast<size_t>(plan_.stateBytes)}; }
  double cost() const override { return static_cast<double>(plan_.count * each()); }
  std::string describe() const override { return plan_.describe(); }

  void run(const Frame& frame) const override {
    if (plan_.count == 0 || plan_.length == 0) return;
    forRanges(frame.pool, plan_.count, std::max<int64_t>(1, 4 * kGrain / each()), [&](int64_t begin, int64_t end, int thread) {
      Task task{frame, frame.workspace.of(thread), begin, 0, 0};
      prepare(task);
      for (int64_t row = begin; row < end; ++row) one(task, row);
      stream(task, (end - begin) * plan_.length);
    });
  }

 private:
  struct Task {
    const Frame& frame;
    char* state;
    int64_t begin;     // its first row
    int64_t streamed;  // elements of each result that were written past the caches,
    int64_t inRing;    // and where the next one lies
    char** value() const { return reinterpret_cast<char**>(state); }
    char** next(const RowPlan& plan) const { return value() + plan.rows.values.size(); }
  };
  int64_t each() const { return std::max<int64_t>(1, plan_.length * static_cast<int64_t>(plan_.rows.values.size())); }

  // What is the same for all rows of a task.
  void prepare(const Task& task) const {
    for (size_t v = 0; v < plan_.rows.values.size(); ++v) {
      char* at = task.value()[v] = plan_.place[v] < 0 ? nullptr : task.state + plan_.place[v];
      const RowValue& own = plan_.rows.values[v];
      if (own.kind != RowValue::Step || own.op != Op::Full) continue;
      const uint32_t bits = constantBits(own.dtype, own.value);
      std::memcpy(at, &bits, 4);
    }
  }

  // Addresses of a row: of its results on their way, and of what the next row reads.
  void enter(const Task& task, int64_t row) const {
    char **value = task.value(), **next = task.next(plan_);
    const int64_t inRing = (row - task.begin) % plan_.ring * plan_.length;
    for (const RowStore& s : plan_.streamed) value[s.value] = task.state + plan_.place[s.value] + inRing * 4;
    for (size_t i = 0; i < plan_.fetched.size(); ++i) {
      const RowPlan::Fetched& f = plan_.fetched[i];
      next[i] = task.frame.memory[f.slot] + (f.offset + plan_.start(std::min(row + 1, plan_.count - 1), f.load)) * 4;
    }
  }

  // Fetches a share of what the next row reads; up to which element is then fetched.
  int64_t fetch(const Task& task, int64_t from) const {
    const int64_t to = std::min(plan_.length, from + plan_.share);
    for (size_t i = 0; i < plan_.fetched.size(); ++i)
      for (int64_t at = from; at < to; at += RowPlan::kLine) __builtin_prefetch(task.next(plan_)[i] + at * 4, 0, 3);
    return to;
  }

  void one(Task& task, int64_t row) const {
    char** value = task.value();
    enter(task, row);
    const int64_t before = (row - task.begin) * plan_.length;
    int load = 0;
    int64_t fetched = 0;
    for (size_t v : plan_.work) {
      const RowValue& own = plan_.rows.values[v];
      if (plan_.direct[v] >= 0) value[v] = task.frame.memory[plan_.direct[v]] + plan_.start(row, -1) * 4;
      if (own.kind == RowValue::Load) read(task.frame, row, own, load++, value[v], plan_.place[v] >= 0);
      else if (own.kind == RowValue::Reduction) reduce(own, value, value[v]);
      else compute(own, plan_.loops[v], value, v);
      if (own.kind == RowValue::Step && own.perRow) continue;
      fetched = fetch(task, fetched);
      stream(task, wholeLinesTo(task, std::min(before, task.streamed + plan_.share)));
    }
    for (const RowStore& s : plan_.copied) write(task.frame, row, s, value[s.value]);
  }

  // The largest count of a task's elements, up to `count`, that ends with a line of the cache.
  int64_t wholeLinesTo(const Task& task, int64_t count) const {
    const int64_t first = task.begin * plan_.length;
    return (first + count) / RowPlan::kLine * RowPlan::kLine - first;
  }
  // Writes a task's results past the caches until so many elements of each are written.
  void stream(Task& task, int64_t upTo) const {
    if (plan_.streamed.empty() || upTo <= task.streamed) return;
    const int64_t ring = plan_.ring * plan_.length;
    for (const RowStore& s : plan_.streamed) {
      float* to = reinterpret_cast<float*>(task.frame.memory[s.slot]) + task.begin * plan_.length;
      const float* from = reinterpret_cast<const float*>(task.state + plan_.place[s.value]);
      for (int64_t at = task.streamed, in = task.inRing; at < upTo; in = 0) {
        const int64_t n = std::min(upTo - at, ring - in);
        vector_.stream(n, to + at, from + in);
        at += n;
      }
    }
    task.inRing = (task.inRing + upTo - task.streamed) % ring;
    task.streamed = upTo;
  }

  void read(const Frame& frame, int64_t row, const RowValue& own, int load, char*& to, bool isCopied) const {
    char* from = frame.memory[own.view.slot] + (own.view.offset + plan_.start(row, load)) * 4;
    if (own.perRow) {
      std::memcpy(to, from, 4);
    } else if (!isCopied) {
      to = from;
    } else {
      int64_t done = 0;
      plan_.runs(load, 0, 0, done, [&](int64_t first, int64_t n, int64_t at, int64_t stride) {
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
      loop(own.perRow ? 1 : plan_.length, value[v], args[0], args[1], args[2]);
    }
  }

  // Sums in double and int64; a value of the row counts once for each element.
  void reduce(const RowValue& own, char** value, char* to) const {
    const RowValue& from = plan_.rows.values[own.args[0]];
    const Fold fold = own.fold;
    const char* x = value[own.args[0]];
    const int64_t times = from.perRow && fold == Fold::Sum ? plan_.length : 1;
    if (from.dtype == DType::Float32) {
      double acc = fold == Fold::Sum ? 0 : fold == Fold::Max ? -kInfinity : kInfinity;
      vector_.foldRun(fold, from.dtype, from.perRow ? 1 : plan_.length, x, &acc);
      const float result = static_cast<float>(acc * static_cast<double>(times));
      const float shared = own.divisor == 1 ? result : result / static_cast<float>(own.divisor);
      std::memcpy(to, &shared, 4);
    } else {
      int64_t acc = fold == Fold::Sum ? 0 : fold == Fold::Max ? lowest(from.dtype) : highest(from.dtype);
      vector_.foldRun(fold, from.dtype, from.perRow ? 1 : plan_.length, x, &acc);
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
    to += plan_.start(row, -1) * 4;
    if (to == from) return;
    const int64_t step = plan_.rows.values[s.value].perRow ? 0 : 1;
    int64_t done = 0;
    plan_.runs(-1, 0, 0, done, [&](int64_t first, int64_t n, int64_t at, int64_t) {
      vector_.gather(n, to + at * 4, from + first * step * 4, step);
    });
  }

  const RowPlan plan_;
  const VectorTable& vector_;
};

}  // namespace

KernelPtr makeRows(const Instruction& i, const Description& program) {
  return std::make_unique<RowKernel>(*i.rows, program);
}

}  // namespace lethe
