// The decoder. The layout is the one native/lower.ts writes; a list is its length followed by its items.
#include "description.h"

#include <cmath>

namespace lethe {
namespace {

constexpr double kVersion = 1;
constexpr int64_t kMostElements = int64_t{1} << 46;

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
    require(in_.real() == kVersion, "the program's description is of another version than the addon: rebuild with npm run build:native");
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
  DType dtype() { return static_cast<DType>(in_.within(0, 4, "an element type")); }
  Shape shape() {
    Shape s = in_.list<int64_t>([&] { return in_.within(0, kMostElements, "a dimension"); });
    double n = 1;
    for (int64_t d : s) n *= static_cast<double>(d);
    require(n < static_cast<double>(kMostElements), "a shape has too many elements");
    return s;
  }
  Slot slot() {
    Slot s;
    s.kind = static_cast<Slot::Kind>(in_.within(0, 3, "a slot's kind"));
    s.dtype = dtype();
    s.size = in_.within(0, kMostElements, "a slot's size");
    s.index = in_.integer();
    s.offset = in_.integer();
    if (s.kind == Slot::Temporary)
      require(s.offset >= 0 && s.offset % 64 == 0 && s.offset + s.bytes() <= out_.arenaBytes, "a temporary lies outside the arena");
    else
      require(s.index >= 0 && s.index < (s.kind == Slot::Input ? out_.inputs : out_.outputs), "a slot's index is out of range");
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
      require(std::llabs(v.strides[d]) < kMostElements, "a stride is too large");
      (v.strides[d] < 0 ? low : high) += (domain[d] - 1) * v.strides[d];
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
      s.op = static_cast<Op>(in_.within(0, static_cast<int64_t>(Op::Count), "an operation"));
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
    r.op = static_cast<Reduce>(in_.within(0, 3, "a reduction"));
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
  Instruction instruction() {
    Instruction i;
    i.root = static_cast<int>(in_.within(-1, 256, "a root"));
    i.params = in_.list<double>([&] { return in_.real(); });
    i.inputs = in_.list<Operand>([&] { return operand(); });
    i.outputs = in_.list<Operand>([&] { return operand(); });
    const int64_t n = in_.length();
    for (int64_t k = 0; k < n; ++k) i.prologues.push_back(body(false));
    i.body = body(i.root >= 0);
    return i;
  }

  Reader in_;
  Description& out_;
};

}  // namespace

int64_t sizeOf(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

bool Description::mayAlias(int a, int b) const {
  if (a < 0 || b < 0) return false;
  if (a == b) return true;
  const Slot &x = slots[a], &y = slots[b];
  if (x.kind == Slot::Temporary && y.kind == Slot::Temporary)
    return x.offset < y.offset + y.bytes() && y.offset < x.offset + x.bytes();
  const Slot& out = x.kind == Slot::Output ? x : y;
  const Slot& in = x.kind == Slot::Output ? y : x;
  if (out.kind == in.kind) return out.index == in.index;
  for (const auto& [output, input] : donations)
    if (out.kind == Slot::Output && in.kind == Slot::Input && out.index == output && in.index == input) return true;
  return false;
}

Description decode(const std::string& label, const double* words, size_t count) {
  Description d;
  d.label = label;
  Decoder(words, count, d).program();
  return d;
}

}  // namespace lethe
