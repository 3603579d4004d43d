// The vector loops everything elementwise is made of, one table of them per instruction set. A loop runs over a block
// of a few hundred to a thousand 32-bit lanes that lie in the first-level cache; what to call on which block is decided
// in plan.cc. Results may differ between instruction sets in the last bits, never between thread counts.
#pragma once
#include <cstddef>
#include <cstdint>

#include "operations.h"

namespace lethe {

// d[i] = op(a[i], b[i], c[i]) for i < n. An operand that was declared uniform is read at [0] only. d may be a, b or c.
using StepLoop = void (*)(int64_t n, void* d, const void* a, const void* b, const void* c);

// One link of a chain: what is done with the values at hand, which stay in registers from link to link.
struct Link {
  enum Code : uint8_t {
    Load, Store,                                               // block `operand`
    AddBlock, SubBlock, SubFromBlock, MulBlock,                // with the elements of a block, which may come first
    AddSingle, SubSingle, SubFromSingle, MulSingle,            // with a single value
    MulItself, Neg, Exp,
    SumA, SumB,
  } code;
  uint8_t operand;
};
constexpr size_t kMostSums = 2;

struct VectorTable {
  const char* name;
  // Null if the operation does not exist for these types. Bit k of `uniform`: operand k is a single value.
  StepLoop (*step)(Op op, DType from, DType to, int uniform);
  // Elementwise operations one after the other on n elements, without storing what is between, and up to two sums.
  void (*chain)(const Link* links, size_t count, int64_t n, char* const* blocks, size_t summed, double* totals);
  // Is there an exponential among the links?
  bool chainsExp;
  // Non-temporal copy: the destination is not read into the cache first.
  void (*stream)(int64_t n, float* d, const float* s);
  void (*gather)(int64_t n, void* d, const void* s, int64_t stride);
  // Folds n values into acc[0]; accumulators are double for f32 and int64 for the integers.
  void (*foldRun)(Fold fold, DType type, int64_t n, const void* x, void* acc);
  // Folds each of n columns of `rows` rows (`stride` lanes apart) into acc[0..n).
  void (*foldRows)(Fold fold, DType type, int64_t rows, int64_t n, int64_t stride, const void* x, void* acc);
  // Mean and sum of squared distances (m2) after `seen` values, merged with n more; for columns likewise.
  void (*momentsRun)(int64_t n, const float* x, double seen, double* mean, double* m2);
  void (*momentsRows)(int64_t rows, int64_t n, int64_t stride, const float* x, double seen, double* mean, double* m2);
  // The greatest pixel of a window in each of n channels, and which it was: the window's top left is pixel `first` of the
  // image, which is `width` pixels wide.
  void (*poolMax)(int64_t n, int64_t rows, int64_t columns, int64_t width, int32_t first, const float* image, float* best, int32_t* at);
  void (*add)(int64_t n, float* d, const float* x);
  // The loops of attention over a tile of scores, `rows` keys x `n` queries: see attention.inc.
  void (*attentionWeights)(int64_t rows, int64_t n, float* s, const float* l, const float* m);
  void (*attentionTops)(int64_t rows, int64_t n, float* s, const float* m, float* top, float* shrink);
  void (*attentionExponentials)(int64_t rows, int64_t n, float* s, const float* top, const float* shrink, float* sum);
  // `blocks` Philox blocks (4 elements each) starting at counter `first`: words, uniforms or normals.
  void (*random)(Distribution distribution, uint32_t key0, uint32_t key1, uint32_t first, int64_t blocks, void* d);
};

// The table of the instruction set in use (runtime/isa.h).
const VectorTable& vectors();

const VectorTable* vectorTablePortable();
const VectorTable* vectorTableAvx2();
const VectorTable* vectorTableAvx512();
const VectorTable* vectorTableNeon();

}  // namespace lethe
