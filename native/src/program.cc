// Compiling is choosing kernels and adding up what they need; running is binding addresses and going through the list.
#include "program.h"

#include <algorithm>

namespace lethe {
namespace {

struct Root {
  Factory make;
  bool fuses = false;  // takes prologues and a body
};
// In the order of `ROOTS` in native/lower.ts.
constexpr Root kRoots[] = {
    {makePad}, {makeConcat}, {makeIota}, {makeSum}, {makeMax}, {makeMin}, {makeArgmax}, {makeArgmin}, {makeMoments},
    {makeCumsum}, {makeSort}, {makeGather}, {makeScatter}, {makeGatherAlong}, {makeScatterAlong}, {makeDot, true},
    {makeConv, true}, {makeConvGradInput, true}, {makeConvGradWeight, true}, {makeMaxPool}, {makeSumPool},
    {makeSumPoolTranspose}, {makeRandom},
};

KernelPtr kernelOf(const Instruction& i, const Description& description) {
  if (i.rows) return makeRows(i, description);
  if (i.root < 0) return makeBody(i, description);
  require(i.root < static_cast<int>(std::size(kRoots)), "the addon does not know this root: it was built from other sources, and has to be built again");
  const Root& root = kRoots[i.root];
  require(root.fuses || (!i.body && i.prologues.empty()), "only products take prologues and a body");
  return root.make(i, description);
}

size_t rounded(size_t n) { return (n + 4095) / 4096 * 4096; }

}  // namespace

Program::Program(Description description, int threads) : description_(std::move(description)), threads_(threads) {
  arena_ = rounded(static_cast<size_t>(description_.arenaBytes));
  for (const Instruction& i : description_.instructions) {
    kernels_.push_back(kernelOf(i, description_));
    const WorkspaceSize w = kernels_.back()->workspace(threads);
    shared_ = std::max(shared_, rounded(w.shared));
    private_ = std::max(private_, rounded(w.private_));
    cost_ += kernels_.back()->cost();
  }
}

void Program::run(Pool& pool, char* const* bound, char* scratch, std::vector<char*>& memory,
                  Profile* profile) const {
  memory.clear();
  for (const Slot& s : description_.slots) {
    if (s.kind == Slot::Temporary) memory.push_back(scratch + s.offset);
    else memory.push_back(bound[s.kind == Slot::Input ? s.index : description_.inputs + s.index]);
  }
  const Workspace workspace{scratch + arena_, scratch + arena_ + shared_, private_};
  const Frame frame{pool, memory.data(), workspace};
  if (cost_ > kGrain) pool.wake();
  if (!profile) {
    for (const KernelPtr& k : kernels_) k->run(frame);
    return;
  }
  for (const KernelPtr& k : kernels_) {
    profile->mark();
    k->run(frame);
    profile->mark();
  }
}

}  // namespace lethe
