// The thread pool: the calling thread and threads - 1 workers draw tasks from one atomic counter. It is not a
// general scheduler: one run at a time, no nesting, tasks must not throw.
//
// The counter lives in one 64-bit word together with the number of the run, so that drawing a task also proves that
// the run is still open. A worker that comes late (the machine gave its core to somebody else) therefore does no
// harm and is not waited for: run() returns when the tasks are done, not when every worker has looked at them.
#include "runtime/threads.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace lethe {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits without giving up the core for some tens of microseconds, then lets others run in between.
class Spin {
 public:
  void once() {
    if (++count_ < 1000) relax();
    else std::this_thread::yield();
  }

 private:
  int count_ = 0;
};

constexpr uint64_t kTaskBits = 32;
constexpr uint64_t kTaskMask = (uint64_t{1} << kTaskBits) - 1;
constexpr int64_t kMostTasks = int64_t{1} << 30;  // per run of the counter; longer runs are cut

}  // namespace

struct Pool::Impl {
  // Run number above, next task below. A run is closed while its next task is kTaskMask.
  alignas(64) std::atomic<uint64_t> state{kTaskMask};
  alignas(64) std::atomic<int64_t> done{0};
  alignas(64) std::atomic<int64_t> tasks{0};
  std::atomic<FunctionRef<void(int64_t, int)>*> task{nullptr};
  alignas(64) std::atomic<bool> awake{false};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable wakeup;
  std::vector<std::thread> workers;

  ~Impl();

  // Draws and runs tasks of the open run until none is left.
  void drain(int thread) {
    int64_t finished = 0;
    uint64_t seen = state.load(std::memory_order_acquire);
    const uint64_t run = seen >> kTaskBits;
    // What is read here belongs to `run` if the exchange below succeeds: the caller closes the old run before it
    // writes these two, and it starts a new one only when all tasks drawn from the old one are done.
    auto* body = task.load(std::memory_order_acquire);
    const int64_t count = tasks.load(std::memory_order_acquire);
    while (seen >> kTaskBits == run && static_cast<int64_t>(seen & kTaskMask) < count) {
      if (!state.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      (*body)(base + static_cast<int64_t>(seen & kTaskMask), thread);
      ++finished;
      seen = state.load(std::memory_order_acquire);
    }
    if (finished) done.fetch_add(finished, std::memory_order_acq_rel);
  }

  void work(int thread) {
    uint64_t last = 0;
    for (;;) {
      Spin spin;
      while (state.load(std::memory_order_acquire) >> kTaskBits == last) {
        if (stop.load(std::memory_order_relaxed)) return;
        if (awake.load(std::memory_order_relaxed)) {
          spin.once();
          continue;
        }
        std::unique_lock<std::mutex> lock(mutex);
        wakeup.wait(lock, [&] {
          return stop.load() || awake.load() || state.load() >> kTaskBits != last;
        });
        spin = Spin();
      }
      last = state.load(std::memory_order_acquire) >> kTaskBits;
      drain(thread);
    }
  }

  void runPart(int64_t first, int64_t count, FunctionRef<void(int64_t, int)>* body) {
    const uint64_t next = (state.load(std::memory_order_relaxed) >> kTaskBits) + 1;
    state.store(((next - 1) << kTaskBits) | kTaskMask, std::memory_order_seq_cst);
    done.store(0, std::memory_order_relaxed);
    base = first;
    task.store(body, std::memory_order_release);
    tasks.store(count, std::memory_order_release);
    if (awake.load(std::memory_order_relaxed)) {
      state.store(next << kTaskBits, std::memory_order_seq_cst);
    } else {
      {
        std::lock_guard<std::mutex> lock(mutex);
        state.store(next << kTaskBits, std::memory_order_seq_cst);
      }
      wakeup.notify_all();
    }
    drain(0);
    Spin spin;
    while (done.load(std::memory_order_acquire) != count) spin.once();
  }

  int64_t base = 0;  // ordered by `state`, like the task itself
};

Pool::Pool(int threads) : impl_(std::make_unique<Impl>()), threads_(threads < 1 ? 1 : threads) {
  Impl* const impl = impl_.get();
  for (int thread = 1; thread < threads_; ++thread) impl->workers.emplace_back([impl, thread] { impl->work(thread); });
}

Pool::~Pool() = default;

// Also where the system gave fewer threads than were asked for: those that began are ended.
Pool::Impl::~Impl() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stop = true;
  }
  wakeup.notify_all();
  for (auto& worker : workers) worker.join();
}

void Pool::run(int64_t tasks, FunctionRef<void(int64_t, int)> task) {
  if (threads_ == 1 || tasks <= 1) {
    for (int64_t i = 0; i < tasks; ++i) task(i, 0);
    return;
  }
  for (int64_t first = 0; first < tasks; first += kMostTasks) {
    const int64_t left = tasks - first;
    impl_->runPart(first, left < kMostTasks ? left : kMostTasks, &task);
  }
}

void Pool::wake() {
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->awake = true;
  }
  impl_->wakeup.notify_all();
}

void Pool::rest() { impl_->awake = false; }

}  // namespace lethe
