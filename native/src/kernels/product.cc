// The root kernels `dot`, `conv`, `convGradInput` and `convGradWeight`: bind the product kernels (gemm.h, conv/conv.h) to slots,
// workspaces, and the bodies fused into them. A prologue that a kernel has no hole for is computed beforehand.
#include <algorithm>
#include <optional>

#include "loops/body.h"
#include "conv/conv.h"
#include "kernels/gemm.h"
#include "kernels/planning.h"

namespace lethe {
namespace {

size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

// One operand: in memory, or computed by a prologue; `hole`: the kernel can compute it while loading.
struct Factor {
  Factor(const Instruction& i, const Description& d, size_t k, bool hole)
      : slot(i.input(k).slot), size(i.inputs[k].size), inKernel(hole),
        body(k < i.prologues.size() ? i.prologues[k].get() : nullptr, d, BodyPlan::Role::Prologue) {
    require(i.inputs[k].dtype == DType::F32, "a product needs float32 operands");
    require(!body || body.plan().size == size, "a prologue has another size than its operand");
  }
  size_t sharedBytes() const { return body && !inKernel ? lines(static_cast<size_t>(size) * 4) : 0; }

  int slot;
  int64_t size;
  bool inKernel;
  Hole body;
};

// A factor for the time of one run.
class BoundFactor {
 public:
  // `shared` is advanced past the memory taken.
  BoundFactor(const Factor& f, const Frame& frame, size_t privateOffset, char*& shared) : data(frame.at<const float>(f.slot)) {
    if (!f.body) return;
    bound_.emplace(f.body.plan(), frame, privateOffset);
    if (f.inKernel) {
      prologue_.emplace(call_);
      return;
    }
    float* to = reinterpret_cast<float*>(shared);
    shared += f.sharedBytes();
    forRanges(frame.pool, f.size, kGrain, [&](int64_t begin, int64_t end, int thread) { bound_->flat(begin, end - begin, to + begin, thread); });
    data = to;
  }
  BoundFactor(const BoundFactor&) = delete;
  const Prologue* prologue() const { return prologue_ ? &*prologue_ : nullptr; }

  const float* data;

 private:
  struct Call {
    const BoundFactor* self;
    void operator()(int64_t start, int64_t count, float* to, int thread) const { self->bound_->flat(start, count, to, thread); }
  };
  std::optional<BoundBody> bound_;
  Call call_{this};
  std::optional<Prologue> prologue_;
};

class Product : public Kernel {
 public:
  Product(const Instruction& i, const Description& d, bool firstHole, bool secondHole)
      : a_(i, d, 0, firstHole), b_(i, d, 1, secondHole), epilogue_(i.body.get(), d, BodyPlan::Role::Epilogue) {
    require(i.inputs.size() == 2 && i.outputs.size() == 1, "a product has two operands and one result");
    require(i.outputs[0].dtype == DType::F32, "a product's result is float32");
    result_ = i.outputs[0].slot;
    size_ = i.outputs[0].size;
    require(!epilogue_ || epilogue_.plan().size == size_, "an epilogue has another size than the result");
    if (result_ >= 0) return;
    // Raw results pass through the memory of a store if that overwrites nothing still to be read.
    for (const Store& s : i.body->stores) {
      bool clash = false;
      for (const View& v : i.body->inputs) clash = clash || d.mayAlias(v.slot, s.slot);
      for (const Operand& o : i.inputs) clash = clash || d.mayAlias(o.slot, s.slot);
      for (const auto& p : i.prologues)
        if (p)
          for (const View& v : p->inputs) clash = clash || d.mayAlias(v.slot, s.slot);
      if (!clash) result_ = s.slot;
    }
  }

  WorkspaceSize workspace(int threads) const override {
    const WorkspaceSize own = kernelWorkspace(threads);
    const size_t raw = result_ < 0 ? lines(static_cast<size_t>(size_) * 4) : 0;
    return {lines(own.shared) + raw + a_.sharedBytes() + b_.sharedBytes(),
            lines(own.private_) + a_.body.bytes() + b_.body.bytes() + epilogue_.bytes()};
  }

  void run(const Frame& frame) const override {
    if (size_ == 0) return;
    const WorkspaceSize own = kernelWorkspace(frame.pool.threads());
    size_t at = lines(own.private_);
    char* shared = frame.workspace.shared + lines(own.shared);
    const BoundFactor a(a_, frame, at, shared);
    const BoundFactor b(b_, frame, at += a_.body.bytes(), shared);
    float* c = result_ >= 0 ? frame.at<float>(result_) : reinterpret_cast<float*>(shared);
    if (!epilogue_) return fill(frame, a, b, c, nullptr);
    const BoundBody bound(epilogue_.plan(), frame, at + b_.body.bytes());
    auto consume = [&](int64_t start, int64_t count, float* data, int thread) { bound.flat(start, count, data, thread); };
    const Epilogue epilogue(consume);
    fill(frame, a, b, c, &epilogue);
  }

