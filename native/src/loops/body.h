// Running a plan (plan.h): a bound body is a plan with addresses, for the time of one kernel. It goes over any flat range,
// as a pass of its own, as an epilogue or as a prologue; fold.cc executes bodies with reductions.
#pragma once
#include <memory>
#include <vector>

#include "loops/plan.h"
#include "runtime/kernel.h"
#include "runtime/sizes.h"

namespace lethe {

class BoundBody {
 public:
  // `privateOffset`: where in each thread's private workspace the body's state lies.
  BoundBody(const BodyPlan& plan, const RunContext& context, size_t privateOffset);

  // Elements [start, start + count) of the domain; `data` is the root's run (epilogue) or the destination (prologue).
  void flat(int64_t start, int64_t count, float* data, int thread) const;

  struct State {
    char** value;
    int64_t *key, *coordinate;
  };
  State state(int thread) const;
  // One block at the state's coordinates: `rows` of the split axis, or with rows 0 `length` elements of the last axis.
  void block(const State& s, int64_t position, int64_t rows, int64_t length, float* data) const;

  const BodyPlan& plan;

 private:
  void load(const State& s, int64_t rows, int64_t length) const;
  void tile(const BodyPlan::Input& in, size_t dim, int64_t n, const char* from, char* to) const;

  const RunContext& context_;
  size_t offset_;
  const VectorTable& vector_;
};

// A kernel's optional epilogue or prologue together with its place in the workspace.
class FusedBody {
 public:
  FusedBody(const Body* body, const Description& program, BodyPlan::Role role) {
    if (body) plan_ = std::make_unique<BodyPlan>(*body, program, role);
  }
  explicit operator bool() const { return plan_ != nullptr; }
  const BodyPlan& plan() const { return *plan_; }
  size_t bytes() const { return plan_ ? wholeLines(plan_->stateBytes) : 0; }

 private:
  std::unique_ptr<BodyPlan> plan_;
};

KernelPtr makeFold(const Body& body, const Description& program);

}  // namespace lethe
