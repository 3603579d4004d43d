// Rounding, and the sizes of the memory that everything here is laid out for.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lethe {

inline int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t roundUp(int64_t a, int64_t b) { return divideUp(a, b) * b; }

constexpr size_t kLineBytes = 64;
constexpr size_t kPageBytes = 4096;
// Results from here on are written past the caches where nobody reads them at once: they would not stay, and push
// everything else out.
constexpr int64_t kStreamBytes = int64_t{16} << 20;

inline size_t wholeLines(size_t bytes) { return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes; }
inline size_t wholePages(size_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

}  // namespace lethe
