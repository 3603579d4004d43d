// Which instructions go by slabs, and how.
#include "loops/slabs.h"

#include <algorithm>
#include <map>
#include <set>

namespace lethe {
namespace {

constexpr size_t kMostInstructions = 32;
constexpr int64_t kFewestSlabs = 8;
constexpr int64_t kLeastBytes = int64_t{4} << 20;          // what is smaller stays in the caches anyway
constexpr int64_t kMostSlabBytes = int64_t{3} << 20;       // of what is read again in a slab: more is not kept by a cache for each thread
constexpr int64_t kWantedSlabBytes = int64_t{1} << 18;     // so much that starting a kernel is nothing beside it

// What is touched of a slot: all of it or a slab at a time.
struct Touch {
  bool sliced, written;
};
using Touches = std::map<int, Touch>;

const Shape* domainOf(const Instruction& i) {
  if (i.rows) return nullptr;
  if (i.root < 0) return &i.body->shape;
  switch (static_cast<Root>(i.root)) {
    case Root::Sum:
    case Root::Max:
    case Root::Min:
    case Root::Moments: return &i.input(0).shape;
    default: return nullptr;
  }
}

class Collector {
 public:
  Collector(const Instruction& i, const Shape& domain, const Description& program) : domain_(domain), program_(program) {
    if (i.root >= 0) {
      const std::vector<int64_t> axes = i.numbers(Param::Axes);
      ok_ = std::find(axes.begin(), axes.end(), 0) == axes.end();
      put(i.inputs[0].slot, {true, false});
      for (const Operand& o : i.outputs) put(o.slot, {true, true});
      return;
    }
    for (const View& v : i.body->inputs) put(v);
    for (const Store& s : i.body->stores) put(s.slot, {true, true});
    for (const Reduction& r : i.body->reductions) {
      ok_ = ok_ && std::find(r.axes.begin(), r.axes.end(), 0) == r.axes.end();
      put(r.slot, {true, true});
      if (r.second >= 0) put(r.second, {true, true});
    }
  }
  bool ok() const { return ok_; }
  const Touches& touches() const { return touches_; }

 private:
  // A view stays within its index of the outermost axis, or is the same for all of them.
  void put(const View& v) {
    if (v.strides[0] == 0) return put(v.slot, {false, false});
    int64_t low = v.offset, high = v.offset;
    for (size_t d = 1; d < domain_.size(); ++d) (v.strides[d] < 0 ? low : high) += v.strides[d] * (domain_[d] - 1);
    ok_ = ok_ && v.strides[0] * domain_[0] == program_.slots[v.slot].size && low >= 0 && high < v.strides[0];
    put(v.slot, {true, false});
  }
  void put(int slot, Touch t) {
    const auto [at, isNew] = touches_.insert({slot, t});
    ok_ = ok_ && at->second.sliced == t.sliced && (!t.sliced || program_.slots[slot].size % domain_[0] == 0);
    at->second.written = at->second.written || t.written;
  }

  const Shape& domain_;
  const Description& program_;
  Touches touches_;
  bool ok_ = true;
};

// The instructions of a group, as one is taken in after the other. The order is another one where some wait.
class Group {
 public:
  explicit Group(const Description& program) : program_(program) {}

  // Takes in the next instruction, which goes by slabs like those before or else waits until they are done.
  bool take(const Instruction& i) {
    const Shape* domain = domainOf(i);
    if (goes_.size() == kMostInstructions || !domain || domain->empty() || sizeOf(*domain) == 0) return false;
    const Collector own(i, *domain, program_);
    const int64_t outer = (*domain)[0];
    const bool goes = own.ok() && (outer_ == 0 || outer == outer_) && isApart(own.touches()) && fits(own.touches()) && slice(own.touches(), outer);
    if (!goes && outer_ == 0) return false;
    if (!goes) merge(own.touches(), waiting_);
    goes_.push_back(goes);
    return true;
  }
  // A quarter of what is touched has to be touched again.
  bool isWorthIt() const { return outer_ >= kFewestSlabs && bytes_ >= kLeastBytes && bytesOf(reused_) * 4 >= bytes_; }
  // Of each instruction, up to the last that goes by slabs, whether it does.
  std::vector<bool> goes() const {
    std::vector<bool> all = goes_;
    while (!all.empty() && !all.back()) all.pop_back();
    return all;
  }
  const Touches& touches() const { return seen_; }
  // Slabs of as many indices as make them large enough, but not fewer slabs than the least.
  int64_t slabs() const {
    int64_t each = 1;
    for (int64_t k = 2; outer_ / k >= kFewestSlabs && bytes_ / outer_ * each < kWantedSlabBytes; ++k)
      if (outer_ % k == 0) each = k;
    return outer_ / each;
  }

