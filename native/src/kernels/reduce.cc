// Reductions over axes. `sum`, `max`, `min` and `moments` are bodies without steps, for loops/fold.cc; `argmax` and `argmin`
// are kernels of their own.
#include <algorithm>

#include "loops/body.h"

namespace lethe {
namespace {

// A body that reads the operand and reduces it.
Body whole(const Instruction& i, Fold op) {
  require(i.inputs.size() == 1 && i.outputs.size() == (op == Fold::Moments ? 2u : 1u), "a reduction has the wrong number of operands");
  const Operand& x = i.inputs[0];
  Body b;
  b.shape = x.shape;
  View v{x.slot, x.dtype, Shape(x.shape.size()), 0};
  int64_t stride = 1;
  for (size_t d = x.shape.size(); d-- > 0; stride *= x.shape[d]) v.strides[d] = stride;
  b.inputs.push_back(v);
  Reduction r{op, 0, {}, i.outputs[0].slot, op == Fold::Moments ? i.outputs[1].slot : -1};
  std::vector<bool> reduced(x.shape.size(), false);
  for (int64_t axis : i.numbers(Param::Axes)) {
    require(axis >= 0 && axis < static_cast<int64_t>(x.shape.size()), "an axis is out of range");
    r.axes.push_back(static_cast<int>(axis));
    reduced[axis] = true;
  }
  int64_t kept = 1;
  for (size_t d = 0; d < x.shape.size(); ++d) kept *= reduced[d] ? 1 : x.shape[d];
  for (const Operand& o : i.outputs) require(o.slot >= 0 && o.size == kept, "a reduction's result has the wrong size");
  b.reductions.push_back(r);
  return b;
}

constexpr int64_t kColumns = 256;

// Whether x comes before the best so far; the first NaN beats everything and stays.
template <bool Max, class T> inline bool beats(T x, T best) {
  return (Max ? x > best : x < best) || (x != x && best == best);
}

template <bool Max> class ArgExtreme : public Kernel {
 public:
  explicit ArgExtreme(const Instruction& i) : x_(i.input(0)), y_(i.output(0)), around_(x_.shape, i.number(Param::Axis)) {
    require(i.inputs.size() == 1 && i.outputs.size() == 1, "argmax has one operand and one result");
    require(around_.axis > 0, "argmax of an empty axis");
    require(y_.size == around_.outer * around_.inner, "argmax's result has the wrong size");
  }
  double cost() const override { return x_.size; }
  void run(const RunContext& f) const override {
    if (y_.size == 0) return;
    switch (x_.dtype) {
      case DType::Float32: return over(f, f.at<const float>(x_.slot));
      case DType::Uint32: return over(f, f.at<const uint32_t>(x_.slot));
      default: return over(f, f.at<const int32_t>(x_.slot));
    }
  }

 private:
  template <class T> void over(const RunContext& f, const T* x) const {
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
    const int64_t tiles = divideUp(inner, kColumns);
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

KernelPtr makeSum(const Instruction& i, const Description& d) { return makeFold(whole(i, Fold::Sum), d); }
KernelPtr makeMax(const Instruction& i, const Description& d) { return makeFold(whole(i, Fold::Max), d); }
KernelPtr makeMin(const Instruction& i, const Description& d) { return makeFold(whole(i, Fold::Min), d); }
KernelPtr makeMoments(const Instruction& i, const Description& d) { return makeFold(whole(i, Fold::Moments), d); }
KernelPtr makeArgmax(const Instruction& i, const Description&) { return std::make_unique<ArgExtreme<true>>(i); }
KernelPtr makeArgmin(const Instruction& i, const Description&) { return std::make_unique<ArgExtreme<false>>(i); }

}  // namespace lethe
