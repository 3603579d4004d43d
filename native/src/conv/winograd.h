// Winograd's minimal convolution F(4x4, 3x3) for 3x3 taps with stride 1: 36 products where plain sums take 144. Errors
// are about twice those of plain sums, but relative to the largest value of a patch of 6x6 pixels, and one NaN or
// infinity fills its whole tile of 4x4 results.
#pragma once
#include "conv/geometry.h"

namespace lethe {

// Where it can be used at all: 3x3, one group, no stride or dilation, channels in whole vectors.
bool winogradFits(const TapConv& conv);
// How many times fewer products it makes, tiles that hang over the edge counted.
double winogradGain(const TapConv& conv);
// The blocks of tiles that threads share.
int64_t winogradBlocks(const TapConv& conv);

WorkspaceSize winogradWorkspace(const TapConv& conv, int threads);
void winograd(Pool& pool, const TapConv& conv, const float* source, const float* w, float* result,
              const Workspace& workspace, const Prologue* prologue, const Epilogue* epilogue);

}  // namespace lethe
