// Which instruction set the kernels use, found once at run time. Not a list of CPU features: only the four levels that
// have their own translation units (*_avx512.cc, *_avx2.cc, *_neon.cc, *_portable.cc).
#pragma once

namespace lethe {

enum class Isa { Portable, Neon, Avx2, Avx512 };

const char* isaName(Isa isa);
bool isaSupported(Isa isa);
Isa bestIsa();

// The level in use: the best one, unless a test chose another.
Isa isa();
// Returns false, and changes nothing, where this machine lacks the level. Not to be called while kernels run.
bool useIsa(Isa isa);

}  // namespace lethe
