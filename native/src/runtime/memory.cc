// Size classes are eighths of powers of two: a step allocates the same sizes again and again, and touching fresh pages
// costs more than most kernels. The pool keeps at most as much as was ever in use at once.
#include "runtime/memory.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "runtime/sizes.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace lethe {
namespace {

constexpr size_t kHuge = size_t{2} << 20;
constexpr size_t kKeep = size_t{64} << 20;
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPools = false;  // each block as large as asked for, and given back at once: every step beyond it shows
#else
constexpr bool kPools = true;
#endif

size_t classOf(size_t bytes) {
  if (!kPools) return bytes;
  size_t unit = 256;
  while (unit * 16 < bytes) unit *= 2;
  return std::max(unit, (bytes + unit - 1) / unit * unit);
}

size_t alignmentOf(size_t capacity) { return capacity >= kHuge ? kHuge : capacity >= kPageBytes ? kPageBytes : kLineBytes; }

// Null where there is no room.
char* fresh(size_t capacity) {
  const size_t alignment = alignmentOf(capacity);
  char* p = static_cast<char*>(::operator new(capacity, std::align_val_t(alignment), std::nothrow));
#if defined(__linux__)
  if (p && alignment == kHuge) madvise(p, capacity / kHuge * kHuge, MADV_HUGEPAGE);
#endif
  return p;
}
void release(char* p, size_t capacity) {
  ::operator delete(p, std::align_val_t(alignmentOf(capacity)));
}

}  // namespace

struct BlockPool::State {
  struct Free {
    char* data;
    uint64_t since;  // how many were given back before it
  };
  std::mutex mutex;
  std::map<size_t, std::vector<Free>> free;  // of each capacity, those that lie there longest first
  size_t live = 0, peak = 0, pooled = 0;
  uint64_t given = 0;

  ~State() { drop(0); }

  // Frees pooled blocks until at most `keep` bytes are left, those that lie there longest first: a step that is repeated takes
  // what it gave back, and not what an earlier one left. Called with the mutex held.
  void drop(size_t keep) {
    while (pooled > keep) {
      auto oldest = free.begin();
      for (auto it = free.begin(); it != free.end(); ++it)
        if (it->second.front().since < oldest->second.front().since) oldest = it;
      auto& [capacity, blocks] = *oldest;
      release(blocks.front().data, capacity);
      pooled -= capacity;
      blocks.erase(blocks.begin());
      if (blocks.empty()) free.erase(oldest);
    }
  }

  char* take(size_t capacity) {
    std::lock_guard<std::mutex> lock(mutex);
    live += capacity;
    peak = std::max(peak, live);
    if (auto it = free.find(capacity); it != free.end()) {
      char* p = it->second.back().data;
      it->second.pop_back();
      pooled -= capacity;
      if (it->second.empty()) free.erase(it);
      return p;
    }
    if (char* p = fresh(capacity)) return p;
    drop(0);
    if (char* p = fresh(capacity)) return p;
    live -= capacity;
    throw std::bad_alloc();
  }
  void give(char* p, size_t capacity) {
    std::lock_guard<std::mutex> lock(mutex);
    live -= capacity;
    pooled += capacity;
    free[capacity].push_back({p, given++});
    drop(kPools ? std::max(kKeep, peak - live) : 0);
  }
};

BlockPool::BlockPool() : state_(std::make_shared<State>()) {}

BlockPtr BlockPool::allocate(size_t bytes) {
  const size_t capacity = classOf(std::max<size_t>(bytes, 1));
  auto state = state_;
  auto owner = std::make_unique<Block>(Block{nullptr, bytes, capacity});
  owner->data = state->take(capacity);
  return BlockPtr(owner.release(), [state](Block* b) {
    state->give(b->data, b->capacity);
    delete b;
  });
}

void BlockPool::trim() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->drop(0);
}

size_t BlockPool::pooledBytes() const {
  std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->pooled;
}

}  // namespace lethe
