// The ordered queue: one thread that does what JavaScript enqueued, in order, and the pool of threads it does it with.
// The first failure is remembered; everything after it still runs, and whoever waits is told.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "runtime/threads.h"

namespace lethe {

using Failure = std::optional<std::string>;

class Queue {
 public:
  explicit Queue(int threads);
  ~Queue();  // finishes the job at hand and drops the rest
  using Job = std::function<void(Pool&)>;
  void push(Job job);
  // Runs after everything pushed before, with the first failure since the last call that had `clear`.
  void notify(std::function<void(const Failure&)> done, bool clear);

 private:
  struct Item {
    Job job;
    std::function<void(const Failure&)> done;
    bool clear;
  };
  void put(Item item);
  std::optional<Item> next();
  void work();

  Pool pool_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::deque<Item> items_;
  bool stop_ = false;
  Failure failure_;
  std::thread thread_;
};

}  // namespace lethe
