// Chooses the table of microkernels for the instruction set in use.
#include "microkernels/microkernel.h"

#include "runtime/isa.h"

namespace lethe {

const Microkernels& microkernels() {
  switch (isa()) {
#if defined(__x86_64__)
    case Isa::Avx512: return detail::kAvx512Kernels;
    case Isa::Avx2: return detail::kAvx2Kernels;
#elif defined(__aarch64__)
    case Isa::Neon: return detail::kNeonKernels;
#endif
    default: return detail::kPortableKernels;
  }
}

}  // namespace lethe
