// `dot`: batched matrix products, either operand transposed or not (gemm.h), bound to a program.
#include "kernels/gemm.h"
#include "kernels/product.h"

namespace lethe {
namespace {

class Dot : public Product {
 public:
  Dot(const Instruction& i, const Description& d) : Product(i, d, false, false) {
    const Shape &a = i.inputs[0].shape, &b = i.inputs[1].shape;
    const size_t r = a.size();
    require(r >= 2 && b.size() == r, "dot needs operands of the same rank, at least 2");
    s_ = {1, 0, 0, 0, i.flag(Param::TransposeA), i.flag(Param::TransposeB)};
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
  void compute(const RunContext& f, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* e) const override {
    dot(f.pool, s_, a.data, b.data, c, f.workspace, e);
  }

 private:
  DotShape s_;
};

}  // namespace

KernelPtr makeDot(const Instruction& i, const Description& d) { return std::make_unique<Dot>(i, d); }

}  // namespace lethe
