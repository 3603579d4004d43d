// Which vector table is used: the one of the instruction set the other kernels use.
#include "loops/vector.h"
#include "runtime/isa.h"

namespace lethe {

const VectorTable& vectors() {
  switch (isa()) {
#if defined(__x86_64__)
    case Isa::Avx512: return *vectorTableAvx512();
    case Isa::Avx2: return *vectorTableAvx2();
#elif defined(__aarch64__)
    case Isa::Neon: return *vectorTableNeon();
#endif
    default: return *vectorTablePortable();
  }
}

}  // namespace lethe
