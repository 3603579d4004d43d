// Bodies with reductions. The blocks of the domain form a grid; its cells along
// kept axes own results, its cells along reduced axes are folded into them in order. How the grid is cut into tasks
// depends on shapes only, and partial results are joined in a fixed order: the bits do not depend on the threads.
#include <algorithm>
#include <cstring>
#include <limits>

#include "loops/body.h"

namespace lethe {
namespace {

constexpr int64_t kMostTasks = 64;
constexpr int64_t kTaskElements = 65536;
constexpr int64_t kMostAccumulators = 8192;  // of one task and one reduction: 64 KB

int64_t identityBits(Fold op, DType type) {
  const bool max = op == Fold::Max;
  if (op == Fold::Sum || op == Fold::Moments) return 0;  // also the bits of 0.0
  if (type != DType::Float32) {
    if (type == DType::Uint32) return max ? 0 : std::numeric_limits<uint32_t>::max();
    return max ? std::numeric_limits<int32_t>::min() : std::numeric_limits<int32_t>::max();
  }
  const double v = max ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  int64_t bits;
  std::memcpy(&bits, &v, 8);
  return bits;
}

class ReductionKernel : public Kernel {
 public:
  ReductionKernel(const Body& body, const Description& program) : plan_(body, program, BodyPlan::Role::Pass), vector_(vectors()) {
    for (const auto& f : plan_.folds) {
      require(f.op != Fold::Moments || f.dtype == DType::Float32, "moments need float32");
      width_ += f.op == Fold::Moments ? 2 : 1;
    }
    kept_.resize(plan_.dims.size());
    for (size_t d = plan_.dims.size(); d-- > 0;) {
      kept_[d] = results_;
      (plan_.dims[d].reduced ? reduced_ : results_) *= plan_.dims[d].n;
      if (plan_.dims[d].reduced && innermost_ == 0) innermost_ = d + 1;
    }
    if (plan_.size > 0) cut();
  }

  WorkspaceSize workspace(int) const override {
    if (plan_.size == 0) return {};
    const size_t partial = parts_ > 1 ? static_cast<size_t>(parts_ * width_ * groups_ * group_ * m_) * 8 : 0;
    return {partial, accumulatorsAt() + static_cast<size_t>(width_ * group_ * m_) * 8};
  }
  double cost() const override { return plan_.size * (plan_.cost + 1); }
  std::string describe() const override { return lethe::describe(plan_); }

  void run(const RunContext& context) const override {
    if (plan_.size == 0) return empty(context);
    const BoundBody bound(plan_, context, 0);
    const int64_t each = width_ * group_ * m_;
    context.pool.run(groups_ * parts_, [&](int64_t task, int thread) {
      const int64_t group = task / parts_, part = task % parts_;
      char* acc = context.workspace.of(thread) + accumulatorsAt();
      fold(bound, thread, group, part, acc);
      if (parts_ == 1) finish(context, group, acc);
      else std::memcpy(context.workspace.shared + task * each * 8, acc, static_cast<size_t>(each) * 8);
    });
    if (parts_ == 1) return;
    context.pool.run(groups_, [&](int64_t group, int) {
      char* first = context.workspace.shared + group * parts_ * each * 8;
      for (int64_t part = 1; part < parts_; ++part) join(first, first + part * each * 8, part);
      finish(context, group, first);
    });
  }

 private:
  size_t accumulatorsAt() const { return wholeLines(plan_.stateBytes); }

