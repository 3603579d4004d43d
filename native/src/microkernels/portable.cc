// The microkernels for any machine: four floats in the compiler's own vector type, multiplication and addition
// rounded separately where the machine has no FMA.
#include <cstring>

#include "microkernels/template.h"

namespace lethe {
namespace detail {
namespace {

struct Portable {
  static constexpr int width = 4;
  using Mask = int;
  typedef float Floats __attribute__((vector_size(16)));
  Floats x;

  static Portable zero() { return {Floats{0, 0, 0, 0}}; }
  static Portable load(const float* p) {
    Portable a;
    std::memcpy(&a.x, p, sizeof a.x);
    return a;
  }
  static Portable splat(const float* p) { return {Floats{*p, *p, *p, *p}}; }
  static Portable fma(Portable a, Portable b, Portable c) { return {a.x * b.x + c.x}; }
  static Portable add(Portable a, Portable b) { return {a.x + b.x}; }
  static void store(float* p, Portable a) { std::memcpy(p, &a.x, sizeof a.x); }
  static void stream(float* p, Portable a) { store(p, a); }
  static Mask maskOf(int count) { return count; }
  static Portable loadPart(const float* p, Mask count) {
    Portable a = zero();
    for (int i = 0; i < count; ++i) a.x[i] = p[i];
    return a;
  }
  static void storePart(float* p, Mask count, Portable a) {
    for (int i = 0; i < count; ++i) p[i] = a.x[i];
  }
  static float sum(Portable a) { return (a.x[0] + a.x[2]) + (a.x[1] + a.x[3]); }
  static void keep(Portable& a) { asm volatile("" : "+m"(a.x)); }

  static void transposeBlock(const float* in, int64_t inStep, float* out, int64_t outStep) {
    for (int i = 0; i < width; ++i) {
      for (int j = 0; j < width; ++j) out[j * outStep + i] = in[i * inStep + j];
    }
  }
};

}  // namespace

constexpr Microkernels kPortableKernels = makeMicrokernels<Portable, 2, 2, 8, 4, 4, 0, 8, 4, 4, 0>();

}  // namespace detail
}  // namespace lethe
