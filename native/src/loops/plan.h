// The plan of a Body: its domain with axes merged, cut into blocks that stay in the first-level cache; the vector loops to
// call on a block, in order, with registers (blocks of scratch) between them; what is read, and where results go.
// A plan holds no addresses: body.h binds it to them for the time of one kernel.
#pragma once
#include <string>
#include <vector>

#include "loops/chain.h"
#include "runtime/description.h"

namespace lethe {

// A constant as it lies in memory.
uint32_t constantBits(DType dtype, double v);

class BodyPlan {
 public:
  // A kernel of its own; with the result of a root, run by run; or in place of a root's operand.
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
    Mode mode = Mode::Dense;
    int64_t tile = -1;  // byte offset in the thread's state
  };
  struct Call {
    Op op;
    StepLoop loop;
    int dst, args[3];
    int operands;
    bool uniform;
  };
  struct Run {  // calls that are done at once: one, or a chain of them
    size_t first, count;
    Chain chain;
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
    Fold op;
    DType dtype;
    int value, slot, second;
  };

  // The domain. Blocks are up to `chunk` indices of the axis `split`, times everything inside it.
  int64_t size = 1;
  std::vector<Dim> dims;
  size_t split = 0;
  int64_t inner = 1, chunk = 1;
  // Neighbours that are reduced to one result, but fold as results of their own first: reduced axes that count as kept ones.
  int64_t lanes = 1;
  int64_t block() const { return chunk * inner; }

  // Values are numbered: inputs, the root's result, then what calls and constants make.
  std::vector<Input> inputs;
  std::vector<int> dense;  // those that are read in place
  int root = -1, result = -1, values = 0;
  bool resultDirect = false;
  std::vector<Constant> constants;
  std::vector<Call> calls;
  std::vector<Run> runs;
  std::vector<Direct> directs;
  std::vector<Copy> copies;
  std::vector<Folded> folds;
  int64_t cost = 1;  // of an element, in additions

  // Offsets in a thread's state, and its size. The addresses of the values come first.
  int64_t keysAt = 0, coordinatesAt = 0, registersAt = 0;
  int64_t blockBytes = 0;  // of a register or a tile
  std::vector<Fixed> fixed;
  size_t stateBytes = 0;

 private:
  void layDomain(const Body& body);
  void chooseBlock(const Body& body);
};

// The plan in words, a line for each value and each place a result goes.
std::string describe(const BodyPlan& plan);

}  // namespace lethe
