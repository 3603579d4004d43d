// The choice of algorithm for each of the three products.
#include "conv.h"

#include "conv_taps.h"
#include "conv_weight.h"

namespace lethe {

WorkspaceSize convWorkspace(const ConvShape& s, int threads) { return tapConvWorkspace(TapConv::forward(s), threads); }

void conv(Pool& pool, const ConvShape& s, const float* x, const float* w, float* y, const Workspace& workspace,
          const Prologue* px, const Epilogue* epilogue) {
  tapConv(pool, TapConv::forward(s), x, w, y, workspace, px, epilogue);
}

WorkspaceSize convGradInputWorkspace(const ConvShape& s, int threads) {
  return tapConvWorkspace(TapConv::inputGradient(s), threads);
}

void convGradInput(Pool& pool, const ConvShape& s, const float* dy, const float* w, float* dx,
                   const Workspace& workspace, const Prologue* pdy, const Epilogue* epilogue) {
  tapConv(pool, TapConv::inputGradient(s), dy, w, dx, workspace, pdy, epilogue);
}

WorkspaceSize convGradWeightWorkspace(const ConvShape& s, int threads) {
  return directWeightGradientWorkspace(s, threads);
}

void convGradWeight(Pool& pool, const ConvShape& s, const float* x, const float* dy, float* dw,
                    const Workspace& workspace, const Prologue* px, const Prologue* pdy, const Epilogue* epilogue) {
  directWeightGradient(pool, s, x, dy, dw, workspace, px, pdy, epilogue);
}

}  // namespace lethe
