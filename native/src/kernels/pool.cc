// `maxPool`, `sumPool`, `sumPoolTranspose` over [N, H, W, C], vectorised over channels, one row of the result a task.
#include <algorithm>
#include <limits>

#include "loops/vector.h"
#include "runtime/kernel.h"

namespace lethe {
namespace {

struct Window {
  int64_t size, stride, pad, in, out;
  // The input positions window o covers.
  int64_t begin(int64_t o) const { return std::max<int64_t>(0, o * stride - pad); }
  int64_t end(int64_t o) const { return std::min(in, o * stride - pad + size); }
  // The windows that cover input position i.
  int64_t first(int64_t i) const { return std::max<int64_t>(0, (i + pad - size + stride) / stride); }
  int64_t last(int64_t i) const { return std::min(out - 1, (i + pad) / stride); }
};

// `big` is the operand of the forward direction.
class Pooling : public Kernel {
 public:
  Pooling(const Instruction& i, const Operand& big, const Operand& small) : vector_(vectors()) {
    require(big.shape.size() == 4 && small.shape.size() == 4, "pooling needs rank 4");
    require(big.dtype == DType::Float32 && small.dtype == DType::Float32, "pooling needs float32");
    n_ = big.shape[0], c_ = big.shape[3];
    const auto size = i.numbers(Param::Size, 2), stride = i.numbers(Param::Stride, 2), pad = i.numbers(Param::Padding, 4);
    auto window = [&](size_t d, size_t p) {
      const Window w{size[p], stride[p], pad[2 * p], big.shape[d], small.shape[d]};
      const int64_t after = pad[2 * p + 1], room = w.in + w.pad + after - w.size;
      require(w.size > 0 && w.stride > 0 && w.pad >= 0 && after >= 0, "pooling needs positive sizes and strides and no negative padding");
      require(w.out == (room < 0 ? 0 : room / w.stride + 1), "pooling's result has the wrong size");
      return w;
    };
    h_ = window(1, 0);
    w_ = window(2, 1);
    require(small.shape[0] == n_ && small.shape[3] == c_, "pooling's result has the wrong shape");
  }
  double cost() const override { return static_cast<double>(n_ * h_.out) * rowCost(); }

 protected:
  // Of one row of the smaller array.
  double rowCost() const { return static_cast<double>(w_.out * c_) * static_cast<double>(h_.size) * static_cast<double>(w_.size); }
  int64_t rowsOfTask() const { return static_cast<int64_t>(kGrain / rowCost()) + 1; }

  const VectorTable& vector_;
  int64_t n_, c_;
  Window h_, w_;
};

class MaxPool : public Pooling {
 public:
  explicit MaxPool(const Instruction& i) : Pooling(i, i.input(0), i.output(0)), x_(i.inputs[0].slot), y_(i.outputs[0]), at_(i.output(1)) {
    require(at_.size == y_.size, "maxPool has two results of the same shape");
  }
  void run(const RunContext& f) const override {
    if (y_.size == 0) return;
    const int64_t row = w_.out * c_;
    forRanges(f.pool, n_ * h_.out, rowsOfTask(), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const float* image = f.at<const float>(x_) + r / h_.out * h_.in * w_.in * c_;
        for (int64_t ow = 0; ow < w_.out; ++ow) pixel(image, r % h_.out, ow, f.at<float>(y_.slot) + r * row + ow * c_, f.at<int32_t>(at_.slot) + r * row + ow * c_);
      }
    });
  }

 private:
  void pixel(const float* image, int64_t oh, int64_t ow, float* best, int32_t* at) const {
    const int64_t top = h_.begin(oh), left = w_.begin(ow), rows = h_.end(oh) - top, columns = w_.end(ow) - left;
    if (rows > 0 && columns > 0) {
      vector_.poolMax(c_, rows, columns, w_.in, static_cast<int32_t>(top * w_.in + left), image, best, at);
      return;
    }
    std::fill(best, best + c_, -std::numeric_limits<float>::infinity());  // a window of padding only
    std::fill(at, at + c_, -1);
  }
  const int x_;
  const Operand y_, at_;
};

class SumPool : public Pooling {
 public:
  explicit SumPool(const Instruction& i) : Pooling(i, i.input(0), i.output(0)), x_(i.inputs[0].slot), y_(i.outputs[0]) {}
  void run(const RunContext& f) const override {
    if (y_.size == 0) return;
    const int64_t row = w_.out * c_;
    forRanges(f.pool, n_ * h_.out, rowsOfTask(), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t oh = r % h_.out;
        const float* image = f.at<const float>(x_) + r / h_.out * h_.in * w_.in * c_;
        for (int64_t ow = 0; ow < w_.out; ++ow) {
          float* sum = f.at<float>(y_.slot) + r * row + ow * c_;
          std::fill(sum, sum + c_, 0.0f);
          for (int64_t h = h_.begin(oh); h < h_.end(oh); ++h)
            for (int64_t w = w_.begin(ow); w < w_.end(ow); ++w) vector_.add(c_, sum, image + (h * w_.in + w) * c_);
        }
      }
    });
  }

 private:
  const int x_;
  const Operand y_;
};

// Every position of the result adds up the windows that cover it: no two threads meet.
class SumPoolTranspose : public Pooling {
 public:
  explicit SumPoolTranspose(const Instruction& i) : Pooling(i, i.output(0), i.input(0)), dy_(i.inputs[0].slot), dx_(i.outputs[0]) {}
  void run(const RunContext& f) const override {
    if (dx_.size == 0) return;
    const int64_t row = w_.in * c_;
    forRanges(f.pool, n_ * h_.in, kGrain / (row * 2) + 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t h = r % h_.in;
        const float* image = f.at<const float>(dy_) + r / h_.in * h_.out * w_.out * c_;
        for (int64_t w = 0; w < w_.in; ++w) {
          float* sum = f.at<float>(dx_.slot) + r * row + w * c_;
          std::fill(sum, sum + c_, 0.0f);
          for (int64_t oh = h_.first(h); oh <= h_.last(h); ++oh)
            for (int64_t ow = w_.first(w); ow <= w_.last(w); ++ow) vector_.add(c_, sum, image + (oh * w_.out + ow) * c_);
        }
      }
    });
  }

 private:
  const int dy_;
  const Operand dx_;
};

}  // namespace

KernelPtr makeMaxPool(const Instruction& i, const Description&) { return std::make_unique<MaxPool>(i); }
KernelPtr makeSumPool(const Instruction& i, const Description&) { return std::make_unique<SumPool>(i); }
KernelPtr makeSumPoolTranspose(const Instruction& i, const Description&) { return std::make_unique<SumPoolTranspose>(i); }

}  // namespace lethe
