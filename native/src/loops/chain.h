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
  void store(int v) { put(Link::Store, v); }
  // The first sum is number 0.
  void sum(size_t number) { links.push_back({number == 0 ? Link::SumA : Link::SumB, 0}); }
  // Goes on with an operation on `args`, one or two, which gives value `v`. `isSingle`: is one of them a single value? The first
  // step loads the other one.
  template <class F> void step(Op op, const int* args, size_t count, int v, F&& isSingle) {
    const bool first = isSingle(args[0]), second = count > 1 && isSingle(args[1]);
    if (atHand_ < 0) put(Link::Load, atHand_ = args[first ? 1 : 0]);
    apply(op, args, count, first || second);
    atHand_ = v;
  }

 private:
  int atHand_ = -1;
  void apply(Op op, const int* args, size_t count, bool isSingle);
  void put(Link::Code code, int v);
};

// Can an operation on float32 be a step of a chain?
bool isChained(Op op, const int* args);

}  // namespace lethe
