// The decoder. The layout is the one native/encode.ts writes; a list is its length followed by its items.
#include "runtime/description.h"

#include <cmath>

namespace lethe {
namespace {

static_assert(kDTypes == 4 && sizeof(float) == 4, "every element takes 32 bits");
constexpr int64_t kMostElements = int64_t{1} << 46;
constexpr size_t kMostAxes = 64;

class Reader {
 public:
  Reader(const double* words, size_t count) : at_(words), end_(words + count) {}
  double real() {
    require(at_ != end_, "the program's description ends too early");
    return *at_++;
  }
  int64_t integer() {
    const double v = real();
    require(v == std::floor(v) && std::fabs(v) < 9007199254740992.0, "the program's description has a fraction where a whole number belongs");
    return static_cast<int64_t>(v);
  }
  int64_t within(int64_t low, int64_t high, const char* what) {
    const int64_t v = integer();
    if (v < low || v >= high) fail(std::string(what) + " is out of range in the program's description");
    return v;
  }
  int64_t length() { return within(0, end_ - at_ + 1, "a length"); }
  template <class T, class F> std::vector<T> list(F item) {
    std::vector<T> out;
    const int64_t n = length();
    out.reserve(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) out.push_back(item());
    return out;
  }
  bool done() const { return at_ == end_; }

 private:
  const double *at_, *end_;
};

class Decoder {
 public:
  Decoder(const double* words, size_t count, Description& out) : in_(words, count), out_(out) {}

  void program() {
    require(in_.real() == kSignature, "the addon was built from other sources than the program comes from, and has to be built again");
    out_.exact = in_.within(0, 2, "a flag") != 0;
    out_.arenaBytes = in_.within(0, int64_t{1} << 52, "the arena's size");
    out_.inputs = in_.within(0, 1 << 24, "the number of inputs");
    out_.outputs = in_.within(0, 1 << 24, "the number of outputs");
    out_.slots = in_.list<Slot>([&] { return slot(); });
    out_.donations = in_.list<std::pair<int, int>>([&] {
      const int64_t output = in_.within(0, out_.outputs, "a donation's output");
      return std::pair<int, int>(output, in_.within(0, out_.inputs, "a donation's input"));
    });
    const int64_t n = in_.length();
    for (int64_t i = 0; i < n; ++i) out_.instructions.push_back(instruction());
    require(in_.done(), "the program's description goes on after its end");
  }

