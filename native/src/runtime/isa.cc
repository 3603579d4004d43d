// Detection of the instruction set. The compiler's own test also asks the operating system whether it saves the wide
// registers.
#include "runtime/isa.h"

#include <atomic>
#include <mutex>
#include <stdexcept>

namespace lethe {
namespace {

std::mutex mutex;
int uses = 0;

std::atomic<Isa>& chosen() {
  static std::atomic<Isa> isa{bestIsa()};
  return isa;
}

}  // namespace

const char* isaName(Isa isa) {
  switch (isa) {
    case Isa::Avx512: return "avx512";
    case Isa::Avx2: return "avx2";
    case Isa::Neon: return "neon";
    case Isa::Portable: break;
  }
  return "portable";
}

bool isaSupported(Isa isa) {
  switch (isa) {
    case Isa::Portable: return true;
#if defined(__x86_64__)
    case Isa::Avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::Avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && isaSupported(Isa::Avx2);
#elif defined(__aarch64__)
    case Isa::Neon: return true;
#endif
    default: return false;
  }
}

Isa bestIsa() {
  for (Isa isa : kIsas)
    if (isaSupported(isa)) return isa;
  return Isa::Portable;
}

Isa isa() { return chosen(); }

bool useIsa(Isa isa) {
  if (!isaSupported(isa)) return false;
  const std::lock_guard<std::mutex> lock(mutex);
  if (uses > 0 && isa != chosen()) throw std::runtime_error("another instruction set is in use by an open backend");
  chosen() = isa;
  return true;
}

IsaUse::IsaUse() {
  const std::lock_guard<std::mutex> lock(mutex);
  ++uses;
}
IsaUse::~IsaUse() {
  const std::lock_guard<std::mutex> lock(mutex);
  --uses;
}

}  // namespace lethe