  void cut() {
    const auto& dims = plan_.dims;
    const size_t s = plan_.split;
    chunks_ = divideUp(dims[s].n, plan_.chunk);
    for (size_t d = 0; d <= s; ++d) (dims[d].reduced ? steps_ : cells_) *= d == s ? chunks_ : dims[d].n;
    m_ = 1;
    for (size_t d = s; d < dims.size(); ++d) {
      const int64_t n = d == s ? plan_.chunk : dims[d].n;
      (dims[d].reduced ? blockReduced_ : m_) *= n;
    }
    const int64_t wanted = std::clamp<int64_t>(plan_.size / kTaskElements, 1, kMostTasks);
    group_ = std::min(divideUp(cells_, wanted), std::max<int64_t>(1, kMostAccumulators / m_));
    groups_ = divideUp(cells_, group_);
    parts_ = groups_ >= wanted ? 1 : std::min(steps_, divideUp(wanted, groups_));
    perPart_ = divideUp(steps_, parts_);
    parts_ = divideUp(steps_, perPart_);
    keptInside_ = !dims[s].reduced;
  }

  // How many reduced elements precede step r.
  double before(int64_t r) const {
    const auto& split = plan_.dims[plan_.split];
    if (!split.reduced) return static_cast<double>(r * blockReduced_);
    const int64_t inner = blockReduced_ / plan_.chunk;
    return static_cast<double>(((r / chunks_) * split.n + std::min((r % chunks_) * plan_.chunk, split.n)) * inner);
  }

  // Coordinates of kept cell g and reduced step r; returns the rows of the block.
  int64_t place(const BoundBody::State& s, int64_t g, int64_t r) const {
    for (size_t d = plan_.split + 1; d-- > 0;) {
      const auto& dim = plan_.dims[d];
      const int64_t n = d == plan_.split ? chunks_ : dim.n;
      int64_t& from = dim.reduced ? r : g;
      s.coordinate[d] = from % n;
      from /= n;
    }
    int64_t& c = s.coordinate[plan_.split];
    c *= plan_.chunk;
    return std::min(plan_.chunk, plan_.dims[plan_.split].n - c);
  }

  void fold(const BoundBody& bound, int thread, int64_t group, int64_t part, char* acc) const {
    reset(acc);
    const BoundBody::State s = bound.state(thread);
    const size_t rank = plan_.dims.size();
    for (size_t d = 0; d < rank; ++d) s.coordinate[d] = 0;
    const int64_t g0 = group * group_, g1 = std::min(g0 + group_, cells_);
    const int64_t r0 = part * perPart_, r1 = std::min(r0 + perPart_, steps_);
    const double base = before(r0);
    auto one = [&](int64_t g, int64_t r) {
      const int64_t rows = place(s, g, r);
      int64_t position = 0;
      for (size_t d = 0; d <= plan_.split; ++d) position += s.coordinate[d] * plan_.dims[d].stride;
      bound.block(s, position, rows, rows * plan_.inner, nullptr);
      char* a = acc + (g - g0) * m_ * 8;
      for (const auto& f : plan_.folds) {
        axis(f, plan_.split, rows, s.value[f.value], a, before(r) - base);
        a += (f.op == Fold::Moments ? 2 : 1) * group_ * m_ * 8;
      }
    };
    // Walk in the order of memory.
    if (keptInside_) {
      for (int64_t r = r0; r < r1; ++r)
        for (int64_t g = g0; g < g1; ++g) one(g, r);
    } else {
      for (int64_t g = g0; g < g1; ++g)
        for (int64_t r = r0; r < r1; ++r) one(g, r);
    }
  }

