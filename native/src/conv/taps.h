// Convolution by a list of taps: one kernel for the forward product and the input gradient, every stride, dilation,
// padding and number of groups. A pixel of the result is a sum over taps, each the product of a run of source channels
// with a matrix of weights. The input gradient of a strided convolution falls apart into classes, one for each residue
// of the row and column, each with its own taps; the forward product is the case of one class.
#pragma once
#include "conv/geometry.h"

namespace lethe {

WorkspaceSize tapConvWorkspace(const TapConv& conv, int threads);
void tapConv(Pool& pool, const TapConv& conv, const float* source, const float* w, float* result,
             const Workspace& workspace, const Prologue* prologue, const Epilogue* epilogue);

}  // namespace lethe
