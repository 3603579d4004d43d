// `conv`, `convGradInput` and `convGradWeight` (conv.h), bound to a program.
#include "conv/conv.h"
#include "kernels/product.h"

namespace lethe {
namespace {

constexpr int64_t kMostExtent = int64_t{1} << 31;

enum class Direction { Forward, Input, Weight };

template <Direction D> class Conv : public Product {
 public:
  Conv(const Instruction& i, const Description& d) : Product(i, d, true, D == Direction::Weight) {
    const Shape& x = D == Direction::Input ? i.outputs[0].shape : i.inputs[0].shape;
    const Shape& w = D == Direction::Weight ? i.outputs[0].shape : i.inputs[1].shape;
    const Shape& y = D == Direction::Forward ? i.outputs[0].shape : i.inputs[D == Direction::Input ? 0 : 1].shape;
    require(x.size() == 5 && w.size() == 5 && y.size() == 5, "a convolution's operands have rank 5");
    ConvShape& s = s_;
    s.B = x[0], s.N = x[1], s.H = x[2], s.W = x[3], s.C = x[4];
    s.KH = w[1], s.KW = w[2], s.O = w[4], s.OH = y[2], s.OW = y[3];
    const auto stride = i.numbers(Param::Stride, 2), pad = i.numbers(Param::Padding, 4), dilation = i.numbers(Param::Dilation, 2);
    for (const auto& all : {stride, pad, dilation})
      for (int64_t v : all) require(v < kMostExtent, "a convolution's stride, padding or dilation is too large");
    s.strideH = stride[0], s.strideW = stride[1], s.dilH = dilation[0], s.dilW = dilation[1];
    s.padT = pad[0], s.padB = pad[1], s.padL = pad[2], s.padR = pad[3];
    s.groups = i.number(Param::Groups);
    s.exact = d.exact;
    require(s.strideH > 0 && s.strideW > 0 && s.dilH > 0 && s.dilW > 0 && s.groups > 0, "a convolution's stride, dilation and groups are positive");
    require(s.padT >= 0 && s.padB >= 0 && s.padL >= 0 && s.padR >= 0, "a convolution's padding is not negative");
    require(s.C % s.groups == 0 && s.O % s.groups == 0 && w[3] == s.C / s.groups, "a convolution's channels do not fit its groups");
    require(w[0] == s.B && y[0] == s.B && y[1] == s.N && y[4] == s.O, "a convolution's operands do not fit each other");
    require(s.OH == outputs(s.H + s.padT + s.padB, s.KH, s.strideH, s.dilH) &&
            s.OW == outputs(s.W + s.padL + s.padR, s.KW, s.strideW, s.dilW), "a convolution's result has the wrong size");
  }
  double cost() const override {
    return static_cast<double>(s_.B * s_.N * s_.OH * s_.OW * s_.O) * static_cast<double>(s_.KH * s_.KW * (s_.C / s_.groups) + 1) / 8;
  }

  std::string describe() const override { return std::string("  by ") + algorithm() + "\n" + Product::describe(); }

 protected:
  WorkspaceSize kernelWorkspace(int threads) const override {
    if constexpr (D == Direction::Forward) return convWorkspace(s_, threads);
    else if constexpr (D == Direction::Input) return convGradInputWorkspace(s_, threads);
    else return convGradWeightWorkspace(s_, threads);
  }
  void compute(const RunContext& f, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* e) const override {
    if constexpr (D == Direction::Forward) conv(f.pool, s_, a.data, b.data, c, f.workspace, a.prologue(), e);
    else if constexpr (D == Direction::Input) convGradInput(f.pool, s_, a.data, b.data, c, f.workspace, a.prologue(), e);
    else convGradWeight(f.pool, s_, a.data, b.data, c, f.workspace, a.prologue(), b.prologue(), e);
  }

 private:
  const char* algorithm() const {
    if constexpr (D == Direction::Forward) return convAlgorithm(s_);
    else if constexpr (D == Direction::Input) return convGradInputAlgorithm(s_);
    else return convGradWeightAlgorithm(s_);
  }
  static int64_t outputs(int64_t padded, int64_t kernel, int64_t stride, int64_t dilation) {
    if (kernel > 1 && dilation > padded / (kernel - 1)) return 0;
    const int64_t room = padded - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
  }
  ConvShape s_;
};

}  // namespace

KernelPtr makeConv(const Instruction& i, const Description& d) { return std::make_unique<Conv<Direction::Forward>>(i, d); }
KernelPtr makeConvGradInput(const Instruction& i, const Description& d) { return std::make_unique<Conv<Direction::Input>>(i, d); }
KernelPtr makeConvGradWeight(const Instruction& i, const Description& d) { return std::make_unique<Conv<Direction::Weight>>(i, d); }

}  // namespace lethe
