// The root kernels that only move or number elements: `pad`, `concat`, `iota`. Transposes, slices, flips and broadcasts
// are views of a body's inputs and never come here.
#include <algorithm>
#include <cstring>

#include "runtime/kernel.h"

namespace lethe {
namespace {

void single(const Instruction& i, size_t inputs) {
  require(i.inputs.size() == inputs && i.outputs.size() == 1, "a data movement has the wrong operands");
}

// Writes every element of the result: rows of the last axis are zeroed and filled one by one.
class Pad : public Kernel {
 public:
  explicit Pad(const Instruction& i) : x_(i.input(0)), y_(i.output(0)) {
    single(i, 1);
    const size_t r = x_.shape.size();
    require(y_.shape.size() == r, "pad's result has the wrong shape");
    const auto low = i.numbers(Param::Low, r), high = i.numbers(Param::High, r), interior = i.numbers(Param::Interior, r);
    for (size_t d = 0; d < r; ++d) {
      low_.push_back(low[d]);
      step_.push_back(interior[d] + 1);
      const int64_t n = x_.shape[d];
      require(low_[d] >= 0 && high[d] >= 0 && step_[d] >= 1, "pad takes no negative amounts");
      require(n <= 1 || step_[d] <= y_.shape[d] / (n - 1), "pad's result has the wrong shape");
      require(y_.shape[d] == low_[d] + high[d] + (n ? (n - 1) * step_[d] + 1 : 0), "pad's result has the wrong shape");
    }
    if (r == 0) return;
    width_ = y_.shape[r - 1];
    rows_ = width_ ? y_.size / width_ : 0;
  }
  double cost() const override { return y_.size; }
  void run(const RunContext& f) const override {
    const uint32_t* x = f.at<const uint32_t>(x_.slot);
    uint32_t* y = f.at<uint32_t>(y_.slot);
    const size_t r = x_.shape.size();
    if (r == 0) {
      y[0] = x[0];
      return;
    }
    forRanges(f.pool, rows_, kGrain / std::max<int64_t>(width_, 1) + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) this->row(x, y + row * width_, row);
    });
  }

 private:
  void row(const uint32_t* x, uint32_t* y, int64_t row) const {
    std::memset(y, 0, static_cast<size_t>(width_) * 4);
    const size_t last = x_.shape.size() - 1;
    int64_t from = 0, stride = x_.shape[last];
    for (size_t d = last; d-- > 0;) {
      const int64_t at = row % y_.shape[d] - low_[d];
      row /= y_.shape[d];
      if (at < 0 || at % step_[d] || at / step_[d] >= x_.shape[d]) return;
      from += at / step_[d] * stride;
      stride *= x_.shape[d];
    }
    const int64_t n = x_.shape[last];
    y += low_[last];
    if (step_[last] == 1) std::memcpy(y, x + from, static_cast<size_t>(n) * 4);
    else for (int64_t i = 0; i < n; ++i) y[i * step_[last]] = x[from + i];
  }
  const Operand x_, y_;
  Shape low_, step_;
  int64_t width_ = 1, rows_ = 1;
};

class Concat : public Kernel {
 public:
  explicit Concat(const Instruction& i) : parts_(i.inputs), y_(i.output(0)), around_(y_.shape, i.number(Param::Axis)), axis_(static_cast<size_t>(i.number(Param::Axis))) {
    single(i, parts_.size());
    int64_t total = 0;
    for (const Operand& p : parts_) {
      const Around a(p.shape, i.number(Param::Axis));
      require(a.outer == around_.outer && a.inner == around_.inner, "concat needs equal sizes off its axis");
      total += a.axis;
    }
    require(total == around_.axis, "concat's result has the wrong size");
  }
  double cost() const override { return y_.size; }
  void run(const RunContext& f) const override {
    uint32_t* y = f.at<uint32_t>(y_.slot);
    const int64_t pitch = around_.axis * around_.inner;
    for (const Operand& p : parts_) {
      const uint32_t* x = f.at<const uint32_t>(p.slot);
      const int64_t run = p.shape[axis_] * around_.inner;
      if (run > kGrain) {  // few long runs: cut them
        for (int64_t o = 0; o < around_.outer; ++o)
          forRanges(f.pool, run, kGrain, [&](int64_t begin, int64_t end, int) {
            std::memcpy(y + o * pitch + begin, x + o * run + begin, static_cast<size_t>(end - begin) * 4);
          });
      } else if (run > 0) {
        forRanges(f.pool, around_.outer, kGrain / run, [&](int64_t begin, int64_t end, int) {
          for (int64_t o = begin; o < end; ++o) std::memcpy(y + o * pitch, x + o * run, static_cast<size_t>(run) * 4);
        });
      }
      y += run;
    }
  }

 private:
  const std::vector<Operand> parts_;
  const Operand y_;
  const Around around_;
  size_t axis_;
};

class Iota : public Kernel {
 public:
  explicit Iota(const Instruction& i) : y_(i.output(0)), around_(y_.shape, i.number(Param::Axis)) { single(i, 0); }
  double cost() const override { return y_.size; }
  void run(const RunContext& f) const override {
    if (y_.dtype == DType::Float32) fill(f, f.at<float>(y_.slot));
    else fill(f, f.at<int32_t>(y_.slot));
  }

 private:
  template <class T> void fill(const RunContext& f, T* y) const {
    const int64_t inner = around_.inner;
    if (y_.size == 0) return;
    forRanges(f.pool, around_.outer * around_.axis, kGrain / inner + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) std::fill(y + row * inner, y + (row + 1) * inner, static_cast<T>(row % around_.axis));
    });
  }
  const Operand y_;
  const Around around_;
};

}  // namespace

KernelPtr makePad(const Instruction& i, const Description&) { return std::make_unique<Pad>(i); }
KernelPtr makeConcat(const Instruction& i, const Description&) { return std::make_unique<Concat>(i); }
KernelPtr makeIota(const Instruction& i, const Description&) { return std::make_unique<Iota>(i); }

}  // namespace lethe
