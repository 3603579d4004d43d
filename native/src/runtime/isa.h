// Which instruction set the kernels use, found once at run time. Not a list of CPU features: only the four levels that
// have translation units of their own in loops/ and microkernels/.
#pragma once

namespace lethe {

enum class Isa { Portable, Neon, Avx2, Avx512 };
constexpr Isa kIsas[] = {Isa::Avx512, Isa::Avx2, Isa::Neon, Isa::Portable};  // the best first

const char* isaName(Isa isa);
bool isaSupported(Isa isa);
Isa bestIsa();

// The level in use, one for the whole process: the best, unless another was chosen.
Isa isa();
// Returns false, and changes nothing, where this machine lacks the level. Throws where another is in use.
bool useIsa(Isa isa);
// As long as one of these lives the level stays: what was compiled for it holds its addresses and the sizes of its tiles.
class IsaUse {
 public:
  IsaUse();
  IsaUse(const IsaUse&) = delete;
  ~IsaUse();
};

}  // namespace lethe
