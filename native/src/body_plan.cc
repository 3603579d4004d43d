// From a Body to a plan: merged axes, block geometry, vector loops, registers by liveness, and for each store whether
// the last loop may write it directly.
#include <algorithm>
#include <climits>
#include <cstring>

#include "body.h"

namespace lethe {
namespace {

constexpr int64_t kStreamBytes = int64_t{16} << 20;  // larger results would push everything else out of the cache

int64_t weightOf(Op op) {
  switch (op) {
    case Op::Exp: case Op::Log: case Op::Log1p: case Op::Expm1: case Op::Tanh: case Op::Sigmoid: case Op::Erf:
    case Op::Sin: case Op::Cos: return 8;
    case Op::Pow: return 16;
    default: return 1;
  }
}

}  // namespace

uint32_t constantBits(DType dtype, double v) {
  if (dtype == DType::F32) {
    const float f = static_cast<float>(v);
    uint32_t bits;
    std::memcpy(&bits, &f, 4);
    return bits;
  }
  if (dtype == DType::U32) return static_cast<uint32_t>(static_cast<int64_t>(v));
  return static_cast<uint32_t>(static_cast<int32_t>(static_cast<int64_t>(v)));
}

namespace {

int64_t aligned(int64_t n) { return (n + 63) / 64 * 64; }

// Registers are blocks of scratch; a freed one is taken again first, because it is still in the cache.
class Registers {
 public:
  int take() {
    if (free_.empty()) return count_++;
    const int r = free_.back();
    free_.pop_back();
    return r;
  }
  void give(int r) { free_.push_back(r); }
  int count() const { return count_; }

 private:
  std::vector<int> free_;
  int count_ = 0;
};

struct Value {
  DType dtype = DType::F32;
  bool uniform = false, input = false, constant = false;
  uint32_t bits = 0;
  int last = -1;  // the last call that reads it
  int reg = -1;
};

}  // namespace

// Drops axes of one element and merges neighbours that every input walks through in one stride.
void BodyPlan::layDomain(const Body& body) {
  const size_t rank = body.shape.size();
  std::vector<bool> reduced(rank, false);
  if (!body.reductions.empty())
    for (int axis : body.reductions[0].axes) reduced[axis] = true;
  for (const View& v : body.inputs) inputs.push_back({v.slot, v.offset, {}, Mode::Dense, -1});
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

// A block has 256 to 1024 elements, fewer the more arrays have to share the first-level cache with it.
void BodyPlan::chooseBlock(const Body& body) {
  const size_t arrays = body.inputs.size() + body.stores.size() + std::min<size_t>(body.steps.size(), 6);
  const int64_t most = arrays <= 8 ? 1024 : arrays <= 16 ? 512 : 256;
  split = dims.size() - 1;
  // An empty domain has no blocks: nothing to choose, and no size to divide by.
  while (size > 0 && split > 0 && inner * dims[split].n * 2 <= most) inner *= dims[split--].n;
  chunk = std::max<int64_t>(1, std::min(dims[split].n, most / inner));
  for (Input& in : inputs) {
    bool dense = true, uniform = true;
    int64_t expected = 1;
    for (size_t d = dims.size(); d-- > split;) {
      dense = dense && in.strides[d] == expected;
      uniform = uniform && in.strides[d] == 0;
      expected *= dims[d].n;
    }
    in.mode = uniform || dims[split].n * inner == 1 ? Mode::Uniform : dense ? Mode::Dense : Mode::Tile;
  }
}

BodyPlan::BodyPlan(const Body& body, const Description& program, Role role) {
  layDomain(body);
  chooseBlock(body);
  const VectorTable& table = vectors();

  // Values: inputs, the root's result, steps; `identity` only renames, `full` is a constant.
  std::vector<Value> all;
  std::vector<int> name;  // value number of the description -> index in `all`
  for (size_t i = 0; i < inputs.size(); ++i) {
    Value v;
    v.dtype = body.inputs[i].dtype;
    v.uniform = inputs[i].mode == Mode::Uniform;
    v.input = true;
    name.push_back(static_cast<int>(all.size()));
    all.push_back(v);
  }
  if (role == Role::Epilogue) {
    root = static_cast<int>(all.size());
    name.push_back(root);
    all.push_back({});
  }
  auto add = [&](Value v) {
    all.push_back(v);
    return static_cast<int>(all.size()) - 1;
  };
  auto call = [&](StepLoop loop, DType dtype, bool uniform, std::vector<int> args) {
    Value v;
    v.dtype = dtype;
    v.uniform = uniform;
    const int dst = add(v);
    Call c{loop, dst, {dst, dst, dst}, uniform};
    for (size_t k = 0; k < args.size(); ++k) c.args[k] = args[k];
    calls.push_back(c);
    for (int a : args) all[a].last = static_cast<int>(calls.size()) - 1;
    return dst;
  };
  for (const Step& s : body.steps) {
    if (s.op == Op::Full) {
      Value v;
      v.dtype = s.dtype;
      v.uniform = v.constant = true;
      v.bits = constantBits(s.dtype, s.value);
      name.push_back(add(v));
      continue;
    }
    const bool binary = s.op >= Op::Add && s.op <= Op::Or;
    require(s.args.size() == (s.op == Op::Select ? 3u : binary ? 2u : 1u), "a step has the wrong number of arguments");
    std::vector<int> args;
    int mask = 0;
    for (size_t k = 0; k < s.args.size(); ++k) {
      args.push_back(name[s.args[k]]);
      if (all[args[k]].uniform) mask |= 1 << k;
    }
    if (s.op == Op::Identity) {
      name.push_back(args[0]);
      continue;
    }
    const bool uniform = mask == (1 << args.size()) - 1;
    const DType from = all[args[0]].dtype;
    StepLoop loop = table.step(s.op, from, s.dtype, uniform ? 0 : mask);
    require(loop, "an elementwise operation is not defined for its operand's type");
    cost += weightOf(s.op);
    name.push_back(call(loop, s.dtype, uniform, args));
  }
  cost += static_cast<int64_t>(inputs.size() + body.stores.size());

  // What has to exist at the end of a block.
  if (role == Role::Prologue) {
    require(!name.empty() && body.stores.empty() && body.reductions.empty(), "a prologue must only compute its operand");
    result = name.back();
  }
  const StepLoop copy = table.step(Op::Identity, DType::F32, DType::F32, 0);
  auto endures = [&](int v) { all[v].last = INT_MAX; };
  std::vector<Store> stores;
  for (const Store& s : body.stores) {
    int v = name[s.value];
    bool hazard = false;  // another store may overwrite this input before it is copied
    for (const Store& other : body.stores) hazard = hazard || (all[v].input && program.mayAlias(other.slot, inputs[v].slot));
    if (hazard && !all[v].uniform) v = call(copy, all[v].dtype, false, {v});
    stores.push_back({v, s.slot});
  }
  for (const Reduction& r : body.reductions) {
    int v = name[r.value];
    if (all[v].uniform) {
      const StepLoop spread = table.step(Op::Select, DType::Bool, all[v].dtype, 7);
      v = call(spread, all[v].dtype, false, {v, v, v});
    }
    endures(v);
    folds.push_back({r.op, all[v].dtype, v, r.slot, r.second});
  }

  // A store is written by the loop that makes its value unless that would overwrite an input still to be read.
  std::vector<int> producer(all.size(), -1);
  for (size_t k = 0; k < calls.size(); ++k) producer[calls[k].dst] = static_cast<int>(k);
  std::vector<bool> direct(all.size(), false);
  for (const Store& s : stores) {
    const int v = s.value, at = producer[v];
    bool alias = false, late = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!program.mayAlias(inputs[i].slot, s.slot)) continue;
      alias = true;
      late = late || all[i].last > at;
    }
    if (root >= 0) alias = true, late = late || all[root].last > at;
    const bool stream = !alias && size * 4 > kStreamBytes;
    if (!stream && !late && at >= 0 && !all[v].uniform && !direct[v]) {
      direct[v] = true;
      directs.push_back({v, s.slot});
    } else {
      endures(v);
      copies.push_back({v, s.slot, all[v].uniform, stream});
    }
  }
  if (result >= 0) {
    resultDirect = producer[result] >= 0 && !all[result].uniform;
    direct[result] = resultDirect;
    if (!resultDirect) {
      endures(result);
      copies.push_back({result, -1, all[result].uniform, false});
    }
  }

