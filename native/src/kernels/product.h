// What matrix products and convolutions share as kernels: operands in memory or made by prologues, a result that goes into
// memory or through an epilogue. A prologue that a kernel has no hole for is computed beforehand.
#pragma once
#include <optional>

#include "loops/body.h"

namespace lethe {

// One operand: in memory, or computed by a prologue.
struct Factor {
  // `hole`: the kernel can compute it while loading.
  Factor(const Instruction& i, const Description& d, size_t k, bool hole);
  size_t sharedBytes() const;

  int slot;
  int64_t size;
  bool inKernel;
  FusedBody body;
};

// A factor for the time of one run.
class BoundFactor {
 public:
  // `shared` is advanced past the memory taken.
  BoundFactor(const Factor& f, const RunContext& context, size_t privateOffset, char*& shared);
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
  Product(const Instruction& i, const Description& d, bool firstHole, bool secondHole);
  WorkspaceSize workspace(int threads) const override;
  void run(const RunContext& context) const override;
  std::string describe() const override;

 protected:
  virtual WorkspaceSize kernelWorkspace(int threads) const = 0;
  virtual void compute(const RunContext& f, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* epilogue) const = 0;

  Factor a_, b_;
  FusedBody epilogue_;
  int result_;
  int64_t size_;

 private:
  void fill(const RunContext& context, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* epilogue) const;
};

}  // namespace lethe
