// `cumsum`: running sums along one axis, in double for floats, wrapping for integers.
#include <algorithm>

#include "runtime/kernel.h"
#include "runtime/sizes.h"

namespace lethe {
namespace {

constexpr int64_t kColumns = 256;

class Cumsum : public Kernel {
 public:
  explicit Cumsum(const Instruction& i)
      : x_(i.input(0)), y_(i.output(0)), around_(x_.shape, i.number(Param::Axis)), reverse_(i.flag(Param::Reverse)) {
    require(i.inputs.size() == 1 && i.outputs.size() == 1 && y_.size == x_.size, "cumsum has one operand and a result of its shape");
  }
  double cost() const override { return x_.size * 2; }
  void run(const RunContext& f) const override {
    if (x_.dtype == DType::Float32) over<float, double>(f);
    else over<uint32_t, uint32_t>(f);
  }

 private:
  template <class T, class Acc> void over(const RunContext& f) const {
    if (x_.size == 0) return;
    const T* x = f.at<const T>(x_.slot);
    T* y = f.at<T>(y_.slot);
    const int64_t n = around_.axis, inner = around_.inner, tiles = divideUp(inner, kColumns);
    forRanges(f.pool, around_.outer * tiles, kGrain / (n * std::min(inner, kColumns)) + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t at = t / tiles * n * inner + t % tiles * kColumns, m = std::min(kColumns, inner - t % tiles * kColumns);
        Acc sum[kColumns] = {};
        for (int64_t k = 0; k < n; ++k) {
          const int64_t row = at + (reverse_ ? n - 1 - k : k) * inner;
          for (int64_t j = 0; j < m; ++j) {
            sum[j] += static_cast<Acc>(x[row + j]);
            y[row + j] = static_cast<T>(sum[j]);
          }
        }
      }
    });
  }
  const Operand x_, y_;
  const Around around_;
  const bool reverse_;
};

}  // namespace

KernelPtr makeCumsum(const Instruction& i, const Description&) { return std::make_unique<Cumsum>(i); }

}  // namespace lethe
