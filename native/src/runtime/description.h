// A program as the TypeScript side describes it (engine/program.ts), decoded from one array of numbers and checked:
// whatever survives decoding refers to existing slots and stays inside them, has an address for every operand, and
// writes nothing that is still to be read. Nothing here computes.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "operations.h"

namespace lethe {

[[noreturn]] inline void fail(const std::string& what) { throw std::runtime_error(what); }
inline void require(bool ok, const char* what) {
  if (!ok) fail(what);
}

using Shape = std::vector<int64_t>;
int64_t sizeOf(const Shape& shape);
// Whether `size`, of an array that passed decoding, is the product of the factors, which may be too large for 64 bits.
bool isProduct(int64_t size, std::initializer_list<int64_t> factors);

struct Slot {
  SlotKind kind;
  DType dtype;
  int64_t size, index, offset;
  int64_t bytes() const { return size * 4; }
};

struct Operand {
  int slot;
  DType dtype;
  Shape shape;
  int64_t size;
};

struct View {
  int slot;
  DType dtype;
  Shape strides;
  int64_t offset;
};
struct Step {
  Op op;
  DType dtype;
  std::vector<int> args;
  double value;
};
struct Store {
  int value, slot;
};
struct Reduction {
  Fold op;
  int value;
  std::vector<int> axes;
  int slot, second;  // `second`: where moments put the variance
};
struct Body {
  Shape shape;
  std::vector<View> inputs;
  std::vector<Step> steps;
  std::vector<Store> stores;
  std::vector<Reduction> reductions;
};

// A value of work on rows; arguments are numbers of earlier values.
struct RowValue {
  enum Kind { Load, Step, Reduction } kind;
  DType dtype;
  bool perRow;             // one for the whole row, not one for each element
  View view;               // of a load
  Op op;                   // of a step, and the constant of Full
  double value;
  Fold fold;               // of a reduction; its total is divided by `divisor`
  double divisor;
  std::vector<int> args;
};
struct RowStore {
  int value, slot;
  bool whole;              // an element each, not one for the row
};
struct Rows {
  static constexpr int64_t kMostValues = 4096;
  Shape shape;
  std::vector<int> axes;   // those of a row, sorted
  std::vector<RowValue> values;
  std::vector<RowStore> stores;
  std::vector<Store> columns;  // values of elements added up over all rows
};

struct Parameter {
  Param name;
  std::vector<double> values;
};

struct Instruction {
  int root;  // -1: only a body, -2: only rows
  std::vector<Parameter> params;
  std::vector<Operand> inputs, outputs;
  std::vector<std::unique_ptr<Body>> prologues;
  std::unique_ptr<Body> body;
  std::unique_ptr<Rows> rows;

  // Of a root that has to have them.
  const Operand& input(size_t i) const { return at(inputs, i, "a root lacks an operand"); }
  const Operand& output(size_t i) const { return at(outputs, i, "a root lacks a result"); }
  // The values of a parameter. The others: whole numbers, as many as there have to be, or one.
  const std::vector<double>& values(Param name) const;
  std::vector<int64_t> numbers(Param name) const;
  std::vector<int64_t> numbers(Param name, size_t count) const;
  int64_t number(Param name) const { return numbers(name, 1)[0]; }
  bool flag(Param name) const { return number(name) != 0; }

 private:
  template <class T> static const T& at(const std::vector<T>& list, size_t i, const char* what) {
    require(i < list.size(), what);
    return list[i];
  }
};

struct Description {
  std::string label;
  std::vector<Slot> slots;
  std::vector<std::pair<int, int>> donations;
  std::vector<Instruction> instructions;
  int64_t arenaBytes, inputs, outputs;
  bool exact;  // convolutions only by algorithms that add plain products, never transformed ones

  // Whether two slots can be the same memory.
  bool mayAlias(int a, int b) const;
  bool isDonated(int64_t output, int64_t input) const;
};

Description decode(const std::string& label, const double* words, size_t count);

}  // namespace lethe
