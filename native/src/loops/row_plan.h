// The plan of work on rows: its axes, where each value lies while a row is computed, and which loop computes it. A plan holds
// no addresses; rows.cc executes it.
#pragma once
#include <string>
#include <vector>

#include "loops/vector.h"
#include "runtime/description.h"
#include "runtime/sizes.h"

namespace lethe {

struct RowPlan {
  RowPlan(const Rows& rows, const Description& program);
  // A line for each value: what it is, and where it lies.
  std::string describe() const;

  struct Dim {
    int64_t n, dense;              // `dense`: stride of the whole domain
    std::vector<int64_t> strides;  // of each load
  };
  // A load that is read where it lies, and is another one for each row.
  struct Fetched {
    int load, slot;
    int64_t offset;
  };
  static constexpr int64_t kLine = kLineBytes / 4;

  const Rows rows;
  int64_t count = 1, length = 1;   // rows, and elements of each
  std::vector<Dim> kept, along;    // axes that stay and axes of the row, neighbours merged
  std::vector<StepLoop> loops;     // of each value that a step computes
  std::vector<size_t> work;        // all values but constants
  std::vector<int64_t> place;      // of each value in a thread's state; -1: read where it lies, or computed in its slot:
  std::vector<int> direct;         // that slot, or -1
  std::vector<RowStore> streamed;  // results that are written past the caches, from the latest rows of a ring
  std::vector<RowStore> copied;    // the other results
  std::vector<Fetched> fetched;
  int64_t share = 0;               // elements that are fetched, and written past the caches, with each value of elements
  int64_t ring = 1;                // rows of a ring
  int64_t stateBytes = 0;

  // Where the row begins: in the dense domain (load -1), or in a load.
  int64_t start(int64_t row, int load) const {
    int64_t at = 0;
    for (size_t d = kept.size(); d-- > 0;) {
      at += row % kept[d].n * (load < 0 ? kept[d].dense : kept[d].strides[load]);
      row /= kept[d].n;
    }
    return at;
  }
  // Calls `f(first element of the row, count, first element in memory, stride)` for each run of the row.
  template <class F> void runs(int load, size_t dim, int64_t at, int64_t& done, F&& f) const {
    const Dim& d = along[dim];
    const int64_t stride = load < 0 ? d.dense : d.strides[load];
    if (dim + 1 == along.size()) {
      f(done, d.n, at, stride);
      done += d.n;
      return;
    }
    for (int64_t i = 0; i < d.n; ++i) runs(load, dim + 1, at + i * stride, done, f);
  }

 private:
  void layDomain();
  StepLoop loopOf(const RowValue& v) const;
  void layState(const Description& program);
  std::string home(size_t v) const;
  const RowStore* storeFor(int v, const Description& program) const;
};

}  // namespace lethe
