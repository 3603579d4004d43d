// Running a plan: blocks of a flat range, one after another, with the coordinates carried along.
#include <algorithm>
#include <cstring>

#include "loops/body.h"

namespace lethe {

BoundBody::BoundBody(const BodyPlan& p, const RunContext& context, size_t privateOffset)
    : plan(p), context_(context), offset_(privateOffset), vector_(vectors()) {
  for (int t = 0; t < context.pool.threads(); ++t) {
    char* base = context.workspace.of(t) + offset_;
    const State s = state(t);
    std::memset(s.value, 0, static_cast<size_t>(plan.values) * 8);
    for (const auto& f : plan.fixed) s.value[f.value] = base + f.offset;
    for (const auto& c : plan.constants) std::memcpy(s.value[c.value], &c.bits, 4);
    for (size_t i = 0; i < plan.inputs.size() * 2; ++i) s.key[i] = -1;
  }
}

BoundBody::State BoundBody::state(int thread) const {
  char* base = context_.workspace.of(thread) + offset_;
  return {reinterpret_cast<char**>(base), reinterpret_cast<int64_t*>(base + plan.keysAt),
          reinterpret_cast<int64_t*>(base + plan.coordinatesAt)};
}

// Copies the part of an input that a block reads; axes before the last one by recursion.
void BoundBody::tile(const BodyPlan::Input& in, size_t dim, int64_t n, const char* from, char* to) const {
  const int64_t stride = in.strides[dim];
  if (dim + 1 == plan.dims.size()) {
    vector_.gather(n, to, from, stride);
    return;
  }
  const int64_t row = plan.dims[dim].stride * 4;
  tile(in, dim + 1, plan.dims[dim + 1].n, from, to);
  if (stride == 0) {
    for (int64_t have = 1; have < n; have *= 2) std::memcpy(to + have * row, to, static_cast<size_t>(std::min(have, n - have) * row));
    return;
  }
  for (int64_t i = 1; i < n; ++i) tile(in, dim + 1, plan.dims[dim + 1].n, from + i * stride * 4, to + i * row);
}

void BoundBody::load(const State& s, int64_t rows, int64_t length) const {
  const size_t rank = plan.dims.size();
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const BodyPlan::Input& in = plan.inputs[i];
    int64_t at = in.offset;
    for (size_t d = 0; d < rank; ++d) at += s.coordinate[d] * in.strides[d];
    char* from = context_.memory[in.slot] + at * 4;
    s.value[i] = from;
    if (in.mode != BodyPlan::Mode::Tile) continue;
    char* to = reinterpret_cast<char*>(s.value) + in.tile;
    if (rows == 0) {
      if (in.strides[rank - 1] == 1) continue;
      s.key[2 * i] = -1;
      vector_.gather(length, to, from, in.strides[rank - 1]);
    } else if (s.key[2 * i] != at || s.key[2 * i + 1] < rows) {
      tile(in, plan.split, rows, from, to);
      s.key[2 * i] = at;
      s.key[2 * i + 1] = rows;
    }
    s.value[i] = to;
  }
}

void BoundBody::block(const State& s, int64_t position, int64_t rows, int64_t length, float* data) const {
  load(s, rows, length);
  if (plan.root >= 0) s.value[plan.root] = reinterpret_cast<char*>(data);
  if (plan.resultDirect) s.value[plan.result] = reinterpret_cast<char*>(data);
  for (const auto& d : plan.directs) s.value[d.value] = context_.memory[d.slot] + position * 4;
  // What the next block of a pass reads is fetched while this one is computed, a share with each run.
  const int64_t share = data || plan.runs.empty() ? 0 : roundUp(divideUp(length, static_cast<int64_t>(plan.runs.size())), kLineBytes / 4);
  int64_t fetched = length;
  for (const auto& run : plan.runs) {
    const BodyPlan::Call& c = plan.calls[run.first];
    if (run.count > 1) {
      char* at[Chain::kMostBlocks];
      for (size_t k = 0; k < run.chain.values.size(); ++k) at[k] = s.value[run.chain.values[k]];
      vector_.chain(run.chain.links.data(), run.chain.links.size(), length, at, 0, nullptr);
    } else {
      c.loop(c.uniform ? 1 : length, s.value[c.dst], s.value[c.args[0]], s.value[c.args[1]], s.value[c.args[2]]);
    }
    const int64_t upTo = std::min(2 * length, fetched + share);
    for (int v : plan.dense)
      for (int64_t at = fetched; at < upTo; at += kLineBytes / 4) __builtin_prefetch(s.value[v] + at * 4, 0, 3);
    fetched = upTo;
  }
  for (const auto& c : plan.copies) {
    char* to = c.slot < 0 ? reinterpret_cast<char*>(data) : context_.memory[c.slot] + position * 4;
    const char* from = s.value[c.value];
    if (c.stream && !c.uniform) vector_.stream(length, reinterpret_cast<float*>(to), reinterpret_cast<const float*>(from));
    else if (to != from) vector_.gather(length, to, from, c.uniform ? 0 : 1);
  }
}

void BoundBody::flat(int64_t start, int64_t count, float* data, int thread) const {
  const State s = state(thread);
  const auto& dims = plan.dims;
  const size_t last = dims.size() - 1;
  int64_t rest = start, inside = start % plan.inner;
  for (size_t d = 0; d <= last; ++d) {
    s.coordinate[d] = rest / dims[d].stride;
    rest -= s.coordinate[d] * dims[d].stride;
  }
  for (int64_t at = start, end = start + count; at < end;) {
    int64_t rows = 0, length;
    size_t d = plan.split;
    if (inside == 0 && end - at >= plan.inner) {
      rows = std::min({(end - at) / plan.inner, plan.chunk, dims[d].n - s.coordinate[d]});
      length = rows * plan.inner;
    } else {
      d = last;
      length = std::min(end - at, dims[d].n - s.coordinate[d]);
      inside = (inside + length) % plan.inner;
    }
    block(s, at, rows, length, data ? data + (at - start) : nullptr);
    at += length;
    s.coordinate[d] += rows ? rows : length;
    for (; d > 0 && s.coordinate[d] == dims[d].n; --d) {
      s.coordinate[d] = 0;
      ++s.coordinate[d - 1];
    }
  }
}

namespace {

class Pass : public Kernel {
 public:
  Pass(const Body& body, const Description& program) : plan_(body, program, BodyPlan::Role::Pass) {}
  WorkspaceSize workspace(int) const override { return {0, plan_.stateBytes}; }
  double cost() const override { return plan_.size * plan_.cost; }
  std::string describe() const override { return lethe::describe(plan_); }
  void run(const RunContext& context) const override {
    if (plan_.size == 0) return;
    const BoundBody bound(plan_, context, 0);
    // Whole blocks, so that no block is cut at the border of two tasks.
    const int64_t blocks = std::max<int64_t>(1, kGrain / plan_.cost / plan_.block());
    forRanges(context.pool, plan_.size, blocks * plan_.block(), [&](int64_t begin, int64_t end, int thread) {
      bound.flat(begin, end - begin, nullptr, thread);
    });
  }

 private:
  BodyPlan plan_;
};

}  // namespace

KernelPtr makeBody(const Instruction& instruction, const Description& program) {
  require(instruction.body != nullptr, "an instruction has neither a root nor a body");
  const Body& body = *instruction.body;
  if (!body.reductions.empty()) return makeFold(body, program);
  return std::make_unique<Pass>(body, program);
}

}  // namespace lethe
