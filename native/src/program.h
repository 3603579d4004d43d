// A compiled program: kernels in order, and how much memory they need besides what is bound at each run.
#pragma once
#include "kernel.h"

namespace lethe {

class Program {
 public:
  Program(Description description, int threads);
  const Description& description() const { return description_; }
  // Bytes of arena, shared and private workspace, in one block.
  size_t scratchBytes() const { return arena_ + shared_ + private_ * static_cast<size_t>(threads_); }
  // `bound`: addresses of the inputs, then of the outputs.
  void run(Pool& pool, char* const* bound, char* scratch, std::vector<char*>& memory) const;

 private:
  Description description_;
  std::vector<KernelPtr> kernels_;
  int threads_;
  size_t arena_ = 0, shared_ = 0, private_ = 0;
  int64_t cost_ = 0;
};

}  // namespace lethe
