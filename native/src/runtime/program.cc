// Compiling is choosing kernels and adding up what they need; running is binding addresses and going through the list.
#include "runtime/program.h"

#include <algorithm>

#include "runtime/sizes.h"

namespace lethe {
namespace {

struct Root {
  const char* name;
  Factory make;
  bool fuses;  // takes prologues and a body
};
#define LETHE_ROOT(name, Name, fuses) {name, make##Name, fuses},
constexpr Root kRootRows[] = {LETHE_ROOTS(LETHE_ROOT)};
#undef LETHE_ROOT
static_assert(std::size(kRootRows) == kRoots, "one row for each root");

KernelPtr kernelOf(const Instruction& i, const Description& description) {
  if (i.rows) return makeRows(i, description);
  if (i.root < 0) return makeBody(i, description);
  const Root& root = kRootRows[i.root];
  require(root.fuses || (!i.body && i.prologues.empty()), "only products take prologues and a body");
  return root.make(i, description);
}

}  // namespace

Program::Program(Description description, int threads) : description_(std::move(description)), threads_(threads) {
  arena_ = wholePages(static_cast<size_t>(description_.arenaBytes));
  for (const Instruction& i : description_.instructions) {
    kernels_.push_back(kernelOf(i, description_));
    const WorkspaceSize w = kernels_.back()->workspace(threads);
    shared_ = std::max(shared_, wholePages(w.shared));
    private_ = std::max(private_, wholePages(w.private_));
    cost_ += kernels_.back()->cost();
  }
}

std::string Program::describe() const {
  std::string text;
  for (size_t k = 0; k < kernels_.size(); ++k) {
    const Instruction& i = description_.instructions[k];
    text += i.rows ? "rows" : i.root < 0 ? "loop" : kRootRows[i.root].name;
    text += "\n" + kernels_[k]->describe();
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
  if (!profile) {
    for (const KernelPtr& k : kernels_) k->run(context);
    return;
  }
  for (const KernelPtr& k : kernels_) {
    profile->mark();
    k->run(context);
    profile->mark();
  }
}

}  // namespace lethe
