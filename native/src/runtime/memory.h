// Blocks of memory for buffers and scratch: page-aligned, pooled by size, shared between JavaScript's handles and the
// work that still uses them. A block goes back to the pool when the last of both lets go.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lethe {

struct Block {
  char* data;
  size_t bytes;     // asked for
  size_t capacity;  // of the size class
};
using BlockPtr = std::shared_ptr<Block>;

class BlockPool {
 public:
  BlockPool();
  // Uninitialised; throws std::bad_alloc when even an emptied pool leaves no room.
  BlockPtr allocate(size_t bytes);
  // Gives the blocks nobody uses back to the system.
  void trim();
  size_t pooledBytes() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lethe