 private:
  DType dtype() { return static_cast<DType>(in_.within(0, kDTypes, "an element type")); }
  Shape shape() {
    Shape s = in_.list<int64_t>([&] { return in_.within(0, kMostElements, "a dimension"); });
    require(s.size() <= kMostAxes, "a shape has too many axes");
    // Without the zeros: the product of any of the axes has to fit, too.
    double n = 1;
    for (int64_t d : s) n *= static_cast<double>(d > 0 ? d : 1);
    require(n < static_cast<double>(kMostElements), "a shape has too many elements");
    return s;
  }
  Slot slot() {
    Slot s;
    s.kind = static_cast<SlotKind>(in_.within(0, kSlotKinds, "a slot's kind"));
    s.dtype = dtype();
    s.size = in_.within(0, kMostElements, "a slot's size");
    s.index = in_.integer();
    s.offset = in_.integer();
    if (s.kind == SlotKind::Temporary)
      require(s.offset >= 0 && s.offset % 64 == 0 && s.offset + s.bytes() <= out_.arenaBytes, "a temporary lies outside the arena");
    else
      require(s.index >= 0 && s.index < (s.kind == SlotKind::Input ? out_.inputs : out_.outputs), "a slot's index is out of range");
    return s;
  }
  int slotOf(int64_t size, bool none) {
    const int i = static_cast<int>(in_.within(none ? -1 : 0, static_cast<int64_t>(out_.slots.size()), "a slot"));
    require(i < 0 || out_.slots[i].size >= size, "an operand is larger than its slot");
    return i;
  }
  Operand operand() {
    Operand o;
    o.dtype = dtype();
    o.shape = shape();
    o.size = sizeOf(o.shape);
    o.slot = slotOf(o.size, true);
    return o;
  }
  View view(const Shape& domain) {
    View v;
    v.dtype = dtype();
    v.offset = in_.integer();
    v.strides = in_.list<int64_t>([&] { return in_.integer(); });
    require(v.strides.size() == domain.size(), "a view has another rank than its domain");
    int64_t low = v.offset, high = v.offset;
    for (size_t d = 0; d < domain.size(); ++d) {
      const int64_t steps = domain[d] - 1, stride = v.strides[d];
      if (steps <= 0) continue;
      require(std::llabs(stride) <= kMostElements / steps, "a stride is too large");
      (stride < 0 ? low : high) += steps * stride;
    }
    const bool empty = sizeOf(domain) == 0;
    v.slot = slotOf(empty ? 0 : high + 1, false);
    require(empty || low >= 0, "a view begins before its slot");
    return v;
  }
  std::unique_ptr<Body> body(bool hasRoot) {
    if (!in_.within(0, 2, "a flag")) return nullptr;
    auto b = std::make_unique<Body>();
    b->shape = shape();
    const int64_t size = sizeOf(b->shape);
    b->inputs = in_.list<View>([&] { return view(b->shape); });
    int values = static_cast<int>(b->inputs.size()) + (hasRoot ? 1 : 0);
    b->steps = in_.list<Step>([&] {
      Step s;
      s.op = static_cast<Op>(in_.within(0, kOps, "an operation"));
      s.dtype = dtype();
      s.value = in_.real();
      s.args = in_.list<int>([&] { return static_cast<int>(in_.within(0, values, "an argument")); });
      ++values;
      return s;
    });
    b->stores = in_.list<Store>([&] {
      const int value = static_cast<int>(in_.within(0, values, "a stored value"));
      return Store{value, slotOf(size, false)};
    });
    b->reductions = in_.list<Reduction>([&] { return reduction(*b, values); });
    return b;
  }
  Reduction reduction(const Body& b, int values) {
    Reduction r;
    r.op = static_cast<Fold>(in_.within(0, static_cast<int64_t>(Fold::Moments), "a reduction"));
    r.value = static_cast<int>(in_.within(0, values, "a reduced value"));
    const int rank = static_cast<int>(b.shape.size());
    r.axes = in_.list<int>([&] { return static_cast<int>(in_.within(0, rank, "an axis")); });
    int64_t kept = 1;
    size_t next = 0;
    for (int d = 0; d < rank; ++d) {
      if (next < r.axes.size() && r.axes[next] == d) ++next;
      else kept *= b.shape[d];
    }
    require(next == r.axes.size(), "the axes of a reduction are not sorted");
    r.slot = slotOf(kept, false);
    r.second = -1;
    return r;
  }
  RowValue rowValue(const Rows& r) {
    const int before = static_cast<int>(r.values.size());
    auto argument = [&] { return static_cast<int>(in_.within(0, before, "an argument")); };
    RowValue v{};
    v.kind = static_cast<RowValue::Kind>(in_.within(0, 3, "a kind of value"));
    v.perRow = true;
    if (v.kind == RowValue::Load) {
      v.view = view(r.shape);
      v.dtype = v.view.dtype;
      for (int axis : r.axes) v.perRow = v.perRow && v.view.strides[axis] == 0;
      return v;
    }
    if (v.kind == RowValue::Reduction) {
      v.fold = static_cast<Fold>(in_.within(0, static_cast<int64_t>(Fold::Moments), "a reduction"));
      v.divisor = in_.real();
      v.args = {argument()};
      v.dtype = r.values[v.args[0]].dtype;
      return v;
    }
    v.op = static_cast<Op>(in_.within(0, kOps, "an operation"));
    v.dtype = dtype();
    v.value = in_.real();
    v.args = in_.list<int>(argument);
    require(static_cast<int>(v.args.size()) == kOpRows[static_cast<int>(v.op)].operands, "a step has the wrong number of arguments");
    for (int a : v.args) v.perRow = v.perRow && r.values[a].perRow;
    return v;
  }
  std::unique_ptr<Rows> rows() {
    auto r = std::make_unique<Rows>();
    r->shape = shape();
    const int rank = static_cast<int>(r->shape.size());
    r->axes = in_.list<int>([&] { return static_cast<int>(in_.within(0, rank, "an axis")); });
    for (size_t k = 1; k < r->axes.size(); ++k) require(r->axes[k - 1] < r->axes[k], "the axes of rows are not sorted");
    int64_t row = 1;
    for (int axis : r->axes) row *= r->shape[axis];
    require(row <= kLongestRow, "a row has too many elements");
    const int64_t size = sizeOf(r->shape), count = row > 0 ? size / row : 0;
    const int64_t n = in_.within(0, Rows::kMostValues, "the number of values of rows");
    for (int64_t k = 0; k < n; ++k) r->values.push_back(rowValue(*r));
    r->stores = in_.list<RowStore>([&] {
      const int value = static_cast<int>(in_.within(0, n, "a stored value"));
      const bool whole = in_.within(0, 2, "a flag") == 1;
      require(whole || r->values[value].perRow, "elements are stored as values of rows");
      return RowStore{value, slotOf(whole ? size : count, false), whole};
    });
    r->columns = in_.list<Store>([&] {
      const int value = static_cast<int>(in_.within(0, n, "a value that is added up"));
      require(!r->values[value].perRow && r->values[value].dtype == DType::Float32, "only elements of float32 are added up over rows");
      return Store{value, slotOf(row, false)};
    });
    checkRows(*r);
    return r;
  }
  // A result may lie where something is read only if both are whole: a row is written when all of it has been read.
  void checkRows(const Rows& r) const {
    for (size_t k = 0; k < r.stores.size(); ++k) {
      const RowStore& s = r.stores[k];
      require(out_.slots[s.slot].kind != SlotKind::Input, "a result is written to an input");
      for (const RowValue& v : r.values) {
        if (v.kind != RowValue::Load || !out_.mayAlias(s.slot, v.view.slot)) continue;
        require(s.whole && isWhole(v.view, r.shape) && beginTogether(s.slot, v.view.slot), kOverwrites);
      }
      for (size_t l = 0; l < k; ++l) require(!out_.mayAlias(s.slot, r.stores[l].slot), "two results of an instruction share memory");
    }
    for (size_t k = 0; k < r.columns.size(); ++k) {
      const int slot = r.columns[k].slot;
      require(out_.slots[slot].kind != SlotKind::Input, "a result is written to an input");
      for (const RowValue& v : r.values)
        require(v.kind != RowValue::Load || !out_.mayAlias(slot, v.view.slot), kOverwrites);
      const auto shares = [&](int other) { return out_.mayAlias(slot, other); };
      for (const RowStore& s : r.stores) require(!shares(s.slot), "two results of an instruction share memory");
      for (size_t l = 0; l < k; ++l) require(!shares(r.columns[l].slot), "two results of an instruction share memory");
    }
  }
  Instruction instruction() {
    Instruction i;
    i.root = static_cast<int>(in_.within(-2, kRoots, "a root"));
    if (i.root == -2) {
      i.rows = rows();
      return i;
    }
    i.params = in_.list<Parameter>([&] {
      const Param name = static_cast<Param>(in_.within(0, kParams, "the name of a parameter"));
      return Parameter{name, in_.list<double>([&] { return in_.real(); })};
    });
    i.inputs = in_.list<Operand>([&] { return operand(); });
    i.outputs = in_.list<Operand>([&] { return operand(); });
    const int64_t n = in_.length();
    for (int64_t k = 0; k < n; ++k) i.prologues.push_back(body(false));
    i.body = body(i.root >= 0);
    checkAddresses(i);
    checkOverlaps(i);
    return i;
  }

