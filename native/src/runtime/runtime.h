// One backend: a queue, the memory behind JavaScript's handles, and the compiled programs. No JavaScript types in here;
// addon.cc translates. Every method is called on JavaScript's thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/isa.h"
#include "runtime/memory.h"
#include "runtime/program.h"
#include "runtime/queue.h"

namespace lethe {

// Numbers JavaScript can hold for things it owns.
template <class T> class Handles {
 public:
  uint32_t add(T thing) {
    ++live_;
    if (free_.empty()) {
      things_.push_back(std::move(thing));
      return static_cast<uint32_t>(things_.size() - 1);
    }
    const uint32_t id = free_.back();
    free_.pop_back();
    things_[id] = std::move(thing);
    return id;
  }
  T& at(uint32_t id) {
    require(id < things_.size() && things_[id], "this buffer or program was already released");
    return things_[id];
  }
  void remove(uint32_t id) {
    at(id) = nullptr;
    free_.push_back(id);
    --live_;
  }
  size_t live() const { return live_; }
  const std::vector<T>& all() const { return things_; }

 private:
  std::vector<T> things_;
  std::vector<uint32_t> free_;
  size_t live_ = 0;
};

class Runtime {
 public:
  explicit Runtime(int threads) : threads_(threads), queue_(threads) {}

  uint32_t allocate(size_t bytes);
  size_t sizeOf(uint32_t buffer) { return buffers_.at(buffer)->bytes; }
  void write(uint32_t buffer, const void* data, size_t bytes);
  // Copies into `to` on the queue's thread, then calls `done` there.
  void read(uint32_t buffer, void* to, size_t bytes, std::function<void(const Failure&)> done);
  void free(uint32_t buffer);
  uint32_t compile(const std::string& label, const double* words, size_t count);
  void dispose(uint32_t program);
  void run(uint32_t program, const uint32_t* buffers, size_t count);
  // Times the kernels of the runs enqueued between the two calls; the second gives what it has once they are through.
  void startProfile();
  std::shared_ptr<Profile> stopProfile();

  Queue& queue() { return queue_; }
  size_t buffers() const { return buffers_.live(); }
  size_t bytes() const { return bytes_; }
  size_t pooledBytes() const { return blocks_.pooledBytes(); }
  int threads() const { return threads_; }

 private:
  const IsaUse isa_;
  const int threads_;
  BlockPool blocks_;
  Handles<BlockPtr> buffers_;
  size_t bytes_ = 0;
  Handles<std::shared_ptr<Program>> programs_;
  std::shared_ptr<Profile> profile_;
  // Only the queue's thread touches these: all programs share one scratch block, because one runs at a time.
  struct Scratch {
    BlockPtr block;
    std::vector<char*> memory;
  };
  std::shared_ptr<Scratch> scratch_ = std::make_shared<Scratch>();
  Queue queue_;  // last: its thread ends before the rest goes
};

}  // namespace lethe
