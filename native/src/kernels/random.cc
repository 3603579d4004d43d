// `random`: Philox blocks in the order of the elements, one range of blocks a task. The arithmetic is in loops/random_math.h.
#include <algorithm>
#include <cstring>

#include "loops/vector.h"
#include "runtime/kernel.h"
#include "runtime/sizes.h"

namespace lethe {
namespace {

constexpr int64_t kTaskBlocks = 2048;

class Random : public Kernel {
 public:
  explicit Random(const Instruction& i)
      : keys_(i.input(0)), y_(i.output(0)), distribution_(static_cast<Distribution>(i.number(Param::Distribution))),
        size_(keys_.size < 2 ? 0 : y_.size / (keys_.size / 2)), vector_(vectors()) {
    require(keys_.dtype == DType::Uint32 && !keys_.shape.empty() && keys_.shape.back() == 2, "random needs uint32 keys of two words");
    const int64_t distribution = i.number(Param::Distribution);
    require(distribution >= 0 && distribution < kDistributions, "random knows bits, uniform and normal");
    require(y_.dtype == (distribution_ == Distribution::Bits ? DType::Uint32 : DType::Float32), "random's result has the wrong type");
    require(size_ >= 0 && size_ < (int64_t{1} << 34), "one key can make 2^34 numbers");
    require(isProduct(y_.size, {keys_.size / 2, size_}), "random's result has the wrong size");
  }
  double cost() const override { return y_.size * 8; }
  void run(const RunContext& f) const override {
    if (y_.size == 0) return;
    const uint32_t* keys = f.at<const uint32_t>(keys_.slot);
    uint32_t* y = f.at<uint32_t>(y_.slot);
    const int64_t blocks = divideUp(size_, 4), ranges = divideUp(blocks, kTaskBlocks);
    const int64_t group = std::max<int64_t>(1, kGrain / 32 / blocks);  // short keys share a task
    forRanges(f.pool, keys_.size / 2 * ranges, ranges == 1 ? group : 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t key = t / ranges, first = t % ranges * kTaskBlocks, last = std::min(blocks, first + kTaskBlocks);
        const uint32_t k0 = keys[2 * key], k1 = keys[2 * key + 1];
        uint32_t* to = y + key * size_ + first * 4;
        const int64_t whole = std::min(last, size_ / 4) - first;
        vector_.random(distribution_, k0, k1, static_cast<uint32_t>(first), whole, to);
        if (first + whole == last) continue;
        uint32_t rest[4];
        vector_.random(distribution_, k0, k1, static_cast<uint32_t>(last - 1), 1, rest);
        std::memcpy(to + whole * 4, rest, static_cast<size_t>(size_ % 4) * 4);
      }
    });
  }

 private:
  const Operand keys_, y_;
  const Distribution distribution_;
  const int64_t size_;
  const VectorTable& vector_;
};

}  // namespace

KernelPtr makeRandom(const Instruction& i, const Description&) { return std::make_unique<Random>(i); }

}  // namespace lethe
