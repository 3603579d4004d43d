// Compiling is choosing kernels and adding up what they need; running is binding addresses and going through the list.
#include "runtime/program.h"

#include <algorithm>

#include "runtime/sizes.h"

namespace lethe {
namespace {

struct RootRow {
  const char* name;
  Factory make;
  bool fuses;  // takes prologues and a body
};
#define LETHE_ROOT(name, Name, fuses) {name, make##Name, fuses},
constexpr RootRow kRootRows[] = {LETHE_ROOTS(LETHE_ROOT)};
#undef LETHE_ROOT
static_assert(std::size(kRootRows) == kRoots, "one row for each root");

}  // namespace

KernelPtr makeKernel(const Instruction& i, const Description& description) {
  if (i.rows) return makeRows(i, description);
  if (i.root < 0) return makeBody(i, description);
  const RootRow& root = kRootRows[i.root];
  require(root.fuses || (!i.body && i.prologues.empty()), "only products take prologues and a body");
  return root.make(i, description);
}

Program::Program(Description description, int threads) : description_(std::move(description)), threads_(threads) {
  arena_ = wholePages(static_cast<size_t>(description_.arenaBytes));
  const size_t n = description_.instructions.size();
  for (size_t first = 0; first < n; first += std::max<size_t>(1, parts_.back().count)) {
    Part part;
    const size_t together = SlabKernel::countFrom(first, description_);
    if (together > 1) {
      part = {together, nullptr, std::make_unique<SlabKernel>(first, description_)};
      add(part.slabs->workspace(threads), part.slabs->cost());
    } else {
      part = {1, makeKernel(description_.instructions[first], description_), nullptr};
      add(part.kernel->workspace(threads), part.kernel->cost());
    }
    parts_.push_back(std::move(part));
  }
}

void Program::add(WorkspaceSize w, double cost) {
  shared_ = std::max(shared_, wholePages(w.shared));
  private_ = std::max(private_, wholePages(w.private_));
  cost_ += cost;
}

std::string Program::describe() const {
  std::string text;
  size_t at = 0;
  for (const Part& part : parts_)
    for (size_t k = 0; k < part.count; ++k) {
      const Instruction& i = description_.instructions[at++];
      text += i.rows ? "rows" : i.root < 0 ? "loop" : kRootRows[i.root].name;
      text += "\n" + (part.slabs ? part.slabs->describe(k) : part.kernel->describe());
    }
  return text;
}

void Program::run(Pool& pool, char* const* bound, char* scratch, std::vector<char*>& memory,
                  Profile* profile) const {
  memory.clear();
  for (const Slot& s : description_.slots) {
    if (s.kind == SlotKind::Temporary) memory.push_back(scratch + s.offset);
    else memory.push_back(bound[s.kind == SlotKind::Input ? s.index : description_.inputs + s.index]);
  }
  const Workspace workspace{scratch + arena_, scratch + arena_ + shared_, private_};
  const RunContext context{pool, memory.data(), workspace};
  if (cost_ > kGrain) pool.wake();
  for (const Part& part : parts_) {
    if (!profile) {
      if (part.slabs) part.slabs->run(context);
      else part.kernel->run(context);
      continue;
    }
    for (size_t k = 0; k < part.count; ++k) {
      profile->mark();
      if (part.slabs) part.slabs->runOne(context, k);
      else part.kernel->run(context);
      profile->mark();
    }
  }
}

}  // namespace lethe
