// The thread pool and the holes that kernels leave for fused work: the two things every kernel file shares.
// A pool spins while a program is being replayed and sleeps after it (a step has hundreds of kernels; waking a
// sleeping thread costs more than most of them).
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace lethe {

// A non-owning reference to a callable; the callable must outlive the call it is passed to.
template <class Signature> class FunctionRef;
template <class R, class... A> class FunctionRef<R(A...)> {
 public:
  template <class F> FunctionRef(F&& f)  // NOLINT: implicit on purpose
      : self_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* self, A... a) -> R { return (*static_cast<std::remove_reference_t<F>*>(self))(static_cast<A>(a)...); }) {}
  R operator()(A... a) const { return call_(self_, static_cast<A>(a)...); }

 private:
  void* self_;
  R (*call_)(void*, A...);
};

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  int threads() const { return threads_; }
  // Runs task(i, thread) for i in [0, tasks); returns when all are done. Each thread begins with its own share of them, which
  // are neighbours. Which thread runs which task is not determined: results must not depend on it.
  void run(int64_t tasks, FunctionRef<void(int64_t task, int thread)> task);
  // Between wake() and rest() workers spin; otherwise they sleep.
  void wake();
  void rest();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int threads_;
};

// Scratch memory a kernel asked for when the program was compiled. 64-byte aligned.
struct Workspace {
  char* shared = nullptr;      // one block for the whole kernel
  char* private_ = nullptr;    // `private_bytes` for each thread
  size_t private_bytes = 0;
  char* of(int thread) const { return private_ + static_cast<size_t>(thread) * private_bytes; }
};
struct WorkspaceSize {
  size_t shared = 0;
  size_t private_ = 0;         // per thread, rounded up to 4096 by the caller
};

// Epilogue: called by a kernel for a contiguous run [start, start + count) of its flat result while the run is still in
// cache. `data` points at the first raw element; the callee writes the fused results wherever they belong (in place too).
using Epilogue = FunctionRef<void(int64_t start, int64_t count, float* data, int thread)>;
// Prologue: fills `data` with the run [start, start + count) of the (flat) operand, computed on the fly.
using Prologue = FunctionRef<void(int64_t start, int64_t count, float* data, int thread)>;

}  // namespace lethe
