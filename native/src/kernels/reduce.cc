// `argmax` and `argmin`. The other reductions are bodies without steps: see loops/fold.cc.
#include <algorithm>

#include "runtime/kernel.h"

namespace lethe {
namespace {

constexpr int64_t kColumns = 256;

// Whether x comes before the best so far; the first NaN beats everything and stays.
template <bool Max, class T> inline bool beats(T x, T best) {
  return (Max ? x > best : x < best) || (x != x && best == best);
}

template <bool Max> class ArgExtreme : public Kernel {
 public:
  explicit ArgExtreme(const Instruction& i) : x_(i.input(0)), y_(i.output(0)), around_(x_.shape, i.param(0)) {
    require(i.inputs.size() == 1 && i.outputs.size() == 1, "argmax has one operand and one result");
    require(around_.axis > 0, "argmax of an empty axis");
    require(y_.size == around_.outer * around_.inner, "argmax's result has the wrong size");
  }
  double cost() const override { return x_.size; }
  void run(const Frame& f) const override {
    if (y_.size == 0) return;
    switch (x_.dtype) {
      case DType::F32: return over(f, f.at<const float>(x_.slot));
      case DType::U32: return over(f, f.at<const uint32_t>(x_.slot));
      default: return over(f, f.at<const int32_t>(x_.slot));
    }
  }

 private:
  template <class T> void over(const Frame& f, const T* x) const {
    int32_t* y = f.at<int32_t>(y_.slot);
    const int64_t n = around_.axis, inner = around_.inner;
    if (inner == 1) {
      forRanges(f.pool, around_.outer, kGrain / n + 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t o = begin; o < end; ++o) {
          const T* row = x + o * n;
          int64_t at = 0;
          for (int64_t k = 1; k < n; ++k)
            if (beats<Max>(row[k], row[at])) at = k;
          y[o] = static_cast<int32_t>(at);
        }
      });
      return;
    }
    const int64_t tiles = (inner + kColumns - 1) / kColumns;
    forRanges(f.pool, around_.outer * tiles, kGrain / (n * std::min(inner, kColumns)) + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t o = t / tiles, j = t % tiles * kColumns;
        columns(x + o * n * inner + j, y + o * inner + j, std::min(kColumns, inner - j));
      }
    });
  }
  template <class T> void columns(const T* x, int32_t* y, int64_t m) const {
    T best[kColumns];
    for (int64_t j = 0; j < m; ++j) best[j] = x[j], y[j] = 0;
    for (int64_t k = 1; k < around_.axis; ++k) {
      const T* row = x + k * around_.inner;
      for (int64_t j = 0; j < m; ++j) {
        const bool wins = beats<Max>(row[j], best[j]);
        best[j] = wins ? row[j] : best[j];
        y[j] = wins ? static_cast<int32_t>(k) : y[j];
      }
    }
  }
  const Operand x_, y_;
  const Around around_;
};

}  // namespace

KernelPtr makeArgmax(const Instruction& i, const Description&) { return std::make_unique<ArgExtreme<true>>(i); }
KernelPtr makeArgmin(const Instruction& i, const Description&) { return std::make_unique<ArgExtreme<false>>(i); }

}  // namespace lethe