  // Folds one axis of a block, n of its indices, the axes inside it by recursion. Those inside the innermost reduced axis lie
  // one after another, in the block as in the results.
  void axis(const BodyPlan::Folded& f, size_t d, int64_t n, const char* x, char* acc, double seen) const {
    const auto& dims = plan_.dims;
    const size_t last = dims.size() - 1;
    if (d >= innermost_) return rows(f, 1, n * dims[d].stride, x, acc, seen);
    if (d + 1 == innermost_) return d == last ? run(f, n, x, acc, seen) : rows(f, n, dims[d].stride, x, acc, seen);
    double inside = 1;
    for (size_t k = d + 1; k <= last; ++k) inside *= dims[k].reduced ? static_cast<double>(dims[k].n) : 1.0;
    for (int64_t i = 0; i < n; ++i) {
      axis(f, d + 1, dims[d + 1].n, x, acc, seen);
      x += dims[d].stride * 4;
      if (dims[d].reduced) seen += inside;
      else acc += kept_[d] * 8;
    }
  }
  void run(const BodyPlan::Folded& f, int64_t n, const char* x, char* acc, double seen) const {
    if (f.op != Fold::Moments) return vector_.foldRun(f.op, f.dtype, n, x, acc);
    double* mean = reinterpret_cast<double*>(acc);
    vector_.momentsRun(n, reinterpret_cast<const float*>(x), seen, mean, mean + group_ * m_);
  }
  void rows(const BodyPlan::Folded& f, int64_t count, int64_t n, const char* x, char* acc, double seen) const {
    if (f.op != Fold::Moments) return vector_.foldRows(f.op, f.dtype, count, n, n, x, acc);
    double* mean = reinterpret_cast<double*>(acc);
    vector_.momentsRows(count, n, n, reinterpret_cast<const float*>(x), seen, mean, mean + group_ * m_);
  }

  void reset(char* acc) const {
    int64_t* a = reinterpret_cast<int64_t*>(acc);
    for (const auto& f : plan_.folds) {
      const int64_t n = (f.op == Fold::Moments ? 2 : 1) * group_ * m_, bits = identityBits(f.op, f.dtype);
      std::fill(a, a + n, bits);
      a += n;
    }
  }

  template <class T> static void joinAs(Fold op, int64_t n, T* to, const T* from) {
    for (int64_t i = 0; i < n; ++i) {
      if (op == Fold::Sum) to[i] += from[i];
      else if (op == Fold::Max) to[i] = (from[i] > to[i] || from[i] != from[i]) ? from[i] : to[i];
      else to[i] = (from[i] < to[i] || from[i] != from[i]) ? from[i] : to[i];
    }
  }
  void join(char* to, const char* from, int64_t part) const {
    const int64_t n = group_ * m_;
    for (const auto& f : plan_.folds) {
      if (f.op == Fold::Moments) {
        const double seen = before(part * perPart_), more = before(std::min((part + 1) * perPart_, steps_)) - seen;
        double* a = reinterpret_cast<double*>(to);
        const double* b = reinterpret_cast<const double*>(from);
        for (int64_t i = 0; i < n; ++i) {
          const double delta = b[i] - a[i], all = seen + more;
          a[i] += delta * (more / all);
          a[n + i] += b[n + i] + delta * delta * (seen * more / all);
        }
      } else if (f.dtype == DType::Float32) {
        joinAs(f.op, n, reinterpret_cast<double*>(to), reinterpret_cast<const double*>(from));
      } else {
        joinAs(f.op, n, reinterpret_cast<int64_t*>(to), reinterpret_cast<const int64_t*>(from));
      }
      to += (f.op == Fold::Moments ? 2 : 1) * n * 8;
      from += (f.op == Fold::Moments ? 2 : 1) * n * 8;
    }
  }

