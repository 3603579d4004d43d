// Neighbouring loops and reductions on the same pictures, done a few pictures at a time: what one writes or reads of a picture
// the next one reads while it is still in a cache.
#pragma once
#include <vector>

#include "runtime/kernel.h"

namespace lethe {

// A slab is what belongs to a few indices of the outermost axis. What is computed does not depend on the number of threads.
class SlabKernel {
 public:
  // How many of the instructions from `first` on belong together; fewer than two where that is not worth while.
  static size_t countFrom(size_t first, const Description& program);
  SlabKernel(size_t first, const Description& program);

  WorkspaceSize workspace(int threads) const;
  double cost() const;
  // Threads take slabs; where there are fewer slabs than threads, all share each. What waited follows.
  void run(const RunContext& context) const;
  // Instruction k of all slabs, or as a whole where it waits; for profiles, which go in the program's order.
  void runOne(const RunContext& context, size_t k) const;
  std::string describe(size_t k) const;

 private:
  // A copy of the slots' addresses, in front of what kernels need.
  size_t addressBytes() const { return wholePages(apart_.size() * sizeof(char*)); }
  void enter(const RunContext& context, int64_t slab, char** memory) const;

  int64_t slabs_ = 1;
  std::vector<int64_t> apart_;  // of each slot: bytes from a slab to the next
  std::vector<KernelPtr> kernels_;
  std::vector<bool> goes_;      // of each kernel: by slabs, or after them
  size_t private_ = 0, shared_ = 0;
};

}  // namespace lethe
