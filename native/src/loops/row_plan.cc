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
constexpr int64_t kBatch = 2048;   // elements of a batch: its blocks stay in the second level cache
constexpr int64_t kMostRows = 64;

// The last work that reads each value, or one beyond the last for what is stored. A link of a chain hands its value on.
std::vector<int> lastReaders(const Rows& rows, const std::vector<RowPlan::Work>& work) {
  std::vector<int> last(rows.values.size(), -1);
  for (size_t w = 0; w < work.size(); ++w)
    for (int v : work[w].values)
      for (int a : rows.values[v].args)
        if (std::find(work[w].values.begin(), work[w].values.end(), a) == work[w].values.end()) last[a] = static_cast<int>(w);
  for (const RowStore& s : rows.stores) last[s.value] = static_cast<int>(work.size());
  for (const Store& s : rows.columns) last[s.value] = static_cast<int>(work.size());
  return last;
}

}  // namespace

RowPlan::RowPlan(const Rows& r, const Description& program) : rows(r) {
  layDomain();
  const int64_t fitting = std::max<int64_t>(1, kBatch / std::max<int64_t>(1, length));
  // Sums over the rows take four rows at a time.
  batch = std::min(kMostRows, rows.columns.empty() || 4 * length > 2 * kBatch ? fitting : roundUp(fitting, 4));
  layWork();
  layState(program);
  for (Work& w : work) {
    if (w.values.size() > 1) layChain(w);
    w.together = isTogether(w);
  }
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

// Can a step be a link of a chain?
bool RowPlan::isLink(int v) const {
  const RowValue& own = rows.values[v];
  if (own.kind != RowValue::Step || own.perRow || own.dtype != DType::Float32) return false;
  for (int a : own.args)
    if (rows.values[a].dtype != DType::Float32) return false;
  return isChained(own.op, own.args.data());
}
bool RowPlan::isSumOf(int v, int of) const {
  const RowValue& own = rows.values[v];
  return own.kind == RowValue::Reduction && own.fold == Fold::Sum && own.args[0] == of;
}

// The order of work is that of the values, but for chains.
void RowPlan::layWork() {
  const int n = static_cast<int>(rows.values.size());
  std::vector<bool> done(n, false);
  for (int v = 0; v < n; ++v) {
    done[v] = isConstant(v);
    loads.push_back(v == 0 ? 0 : loads[v - 1] + (rows.values[v - 1].kind == RowValue::Load));
  }
  for (int v = 0; v < n; ++v)
    if (!done[v]) work.push_back(workFrom(v, done));
  const int64_t longer = std::count_if(work.begin(), work.end(), [](const Work& w) { return w.elements; });
  share = std::max<int64_t>(256, roundUp(divideUp(batch * length, std::max<int64_t>(1, longer)), kLine));
}

// A value; after a step the sums of it, and the step that goes on from it, where there is one that has all else that it needs.
RowPlan::Work RowPlan::workFrom(int first, std::vector<bool>& done) const {
  const int n = static_cast<int>(rows.values.size());
  Work w{{}};
  const auto take = [&](int v) {
    w.values.push_back(v);
    done[v] = true;
  };
  const auto isOurs = [&](int v) { return std::find(w.values.begin(), w.values.end(), v) != w.values.end(); };
  const auto goesOn = [&](int v, int of) {
    const std::vector<int>& args = rows.values[v].args;
    return isLink(v) && std::find(args.begin(), args.end(), of) != args.end() &&
           std::all_of(args.begin(), args.end(), [&](int a) { return a == of || (done[a] && !isOurs(a)); });
  };
  take(first);
  for (int of = first; of >= 0 && isLink(of) && w.values.size() < Chain::kMostSteps;) {
    int next = -1;
    for (int v = of + 1; v < n; ++v) {
      if (done[v]) continue;
      if (isSumOf(v, of) && w.sums.size() < kMostSums) {
        take(v);
        w.sums.push_back(v);
      } else if (next < 0 && goesOn(v, of)) {
        next = v;
      }
    }
    if (next >= 0) take(next);
    of = next;
  }
  const RowValue& own = rows.values[first];
  w.elements = own.kind == RowValue::Reduction || !own.perRow;
  if (w.values.size() == 1) w.loop = loopOf(own);
  return w;
}

void RowPlan::layChain(Work& w) const {
  for (int v : w.values) {
    const RowValue& own = rows.values[v];
    if (own.kind == RowValue::Reduction) {
      w.chain.sum(v == w.sums[0] ? 0 : 1);
      continue;
    }
    w.chain.step(own.op, own.args.data(), own.args.size(), v, [&](int a) { return rows.values[a].perRow; });
    if (place[v] >= 0 || direct[v] >= 0) w.chain.store(v);
  }
}

// Of values of elements, single ones are read at one place; among single values they follow each other.
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

// May one call compute a batch? Where all that it reads and writes lies row behind row, and nothing is summed by rows.
bool RowPlan::isTogether(const Work& w) const {
  const auto behind = [&](int v) { return isConstant(v) || (!rows.values[v].perRow && step[v] == length); };
  if (!w.chain.empty()) return w.sums.empty() && std::all_of(w.chain.values.begin(), w.chain.values.end(), behind);
  const RowValue& own = rows.values[w.values[0]];
  return own.perRow || (step[w.values[0]] == length && std::all_of(own.args.begin(), own.args.end(), behind));
}

// The state of a thread: addresses of the values and of what is fetched; single values, blocks, and pairs of blocks on their way.
void RowPlan::layState(const Description& program) {
  const int n = static_cast<int>(rows.values.size());
  const std::vector<int> last = lastReaders(rows, work);
  stateBytes = roundUp(int64_t{2} * n * 8, kLineBytes);
  place.assign(n, -1);
  direct.assign(n, -1);
  step.assign(n, length);
  std::vector<int64_t> free;
  // Blocks of values that are read for the last time.
  const auto release = [&](size_t w) {
    std::set<int> args;
    for (int v : work[w].values) args.insert(rows.values[v].args.begin(), rows.values[v].args.end());
    for (int a : args)
      if (last[a] == static_cast<int>(w) && place[a] >= 0 && !rows.values[a].perRow && !isRenamed(rows, a)) free.push_back(place[a]);
  };
  for (int v = 0; v < n; ++v)
    if (isConstant(v)) layValue(v, free, program);
  for (size_t w = 0; w < work.size(); ++w) {
    const bool isChain = work[w].values.size() > 1;
    // A loop may write over what it reads, a chain reads to its end.
    if (!isChain) release(w);
    for (int v : work[w].values)
      if (!isChain || rows.values[v].perRow || last[v] >= 0) layValue(v, free, program);
    if (isChain) release(w);
  }
  for (const RowStore& s : rows.stores) {
    const auto same = [&](const RowStore& t) { return t.slot == s.slot; };
    if (std::none_of(streamed.begin(), streamed.end(), same)) copied.push_back(s);
  }
}

// Where a value lies. `free`: blocks that nobody needs any more.
void RowPlan::layValue(int v, std::vector<int64_t>& free, const Description& program) {
  const auto take = [&](int64_t bytes) {
    const int64_t at = stateBytes;
    stateBytes += roundUp(bytes, kLineBytes);
    return at;
  };
  const RowValue& value = rows.values[v];
  const int own = loads[v];
  const bool isLoad = value.kind == RowValue::Load;
  if (value.perRow) {
    place[v] = take(batch * 4);
    step[v] = 1;
  } else if (isLoad && along.size() == 1 && along[0].strides[own] == 1 && !isWritten(rows, value.view.slot, program)) {
    step[v] = kept.empty() ? 0 : kept.back().strides[own];
    if (step[v] == length) fetched.push_back({own, value.view.slot, value.view.offset});
  } else if (value.kind == RowValue::Step && value.op == Op::Identity) {
    step[v] = step[value.args[0]];
  } else if (const RowStore* store = value.kind == RowValue::Step ? storeFor(v, program) : nullptr) {
    if (arrays(rows) * count * length * 4 > 2 * kStreamBytes) {
      streamed.push_back(*store);
      place[v] = take(2 * halfBytes());
    } else {
      direct[v] = store->slot;
      if (!kept.empty()) step[v] = kept.back().dense;
    }
  } else if (free.empty()) {
    place[v] = take(blockBytes());
  } else {
    place[v] = free.back();
    free.pop_back();
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

// Where a value lies, in words. Registers are the blocks of a batch.
std::string RowPlan::home(size_t v) const {
  if (rows.values[v].perRow) return ", one value";
  if (direct[v] >= 0) return " in slot " + std::to_string(direct[v]);
  if (place[v] < 0) return rows.values[v].kind == RowValue::Load ? ", in place" : rows.values[v].op == Op::Identity ? "" : ", handed on";
  for (const RowStore& s : streamed)
    if (s.value == static_cast<int>(v)) return " on its way to slot " + std::to_string(s.slot);
  std::set<int64_t> before;
  for (size_t w = 0; w < place.size(); ++w)
    if (!rows.values[w].perRow && place[w] >= 0 && place[w] < place[v]) before.insert(place[w]);
  return " in register " + std::to_string(before.size());
}

std::string RowPlan::describe() const {
  std::ostringstream out;
  out << "  " << count << " rows of " << length;
  if (batch > 1) out << ", " << std::min(batch, count) << " together";
  out << "\n";
  const auto line = [&](int v, const char* indent) {
    const RowValue& own = rows.values[v];
    out << indent << "v" << v << " = ";
    if (own.kind == RowValue::Load) out << "slot " << own.view.slot;
    else out << (own.kind == RowValue::Step ? kOpNames[static_cast<int>(own.op)] : kFoldNames[static_cast<int>(own.fold)]);
    for (int a : own.args) out << " v" << a;
    if (own.kind == RowValue::Reduction && own.divisor != 1) out << " / " << own.divisor;
    if (isConstant(v)) out << " " << own.value;
    out << home(v) << "\n";
  };
  for (size_t v = 0; v < rows.values.size(); ++v)
    if (isConstant(static_cast<int>(v))) line(static_cast<int>(v), "  ");
  for (const Work& w : work) {
    if (w.values.size() > 1) out << "  chain\n";
    for (int v : w.values) line(v, w.values.size() > 1 ? "    " : "  ");
  }
  for (const Store& s : rows.columns) out << "  sum of v" << s.value << " over all rows to slot " << s.slot << "\n";
  for (const RowStore& s : copied)
    if (direct[s.value] != s.slot) out << "  copy v" << s.value << " to slot " << s.slot << "\n";
  return out.str();
}

}  // namespace lethe
