// From a Body to a plan: vector loops, registers by liveness, and for each store whether the last loop may write it
// directly. Axes and blocks are laid by domain.cc.
#include "loops/plan.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <iterator>

#include "runtime/sizes.h"

namespace lethe {
namespace {

static_assert(std::size(kOpRows) == kOps, "one row for each operation");

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
  DType dtype = DType::Float32;
  bool uniform = false, input = false, constant = false;
  int last = -1;      // the last call that reads it
  int producer = -1;  // the call that makes it
  bool direct = false;
  int reg = -1;
};

// Fills a plan whose domain is laid, step by step. Values of the body are numbered as they come; those of the plan are
// fewer, because some only rename others, and more, because some have to be copied or spread.
class Planner {
 public:
  Planner(BodyPlan& plan, const Body& body, const Description& program) : p_(plan), body_(body), program_(program) {}

  void numberOperands(bool hasRoot) {
    for (size_t i = 0; i < p_.inputs.size(); ++i) {
      Value v;
      v.dtype = body_.inputs[i].dtype;
      v.uniform = p_.inputs[i].mode == BodyPlan::Mode::Uniform;
      v.input = true;
      name_.push_back(add(v));
    }
    if (hasRoot) name_.push_back(p_.root = add({}));
  }

  // `identity` only renames, `full` is a constant.
  void chooseLoops() {
    for (const Step& s : body_.steps) {
      const OpRow& row = kOpRows[static_cast<int>(s.op)];
      require(static_cast<int>(s.args.size()) == row.operands, "a step has the wrong number of arguments");
      if (s.op == Op::Full) {
        name_.push_back(addConstant(s));
        continue;
      }
      std::vector<int> args;
      for (int a : s.args) args.push_back(name_[a]);
      if (s.op == Op::Identity) {
        name_.push_back(args[0]);
        continue;
      }
      p_.cost += row.cost;
      name_.push_back(call(s.op, s.dtype, args));
    }
    p_.cost += static_cast<int64_t>(body_.inputs.size() + body_.stores.size());
  }

  // What has to exist at the end of a block.
  void nameResults(bool isPrologue) {
    if (isPrologue) {
      require(!name_.empty() && body_.stores.empty() && body_.reductions.empty(), "a prologue must only compute its operand");
      p_.result = name_.back();
    }
    for (const Store& s : body_.stores) {
      int v = name_[s.value];
      if (!all_[v].uniform && mayBeOverwritten(v)) v = call(Op::Identity, all_[v].dtype, {v});
      stores_.push_back({v, s.slot});
    }
    for (const Reduction& r : body_.reductions) {
      int v = name_[r.value];
      if (all_[v].uniform) v = spread(v);
      all_[v].last = INT_MAX;
      p_.folds.push_back({r.op, all_[v].dtype, v, r.slot, r.second});
    }
  }

  // A result is written by the loop that makes it unless that would overwrite an input still to be read.
  void placeResults() {
    for (const Store& s : stores_) {
      const Hazards h = hazards(s);
      const bool stream = !h.alias && p_.size * 4 > kStreamBytes;
      Value& v = all_[s.value];
      if (!stream && !h.late && v.producer >= 0 && !v.uniform && !v.direct) {
        v.direct = true;
        p_.directs.push_back({s.value, s.slot});
      } else {
        copy(s.value, s.slot, stream);
      }
    }
    if (p_.result < 0) return;
    Value& v = all_[p_.result];
    p_.resultDirect = v.direct = v.producer >= 0 && !v.uniform;
    if (!p_.resultDirect) copy(p_.result, -1, false);
  }

  // The state of a thread: addresses of the values, keys of the tiles, coordinates, single values, registers, tiles.
  void layState() {
    p_.values = static_cast<int>(all_.size());
    p_.keysAt = p_.values * 8;
    p_.coordinatesAt = p_.keysAt + static_cast<int64_t>(p_.inputs.size()) * 16;
    p_.registersAt = roundUp(p_.coordinatesAt + static_cast<int64_t>(p_.dims.size()) * 8, kLineBytes);
    for (int v = 0; v < p_.values; ++v) {
      if (!all_[v].constant && !(all_[v].uniform && all_[v].producer >= 0)) continue;
      p_.fixed.push_back({v, p_.registersAt});
      p_.registersAt += kLineBytes;
    }
    p_.blockBytes = roundUp(p_.block() * 4, kLineBytes);
    int64_t at = p_.registersAt + allotRegisters() * p_.blockBytes;
    for (BodyPlan::Input& in : p_.inputs) {
      if (in.mode != BodyPlan::Mode::Tile) continue;
      in.tile = at;
      at += p_.blockBytes;
    }
    p_.stateBytes = static_cast<size_t>(at);
  }

  // Calls that go on from each other become chains.
  void joinCalls() {
    for (size_t first = 0; first < p_.calls.size();) {
      size_t end = first + 1;
      while (end < p_.calls.size() && end - first < Chain::kMostSteps && goesOn(first, end)) ++end;
      p_.runs.push_back({first, end - first, end - first > 1 ? chainOf(first, end) : Chain{}});
      first = end;
    }
  }

