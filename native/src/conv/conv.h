// Convolutions and their two gradients, NHWC by HWIO, with a leading axis of B independent convolutions.
//   x [B,N,H,W,C]   w [B,KH,KW,C/groups,O]   y [B,N,OH,OW,O]
// Each of the three is linear in both operands and is itself a product with the other two as derivatives.
#pragma once
#include "runtime/threads.h"

namespace lethe {

struct ConvShape {
  int64_t B, N, H, W, C, KH, KW, O, OH, OW;
  int64_t strideH, strideW, padT, padB, padL, padR, dilH, dilW, groups;
  bool exact = false;  // only algorithms that add plain products, never transformed ones
};

// Which algorithm each of the three takes for a shape.
const char* convAlgorithm(const ConvShape& shape);
const char* convGradInputAlgorithm(const ConvShape& shape);
const char* convGradWeightAlgorithm(const ConvShape& shape);

// The results do not depend on the number of threads. A prologue stands for the operand it is given with, whose
// pointer is then not read; with an epilogue, raw sums pass through the result.
WorkspaceSize convWorkspace(const ConvShape& shape, int threads);
void conv(Pool& pool, const ConvShape& shape, const float* x, const float* w, float* y, const Workspace& workspace,
          const Prologue* px, const Epilogue* epilogue);

WorkspaceSize convGradInputWorkspace(const ConvShape& shape, int threads);
void convGradInput(Pool& pool, const ConvShape& shape, const float* dy, const float* w, float* dx,
                   const Workspace& workspace, const Prologue* pdy, const Epilogue* epilogue);

WorkspaceSize convGradWeightWorkspace(const ConvShape& shape, int threads);
void convGradWeight(Pool& pool, const ConvShape& shape, const float* x, const float* dy, float* dw,
                    const Workspace& workspace, const Prologue* px, const Prologue* pdy, const Epilogue* epilogue);

}  // namespace lethe
