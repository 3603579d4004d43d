// What a program is made of: kernels, each compiled from one instruction and run against the addresses of its slots.
#pragma once
#include <memory>

#include "description.h"
#include "pool.h"

namespace lethe {

struct Frame {
  Pool& pool;
  char* const* memory;  // one address for each slot
  Workspace workspace;

  template <class T = float> T* at(int slot) const { return slot < 0 ? nullptr : reinterpret_cast<T*>(memory[slot]); }
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual WorkspaceSize workspace(int threads) const {
    (void)threads;
    return {};
  }
  // About how much work it is, in element operations; a program of little work does not wake the pool.
  virtual double cost() const = 0;
  virtual void run(const Frame& frame) const = 0;
};

using KernelPtr = std::unique_ptr<Kernel>;
using Factory = KernelPtr (*)(const Instruction&, const Description&);

// One for each root; program.cc has the list.
KernelPtr makeBody(const Instruction&, const Description&);
KernelPtr makeRows(const Instruction&, const Description&);
KernelPtr makePad(const Instruction&, const Description&);
KernelPtr makeConcat(const Instruction&, const Description&);
KernelPtr makeIota(const Instruction&, const Description&);
KernelPtr makeSum(const Instruction&, const Description&);
KernelPtr makeMax(const Instruction&, const Description&);
KernelPtr makeMin(const Instruction&, const Description&);
KernelPtr makeArgmax(const Instruction&, const Description&);
KernelPtr makeArgmin(const Instruction&, const Description&);
KernelPtr makeMoments(const Instruction&, const Description&);
KernelPtr makeCumsum(const Instruction&, const Description&);
KernelPtr makeSort(const Instruction&, const Description&);
KernelPtr makeGather(const Instruction&, const Description&);
KernelPtr makeScatter(const Instruction&, const Description&);
KernelPtr makeGatherAlong(const Instruction&, const Description&);
KernelPtr makeScatterAlong(const Instruction&, const Description&);
KernelPtr makeDot(const Instruction&, const Description&);
KernelPtr makeConv(const Instruction&, const Description&);
KernelPtr makeConvGradInput(const Instruction&, const Description&);
KernelPtr makeConvGradWeight(const Instruction&, const Description&);
KernelPtr makeMaxPool(const Instruction&, const Description&);
KernelPtr makeSumPool(const Instruction&, const Description&);
KernelPtr makeSumPoolTranspose(const Instruction&, const Description&);
KernelPtr makeRandom(const Instruction&, const Description&);

constexpr int64_t kGrain = 32768;  // element operations worth a task of their own

// Splits [0, total) into tasks of about `grain` items. For kernels whose results do not depend on how they are split.
template <class F> void forRanges(Pool& pool, int64_t total, int64_t grain, F&& range) {
  if (total <= 0) return;
  if (grain < 1) grain = 1;
  const int64_t tasks = (total + grain - 1) / grain;
  pool.run(tasks, [&](int64_t task, int thread) {
    const int64_t begin = task * grain;
    range(begin, begin + grain < total ? begin + grain : total, thread);
  });
}

// The three nested sizes of an array around one axis.
struct Around {
  int64_t outer = 1, axis = 1, inner = 1;
  Around(const Shape& shape, int64_t at) {
    require(at >= 0 && at < static_cast<int64_t>(shape.size()), "an axis is out of range");
    for (int64_t d = 0; d < at; ++d) outer *= shape[d];
    axis = shape[at];
    for (size_t d = at + 1; d < shape.size(); ++d) inner *= shape[d];
  }
};


}  // namespace lethe
