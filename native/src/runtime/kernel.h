// What a program is made of: kernels, each compiled from one instruction and run against the addresses of its slots.
#pragma once
#include <memory>
#include <string>

#include "runtime/description.h"
#include "runtime/sizes.h"
#include "runtime/threads.h"

namespace lethe {

struct RunContext {
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
  virtual void run(const RunContext& context) const = 0;
  // How it goes about it, in lines of words; nothing where there is nothing to choose.
  virtual std::string describe() const { return {}; }
};

using KernelPtr = std::unique_ptr<Kernel>;
using Factory = KernelPtr (*)(const Instruction&, const Description&);

// One factory for each root. They are hidden, so that the linker misses one that is not there; what is visible it would
// leave to be found at run time.
#define LETHE_FACTORY(name, Name, fuses) \
  __attribute__((visibility("hidden"))) KernelPtr make##Name(const Instruction&, const Description&);
LETHE_ROOTS(LETHE_FACTORY)
#undef LETHE_FACTORY
#define LETHE_ROOT_NUMBER(name, Name, fuses) Name,
enum class Root : int { LETHE_ROOTS(LETHE_ROOT_NUMBER) };
#undef LETHE_ROOT_NUMBER
// For instructions without a root.
KernelPtr makeBody(const Instruction&, const Description&);
KernelPtr makeRows(const Instruction&, const Description&);
// For any.
KernelPtr makeKernel(const Instruction&, const Description&);

constexpr int64_t kGrain = 32768;  // element operations worth a task of their own

// Splits [0, total) into tasks of about `grain` items. For kernels whose results do not depend on how they are split.
template <class F> void forRanges(Pool& pool, int64_t total, int64_t grain, F&& range) {
  if (total <= 0) return;
  if (grain < 1) grain = 1;
  const int64_t tasks = divideUp(total, grain);
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
