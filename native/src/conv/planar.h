// Convolution to few channels: vector lanes run over pixels in place of channels.
#pragma once
#include "conv/geometry.h"

namespace lethe {

// For one group, stride 1, at most 8 result channels and at least one result.
WorkspaceSize planarConvWorkspace(const TapConv& conv, int threads);
void planarConv(Pool& pool, const TapConv& conv, const float* source, const float* w, float* result,
                const Workspace& workspace, const Prologue* prologue, const Epilogue* epilogue);

}  // namespace lethe
