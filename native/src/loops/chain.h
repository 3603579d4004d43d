// Chains of elementwise operations on float32: each goes on from the one before, whose values stay in registers. The loop
// that executes one is `chain` in vector.h.
#pragma once
#include <vector>

#include "loops/vector.h"

namespace lethe {

struct Chain {
  static constexpr size_t kMostSteps = 12, kMostBlocks = 3 * kMostSteps;

  std::vector<Link> links;
  std::vector<int> values;  // what the links read and write, by the caller's numbers

  bool empty() const { return links.empty(); }
  bool stores(int v) const;
  void load(int v) { put(Link::Load, v); }
  void store(int v) { put(Link::Store, v); }
  // The first sum is number 0.
  void sum(size_t number) { links.push_back({number == 0 ? Link::SumA : Link::SumB, 0}); }
  // Applies an operation to `args`, one or two, of which `of` is at hand. `isSingle`: is the other one a single value?
  void step(Op op, const int* args, size_t count, int of, bool isSingle);

 private:
  void put(Link::Code code, int v);
};

// Can an operation on float32 be a step of a chain?
bool isChained(Op op, const int* args);

}  // namespace lethe