  // The state of a thread: addresses of the values, keys of the tiles, coordinates, single values, registers, tiles.
  values = static_cast<int>(all.size());
  keysAt = values * 8;
  coordinatesAt = keysAt + static_cast<int64_t>(inputs.size()) * 16;
  int64_t at = aligned(coordinatesAt + static_cast<int64_t>(dims.size()) * 8);
  for (int v = 0; v < values; ++v) {
    if (!all[v].constant && !(all[v].uniform && producer[v] >= 0)) continue;
    if (all[v].constant) constants.push_back({v, all[v].bits});
    fixed.push_back({v, at});
    at += 64;
  }
  Registers registers;
  for (size_t k = 0; k < calls.size(); ++k) {
    const Call& c = calls[k];
    for (int j = 0; j < 3; ++j) {
      Value& arg = all[c.args[j]];
      if (arg.reg >= 0 && arg.last == static_cast<int>(k) && c.args[j] != c.dst) {
        registers.give(arg.reg);
        fixed.push_back({c.args[j], arg.reg});
        arg.reg = -1;
      }
    }
    if (!c.uniform && !direct[c.dst]) all[c.dst].reg = registers.take();
  }
  for (int v = 0; v < values; ++v)
    if (all[v].reg >= 0) fixed.push_back({v, all[v].reg});
  const int64_t bytes = aligned(block() * 4);
  // Registers were noted by number; they become offsets here.
  for (Fixed& f : fixed)
    if (!all[f.value].constant && !all[f.value].uniform) f.offset = at + f.offset * bytes;
  at += registers.count() * bytes;
  for (Input& in : inputs) {
    if (in.mode != Mode::Tile) continue;
    in.tile = at;
    at += bytes;
  }
  stateBytes_ = at;
}

}  // namespace lethe