 private:
  void fill(const Frame& frame, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* epilogue) const {
    if (a_.size > 0 && b_.size > 0) return compute(frame, a, b, c, epilogue);
    // Sums over nothing, however large the axes beside the empty one are.
    forRanges(frame.pool, size_, kGrain, [&](int64_t begin, int64_t end, int) { std::fill(c + begin, c + end, 0.0f); });
    runEpilogue(frame.pool, size_, c, epilogue);
  }

 protected:
  virtual WorkspaceSize kernelWorkspace(int threads) const = 0;
  virtual void compute(const Frame& f, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* epilogue) const = 0;

  Factor a_, b_;
  Hole epilogue_;
  int result_;
  int64_t size_;
};

class Dot : public Product {
 public:
  Dot(const Instruction& i, const Description& d) : Product(i, d, false, false) {
    const Shape &a = i.inputs[0].shape, &b = i.inputs[1].shape;
    const size_t r = a.size();
    require(r >= 2 && b.size() == r, "dot needs operands of the same rank, at least 2");
    s_ = {1, 0, 0, 0, i.param(0) != 0, i.param(1) != 0};
    for (size_t k = 0; k + 2 < r; ++k) {
      require(a[k] == b[k], "dot needs equal batch axes");
      s_.batch *= a[k];
    }
    s_.m = s_.transA ? a[r - 1] : a[r - 2];
    s_.k = s_.transA ? a[r - 2] : a[r - 1];
    s_.n = s_.transB ? b[r - 2] : b[r - 1];
    require((s_.transB ? b[r - 1] : b[r - 2]) == s_.k, "dot needs equal inner axes");
    require(isProduct(size_, {s_.batch, s_.m, s_.n}), "dot's result has the wrong size");
  }
  double cost() const override { return static_cast<double>(size_) * static_cast<double>(s_.k + 1) / 8; }

 protected:
  WorkspaceSize kernelWorkspace(int threads) const override { return dotWorkspace(s_, threads); }
  void compute(const Frame& f, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* e) const override {
    dot(f.pool, s_, a.data, b.data, c, f.workspace, e);
  }

 private:
  DotShape s_;
};

constexpr int64_t kMostExtent = int64_t{1} << 31;

enum class Direction { Forward, Input, Weight };

template <Direction D> class Conv : public Product {
 public:
  // Params: strideH, strideW, padT, padB, padL, padR, dilH, dilW, groups, exact.
  Conv(const Instruction& i, const Description& d) : Product(i, d, true, D == Direction::Weight) {
    const Shape& x = D == Direction::Input ? i.outputs[0].shape : i.inputs[0].shape;
    const Shape& w = D == Direction::Weight ? i.outputs[0].shape : i.inputs[1].shape;
    const Shape& y = D == Direction::Forward ? i.outputs[0].shape : i.inputs[D == Direction::Input ? 0 : 1].shape;
    require(x.size() == 5 && w.size() == 5 && y.size() == 5, "a convolution's operands have rank 5");
    ConvShape& s = s_;
    s.B = x[0], s.N = x[1], s.H = x[2], s.W = x[3], s.C = x[4];
    s.KH = w[1], s.KW = w[2], s.O = w[4], s.OH = y[2], s.OW = y[3];
    s.strideH = i.param(0), s.strideW = i.param(1), s.padT = i.param(2), s.padB = i.param(3), s.padL = i.param(4);
    s.padR = i.param(5), s.dilH = i.param(6), s.dilW = i.param(7), s.groups = i.param(8);
    s.exact = i.param(9) != 0;
    for (size_t k = 0; k < 8; ++k) require(i.param(k) < kMostExtent, "a convolution's stride, padding or dilation is too large");
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

 protected:
  WorkspaceSize kernelWorkspace(int threads) const override {
    if constexpr (D == Direction::Forward) return convWorkspace(s_, threads);
    else if constexpr (D == Direction::Input) return convGradInputWorkspace(s_, threads);
    else return convGradWeightWorkspace(s_, threads);
  }
  void compute(const Frame& f, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* e) const override {
    if constexpr (D == Direction::Forward) conv(f.pool, s_, a.data, b.data, c, f.workspace, a.prologue(), e);
    else if constexpr (D == Direction::Input) convGradInput(f.pool, s_, a.data, b.data, c, f.workspace, a.prologue(), e);
    else convGradWeight(f.pool, s_, a.data, b.data, c, f.workspace, a.prologue(), b.prologue(), e);
  }

 private:
  static int64_t outputs(int64_t padded, int64_t kernel, int64_t stride, int64_t dilation) {
    if (kernel > 1 && dilation > padded / (kernel - 1)) return 0;
    const int64_t room = padded - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
  }
  ConvShape s_;
};

}  // namespace

KernelPtr makeDot(const Instruction& i, const Description& d) { return std::make_unique<Dot>(i, d); }
KernelPtr makeConv(const Instruction& i, const Description& d) { return std::make_unique<Conv<Direction::Forward>>(i, d); }
KernelPtr makeConvGradInput(const Instruction& i, const Description& d) { return std::make_unique<Conv<Direction::Input>>(i, d); }
KernelPtr makeConvGradWeight(const Instruction& i, const Description& d) { return std::make_unique<Conv<Direction::Weight>>(i, d); }

}  // namespace lethe
