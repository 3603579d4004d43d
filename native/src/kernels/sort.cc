// `sort`: stable, ascending along the last axis, NaN last, with the indices. Elements become unsigned keys of the same
// order (both zeros alike, NaN the largest), packed with their index into 64 bits: equal keys then keep their order
// under any sort. Long rows are sorted by radix, eight bits of the key at a time.
#include <algorithm>
#include <cstring>

#include "runtime/kernel.h"

namespace lethe {
namespace {

constexpr int64_t kRadixFrom = 512;

inline uint32_t keyOf(float x) {
  if (x != x) return 0xffffffffu;
  if (x == 0.0f) x = 0.0f;
  uint32_t b;
  std::memcpy(&b, &x, 4);
  return b & 0x80000000u ? ~b : b | 0x80000000u;
}
inline uint32_t keyOf(int32_t x) { return static_cast<uint32_t>(x) ^ 0x80000000u; }
inline uint32_t keyOf(uint32_t x) { return x; }

void sortPacked(uint64_t* a, uint64_t* spare, int64_t n) {
  if (n < kRadixFrom) {
    std::sort(a, a + n);
    return;
  }
  for (int shift = 32; shift < 64; shift += 8) {
    int64_t start[257] = {};
    for (int64_t i = 0; i < n; ++i) ++start[((a[i] >> shift) & 255) + 1];
    for (int b = 0; b < 256; ++b) start[b + 1] += start[b];
    for (int64_t i = 0; i < n; ++i) spare[start[(a[i] >> shift) & 255]++] = a[i];
    std::swap(a, spare);  // four passes: the result is back where it began
  }
}

class Sort : public Kernel {
 public:
  explicit Sort(const Instruction& i) : x_(i.input(0)), values_(i.output(0)), indices_(i.output(1)) {
    require(i.inputs.size() == 1 && !x_.shape.empty() && values_.size == x_.size && indices_.size == x_.size, "sort has one operand and two results of its shape");
    n_ = x_.shape.back();
    require(n_ < (int64_t{1} << 31), "sort's axis is too long");
  }
  WorkspaceSize workspace(int) const override { return {0, static_cast<size_t>(n_) * 16}; }
  double cost() const override { return x_.size * 16; }
  void run(const RunContext& f) const override {
    switch (x_.dtype) {
      case DType::Float32: return over<float>(f);
      case DType::Uint32: return over<uint32_t>(f);
      default: return over<int32_t>(f);
    }
  }

 private:
  template <class T> void over(const RunContext& f) const {
    if (x_.size == 0) return;
    const T* x = f.at<const T>(x_.slot);
    T* values = f.at<T>(values_.slot);
    int32_t* indices = f.at<int32_t>(indices_.slot);
    forRanges(f.pool, x_.size / n_, kGrain / (16 * n_) + 1, [&](int64_t begin, int64_t end, int thread) {
      uint64_t* a = reinterpret_cast<uint64_t*>(f.workspace.of(thread));
      for (int64_t row = begin; row < end; ++row) {
        const T* from = x + row * n_;
        for (int64_t i = 0; i < n_; ++i) a[i] = uint64_t{keyOf(from[i])} << 32 | static_cast<uint64_t>(i);
        sortPacked(a, a + n_, n_);
        for (int64_t i = 0; i < n_; ++i) {
          const int32_t at = static_cast<int32_t>(a[i] & 0x7fffffffu);
          values[row * n_ + i] = from[at];
          indices[row * n_ + i] = at;
        }
      }
    });
  }
  const Operand x_, values_, indices_;
  int64_t n_;
};

}  // namespace

KernelPtr makeSort(const Instruction& i, const Description&) { return std::make_unique<Sort>(i); }

}  // namespace lethe
