// The thread pool: the calling thread and threads - 1 workers. Each has a share of the tasks, which are neighbours, and the
// same share of every run of as many: what it read or wrote before is in the caches of its core. Who is done draws from the
// shares of others. It is not a general scheduler: one run at a time, no nesting, tasks must not throw.
//
// How many tasks of a share are left stands in one 64-bit word together with the number of the run, so that drawing a task
// also proves that the run is still open. A worker that comes late (the machine gave its core to somebody else) therefore does
// no harm and is not waited for: run() returns when the tasks are done, not when every worker has looked at them.
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
constexpr int64_t kMostTasks = int64_t{1} << 30;  // of a run; longer ones are cut

// Run number above, below how many tasks are left.
struct alignas(64) Share {
  std::atomic<uint64_t> left{0};
};

}  // namespace

struct Pool::Impl {
  explicit Impl(int threads) : shares(static_cast<size_t>(threads)) {}
  ~Impl();

  alignas(64) std::atomic<uint64_t> run{0};  // its number
  alignas(64) std::atomic<int64_t> done{0};
  alignas(64) std::atomic<int64_t> tasks{0};
  std::atomic<FunctionRef<void(int64_t, int)>*> task{nullptr};
  alignas(64) std::atomic<bool> awake{false};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable wakeup;
  std::vector<Share> shares;
  std::vector<std::thread> workers;

  // Where the share of a thread begins, which is where that of the thread before ends.
  int64_t begin(int64_t count, size_t thread) const {
    return count * static_cast<int64_t>(thread) / static_cast<int64_t>(shares.size());
  }

  // Runs tasks of run `number` until none is left, those of its own share first.
  void drain(size_t thread, uint64_t number) {
    // What is read here belongs to the run if an exchange below succeeds: the caller writes these two when all tasks of the
    // run before are drawn and done, and before it opens the shares of the new one.
    auto* const body = task.load(std::memory_order_acquire);
    const int64_t count = tasks.load(std::memory_order_acquire);
    int64_t finished = 0;
    for (size_t k = 0; k < shares.size(); ++k) {
      const size_t owner = thread + k < shares.size() ? thread + k : thread + k - shares.size();
      const int64_t end = begin(count, owner + 1);
      std::atomic<uint64_t>& left = shares[owner].left;
      uint64_t seen = left.load(std::memory_order_acquire);
      while (seen >> kTaskBits == number && (seen & kTaskMask) > 0) {
        if (!left.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
        (*body)(base + end - static_cast<int64_t>(seen & kTaskMask), static_cast<int>(thread));
        ++finished;
        seen = left.load(std::memory_order_acquire);
      }
    }
    if (finished) done.fetch_add(finished, std::memory_order_acq_rel);
  }

  void work(size_t thread) {
    uint64_t last = 0;
    for (;;) {
      Spin spin;
      while (run.load(std::memory_order_acquire) == last) {
        if (stop.load(std::memory_order_relaxed)) return;
        if (awake.load(std::memory_order_relaxed)) {
          spin.once();
          continue;
        }
        std::unique_lock<std::mutex> lock(mutex);
        wakeup.wait(lock, [&] { return stop.load() || awake.load() || run.load() != last; });
        spin = Spin();
      }
      last = run.load(std::memory_order_acquire);
      drain(thread, last);
    }
  }

  void runPart(int64_t first, int64_t count, FunctionRef<void(int64_t, int)>* body) {
    const uint64_t number = (run.load(std::memory_order_relaxed) + 1) & kTaskMask;
    done.store(0, std::memory_order_relaxed);
    base = first;
    task.store(body, std::memory_order_release);
    tasks.store(count, std::memory_order_release);
    for (size_t t = 0; t < shares.size(); ++t)
      shares[t].left.store((number << kTaskBits) | static_cast<uint64_t>(begin(count, t + 1) - begin(count, t)), std::memory_order_release);
    if (awake.load(std::memory_order_relaxed)) {
      run.store(number, std::memory_order_seq_cst);
    } else {
      {
        std::lock_guard<std::mutex> lock(mutex);
        run.store(number, std::memory_order_seq_cst);
      }
      wakeup.notify_all();
    }
    drain(0, number);
    Spin spin;
    while (done.load(std::memory_order_acquire) != count) spin.once();
  }

  int64_t base = 0;  // ordered by the shares, like the task itself
};

Pool::Pool(int threads) : impl_(std::make_unique<Impl>(threads < 1 ? 1 : threads)), threads_(threads < 1 ? 1 : threads) {
  Impl* const impl = impl_.get();
  for (size_t thread = 1; thread < impl->shares.size(); ++thread) impl->workers.emplace_back([impl, thread] { impl->work(thread); });
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
