// The choice of algorithm for each of the three products.
#include "conv/conv.h"

#include "conv/planar.h"
#include "conv/taps.h"
#include "conv/weight.h"
#include "conv/winograd.h"
#include "conv/winograd_weight.h"
#include "kernels/planning.h"

namespace lethe {
namespace {

enum class Algorithm { Taps, Planar, Winograd };

// For the forward product and the input gradient, which are the same thing to the kernels.
Algorithm choose(const TapConv& c, bool exact) {
  const bool dense = c.groups == 1, unitStep = c.rows.step * c.rows.classes * c.columns.step * c.columns.classes == 1;
  // Results with few channels leave most lanes of a tile empty; then lanes are better spent on pixels. Turning the
  // source into planes costs about as much as one tap does.
  const bool fewResults = c.resultChannels <= 8, manyProducts = c.tapCount() >= 4 && c.sourceChannels >= 8;
  const bool longRows = c.columns.result >= 8;
  if (dense && unitStep && fewResults && manyProducts && longRows) return Algorithm::Planar;

  if (!exact && winogradFits(c)) {
    // Transforms cost about as much as 16 channels' products, and the weights' as much as those of some blocks.
    const bool manyChannels = c.sourceChannels >= 32 && c.resultChannels >= 32;
    const auto manyBlocks = [&] { return winogradBlocks(c) >= kWantedTasks / 2; };
    if (manyChannels && winogradGain(c) >= 1.5 && manyBlocks()) return Algorithm::Winograd;
  }
  return Algorithm::Taps;
}

bool weightByWinograd(const ConvShape& s) {
  const TapConv c = TapConv::forward(s);
  if (s.exact || s.B * s.N * s.OH * s.OW == 0 || !winogradWeightFits(s)) return false;
  // Sums over few tiles do not pay for turning them back into taps.
  const bool manyChannels = s.C >= 32 && s.O >= 32, manyTiles = s.N * s.OH * s.OW >= 16 * 16 * 16;
  return manyChannels && manyTiles && winogradGain(c) >= 1.5;
}

const char* nameOf(const TapConv& c, bool exact) {
  if (c.resultFloats() == 0) return "nothing";
  switch (choose(c, exact)) {
    case Algorithm::Planar: return "planar";
    case Algorithm::Winograd: return "winograd";
    case Algorithm::Taps: break;
  }
  return "taps";
}

WorkspaceSize productWorkspace(const TapConv& c, bool exact, int threads) {
  if (c.resultFloats() == 0) return {};
  switch (choose(c, exact)) {
    case Algorithm::Planar: return planarConvWorkspace(c, threads);
    case Algorithm::Winograd: return winogradWorkspace(c, threads);
    case Algorithm::Taps: break;
  }
  return tapConvWorkspace(c, threads);
}

void product(Pool& pool, const TapConv& c, bool exact, const float* source, const float* w, float* result,
             const Workspace& workspace, const Prologue* prologue, const Epilogue* epilogue) {
  if (c.resultFloats() == 0) return;
  switch (choose(c, exact)) {
    case Algorithm::Planar: return planarConv(pool, c, source, w, result, workspace, prologue, epilogue);
    case Algorithm::Winograd: return winograd(pool, c, source, w, result, workspace, prologue, epilogue);
    case Algorithm::Taps: break;
  }
  tapConv(pool, c, source, w, result, workspace, prologue, epilogue);
}

}  // namespace

const char* convAlgorithm(const ConvShape& s) { return nameOf(TapConv::forward(s), s.exact); }
const char* convGradInputAlgorithm(const ConvShape& s) { return nameOf(TapConv::inputGradient(s), s.exact); }
const char* convGradWeightAlgorithm(const ConvShape& s) { return weightByWinograd(s) ? "winograd_weight" : "weight"; }

WorkspaceSize convWorkspace(const ConvShape& s, int threads) { return productWorkspace(TapConv::forward(s), s.exact, threads); }

void conv(Pool& pool, const ConvShape& s, const float* x, const float* w, float* y, const Workspace& workspace,
          const Prologue* px, const Epilogue* epilogue) {
  product(pool, TapConv::forward(s), s.exact, x, w, y, workspace, px, epilogue);
}

WorkspaceSize convGradInputWorkspace(const ConvShape& s, int threads) {
  return productWorkspace(TapConv::inputGradient(s), s.exact, threads);
}

void convGradInput(Pool& pool, const ConvShape& s, const float* dy, const float* w, float* dx,
                   const Workspace& workspace, const Prologue* pdy, const Epilogue* epilogue) {
  product(pool, TapConv::inputGradient(s), s.exact, dy, w, dx, workspace, pdy, epilogue);
}

WorkspaceSize convGradWeightWorkspace(const ConvShape& s, int threads) {
  return weightByWinograd(s) ? winogradWeightWorkspace(s, threads) : directWeightGradientWorkspace(s, threads);
}

void convGradWeight(Pool& pool, const ConvShape& s, const float* x, const float* dy, float* dw,
                    const Workspace& workspace, const Prologue* px, const Prologue* pdy, const Epilogue* epilogue) {
  if (weightByWinograd(s)) return winogradWeight(pool, s, x, dy, dw, workspace, px, pdy, epilogue);
  directWeightGradient(pool, s, x, dy, dw, workspace, px, pdy, epilogue);
}

}  // namespace lethe
