// Small things that the planning of every product needs.
#pragma once
#include <algorithm>
#include <cstdint>

#include "runtime/sizes.h"
#include "runtime/threads.h"

namespace lethe {

constexpr int64_t kLine = kLineBytes / 4;      // floats in a cache line
constexpr int64_t kWorthThreads = 200 * 1000;  // operations below which waking a second thread costs more
constexpr int64_t kWantedTasks = 8;            // enough for a few threads to share fairly when one is held up
constexpr int64_t kCacheFloats = 80 * 1024;    // of one operand's block: a third of a second-level cache

// An axis of n cut into `count` blocks of `length`, the last of which may be shorter.
struct Cut {
  int64_t length = 1, count = 1;

  Cut() = default;
  Cut(int64_t n, int64_t wanted) : length(std::max<int64_t>(1, wanted)), count(std::max<int64_t>(1, divideUp(n, length))) {}
  // Into about that many equal ones.
  static Cut into(int64_t n, int64_t parts) { return {n, divideUp(n, parts)}; }
};

// Runs the tasks on the pool if they are worth it; the result is the same.
template <class F> void runTasks(Pool& pool, int64_t operations, int64_t tasks, F&& task) {
  if (operations >= kWorthThreads) return pool.run(tasks, task);
  for (int64_t i = 0; i < tasks; ++i) task(i, 0);
}

// Hands a finished result to its epilogue in pieces, for kernels that finish it in no useful order.
inline void runEpilogue(Pool& pool, int64_t size, float* result, const Epilogue* epilogue) {
  if (!epilogue) return;
  const int64_t piece = 16 * 1024;
  runTasks(pool, size * 8, divideUp(size, piece), [&](int64_t i, int thread) {
    (*epilogue)(i * piece, std::min(piece, size - i * piece), result + i * piece, thread);
  });
}

// What is written past the caches has to begin where a line does.
inline bool beginsLine(const float* p) { return reinterpret_cast<uintptr_t>(p) % kLineBytes == 0; }

// Cuts consecutive pieces, each on a cache line, out of a workspace; with no memory it only counts.
class BumpAllocator {
 public:
  explicit BumpAllocator(char* memory) : memory_(memory) {}
  template <class T> T* take(int64_t count) {
    T* at = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += wholeLines(static_cast<size_t>(count) * sizeof(T));
    return at;
  }
  size_t used() const { return used_; }

 private:
  char* memory_;
  size_t used_ = 0;
};

}  // namespace lethe
