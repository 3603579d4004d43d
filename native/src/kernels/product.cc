// See product.h.
#include "kernels/product.h"

#include <algorithm>

#include "kernels/planning.h"

namespace lethe {
namespace {

size_t lineBytes(int64_t floats) { return wholeLines(static_cast<size_t>(floats) * sizeof(float)); }

// A store whose memory raw results may pass through: it overwrites nothing still to be read. -1: none.
int storeFor(const Instruction& i, const Description& d) {
  int slot = -1;
  for (const Store& s : i.body->stores) {
    bool clash = false;
    for (const View& v : i.body->inputs) clash = clash || d.mayAlias(v.slot, s.slot);
    for (const Operand& o : i.inputs) clash = clash || d.mayAlias(o.slot, s.slot);
    for (const auto& p : i.prologues)
      if (p)
        for (const View& v : p->inputs) clash = clash || d.mayAlias(v.slot, s.slot);
    if (!clash) slot = s.slot;
  }
  return slot;
}

}  // namespace

Factor::Factor(const Instruction& i, const Description& d, size_t k, bool hole)
    : slot(i.input(k).slot), size(i.inputs[k].size), inKernel(hole),
      body(k < i.prologues.size() ? i.prologues[k].get() : nullptr, d, BodyPlan::Role::Prologue) {
  require(i.inputs[k].dtype == DType::Float32, "a product needs float32 operands");
  require(!body || body.plan().size == size, "a prologue has another size than its operand");
}

size_t Factor::sharedBytes() const { return body && !inKernel ? lineBytes(size) : 0; }

BoundFactor::BoundFactor(const Factor& f, const RunContext& context, size_t privateOffset, char*& shared)
    : data(context.at<const float>(f.slot)) {
  if (!f.body) return;
  bound_.emplace(f.body.plan(), context, privateOffset);
  if (f.inKernel) {
    prologue_.emplace(call_);
    return;
  }
  float* to = reinterpret_cast<float*>(shared);
  shared += f.sharedBytes();
  forRanges(context.pool, f.size, kGrain, [&](int64_t begin, int64_t end, int thread) {
    bound_->flat(begin, end - begin, to + begin, thread);
  });
  data = to;
}

Product::Product(const Instruction& i, const Description& d, bool firstHole, bool secondHole)
    : a_(i, d, 0, firstHole), b_(i, d, 1, secondHole), epilogue_(i.body.get(), d, BodyPlan::Role::Epilogue) {
  require(i.inputs.size() == 2 && i.outputs.size() == 1, "a product has two operands and one result");
  require(i.outputs[0].dtype == DType::Float32, "a product's result is float32");
  result_ = i.outputs[0].slot;
  size_ = i.outputs[0].size;
  require(!epilogue_ || epilogue_.plan().size == size_, "an epilogue has another size than the result");
  if (result_ < 0) result_ = storeFor(i, d);
}

WorkspaceSize Product::workspace(int threads) const {
  const WorkspaceSize own = kernelWorkspace(threads);
  const size_t raw = result_ < 0 ? lineBytes(size_) : 0;
  return {wholeLines(own.shared) + raw + a_.sharedBytes() + b_.sharedBytes(),
          wholeLines(own.private_) + a_.body.bytes() + b_.body.bytes() + epilogue_.bytes()};
}

void Product::run(const RunContext& context) const {
  if (size_ == 0) return;
  const WorkspaceSize own = kernelWorkspace(context.pool.threads());
  size_t at = wholeLines(own.private_);
  char* shared = context.workspace.shared + wholeLines(own.shared);
  const BoundFactor a(a_, context, at, shared);
  const BoundFactor b(b_, context, at += a_.body.bytes(), shared);
  float* c = result_ >= 0 ? context.at<float>(result_) : reinterpret_cast<float*>(shared);
  if (!epilogue_) return fill(context, a, b, c, nullptr);
  const BoundBody bound(epilogue_.plan(), context, at + b_.body.bytes());
  auto consume = [&](int64_t start, int64_t count, float* data, int thread) { bound.flat(start, count, data, thread); };
  const Epilogue epilogue(consume);
  fill(context, a, b, c, &epilogue);
}

void Product::fill(const RunContext& context, const BoundFactor& a, const BoundFactor& b, float* c, const Epilogue* epilogue) const {
  if (a_.size > 0 && b_.size > 0) return compute(context, a, b, c, epilogue);
  // Sums over nothing, however large the axes beside the empty one are.
  forRanges(context.pool, size_, kGrain, [&](int64_t begin, int64_t end, int) { std::fill(c + begin, c + end, 0.0f); });
  runEpilogue(context.pool, size_, c, epilogue);
}

std::string Product::describe() const {
  std::string text;
  if (a_.body) text += "prologue of operand 0\n" + lethe::describe(a_.body.plan());
  if (b_.body) text += "prologue of operand 1\n" + lethe::describe(b_.body.plan());
  if (epilogue_) text += "epilogue\n" + lethe::describe(epilogue_.plan());
  return text;
}

}  // namespace lethe