 private:
  int add(Value v) {
    all_.push_back(v);
    return static_cast<int>(all_.size()) - 1;
  }
  int addConstant(const Step& s) {
    Value v;
    v.dtype = s.dtype;
    v.uniform = v.constant = true;
    const int number = add(v);
    p_.constants.push_back({number, constantBits(s.dtype, s.value)});
    return number;
  }
  // A loop over a block, or, where all operands are single values, over one element.
  int call(Op op, DType dtype, const std::vector<int>& args) {
    int mask = 0;
    for (size_t k = 0; k < args.size(); ++k)
      if (all_[args[k]].uniform) mask |= 1 << k;
    const bool uniform = mask == (1 << args.size()) - 1;
    return call(op, dtype, args, uniform, uniform ? 0 : mask);
  }
  // A single value in every element of a block.
  int spread(int v) { return call(Op::Select, all_[v].dtype, {v, v, v}, false, 7); }
  int call(Op op, DType dtype, const std::vector<int>& args, bool uniform, int mask) {
    const StepLoop loop = vectors().step(op, all_[args[0]].dtype, dtype, mask);
    require(loop, "an elementwise operation is not defined for its operand's type");
    const int at = static_cast<int>(p_.calls.size());
    Value v;
    v.dtype = dtype;
    v.uniform = uniform;
    v.producer = at;
    const int dst = add(v);
    BodyPlan::Call c{op, loop, dst, {dst, dst, dst}, static_cast<int>(args.size()), uniform};
    for (size_t k = 0; k < args.size(); ++k) {
      c.args[k] = args[k];
      all_[args[k]].last = at;
    }
    p_.calls.push_back(c);
    return dst;
  }
  void copy(int value, int slot, bool stream) {
    all_[value].last = INT_MAX;
    p_.copies.push_back({value, slot, all_[value].uniform, stream});
  }

  // Whether a store may overwrite this input before it is copied.
  bool mayBeOverwritten(int v) const {
    if (!all_[v].input) return false;
    for (const Store& s : body_.stores)
      if (program_.mayAlias(s.slot, p_.inputs[v].slot)) return true;
    return false;
  }
  struct Hazards {
    bool alias = false;  // what is read may lie where the result goes,
    bool late = false;   // and may be read after the loop that makes the result
  };
  Hazards hazards(const Store& s) const {
    Hazards h;
    const int at = all_[s.value].producer;
    for (size_t i = 0; i < p_.inputs.size(); ++i) {
      if (!program_.mayAlias(p_.inputs[i].slot, s.slot)) continue;
      h.alias = true;
      h.late = h.late || all_[i].last > at;
    }
    // The root's result may pass through any store's memory.
    if (p_.root >= 0) h.alias = true, h.late = h.late || all_[p_.root].last > at;
    return h;
  }

  bool isLink(const BodyPlan::Call& c) const {
    if (c.uniform || all_[c.dst].dtype != DType::Float32 || !isChained(c.op, c.args)) return false;
    return std::all_of(c.args, c.args + c.operands, [&](int a) { return all_[a].dtype == DType::Float32; });
  }
  // Does call `at` go on from the one before, and read nothing else of those from `first` on?
  bool goesOn(size_t first, size_t at) const {
    const BodyPlan::Call &before = p_.calls[at - 1], &c = p_.calls[at];
    if (!isLink(before) || !isLink(c)) return false;
    const auto reads = [&](int v) { return std::find(c.args, c.args + c.operands, v) != c.args + c.operands; };
    if (!reads(before.dst)) return false;
    return std::none_of(p_.calls.begin() + static_cast<int64_t>(first), p_.calls.begin() + static_cast<int64_t>(at) - 1,
                        [&](const BodyPlan::Call& earlier) { return reads(earlier.dst); });
  }
  Chain chainOf(size_t first, size_t end) const {
    Chain chain;
    for (size_t k = first; k < end; ++k) {
      const BodyPlan::Call& c = p_.calls[k];
      chain.step(c.op, c.args, static_cast<size_t>(c.operands), c.dst, [&](int a) { return all_[a].uniform; });
      const Value& v = all_[c.dst];
      if (k + 1 == end || v.direct || v.last > static_cast<int>(k) + 1) chain.store(c.dst);
    }
    return chain;
  }

  // Returns how many there are.
  int allotRegisters() {
    Registers registers;
    const auto place = [&](int v) { p_.fixed.push_back({v, p_.registersAt + all_[v].reg * p_.blockBytes}); };
    for (size_t k = 0; k < p_.calls.size(); ++k) {
      const BodyPlan::Call& c = p_.calls[k];
      for (int v : c.args) {
        Value& arg = all_[v];
        if (arg.reg < 0 || arg.last != static_cast<int>(k) || v == c.dst) continue;
        registers.give(arg.reg);
        place(v);
        arg.reg = -1;
      }
      if (!c.uniform && !all_[c.dst].direct) all_[c.dst].reg = registers.take();
    }
    for (int v = 0; v < p_.values; ++v)
      if (all_[v].reg >= 0) place(v);
    return registers.count();
  }

  BodyPlan& p_;
  const Body& body_;
  const Description& program_;
  std::vector<Value> all_;    // of the plan
  std::vector<int> name_;     // number of a value in the body -> in the plan
  std::vector<Store> stores_; // with the plan's numbers
};

}  // namespace

uint32_t constantBits(DType dtype, double v) {
  if (dtype == DType::Float32) {
    const float f = static_cast<float>(v);
    uint32_t bits;
    std::memcpy(&bits, &f, 4);
    return bits;
  }
  if (dtype == DType::Uint32) return static_cast<uint32_t>(static_cast<int64_t>(v));
  return static_cast<uint32_t>(static_cast<int32_t>(static_cast<int64_t>(v)));
}

BodyPlan::BodyPlan(const Body& body, const Description& program, Role role) {
  layDomain(body);
  chooseBlock(body);
  Planner planner(*this, body, program);
  planner.numberOperands(role == Role::Epilogue);
  planner.chooseLoops();
  planner.nameResults(role == Role::Prologue);
  planner.placeResults();
  planner.layState();
  planner.joinCalls();
}

}  // namespace lethe