 private:
  static void merge(const Touches& own, Touches& into) {
    for (const auto& [slot, t] : own) {
      Touch& all = into.insert({slot, t}).first->second;
      all.written = all.written || t.written;
    }
  }
  // Those that wait neither write what this one reads nor read or write what it writes.
  bool isApart(const Touches& own) const {
    for (const auto& [slot, t] : own)
      for (const auto& [other, u] : waiting_)
        if ((t.written || u.written) && program_.mayAlias(slot, other)) return false;
    return true;
  }
  bool slice(const Touches& own, int64_t outer) {
    std::set<int> reused = reused_;
    int64_t more = 0;
    for (const auto& [slot, t] : own) {
      if (!t.sliced) continue;
      if (seen_.count(slot)) reused.insert(slot);
      else more += program_.slots[slot].bytes();
    }
    if (bytesOf(reused) / outer > kMostSlabBytes) return false;
    reused_ = reused;
    bytes_ += more;
    outer_ = outer;
    merge(own, seen_);
    return true;
  }
  // Nothing that is written may be read or written of another slab.
  bool fits(const Touches& own) const {
    for (const auto& [slot, t] : own)
      for (const auto& [other, u] : seen_) {
        if (slot == other && t.sliced != u.sliced) return false;
        if ((t.written || u.written) && program_.mayAlias(slot, other) && !(t.sliced && u.sliced && together(slot, other))) return false;
      }
    return true;
  }
  int64_t bytesOf(const std::set<int>& slots) const {
    int64_t bytes = 0;
    for (int s : slots) bytes += program_.slots[s].bytes();
    return bytes;
  }
  bool together(int a, int b) const {
    const Slot &x = program_.slots[a], &y = program_.slots[b];
    const bool same = x.kind != SlotKind::Temporary || y.kind != SlotKind::Temporary || x.offset == y.offset;
    return a == b || (same && x.size == y.size);
  }

  const Description& program_;
  int64_t outer_ = 0, bytes_ = 0;  // indices of the outermost axis, and bytes of all that is sliced
  std::vector<bool> goes_;
  Touches seen_, waiting_;
  std::set<int> reused_;
};

Group groupFrom(size_t first, const Description& program) {
  Group g(program);
  for (size_t k = first; k < program.instructions.size() && g.take(program.instructions[k]); ++k) continue;
  return g;
}

// An instruction on a slab.
Instruction sliced(const Instruction& i, int64_t slabs) {
  Instruction own;
  own.root = i.root;
  own.params = i.params;
  const auto cut = [&](Operand o, bool isResult) {
    o.size /= slabs;
    if (!isResult) o.shape[0] /= slabs;
    return o;
  };
  for (const Operand& o : i.inputs) own.inputs.push_back(cut(o, false));
  for (const Operand& o : i.outputs) own.outputs.push_back(cut(o, true));
  if (i.body) {
    own.body = std::make_unique<Body>(*i.body);
    own.body->shape[0] /= slabs;
  }
  return own;
}

}  // namespace

size_t SlabKernel::countFrom(size_t first, const Description& program) {
  const Group g = groupFrom(first, program);
  return g.isWorthIt() ? g.goes().size() : 0;
}

SlabKernel::SlabKernel(size_t first, const Description& program) {
  const Group g = groupFrom(first, program);
  goes_ = g.goes();
  slabs_ = g.slabs();
  apart_.assign(program.slots.size(), 0);
  for (const auto& [slot, t] : g.touches())
    if (t.sliced) apart_[slot] = program.slots[slot].bytes() / slabs_;
  for (size_t k = 0; k < goes_.size(); ++k) {
    const Instruction& whole = program.instructions[first + k];
    kernels_.push_back(goes_[k] ? makeKernel(sliced(whole, slabs_), program) : makeKernel(whole, program));
    if (!goes_[k]) continue;
    const WorkspaceSize w = kernels_.back()->workspace(1);
    private_ = std::max(private_, wholePages(w.private_));
    shared_ = std::max(shared_, wholePages(w.shared));
  }
}

// A thread has addresses of its own, and for the kernels what is shared and what is private with one thread.
WorkspaceSize SlabKernel::workspace(int threads) const {
  WorkspaceSize all{0, 0};
  for (const KernelPtr& k : kernels_) {
    const WorkspaceSize w = k->workspace(threads);
    all.shared = std::max(all.shared, wholePages(w.shared));
    all.private_ = std::max(all.private_, w.private_);
  }
  all.shared += addressBytes();
  all.private_ = std::max(all.private_, addressBytes() + shared_ + private_);
  return all;
}

double SlabKernel::cost() const {
  double all = 0;
  for (size_t k = 0; k < kernels_.size(); ++k) all += kernels_[k]->cost() * static_cast<double>(goes_[k] ? slabs_ : 1);
  return all;
}

void SlabKernel::enter(const RunContext& context, int64_t slab, char** memory) const {
  for (size_t s = 0; s < apart_.size(); ++s) memory[s] = context.memory[s] + slab * apart_[s];
}

void SlabKernel::run(const RunContext& context) const {
  if (slabs_ < context.pool.threads()) {
    for (size_t k = 0; k < kernels_.size(); ++k) runOne(context, k);
    return;
  }
  context.pool.run(slabs_, [&](int64_t slab, int thread) {
    char* const own = context.workspace.of(thread);
    char** const memory = reinterpret_cast<char**>(own);
    enter(context, slab, memory);
    Pool alone(1);
    const Workspace workspace{own + addressBytes(), own + addressBytes() + shared_, private_};
    for (size_t k = 0; k < kernels_.size(); ++k)
      if (goes_[k]) kernels_[k]->run({alone, memory, workspace});
  });
  for (size_t k = 0; k < kernels_.size(); ++k)
    if (!goes_[k]) kernels_[k]->run(context);
}

void SlabKernel::runOne(const RunContext& context, size_t k) const {
  if (!goes_[k]) return kernels_[k]->run(context);
  char** const memory = reinterpret_cast<char**>(context.workspace.shared);
  Workspace workspace = context.workspace;
  workspace.shared += addressBytes();
  for (int64_t slab = 0; slab < slabs_; ++slab) {
    enter(context, slab, memory);
    kernels_[k]->run({context.pool, memory, workspace});
  }
}

std::string SlabKernel::describe(size_t k) const {
  return (goes_[k] ? "  in " + std::to_string(slabs_) + " slabs, each\n" : "  after the slabs\n") + kernels_[k]->describe();
}

}  // namespace lethe
