// What the kernels' test and their benchmark share: a pool, memory and a workspace to run a kernel in.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "conv/conv.h"
#include "kernels/gemm.h"

namespace lethe {

struct FreeAligned {
  void operator()(float* p) const { std::free(p); }
};

// 64-byte aligned floats.
class Floats {
 public:
  explicit Floats(int64_t size, float fill = 0)
      : size_(size), data_(static_cast<float*>(std::aligned_alloc(64, (size * 4 + 127) / 64 * 64))) {
    for (int64_t i = 0; i < size; ++i) data_.get()[i] = fill;
  }
  static Floats random(int64_t size, unsigned seed) {
    Floats f(size);
    std::minstd_rand generator(seed + 1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int64_t i = 0; i < size; ++i) f.get()[i] = uniform(generator);
    return f;
  }
  float* get() const { return data_.get(); }
  float& operator[](int64_t i) const { return data_.get()[i]; }
  int64_t size() const { return size_; }

 private:
  int64_t size_;
  std::unique_ptr<float, FreeAligned> data_;
};

// Filled with NaN, so that a kernel that reads what it has not written shows.
class Scratch {
 public:
  Scratch(WorkspaceSize size, int threads)
      : shared_(static_cast<int64_t>(size.shared / 4 + 16), std::nanf("")),
        private_(static_cast<int64_t>(perThread(size) / 4 * threads + 16), std::nanf("")) {
    workspace.shared = reinterpret_cast<char*>(shared_.get());
    workspace.private_ = reinterpret_cast<char*>(private_.get());
    workspace.private_bytes = perThread(size);
  }
  Workspace workspace;

 private:
  static size_t perThread(WorkspaceSize size) { return (size.private_ + 4095) / 4096 * 4096; }
  Floats shared_, private_;
};

int runBench(const std::string& filter);

}  // namespace lethe
