// Work on rows: reductions along the same rows and what is done with their results along these rows (`Rows` in
// engine/program.ts). A task takes a run of rows and computes a batch of them at a time, value by value, in blocks of
// scratch that stay in the second level cache: what one reduction waits for is there when the next one begins, and what is
// one value for each row is computed for all of the batch at once. Rows are few thousand elements long at most: the planner
// sees to it. While one batch is computed the next one is fetched, and of results that are larger than the caches the one
// before is written past them: memory and arithmetic take their time together.
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

  WorkspaceSize workspace(int) const override {
    return {static_cast<size_t>(tasks() * sums()) * sizeof(double), static_cast<size_t>(plan_.stateBytes)};
  }
  double cost() const override { return static_cast<double>(plan_.count * each()); }
  std::string describe() const override { return plan_.describe(); }

  void run(const RunContext& context) const override {
    if (plan_.length == 0) return;
    double* const shares = reinterpret_cast<double*>(context.workspace.shared);
    const int64_t rowsOfTask = grain(), width = sums();
    forRanges(context.pool, plan_.count, rowsOfTask, [&](int64_t begin, int64_t end, int thread) {
      double* const share = shares + begin / rowsOfTask * width;
      std::fill_n(share, width, 0.0);
      Task task{context, context.workspace.of(thread), share, begin, 0, 0, 0, 0};
      prepare(task);
      for (int64_t row = begin; row < end;) {
        const int64_t rows = plan_.rowsFrom(row, end - row);
        compute(task, row, rows);
        row += rows;
      }
      stream(task, task.made);
    });
    addUp(context, shares);
  }

 private:
  struct Task {
    const RunContext& context;
    char* state;
    double* columns;   // its share of the sums over the rows
    int64_t begin;     // its first row
    // Elements of each result in the batches that are computed, and in the latest of them; how many were written past the
    // caches; which of its two blocks the batch that is computed goes to.
    int64_t made, latest, streamed, half;
    char** value() const { return reinterpret_cast<char**>(state); }
    char** next(const RowPlan& plan) const { return value() + plan.rows.values.size(); }
  };
  // Rows of a task: enough work, and with sums over the rows few tasks, each of which has a share of them.
  int64_t grain() const {
    const int64_t enough = std::max<int64_t>(1, 8 * kGrain / each());
    return roundUp(plan_.rows.columns.empty() ? enough : std::max(enough, divideUp(plan_.count, kMostShares)), plan_.batch);
  }
  int64_t tasks() const { return divideUp(plan_.count, grain()); }
  // Elements of a task's share.
  int64_t sums() const { return static_cast<int64_t>(plan_.rows.columns.size()) * plan_.length; }
  static constexpr int64_t kMostShares = 64;

  // Joins the shares of all tasks, in their order.
  void addUp(const RunContext& context, const double* shares) const {
    const int64_t width = sums(), count = tasks();
    forRanges(context.pool, width, kGrain / kMostShares, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        double total = 0;
        for (int64_t t = 0; t < count; ++t) total += shares[t * width + i];
        context.at(plan_.rows.columns[static_cast<size_t>(i / plan_.length)].slot)[i % plan_.length] = static_cast<float>(total);
      }
    });
  }

  int64_t each() const { return std::max<int64_t>(1, plan_.length * static_cast<int64_t>(plan_.rows.values.size())); }

  // What is the same for all rows of a task: constants stand once for each row of a batch.
  void prepare(const Task& task) const {
    for (size_t v = 0; v < plan_.rows.values.size(); ++v) {
      char* at = task.value()[v] = plan_.place[v] < 0 ? nullptr : task.state + plan_.place[v];
      const RowValue& own = plan_.rows.values[v];
      if (own.kind != RowValue::Step || own.op != Op::Full) continue;
      const uint32_t bits = constantBits(own.dtype, own.value);
      vector_.gather(plan_.batch, at, &bits, 0);
    }
  }

  // The block of a result on its way, of the batch that is computed or of the one before.
  float* block(const Task& task, const RowStore& s, int64_t half) const {
    return reinterpret_cast<float*>(task.state + plan_.place[s.value] + half * plan_.halfBytes()) + RowPlan::kLine;
  }

  // Addresses of a batch: of its results, and of what the next batch reads.
  void enter(const Task& task, int64_t row, int64_t rows) const {
    char **value = task.value(), **next = task.next(plan_);
    for (const RowStore& s : plan_.streamed) value[s.value] = reinterpret_cast<char*>(block(task, s, task.half));
    for (const RowStore& s : plan_.copied)
      if (plan_.direct[s.value] == s.slot) value[s.value] = task.context.memory[s.slot] + plan_.start(row, -1) * 4;
    for (size_t i = 0; i < plan_.fetched.size(); ++i) {
      const RowPlan::Fetched& f = plan_.fetched[i];
      next[i] = task.context.memory[f.slot] + (f.offset + plan_.start(std::min(row + rows, plan_.count - 1), f.load)) * 4;
    }
  }

  // Fetches a share of what the next batch reads; up to which element is then fetched.
  int64_t fetch(const Task& task, int64_t from, int64_t most) const {
    const int64_t to = std::min(most, from + plan_.share);
    for (size_t i = 0; i < plan_.fetched.size(); ++i)
      for (int64_t at = from; at < to; at += RowPlan::kLine) __builtin_prefetch(task.next(plan_)[i] + at * 4, 0, 3);
    return to;
  }

  void compute(Task& task, int64_t row, int64_t rows) const {
    char** value = task.value();
    enter(task, row, rows);
    const int64_t elements = rows * plan_.length, following = std::min(plan_.batch, plan_.count - row - rows) * plan_.length;
    int64_t fetched = 0;
    for (const RowPlan::Work& w : plan_.work) {
      const RowValue& own = plan_.rows.values[w.values[0]];
      if (!w.chain.empty()) chain(rows, w, value);
      else if (own.kind == RowValue::Load) read(task.context, row, rows, w.values[0], value[w.values[0]]);
      else if (own.kind == RowValue::Reduction) reduce(rows, own, value, value[w.values[0]]);
      else step(rows, w, value);
      if (!w.elements) continue;
      fetched = fetch(task, fetched, following);
      stream(task, wholeLinesTo(task, std::min(task.made, task.streamed + plan_.share)));
    }
    for (size_t k = 0; k < plan_.rows.columns.size(); ++k) {
      const int v = plan_.rows.columns[k].value;
      vector_.foldRows(Fold::Sum, DType::Float32, rows, plan_.length, plan_.step[v], value[v], task.columns + static_cast<int64_t>(k) * plan_.length);
    }
    for (const RowStore& s : plan_.copied) write(task.context, row, rows, s, value[s.value]);
    handOver(task, elements);
  }

  // The largest count of a task's elements, up to `count`, that ends with a line of the cache.
  int64_t wholeLinesTo(const Task& task, int64_t count) const {
    const int64_t first = task.begin * plan_.length;
    return (first + count) / RowPlan::kLine * RowPlan::kLine - first;
  }
  // Writes a task's results past the caches until so many elements of each are written.
  void stream(Task& task, int64_t upTo) const {
    if (upTo <= task.streamed) return;
    for (const RowStore& s : plan_.streamed) {
      float* to = reinterpret_cast<float*>(task.context.memory[s.slot]) + task.begin * plan_.length;
      vector_.stream(upTo - task.streamed, to + task.streamed, unstreamed(task, s));
    }
    task.streamed = upTo;
  }
  // What was computed of a result and is not written yet.
  float* unstreamed(const Task& task, const RowStore& s) const {
    return block(task, s, 1 - task.half) + task.streamed - (task.made - task.latest);
  }
  // A batch is computed: its results are next to be written. What is left of the one before goes in front of them, for a line
  // of the cache is written as a whole.
  void handOver(Task& task, int64_t elements) const {
    if (plan_.streamed.empty()) return;
    stream(task, wholeLinesTo(task, task.made));
    for (const RowStore& s : plan_.streamed) {
      const int64_t left = task.made - task.streamed;
      std::memcpy(block(task, s, task.half) - left, unstreamed(task, s), left * 4);
    }
    task.made += elements;
    task.latest = elements;
    task.half = 1 - task.half;
  }

  void read(const RunContext& context, int64_t row, int64_t rows, int v, char*& to) const {
    const View& view = plan_.rows.values[v].view;
    const int load = plan_.loads[v];
    char* from = context.memory[view.slot] + (view.offset + plan_.start(row, load)) * 4;
    const int64_t apart = plan_.kept.empty() ? 0 : plan_.kept.back().strides[load];
    if (plan_.rows.values[v].perRow) {
      vector_.gather(rows, to, from, apart);
    } else if (plan_.place[v] < 0) {
      to = from;
    } else {
      int64_t done = 0;
      for (int64_t r = 0; r < rows; ++r)
        plan_.runs(load, 0, r * apart, done, [&](int64_t first, int64_t n, int64_t at, int64_t stride) {
          vector_.gather(n, to + first * 4, from + at * 4, stride);
        });
    }
  }

  void step(int64_t rows, const RowPlan::Work& w, char** value) const {
    const int v = w.values[0];
    const RowValue& own = plan_.rows.values[v];
    char*& to = value[v];
    if (own.op == Op::Identity) {
      if (own.perRow) std::memcpy(to, value[own.args[0]], rows * 4);
      else to = value[own.args[0]];
      return;
    }
    char* args[3] = {to, to, to};
    int64_t apart[3] = {0, 0, 0};
    for (size_t k = 0; k < own.args.size(); ++k) args[k] = value[own.args[k]], apart[k] = plan_.step[own.args[k]] * 4;
    if (w.together) {
      w.loop(own.perRow ? rows : rows * plan_.length, to, args[0], args[1], args[2]);
      return;
    }
    for (int64_t r = 0; r < rows; ++r)
      w.loop(plan_.length, to + r * plan_.step[v] * 4, args[0] + r * apart[0], args[1] + r * apart[1], args[2] + r * apart[2]);
  }

  void chain(int64_t rows, const RowPlan::Work& w, char** value) const {
    const std::vector<Link>& links = w.chain.links;
    char* at[Chain::kMostBlocks];
    const size_t count = w.chain.values.size();
    for (size_t k = 0; k < count; ++k) at[k] = value[w.chain.values[k]];
    if (w.together) {
      vector_.chain(links.data(), links.size(), rows * plan_.length, at, 0, nullptr);
      return;
    }
    for (int64_t r = 0; r < rows; ++r) {
      double sums[kMostSums];
      vector_.chain(links.data(), links.size(), plan_.length, at, w.sums.size(), sums);
      for (size_t s = 0; s < w.sums.size(); ++s) {
        const float shared = divided(sums[s], plan_.rows.values[w.sums[s]]);
        std::memcpy(value[w.sums[s]] + r * 4, &shared, 4);
      }
      for (size_t k = 0; k < count; ++k) at[k] += plan_.step[w.chain.values[k]] * 4;
    }
  }
  static float divided(double total, const RowValue& own) {
    const float result = static_cast<float>(total);
    return own.divisor == 1 ? result : result / static_cast<float>(own.divisor);
  }

  void reduce(int64_t rows, const RowValue& own, char** value, char* to) const {
    const RowValue& from = plan_.rows.values[own.args[0]];
    for (int64_t r = 0; r < rows; ++r) {
      const uint32_t total = reduced(own, from, value[own.args[0]] + r * plan_.step[own.args[0]] * 4);
      std::memcpy(to + r * 4, &total, 4);
    }
  }
  // Sums in double and int64; a value of the row counts once for each element.
  uint32_t reduced(const RowValue& own, const RowValue& from, const char* x) const {
    const Fold fold = own.fold;
    const int64_t times = from.perRow && fold == Fold::Sum ? plan_.length : 1;
    if (from.dtype == DType::Float32) {
      double acc = fold == Fold::Sum ? 0 : fold == Fold::Max ? -kInfinity : kInfinity;
      vector_.foldRun(fold, from.dtype, from.perRow ? 1 : plan_.length, x, &acc);
      const float shared = divided(acc * static_cast<double>(times), own);
      uint32_t bits;
      std::memcpy(&bits, &shared, 4);
      return bits;
    }
    int64_t acc = fold == Fold::Sum ? 0 : fold == Fold::Max ? lowest(from.dtype) : highest(from.dtype);
    vector_.foldRun(fold, from.dtype, from.perRow ? 1 : plan_.length, x, &acc);
    return static_cast<uint32_t>(static_cast<uint64_t>(acc) * static_cast<uint64_t>(times));
  }
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static int64_t lowest(DType t) { return t == DType::Int32 ? std::numeric_limits<int32_t>::min() : 0; }
  static int64_t highest(DType t) {
    return t == DType::Int32 ? std::numeric_limits<int32_t>::max() : int64_t{std::numeric_limits<uint32_t>::max()};
  }

  void write(const RunContext& context, int64_t row, int64_t rows, const RowStore& s, const char* from) const {
    char* to = context.memory[s.slot];
    if (!s.whole) {
      std::memcpy(to + row * 4, from, rows * 4);
      return;
    }
    to += plan_.start(row, -1) * 4;
    if (to == from) return;
    const int64_t stride = plan_.rows.values[s.value].perRow ? 0 : 1;
    for (int64_t r = 0; r < rows; ++r) {
      const char* own = from + r * plan_.step[s.value] * 4;
      int64_t done = 0;
      plan_.runs(-1, 0, plan_.kept.empty() ? 0 : r * plan_.kept.back().dense, done, [&](int64_t first, int64_t n, int64_t at, int64_t) {
        vector_.gather(n, to + at * 4, own + first * stride * 4, stride);
      });
    }
  }

  const RowPlan plan_;
  const VectorTable& vector_;
};

}  // namespace

KernelPtr makeRows(const Instruction& i, const Description& program) {
  return std::make_unique<RowKernel>(*i.rows, program);
}

}  // namespace lethe
