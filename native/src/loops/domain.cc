// The domain of a plan: axes merged, and cut into blocks.
#include <algorithm>

#include "loops/plan.h"
#include "runtime/sizes.h"

namespace lethe {

// How many elements of the last axes are reduced together with others that lie apart, where that are few: a run of them is
// too short for a vector, but with what lies between it is as long as one likes. 1 where it is otherwise.
static int64_t shortRun(const Body& body, const std::vector<bool>& reduced) {
  constexpr int64_t kShort = 32;
  int64_t run = 1;
  size_t d = body.shape.size();
  while (d > 0 && (reduced[d - 1] || body.shape[d - 1] == 1)) run *= body.shape[--d];
  bool apart = false;
  while (d > 0) apart = (reduced[--d] && body.shape[d] != 1) || apart;
  return apart && run <= kShort ? run : 1;
}

// Drops axes of one element and merges neighbours that every input walks through in one stride.
void BodyPlan::layDomain(const Body& body) {
  const size_t rank = body.shape.size();
  std::vector<bool> reduced(rank, false);
  if (!body.reductions.empty())
    for (int axis : body.reductions[0].axes) reduced[axis] = true;
  lanes = shortRun(body, reduced);
  for (size_t d = rank; lanes > 1 && d-- > 0 && (reduced[d] || body.shape[d] == 1);) reduced[d] = false;
  for (const View& v : body.inputs) inputs.push_back({v.slot, v.offset, {}});
  size = sizeOf(body.shape);
  for (size_t d = 0; d < rank; ++d) {
    const int64_t n = body.shape[d];
    if (n == 1) continue;
    bool merge = !dims.empty() && dims.back().reduced == reduced[d];
    for (size_t i = 0; merge && i < inputs.size(); ++i) merge = inputs[i].strides.back() == body.inputs[i].strides[d] * n;
    if (merge) {
      dims.back().n *= n;
      for (size_t i = 0; i < inputs.size(); ++i) inputs[i].strides.back() = body.inputs[i].strides[d];
    } else {
      dims.push_back({n, reduced[d], 0});
      for (size_t i = 0; i < inputs.size(); ++i) inputs[i].strides.push_back(body.inputs[i].strides[d]);
    }
  }
  if (dims.empty()) {
    dims.push_back({1, false, 1});
    for (Input& in : inputs) in.strides.push_back(0);
  }
  int64_t stride = 1;
  for (size_t d = dims.size(); d-- > 0;) {
    dims[d].stride = stride;
    stride *= dims[d].n;
  }
}

// A block has 256 to 1024 elements, fewer the more arrays have to share the first-level cache with it. Columns that are only
// read take longer ones, and all have four rows where they can: what is done once a block, per column, would cost more than
// the block.
void BodyPlan::chooseBlock(const Body& body) {
  const size_t arrays = body.inputs.size() + body.stores.size() + std::min<size_t>(body.steps.size(), 6);
  const bool columns = !body.reductions.empty() && !dims.back().reduced;
  int64_t most = columns && body.steps.empty() ? 8192 : arrays <= 8 ? 1024 : arrays <= 16 ? 512 : 256;
  if (columns) most = std::max(most, std::min<int64_t>(4 * dims.back().n, 4096));
  split = dims.size() - 1;
  // An empty domain has no blocks: nothing to choose, and no size to divide by.
  while (size > 0 && split > 0 && inner * dims[split].n * 2 <= most) inner *= dims[split--].n;
  chunk = std::max<int64_t>(1, std::min(dims[split].n, most / inner));
  if (split + 1 == dims.size()) chunk = roundUp(chunk, lanes);
  for (size_t i = 0; i < inputs.size(); ++i) {
    Input& in = inputs[i];
    bool isDense = true, uniform = true;
    int64_t expected = 1;
    for (size_t d = dims.size(); d-- > split;) {
      isDense = isDense && in.strides[d] == expected;
      uniform = uniform && in.strides[d] == 0;
      expected *= dims[d].n;
    }
    in.mode = uniform || dims[split].n * inner == 1 ? Mode::Uniform : isDense ? Mode::Dense : Mode::Tile;
    if (in.mode == Mode::Dense) dense.push_back(static_cast<int>(i));
  }
}

}  // namespace lethe
