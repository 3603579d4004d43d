// The elementwise machine. A Body becomes a plan: its domain with axes merged, cut into blocks that stay in the
// first-level cache, and a list of vector loops with registers (blocks of scratch) between them. A bound body is a plan
// with addresses, for the time of one kernel. body_plan.cc makes the plan, body_run.cc executes it over any flat range
// (a pass of its own, an epilogue or a prologue), body_fold.cc executes bodies with reductions.
#pragma once
#include <memory>
#include <vector>

#include "kernel.h"

namespace lethe {

// A constant as it lies in memory.
uint32_t constantBits(DType dtype, double v);

class BodyPlan {
 public:
  enum class Role { Pass, Epilogue, Prologue };
  BodyPlan(const Body& body, const Description& program, Role role);

  struct Dim {
    int64_t n;
    bool reduced;
    int64_t stride;  // of the dense domain
  };
  // How an input is read within a block: one value, in place, or copied into a tile that is kept while it fits.
  enum class Mode { Uniform, Dense, Tile };
  struct Input {
    int slot;
    int64_t offset;
    std::vector<int64_t> strides;
    Mode mode;
    int64_t tile;  // byte offset in the thread's state
  };
  struct Call {
    StepLoop loop;
    int dst, args[3];
    bool uniform;
  };
  struct Fixed {  // a value that lies at a fixed place of the thread's state
    int value;
    int64_t offset;
  };
  struct Constant {
    int value;
    uint32_t bits;
  };
  struct Direct {  // a value written straight to its slot
    int value, slot;
  };
  struct Copy {  // a value copied to its slot (or to the prologue's destination: slot -1) at the end of a block
    int value, slot;
    bool uniform, stream;
  };
  struct Folded {
    Reduce op;
    DType dtype;
    int value, slot, second;
  };

  int64_t size = 1, cost = 1;
  std::vector<Dim> dims;
  size_t split = 0;         // blocks are up to `chunk` indices of this axis, times everything inside it
  int64_t inner = 1, chunk = 1;
  std::vector<Input> inputs;
  int root = -1, result = -1, values = 0;
  bool resultDirect = false;
  std::vector<Call> calls;
  std::vector<Fixed> fixed;
  std::vector<Constant> constants;
  std::vector<Direct> directs;
  std::vector<Copy> copies;
  std::vector<Folded> folds;

  int64_t block() const { return chunk * inner; }
  size_t stateBytes() const { return static_cast<size_t>(stateBytes_); }

  // Offsets in a thread's state.
  int64_t keysAt = 0, coordinatesAt = 0, constantsAt = 0;

 private:
  void layDomain(const Body& body);
  void chooseBlock(const Body& body);
  int64_t stateBytes_ = 0;
};

class BoundBody {
 public:
  // `privateOffset`: where in each thread's private workspace the body's state lies.
  BoundBody(const BodyPlan& plan, const Frame& frame, size_t privateOffset);

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

  const Frame& frame_;
  size_t offset_;
  const VectorTable& vector_;
};

// A kernel's optional epilogue or prologue together with its place in the workspace.
class Hole {
 public:
  Hole(const Body* body, const Description& program, BodyPlan::Role role) {
    if (body) plan_ = std::make_unique<BodyPlan>(*body, program, role);
  }
  explicit operator bool() const { return plan_ != nullptr; }
  const BodyPlan& plan() const { return *plan_; }
  size_t bytes() const { return plan_ ? (plan_->stateBytes() + 63) / 64 * 64 : 0; }

 private:
  std::unique_ptr<BodyPlan> plan_;
};

KernelPtr makeFold(const Body& body, const Description& program);

}  // namespace lethe