  // An operand without a slot comes from its prologue, a result without one goes into the body.
  void checkAddresses(const Instruction& i) {
    require(i.root >= 0 || (i.body && i.inputs.empty() && i.outputs.empty()), "an instruction without a root has a body and nothing else");
    require(i.prologues.size() <= i.inputs.size(), "an instruction has more prologues than operands");
    for (size_t k = 0; k < i.inputs.size(); ++k)
      require(i.inputs[k].slot >= 0 || (k < i.prologues.size() && i.prologues[k]), "an operand has neither a slot nor a prologue");
    if (i.root < 0) return;
    for (const Operand& o : i.outputs) require(o.slot >= 0 || i.body, "a result has neither a slot nor a body that consumes it");
    require(!i.body || (i.outputs.size() == 1 && i.body->reductions.empty()), "a body after a root has that root's one result and no reductions");
  }

  // A result may lie where an operand does only if each element is read just before the same element is written.
  void checkOverlaps(const Instruction& i) {
    std::vector<int> reads, results, stores;
    for (const Operand& o : i.inputs) reads.push_back(o.slot);
    for (const auto& p : i.prologues)
      if (p)
        for (const View& v : p->inputs) reads.push_back(v.slot);
    for (const Operand& o : i.outputs) results.push_back(o.slot);
    if (i.body) {
      for (const Reduction& r : i.body->reductions) results.push_back(r.slot);
      for (const Store& s : i.body->stores) (i.body->reductions.empty() ? stores : results).push_back(s.slot);
      for (const View& v : i.body->inputs) {
        for (int w : results) require(!out_.mayAlias(w, v.slot), kOverwrites);
        for (int w : stores) require(!out_.mayAlias(w, v.slot) || (isWhole(v, i.body->shape) && beginTogether(w, v.slot)), kOverwrites);
      }
    }
    results.insert(results.end(), stores.begin(), stores.end());
    for (size_t k = 0; k < results.size(); ++k) {
      require(results[k] < 0 || out_.slots[results[k]].kind != SlotKind::Input, "a result is written to an input");
      for (int r : reads) require(!out_.mayAlias(results[k], r), kOverwrites);
      for (size_t l = 0; l < k; ++l) require(!out_.mayAlias(results[k], results[l]), "two results of an instruction share memory");
    }
  }
  static constexpr const char* kOverwrites = "a result overwrites an operand that is still to be read";