  static void put(DType type, int64_t n, const char* acc, double factor, char* out) {
    for (int64_t i = 0; i < n; ++i) {
      if (type == DType::Float32) reinterpret_cast<float*>(out)[i] = static_cast<float>(reinterpret_cast<const double*>(acc)[i] * factor);
      else reinterpret_cast<uint32_t*>(out)[i] = static_cast<uint32_t>(reinterpret_cast<const int64_t*>(acc)[i]);
    }
  }
  // Lanes that belong to one result are joined in the order in which they lie; each has as many elements.
  template <class T> void joinLanes(Fold op, int64_t n, T* a, double seen) const {
    const int64_t lanes = plan_.lanes, second = group_ * m_;
    for (int64_t i = 0; i < n; i += lanes) {
      T* to = a + i / lanes;
      if (op == Fold::Moments) {
        double mean = 0, m2 = 0;
        for (int64_t k = 0; k < lanes; ++k) mean += static_cast<double>(a[i + k]);
        mean /= static_cast<double>(lanes);
        for (int64_t k = 0; k < lanes; ++k) {
          const double delta = static_cast<double>(a[i + k]) - mean;
          m2 += static_cast<double>(a[second + i + k]) + seen * delta * delta;
        }
        to[0] = static_cast<T>(mean);
        to[second] = static_cast<T>(m2);
        continue;
      }
      T all = a[i];
      for (int64_t k = 1; k < lanes; ++k) joinAs(op, 1, &all, a + i + k);
      to[0] = all;
    }
  }
  void finish(const RunContext& context, int64_t group, char* acc) const {
    const int64_t g0 = group * group_, g1 = std::min(g0 + group_, cells_);
    for (const auto& f : plan_.folds) {
      for (int64_t g = g0; g < g1; ++g) {
        int64_t at = 0, n = m_, rest = g;
        for (size_t d = plan_.split + 1; d-- > 0;) {
          const auto& dim = plan_.dims[d];
          if (dim.reduced) continue;
          const bool cutHere = d == plan_.split;
          const int64_t cells = cutHere ? chunks_ : dim.n, c = (rest % cells) * (cutHere ? plan_.chunk : 1);
          rest /= cells;
          at += c * kept_[d];
          if (cutHere) n = std::min(plan_.chunk, dim.n - c) * kept_[d];
        }
        char* a = acc + (g - g0) * m_ * 8;
        const int64_t lanes = plan_.lanes;
        if (lanes > 1 && f.dtype == DType::Float32) joinLanes(f.op, n, reinterpret_cast<double*>(a), static_cast<double>(reduced_));
        else if (lanes > 1) joinLanes(f.op, n, reinterpret_cast<int64_t*>(a), 0.0);
        n /= lanes;
        at /= lanes;
        put(f.dtype, n, a, 1.0, context.memory[f.slot] + at * 4);
        if (f.op == Fold::Moments)
          put(f.dtype, n, a + group_ * m_ * 8, 1.0 / static_cast<double>(reduced_ * lanes), context.memory[f.second] + at * 4);
      }
      acc += (f.op == Fold::Moments ? 2 : 1) * group_ * m_ * 8;
    }
  }

  void empty(const RunContext& context) const {
    for (const auto& f : plan_.folds) {
      const int64_t bits = identityBits(f.op, f.dtype);
      double nan = std::numeric_limits<double>::quiet_NaN();
      const char* from = f.op == Fold::Moments ? reinterpret_cast<const char*>(&nan) : reinterpret_cast<const char*>(&bits);
      for (int64_t i = 0; i < results_ / plan_.lanes; ++i) {
        put(f.dtype, 1, from, 1.0, context.memory[f.slot] + i * 4);
        if (f.second >= 0) put(f.dtype, 1, from, 1.0, context.memory[f.second] + i * 4);
      }
    }
  }

  BodyPlan plan_;
  const VectorTable& vector_;
  int64_t width_ = 0;                        // accumulators per result
  int64_t results_ = 1, reduced_ = 1;        // results (lanes of them), and elements folded into each
  size_t innermost_ = 0;                     // one more than the innermost reduced axis
  std::vector<int64_t> kept_;                // strides of the kept axes in the result
  int64_t chunks_ = 1, cells_ = 1, steps_ = 1;  // of the split axis; grid cells along kept and reduced axes
  int64_t m_ = 1, blockReduced_ = 1;         // results a block touches, and elements it folds into each
  int64_t group_ = 1, groups_ = 1;           // kept cells a task owns, and how many such groups there are
  int64_t perPart_ = 1, parts_ = 1;          // reduced steps a task takes
  bool keptInside_ = false;
};

}  // namespace

KernelPtr makeFold(const Body& body, const Description& program) {
  for (const Reduction& r : body.reductions)
    require(r.axes == body.reductions[0].axes, "the reductions of a body have different axes");
  return std::make_unique<ReductionKernel>(body, program);
}

}  // namespace lethe
