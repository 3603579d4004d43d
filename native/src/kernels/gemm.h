// Matrix products: [batch, m, k] x [batch, k, n] -> [batch, m, n], either operand stored transposed.
#pragma once
#include "runtime/threads.h"

namespace lethe {

struct DotShape {
  int64_t batch, m, n, k;
  bool transA, transB;
};

WorkspaceSize dotWorkspace(const DotShape& shape, int threads);
// The result does not depend on the number of threads. With an epilogue, raw products pass through `c`.
void dot(Pool& pool, const DotShape& shape, const float* a, const float* b, float* c, const Workspace& workspace,
         const Epilogue* epilogue);

}  // namespace lethe
