// A compiled program: kernels in order, and how much memory they need besides what is bound at each run.
#pragma once
#include <chrono>

#include "loops/slabs.h"
#include "runtime/kernel.h"

namespace lethe {

// When kernels began and ended, in seconds since the profile did: two numbers for each, in the order they ran. Only the
// queue's thread writes.
struct Profile {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  std::vector<double> times;

  void mark() { times.push_back(std::chrono::duration<double>(Clock::now() - start).count()); }
};

class Program {
 public:
  Program(Description description, int threads);
  const Description& description() const { return description_; }
  // How its kernels go about it, in words.
  std::string describe() const;
  // Bytes of arena, shared and private workspace, in one block.
  size_t scratchBytes() const { return arena_ + shared_ + private_ * static_cast<size_t>(threads_); }
  // `bound`: addresses of the inputs, then of the outputs. `profile`, where there is one, is told when each kernel
  // began and ended.
  void run(Pool& pool, char* const* bound, char* scratch, std::vector<char*>& memory, Profile* profile) const;

 private:
  // An instruction, or some that go by slabs.
  struct Part {
    size_t count = 0;
    KernelPtr kernel;
    std::unique_ptr<SlabKernel> slabs;
  };
  void add(WorkspaceSize workspace, double cost);

  Description description_;
  std::vector<Part> parts_;
  int threads_;
  size_t arena_ = 0, shared_ = 0, private_ = 0;
  double cost_ = 0;
};

}  // namespace lethe
