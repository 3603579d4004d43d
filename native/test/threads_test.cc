// The thread pool and the queue alone, at the pace that finds faults: short runs one after another, threads that come
// late, pools and queues that end with work in them. Seconds, also where every access to memory is watched.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "runtime/threads.h"
#include "runtime/queue.h"

namespace lethe {
namespace {

int checks = 0;

void check(bool ok, const std::string& what) {
  ++checks;
  if (ok) return;
  std::printf("FAIL %s\n", what.c_str());
  std::exit(1);
}

// Every task once, by a thread of this pool, and all of it seen by the caller. Tasks write plain memory of their own, and of
// their thread: whoever watches sees whether the pool orders it.
void runs(Pool& pool, int64_t tasks, std::vector<int>& seen, std::vector<int64_t>& byThread) {
  seen.assign(static_cast<size_t>(tasks), 0);
  byThread.assign(static_cast<size_t>(pool.threads()), 0);
  pool.run(tasks, [&](int64_t task, int thread) {
    ++seen[static_cast<size_t>(task)];
    ++byThread[static_cast<size_t>(thread)];
  });
  int64_t sum = 0;
  for (int64_t n : byThread) sum += n;
  bool once = sum == tasks;
  for (int n : seen) once = once && n == 1;
  check(once, std::to_string(tasks) + " tasks on " + std::to_string(pool.threads()) + " threads were not run once each");
}

void testRuns() {
  std::minstd_rand random(1);
  std::vector<int> seen;
  std::vector<int64_t> byThread;
  for (int threads : {1, 2, 3, 8}) {
    Pool pool(threads);
    for (int64_t tasks : {0, 1, 2, 3, 100, 5000}) runs(pool, tasks, seen, byThread);
    // Awake or asleep, in any order: what one run wrote the next one reads.
    for (int k = 0; k < 5000; ++k) {
      if (random() % 7 == 0) pool.wake();
      if (random() % 7 == 0) pool.rest();
      runs(pool, random() % 9, seen, byThread);
    }
  }
}

// Ended at once, after a run, awake or asleep.
void testEnds() {
  std::vector<int> seen;
  std::vector<int64_t> byThread;
  for (int k = 0; k < 300; ++k) {
    Pool pool(1 + k % 5);
    if (k % 3 == 1) pool.wake();
    if (k % 2) runs(pool, k % 11, seen, byThread);
    if (k % 3 == 2) pool.wake();
  }
}

// Several at once, more threads than cores.
void testCrowd() {
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([c] {
      Pool pool(3);
      pool.wake();
      std::vector<int64_t> sums(64);
      for (int64_t k = 1; k <= 200; ++k) {
        pool.run(64, [&](int64_t task, int) { sums[static_cast<size_t>(task)] += k; });
        if (k % 50 == c) pool.rest();
      }
      for (int64_t s : sums)
        if (s != 200 * 201 / 2) std::printf("FAIL a crowd of pools\n"), std::exit(1);
    });
  for (std::thread& t : callers) t.join();
  ++checks;
}

// What is pushed runs in order; the first failure is told until a call clears it.
void testQueue() {
  Queue queue(3);
  std::vector<int64_t> log;
  int64_t total = 0;
  for (int64_t k = 0; k < 500; ++k) {
    queue.push([&, k](Pool& pool) {
      std::atomic<int64_t> sum{0};
      if (k % 3 == 0) pool.wake();
      pool.run(k % 17, [&](int64_t task, int) { sum += task; });
      total += sum;
      log.push_back(k);
    });
    if (k % 100 == 42) queue.push([k](Pool&) { throw std::runtime_error("job " + std::to_string(k)); });
    if (k % 60 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));  // the queue falls asleep
  }
  const auto ask = [&](bool clear) {
    std::promise<Failure> answer;
    queue.notify([&](const Failure& f) { answer.set_value(f); }, clear);
    return answer.get_future().get();
  };
  check(ask(false) == Failure("job 42"), "the first failure is told");
  check(ask(true) == Failure("job 42"), "and kept until it is cleared");
  check(!ask(true), "once");
  bool ordered = log.size() == 500;
  for (size_t k = 0; k < log.size(); ++k) ordered = ordered && log[k] == static_cast<int64_t>(k);
  int64_t expected = 0;
  for (int64_t k = 0; k < 500; ++k) expected += (k % 17) * (k % 17 - 1) / 2;
  check(ordered && total == expected, "jobs run in order");
}

// A queue that ends finishes the job at hand, drops the rest, and lets go of what they held.
void testQueueEnds() {
  for (int k = 0; k < 60; ++k) {
    auto held = std::make_shared<int>(0);
    {
      Queue queue(1 + k % 4);
      for (int j = 0; j < k; ++j)
        queue.push([held](Pool& pool) {
          std::atomic<int> n{0};
          pool.run(5, [&](int64_t, int) { ++n; });
          *held += n;
        });
      queue.notify([held](const Failure&) {}, false);
      if (k % 4 == 0) std::this_thread::yield();
    }
    check(held.use_count() == 1 && *held % 5 == 0, "a queue that ends lets go");
  }
}

// Where the system gives fewer threads than were asked for, that is an error, and those that began end.
void testTooMany() {
#if defined(__linux__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  long pages = 0;
  FILE* own = std::fopen("/proc/self/statm", "r");
  if (!own || std::fscanf(own, "%ld", &pages) != 1) return;
  std::fclose(own);
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  rlimit little = before;
  little.rlim_cur = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{64} << 20);
  setrlimit(RLIMIT_AS, &little);
  rlimit now{};
  getrlimit(RLIMIT_AS, &now);
  if (now.rlim_cur != little.rlim_cur) return;  // an emulator keeps to no limit
  bool thrown = false;
  try {
    Queue queue(1024);
  } catch (const std::system_error&) {
    thrown = true;
  }
  setrlimit(RLIMIT_AS, &before);
  check(thrown, "too many threads are an error");
#endif
}

}  // namespace
}  // namespace lethe

int main() {
  lethe::testRuns();
  lethe::testEnds();
  lethe::testCrowd();
  lethe::testQueue();
  lethe::testQueueEnds();
  lethe::testTooMany();
  std::printf("pool and queue: %d checks passed\n", lethe::checks);
}