  static bool isWhole(const View& v, const Shape& domain) {
    int64_t run = 1;
    bool whole = v.offset == 0;
    for (size_t d = domain.size(); d-- > 0; run *= domain[d]) whole = whole && (domain[d] == 1 || v.strides[d] == run);
    return whole || sizeOf(domain) == 0;
  }
  bool beginTogether(int a, int b) const {
    const Slot &x = out_.slots[a], &y = out_.slots[b];
    return x.kind != SlotKind::Temporary || y.kind != SlotKind::Temporary || x.offset == y.offset;
  }

  Reader in_;
  Description& out_;
};

}  // namespace

[[noreturn]] static void refuse(Param name, const char* why) {
  fail(std::string("the parameter ") + kParamNames[static_cast<int>(name)] + " of a root " + why);
}
const std::vector<double>& Instruction::values(Param name) const {
  for (const Parameter& p : params)
    if (p.name == name) return p.values;
  refuse(name, "is missing");
}
std::vector<int64_t> Instruction::numbers(Param name) const {
  std::vector<int64_t> all;
  for (double v : values(name)) {
    if (v != std::floor(v)) refuse(name, "has a fraction where a whole number belongs");
    if (std::fabs(v) >= static_cast<double>(kMostElements)) refuse(name, "is out of range");
    all.push_back(static_cast<int64_t>(v));
  }
  return all;
}
std::vector<int64_t> Instruction::numbers(Param name, size_t count) const {
  std::vector<int64_t> all = numbers(name);
  if (all.size() != count) refuse(name, "has the wrong number of values");
  return all;
}

int64_t sizeOf(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

bool isProduct(int64_t size, std::initializer_list<int64_t> factors) {
  double n = 1;
  for (int64_t f : factors) n *= static_cast<double>(f);
  return n == static_cast<double>(size);  // exact, where they can be equal at all
}

bool Description::isDonated(int64_t output, int64_t input) const {
  for (const auto& [o, i] : donations)
    if (o == output && i == input) return true;
  return false;
}

bool Description::mayAlias(int a, int b) const {
  if (a < 0 || b < 0) return false;
  if (a == b) return true;
  const Slot &x = slots[a], &y = slots[b];
  if (x.kind == SlotKind::Temporary && y.kind == SlotKind::Temporary)
    return x.offset < y.offset + y.bytes() && y.offset < x.offset + x.bytes();
  const Slot& out = x.kind == SlotKind::Output ? x : y;
  const Slot& in = x.kind == SlotKind::Output ? y : x;
  if (out.kind == in.kind) return out.index == in.index;
  return out.kind == SlotKind::Output && in.kind == SlotKind::Input && isDonated(out.index, in.index);
}

Description decode(const std::string& label, const double* words, size_t count) {
  Description d;
  d.label = label;
  Decoder(words, count, d).program();
  return d;
}

}  // namespace lethe
