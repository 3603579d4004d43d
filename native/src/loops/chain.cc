// From operations to links.
#include "loops/chain.h"

#include <algorithm>

namespace lethe {
namespace {

Link::Code codeOf(Op op, bool isSecond, bool isSingle) {
  if (op == Op::Add) return isSingle ? Link::AddSingle : Link::AddBlock;
  if (op == Op::Mul) return isSingle ? Link::MulSingle : Link::MulBlock;
  if (isSecond) return isSingle ? Link::SubFromSingle : Link::SubFromBlock;
  return isSingle ? Link::SubSingle : Link::SubBlock;
}

}  // namespace

bool isChained(Op op, const int* args) {
  switch (op) {
    case Op::Mul:
    case Op::Neg: return true;
    case Op::Add:
    case Op::Sub: return args[0] != args[1];
    case Op::Exp: return vectors().chainsExp;
    default: return false;
  }
}

void Chain::put(Link::Code code, int v) {
  const auto at = std::find(values.begin(), values.end(), v);
  links.push_back({code, static_cast<uint8_t>(at - values.begin())});
  if (at == values.end()) values.push_back(v);
}

bool Chain::stores(int v) const {
  return std::any_of(links.begin(), links.end(), [&](const Link& l) { return l.code == Link::Store && values[l.operand] == v; });
}

void Chain::apply(Op op, const int* args, size_t count, bool isSingle) {
  if (count == 1) {
    links.push_back({op == Op::Neg ? Link::Neg : Link::Exp, 0});
  } else if (args[0] == args[1]) {
    links.push_back({Link::MulItself, 0});
  } else {
    const bool isSecond = args[1] == atHand_;
    put(codeOf(op, isSecond, isSingle), args[isSecond ? 0 : 1]);
  }
}

}  // namespace lethe
