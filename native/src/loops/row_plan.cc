// From the values of rows to a plan: axes merged, blocks of scratch by liveness, and which results are computed where they go.
#include "loops/row_plan.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace lethe {
namespace {

bool merges(const RowPlan::Dim& outer, const RowPlan::Dim& inner) {
  if (outer.dense != inner.dense * inner.n) return false;
  for (size_t i = 0; i < inner.strides.size(); ++i)
    if (outer.strides[i] != inner.strides[i] * inner.n) return false;
  return true;
}

// Does a store of these rows write where the slot lies?
bool isWritten(const Rows& rows, int slot, const Description& program) {
  for (const RowStore& s : rows.stores)
    if (program.mayAlias(s.slot, slot)) return true;
  return false;
}
// A value that another one only renames keeps its block.
bool isRenamed(const Rows& rows, int a) {
  for (const RowValue& v : rows.values)
    if (v.kind == RowValue::Step && v.op == Op::Identity && v.args[0] == a) return true;
  return false;
}
// How many arrays of the whole domain are read and written.
int64_t arrays(const Rows& rows) {
  int64_t n = 0;
  for (const RowValue& v : rows.values) n += v.kind == RowValue::Load && std::find(v.view.strides.begin(), v.view.strides.end(), 0) == v.view.strides.end();
  for (const RowStore& s : rows.stores) n += s.whole;
  return n;
}
// The last value that reads each, or one beyond the last for what is stored.
std::vector<int> lastReaders(const Rows& rows) {
  const size_t n = rows.values.size();
  std::vector<int> last(n, -1);
  for (size_t v = 0; v < n; ++v)
    for (int a : rows.values[v].args) last[a] = static_cast<int>(v);
  for (const RowStore& s : rows.stores) last[s.value] = static_cast<int>(n);
  return last;
}

}  // namespace

RowPlan::RowPlan(const Rows& r, const Description& program) : rows(r) {
  layDomain();
  int64_t longer = 0;
  for (size_t v = 0; v < rows.values.size(); ++v) {
    loops.push_back(loopOf(rows.values[v]));
    const bool isStep = rows.values[v].kind == RowValue::Step;
    if (isStep && rows.values[v].op == Op::Full) continue;
    work.push_back(v);
    longer += !(isStep && rows.values[v].perRow);
  }
  share = std::max<int64_t>(256, roundUp(divideUp(length, std::max<int64_t>(1, longer)), kLine));
  layState(program);
}

// Axes that stay and axes of the row, each with neighbours merged that all views walk through in one stride.
void RowPlan::layDomain() {
  const size_t rank = rows.shape.size();
  std::vector<bool> gone(rank, false);
  for (int axis : rows.axes) gone[axis] = true;
  std::vector<int64_t> dense(rank, 1);
  for (size_t d = rank; d-- > 1;) dense[d - 1] = dense[d] * rows.shape[d];
  for (size_t d = 0; d < rank; ++d) {
    Dim own{rows.shape[d], dense[d], {}};
    for (const RowValue& v : rows.values)
      if (v.kind == RowValue::Load) own.strides.push_back(v.view.strides[d]);
    std::vector<Dim>& dims = gone[d] ? along : kept;
    if (!dims.empty() && merges(dims.back(), own)) {
      own.n *= dims.back().n;
      dims.back() = own;
    } else {
      dims.push_back(own);
    }
    (gone[d] ? length : count) *= rows.shape[d];
  }
  if (along.empty()) {
    Dim one{1, 1, {}};
    for (const RowValue& v : rows.values)
      if (v.kind == RowValue::Load) one.strides.push_back(0);
    along.push_back(one);
  }
}

StepLoop RowPlan::loopOf(const RowValue& v) const {
  if (v.kind != RowValue::Step || v.op == Op::Full || v.op == Op::Identity) return nullptr;
  int mask = 0;
  if (!v.perRow)
    for (size_t k = 0; k < v.args.size(); ++k)
      if (rows.values[v.args[k]].perRow) mask |= 1 << k;
  const StepLoop loop = vectors().step(v.op, rows.values[v.args[0]].dtype, v.dtype, mask);
  require(loop, "an elementwise operation is not defined for its operand's type");
  return loop;
}

