// See runtime.h. Work that is enqueued holds its own references, so that JavaScript may free a buffer or dispose of a
// program the moment it has enqueued the last run with it.
#include "runtime/runtime.h"

#include <algorithm>
#include <cstring>

namespace lethe {
namespace {

// An empty JavaScript array may have no address, which memcpy does not take even for nothing.
void copy(void* to, const void* from, size_t bytes) {
  if (bytes) std::memcpy(to, from, bytes);
}

}  // namespace

uint32_t Runtime::allocate(size_t bytes) {
  const uint32_t id = buffers_.add(blocks_.allocate(bytes));
  bytes_ += bytes;
  return id;
}

void Runtime::write(uint32_t buffer, const void* data, size_t bytes) {
  BlockPtr& block = buffers_.at(buffer);
  require(bytes == block->bytes, "the data has another size than the buffer");
  if (block.use_count() == 1) {
    copy(block->data, data, bytes);
    return;
  }
  BlockPtr staged = blocks_.allocate(bytes);  // enqueued work still uses the buffer
  copy(staged->data, data, bytes);
  queue_.push([block, staged, bytes](Pool&) { copy(block->data, staged->data, bytes); });
}

void Runtime::read(uint32_t buffer, void* to, size_t bytes, std::function<void(const Failure&)> done) {
  BlockPtr block = buffers_.at(buffer);
  require(bytes <= block->bytes, "more is read than the buffer holds");
  queue_.notify(
      [block, to, bytes, done = std::move(done)](const Failure& failure) {
        if (!failure) copy(to, block->data, bytes);
        done(failure);
      },
      false);
}

void Runtime::free(uint32_t buffer) {
  bytes_ -= buffers_.at(buffer)->bytes;
  buffers_.remove(buffer);
}

uint32_t Runtime::compile(const std::string& label, const double* words, size_t count) {
  return programs_.add(std::make_shared<Program>(decode(label, words, count), threads_));
}

void Runtime::dispose(uint32_t program) {
  programs_.remove(program);
  size_t needed = 0;
  for (const auto& p : programs_.all())
    if (p) needed = std::max(needed, p->scratchBytes());
  queue_.push([scratch = scratch_, needed](Pool&) {
    if (scratch->block && scratch->block->bytes > 2 * needed) scratch->block = nullptr;
  });
}

void Runtime::run(uint32_t program, const uint32_t* buffers, size_t count) {
  std::shared_ptr<Program> p = programs_.at(program);
  const Description& d = p->description();
  require(static_cast<int64_t>(count) == d.inputs + d.outputs, "a program was given the wrong number of buffers");
  std::vector<BlockPtr> bound;
  bound.reserve(count);
  for (size_t i = 0; i < count; ++i) bound.push_back(buffers_.at(buffers[i]));
  for (const Slot& s : d.slots) {
    if (s.kind == SlotKind::Temporary) continue;
    const size_t have = bound[static_cast<size_t>(s.kind == SlotKind::Input ? s.index : d.inputs + s.index)]->bytes;
    require(have >= static_cast<size_t>(s.bytes()), "a buffer is smaller than the program's slot");
  }
  for (int64_t o = 0; o < d.outputs; ++o) {
    const BlockPtr& output = bound[static_cast<size_t>(d.inputs + o)];
    for (int64_t k = 0; k < d.inputs + o; ++k)
      require(bound[static_cast<size_t>(k)] != output || (k < d.inputs && d.isDonated(o, k)), "a program's result is to go where an operand lies that was not given away");
  }
  queue_.push([this, p, bound = std::move(bound), scratch = scratch_, profile = profile_](Pool& pool) {
    const size_t needed = p->scratchBytes();
    if (needed && (!scratch->block || scratch->block->bytes < needed)) {
      scratch->block = nullptr;
      scratch->block = blocks_.allocate(needed);
    }
    std::vector<char*> addresses;
    addresses.reserve(bound.size());
    for (const BlockPtr& b : bound) addresses.push_back(b->data);
    p->run(pool, addresses.data(), scratch->block ? scratch->block->data : nullptr, scratch->memory, profile.get());
  });
}

void Runtime::startProfile() {
  require(!profile_, "a profile is being taken already");
  profile_ = std::make_shared<Profile>();
}
std::shared_ptr<Profile> Runtime::stopProfile() {
  require(profile_ != nullptr, "no profile is being taken");
  return std::move(profile_);
}

}  // namespace lethe
