// The plan of work on rows: its axes, where each value lies while a row is computed, and which loop computes it. A plan holds
// no addresses; rows.cc executes it.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "loops/chain.h"
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
  // A load that is read where it lies, row after row.
  struct Fetched {
    int load, slot;
    int64_t offset;
  };
  static constexpr int64_t kLine = kLineBytes / 4;

  // What one call computes for a row or for a batch: a value, or a chain of steps with sums of them.
  struct Work {
    std::vector<int> values;     // in order
    StepLoop loop = nullptr;     // of a single step
    Chain chain = {};
    std::vector<int> sums = {};  // of the chain
    bool together = true;        // one call computes all rows of a batch
    bool elements = true;        // it takes time enough for a share to be fetched and written
  };

  const Rows rows;
  int64_t count = 1, length = 1;   // rows, and elements of each
  int64_t batch = 1;               // rows that are computed together, value by value
  std::vector<Dim> kept, along;    // axes that stay and axes of the row, neighbours merged
  std::vector<Work> work;          // of all values but constants, in order
  std::vector<int> loads;          // of each value: which load it is
  std::vector<int64_t> place;      // of each value in a thread's state; -1: nowhere, or read where it lies, or computed in its slot:
  std::vector<int> direct;         // that slot, or -1
  std::vector<int64_t> step;       // of each value: from one row to the next, in elements
  std::vector<RowStore> streamed;  // results that are written past the caches
  std::vector<RowStore> copied;    // the other results
  std::vector<Fetched> fetched;
  int64_t share = 0;               // elements that are fetched, and written past the caches, with each value of elements
  int64_t stateBytes = 0;

  int64_t blockBytes() const { return batch * length * 4; }
  // A result on its way past the caches has two blocks. Before each lies a line for what the batch before left of one.
  int64_t halfBytes() const { return roundUp(kLineBytes + blockBytes(), kLineBytes); }
  // Rows of the batch that begins with `row` and may have `most`: one step leads from each to the next.
  int64_t rowsFrom(int64_t row, int64_t most) const {
    const int64_t n = kept.empty() ? 1 : kept.back().n;
    return std::min({batch, most, n - row % n});
  }

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
  bool isConstant(int v) const { return rows.values[v].kind == RowValue::Step && rows.values[v].op == Op::Full; }
  bool isLink(int v) const;
  bool isSumOf(int v, int of) const;
  void layDomain();
  void layWork();
  Work workFrom(int first, std::vector<bool>& done) const;
  void layState(const Description& program);
  void layValue(int v, std::vector<int64_t>& free, const Description& program);
  void layChain(Work& w) const;
  StepLoop loopOf(const RowValue& v) const;
  bool isTogether(const Work& w) const;
  std::string home(size_t v) const;
  const RowStore* storeFor(int v, const Description& program) const;
};

}  // namespace lethe