// The state of a thread: addresses of the values and of what is fetched, single values, blocks of a row, rings.
void RowPlan::layState(const Description& program) {
  const size_t n = rows.values.size();
  const std::vector<int> last = lastReaders(rows);
  stateBytes = roundUp(static_cast<int64_t>(2 * n) * 8, kLineBytes);
  place.assign(n, -1);
  direct.assign(n, -1);
  const auto take = [&](int64_t bytes) {
    const int64_t at = stateBytes;
    stateBytes += roundUp(bytes, kLineBytes);
    return at;
  };
  // What a row leaves for its neighbour's line of the cache is written a row later: three rows are the least.
  if (arrays(rows) * count * length * 4 > 2 * kStreamBytes) ring = std::max<int64_t>(3, divideUp(2048, length));
  std::vector<int64_t> free;
  int load = 0;
  for (size_t v = 0; v < n; ++v) {
    const RowValue& value = rows.values[v];
    const int own = value.kind == RowValue::Load ? load++ : -1;
    // A loop may write over what it reads.
    std::set<int> args(value.args.begin(), value.args.end());
    for (int a : args)
      if (last[a] == static_cast<int>(v) && place[a] >= 0 && !rows.values[a].perRow && !isRenamed(rows, a)) free.push_back(place[a]);
    if (value.perRow) {
      place[v] = take(4);
      continue;
    }
    if (own >= 0 && along.size() == 1 && along[0].strides[own] == 1 && !isWritten(rows, value.view.slot, program)) {
      if (start(1, own) != 0) fetched.push_back({own, value.view.slot, value.view.offset});
      continue;
    }
    if (value.kind == RowValue::Step && value.op == Op::Identity) continue;
    const RowStore* store = value.kind == RowValue::Step ? storeFor(static_cast<int>(v), program) : nullptr;
    if (store && ring > 1) {
      streamed.push_back(*store);
      place[v] = take(ring * length * 4);
    } else if (store) {
      direct[v] = store->slot;
    } else if (free.empty()) {
      place[v] = take(length * 4);
    } else {
      place[v] = free.back();
      free.pop_back();
    }
  }
  for (const RowStore& s : rows.stores) {
    const auto same = [&](const RowStore& t) { return t.slot == s.slot; };
    if (std::none_of(streamed.begin(), streamed.end(), same)) copied.push_back(s);
  }
}

// The store whose slot a value of elements may be computed in at once, because nothing that is read lies there; or null.
const RowStore* RowPlan::storeFor(int v, const Description& program) const {
  if (along.size() > 1 || along[0].dense != 1) return nullptr;
  for (const RowStore& s : rows.stores) {
    if (s.value != v || !s.whole) continue;
    bool read = false;
    for (const RowValue& l : rows.values) read = read || (l.kind == RowValue::Load && program.mayAlias(s.slot, l.view.slot));
    if (!read) return &s;
  }
  return nullptr;
}

// Where a value lies, in words. Registers are the blocks of a row.
std::string RowPlan::home(size_t v) const {
  if (rows.values[v].perRow) return ", one value";
  if (direct[v] >= 0) return " in slot " + std::to_string(direct[v]);
  if (place[v] < 0) return rows.values[v].kind == RowValue::Load ? ", in place" : "";
  for (const RowStore& s : streamed)
    if (s.value == static_cast<int>(v)) return " on its way to slot " + std::to_string(s.slot);
  std::set<int64_t> before;
  for (size_t w = 0; w < place.size(); ++w)
    if (!rows.values[w].perRow && place[w] >= 0 && place[w] < place[v]) before.insert(place[w]);
  return " in register " + std::to_string(before.size());
}

std::string RowPlan::describe() const {
  std::ostringstream out;
  out << "  " << count << " rows of " << length << "\n";
  for (size_t v = 0; v < rows.values.size(); ++v) {
    const RowValue& own = rows.values[v];
    out << "  v" << v << " = ";
    if (own.kind == RowValue::Load) out << "slot " << own.view.slot;
    else out << (own.kind == RowValue::Step ? kOpNames[static_cast<int>(own.op)] : kFoldNames[static_cast<int>(own.fold)]);
    for (int a : own.args) out << " v" << a;
    if (own.kind == RowValue::Reduction && own.divisor != 1) out << " / " << own.divisor;
    if (own.kind == RowValue::Step && own.op == Op::Full) out << " " << own.value;
    out << home(v) << "\n";
  }
  for (const RowStore& s : copied)
    if (direct[s.value] != s.slot) out << "  copy v" << s.value << " to slot " << s.slot << "\n";
  return out.str();
}

}  // namespace lethe
