// Between two jobs that follow closely (eager operations) the queue polls for some tens of microseconds before it lets
// the pool sleep: falling asleep and waking costs about as much.
#include "runtime/queue.h"

#include <atomic>
#include <chrono>
#include <exception>
#include <new>

namespace lethe {
namespace {
constexpr auto kLinger = std::chrono::microseconds(40);
}

Queue::Queue(int threads) : pool_(threads), thread_([this] { work(); }) {}

Queue::~Queue() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wakeup_.notify_all();
  thread_.join();
}

void Queue::put(Item item) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    items_.push_back(std::move(item));
  }
  wakeup_.notify_one();
}
void Queue::push(Job job) { put({std::move(job), nullptr, false}); }
void Queue::notify(std::function<void(const Failure&)> done, bool clear) { put({nullptr, std::move(done), clear}); }

std::optional<Queue::Item> Queue::next() {
  auto ready = [this] { return stop_ || !items_.empty(); };
  std::unique_lock<std::mutex> lock(mutex_);
  if (!ready() && !wakeup_.wait_for(lock, kLinger, ready)) {
    pool_.rest();
    wakeup_.wait(lock, ready);
  }
  if (stop_) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

void Queue::work() {
  while (auto item = next()) {
    if (item->done) {
      item->done(failure_);
      if (item->clear) failure_.reset();
      continue;
    }
    std::string what;
    try {
      item->job(pool_);
      continue;
    } catch (const std::bad_alloc&) {
      what = "out of memory";
    } catch (const std::exception& e) {
      what = e.what();
    }
    if (!failure_) failure_ = what;
  }
  pool_.rest();
}

}  // namespace lethe
