// The weight gradient of a 3x3 convolution by the transpose of winograd.h's algorithm.
#pragma once
#include "conv/conv.h"

namespace lethe {

// Whether its sums over tiles, 4 times the size of the gradient, can be kept near.
bool winogradWeightFits(const ConvShape& shape);

WorkspaceSize winogradWeightWorkspace(const ConvShape& shape, int threads);
void winogradWeight(Pool& pool, const ConvShape& shape, const float* x, const float* dy, float* dw,
                    const Workspace& workspace, const Prologue* px, const Prologue* pdy, const Epilogue* epilogue);

}  // namespace lethe
