// A plan in words, for tests and for whoever wonders what a loop does.
#include <sstream>

#include "loops/plan.h"

namespace lethe {
namespace {

class Writer {
 public:
  explicit Writer(const BodyPlan& plan) : p_(plan) {}

  std::string text() {
    domain();
    for (size_t i = 0; i < p_.inputs.size(); ++i) input(static_cast<int>(i));
    if (p_.root >= 0) out_ << "  v" << p_.root << " = the root's result\n";
    for (const auto& c : p_.constants) out_ << "  v" << c.value << " = constant 0x" << std::hex << c.bits << std::dec << "\n";
    for (const auto& run : p_.runs) {
      if (run.count > 1) out_ << "  chain\n";
      for (size_t k = 0; k < run.count; ++k) call(run, p_.calls[run.first + k]);
    }
    for (const auto& c : p_.copies) {
      out_ << "  copy v" << c.value << " to ";
      if (c.slot < 0) out_ << "the operand";
      else out_ << "slot " << c.slot;
      out_ << (c.stream ? " past the caches\n" : "\n");
    }
    for (const auto& f : p_.folds) {
      out_ << "  " << kFoldNames[static_cast<int>(f.op)] << " of v" << f.value << " to slot " << f.slot;
      if (f.second >= 0) out_ << " and " << f.second;
      out_ << "\n";
    }
    return out_.str();
  }

 private:
  // Axes that are reduced stand in brackets.
  void domain() {
    out_ << "  over ";
    for (size_t d = 0; d < p_.dims.size(); ++d) {
      const bool reduced = p_.dims[d].reduced;
      out_ << (d ? " x " : "") << (reduced ? "[" : "") << p_.dims[d].n << (reduced ? "]" : "");
    }
    out_ << " in blocks of " << p_.chunk << " x " << p_.inner << ", cost " << p_.cost << "\n";
  }
  void input(int i) {
    const BodyPlan::Input& in = p_.inputs[i];
    const char* how = in.mode == BodyPlan::Mode::Uniform ? "one value" : in.mode == BodyPlan::Mode::Dense ? "in place" : "in a tile";
    out_ << "  v" << i << " = slot " << in.slot << ", " << how << "\n";
  }
  void call(const BodyPlan::Run& run, const BodyPlan::Call& c) {
    const bool isChain = run.count > 1;
    out_ << (isChain ? "    v" : "  v") << c.dst << " = " << kOpNames[static_cast<int>(c.op)];
    for (int k = 0; k < c.operands; ++k) out_ << " v" << c.args[k];
    if (isChain && !run.chain.stores(c.dst)) out_ << ", handed on\n";
    else out_ << " in " << place(c) << "\n";
  }
  std::string place(const BodyPlan::Call& c) {
    if (c.uniform) return "one value";
    if (p_.resultDirect && c.dst == p_.result) return "the operand";
    for (const auto& d : p_.directs)
      if (d.value == c.dst) return "slot " + std::to_string(d.slot);
    for (const auto& f : p_.fixed)
      if (f.value == c.dst) return "register " + std::to_string((f.offset - p_.registersAt) / p_.blockBytes);
    return "nothing";
  }

  const BodyPlan& p_;
  std::ostringstream out_;
};

}  // namespace

std::string describe(const BodyPlan& plan) { return Writer(plan).text(); }

}  // namespace lethe
