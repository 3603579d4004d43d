// The weight gradient of a convolution by plain products: for each tap, source pixels (channels down) times result
// gradients (channels across), summed over pixels.
#pragma once
#include "conv/conv.h"
#include "conv/padded.h"

namespace lethe {

WorkspaceSize directWeightGradientWorkspace(const ConvShape& shape, int threads);
void directWeightGradient(Pool& pool, const ConvShape& shape, const float* x, const float* dy, float* dw,
                          const Workspace& workspace, const Prologue* px, const Prologue* pdy,
                          const Epilogue* epilogue);

}  // namespace lethe
