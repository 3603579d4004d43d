// `gather`, `scatter`, `gatherAlong`, `scatterAlong`. Scatters are deterministic: threads own disjoint parts of the
// result and every element receives its updates in the order of the operand.
#include <algorithm>
#include <cstring>
#include <limits>

#include "runtime/kernel.h"
#include "runtime/sizes.h"

namespace lethe {
namespace {

uint32_t missing(DType type) {  // what a gather yields out of range
  const float nan = std::numeric_limits<float>::quiet_NaN();
  uint32_t bits = 0;
  if (type == DType::Float32) std::memcpy(&bits, &nan, 4);
  return bits;
}
template <class F> void numeric(DType type, F&& f) {  // integers wrap, so unsigned serves for both
  if (type == DType::Float32) f(float{});
  else f(uint32_t{});
}

class Gather : public Kernel {
 public:
  explicit Gather(const Instruction& i)
      : x_(i.input(0)), at_(i.input(1)), y_(i.output(0)), around_(x_.shape, i.number(Param::Axis)) {
    require(isProduct(y_.size, {around_.outer, at_.size, around_.inner}), "gather's result has the wrong size");
  }
  double cost() const override { return y_.size * 2; }
  void run(const RunContext& f) const override {
    const uint32_t* x = f.at<const uint32_t>(x_.slot);
    const int32_t* at = f.at<const int32_t>(at_.slot);
    uint32_t* y = f.at<uint32_t>(y_.slot);
    const int64_t n = around_.axis, inner = around_.inner, m = at_.size;
    const uint32_t none = missing(x_.dtype);
    if (y_.size == 0) return;
    forRanges(f.pool, around_.outer * m, kGrain / (2 * inner) + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t k = at[r % m];
        uint32_t* to = y + r * inner;
        if (k < 0 || k >= n) std::fill(to, to + inner, none);
        else if (inner == 1) *to = x[r / m * n + k];
        else std::memcpy(to, x + (r / m * n + k) * inner, static_cast<size_t>(inner) * 4);
      }
    });
  }

 private:
  const Operand x_, at_, y_;
  const Around around_;
};

// How the result of a scatter is divided: by outer index, then by columns, then by rows; each part looks at all the
// updates that could concern it.
struct Parts {
  int64_t columns, columnParts, rows, rowParts;
  Parts(const Around& a, double work, int threads) {
    const int64_t wanted = work < 2 * kGrain ? 1 : 4 * threads;
    const int64_t perOuter = std::max<int64_t>(1, wanted / std::max<int64_t>(1, a.outer));
    columnParts = std::clamp<int64_t>(a.inner / 64, 1, perOuter);
    columns = divideUp(a.inner, columnParts);
    rowParts = std::clamp<int64_t>(perOuter / columnParts, 1, std::max<int64_t>(1, a.axis));
    rows = divideUp(a.axis, rowParts);
  }
};

// Along: one index for each update; otherwise one for each run of `inner` updates, shared by all outer indices.
template <bool Along> class Scatter : public Kernel {
 public:
  explicit Scatter(const Instruction& i)
      : updates_(i.input(0)), at_(i.input(1)), y_(i.output(0)), around_(y_.shape, i.number(Param::Axis)) {
    const int64_t lines = around_.outer * around_.inner;
    m_ = Along ? (lines ? updates_.size / lines : 0) : at_.size;
    require(isProduct(updates_.size, {lines, m_}) && at_.size == (Along ? updates_.size : m_), "scatter's operands do not fit each other");
  }
  double cost() const override { return updates_.size * 2 + y_.size; }
  void run(const RunContext& f) const override {
    numeric(y_.dtype, [&](auto zero) { over<decltype(zero)>(f); });
  }

 private:
  template <class T> void over(const RunContext& f) const {
    if (y_.size == 0) return;
    const T* updates = f.at<const T>(updates_.slot);
    const int32_t* at = f.at<const int32_t>(at_.slot);
    T* y = f.at<T>(y_.slot);
    const Parts p(around_, cost(), f.pool.threads());
    const int64_t n = around_.axis, inner = around_.inner;
    f.pool.run(around_.outer * p.columnParts * p.rowParts, [&](int64_t task, int) {
      const int64_t r0 = task % p.rowParts * p.rows, r1 = std::min(n, r0 + p.rows);
      const int64_t c0 = task / p.rowParts % p.columnParts * p.columns, c1 = std::min(inner, c0 + p.columns);
      const int64_t o = task / p.rowParts / p.columnParts;
      if (r0 >= r1 || c0 >= c1) return;
      T* to = y + o * n * inner;
      const T* from = updates + o * m_ * inner;
      for (int64_t r = r0; r < r1; ++r) std::fill(to + r * inner + c0, to + r * inner + c1, T(0));
      for (int64_t k = 0; k < m_; ++k) {
        if constexpr (Along) {
          const int32_t* row = at + (o * m_ + k) * inner;
          for (int64_t c = c0; c < c1; ++c)
            if (row[c] >= r0 && row[c] < r1) to[row[c] * inner + c] += from[k * inner + c];
        } else {
          if (at[k] < r0 || at[k] >= r1) continue;
          for (int64_t c = c0; c < c1; ++c) to[at[k] * inner + c] += from[k * inner + c];
        }
      }
    });
  }
  const Operand updates_, at_, y_;
  const Around around_;
  int64_t m_;
};

class GatherAlong : public Kernel {
 public:
  explicit GatherAlong(const Instruction& i)
      : x_(i.input(0)), at_(i.input(1)), y_(i.output(0)), around_(x_.shape, i.number(Param::Axis)) {
    const Around out(at_.shape, i.number(Param::Axis));
    m_ = out.axis;
    require(y_.size == at_.size && out.outer == around_.outer && out.inner == around_.inner, "gatherAlong's operands do not fit each other");
  }
  double cost() const override { return y_.size * 2; }
  void run(const RunContext& f) const override {
    const uint32_t* x = f.at<const uint32_t>(x_.slot);
    const int32_t* at = f.at<const int32_t>(at_.slot);
    uint32_t* y = f.at<uint32_t>(y_.slot);
    const int64_t n = around_.axis, inner = around_.inner;
    const uint32_t none = missing(x_.dtype);
    if (y_.size == 0) return;
    forRanges(f.pool, around_.outer * m_, kGrain / (2 * inner) + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const uint32_t* from = x + r / m_ * n * inner;
        for (int64_t j = 0; j < inner; ++j) {
          const int64_t k = at[r * inner + j];
          y[r * inner + j] = k < 0 || k >= n ? none : from[k * inner + j];
        }
      }
    });
  }

 private:
  const Operand x_, at_, y_;
  const Around around_;
  int64_t m_;
};

}  // namespace

KernelPtr makeGather(const Instruction& i, const Description&) { return std::make_unique<Gather>(i); }
KernelPtr makeScatter(const Instruction& i, const Description&) { return std::make_unique<Scatter<false>>(i); }
KernelPtr makeGatherAlong(const Instruction& i, const Description&) { return std::make_unique<GatherAlong>(i); }
KernelPtr makeScatterAlong(const Instruction& i, const Description&) { return std::make_unique<Scatter<true>>(i); }

}  // namespace lethe
