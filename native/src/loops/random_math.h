// The arithmetic under `random`: Philox4x32-10 and the logarithm, sine and cosine of Box-Muller. Every operation is an
// exact integer one or a correctly rounded double one, in an order that the compiler may not change (no fused
// multiply-add: these files are compiled with -ffp-contract=off), so that engine/primitives/random-math.ts gives the
// same bits. Change both or neither.
#pragma once
#include <cstdint>

namespace lethe {
namespace {

inline void philox4x32(const uint32_t counter[4], uint32_t key0, uint32_t key1, uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(p0);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

// ln(k * 2^-24) for an integer 1 <= k <= 2^24, as 2 atanh((m - 1) / (m + 1)) + e ln 2 with m in (sqrt 1/2, sqrt 2].
inline double logUnit24(int32_t k) {
  const double x = static_cast<double>(k);
  int64_t bits;
  __builtin_memcpy(&bits, &x, 8);
  const int64_t mantissa = (bits & 0x000fffffffffffffLL) | 0x3ff0000000000000LL;
  double m;
  __builtin_memcpy(&m, &mantissa, 8);
  const bool upper = m > 1.4142135623730951;
  m = upper ? m * 0.5 : m;
  const double e = static_cast<double>(static_cast<int32_t>(bits >> 52) - 1023 - 24 + (upper ? 1 : 0));
  const double s = (m - 1.0) / (m + 1.0), z = s * s;
  double p = 2.0 / 21.0;
  p = p * z + 2.0 / 19.0;
  p = p * z + 2.0 / 17.0;
  p = p * z + 2.0 / 15.0;
  p = p * z + 2.0 / 13.0;
  p = p * z + 2.0 / 11.0;
  p = p * z + 2.0 / 9.0;
  p = p * z + 2.0 / 7.0;
  p = p * z + 2.0 / 5.0;
  p = p * z + 2.0 / 3.0;
  return e * 0.6931471805599453 + s * (2.0 + z * p);
}

// sin and cos of 2 pi v for 0 <= v < 1, v a multiple of 2^-24: the quarter turn is split off exactly, then Taylor.
inline void sinCosTwoPi(double v, double* sine, double* cosine) {
  const double turns = v * 4.0;
  const int32_t quarter = static_cast<int32_t>(turns + 0.5);
  const double t = (turns - static_cast<double>(quarter)) * 1.5707963267948966, z = t * t;
  double s = -1.0 / 1307674368000.0;
  s = s * z + 1.0 / 6227020800.0;
  s = s * z - 1.0 / 39916800.0;
  s = s * z + 1.0 / 362880.0;
  s = s * z - 1.0 / 5040.0;
  s = s * z + 1.0 / 120.0;
  s = s * z - 1.0 / 6.0;
  const double si = t + t * z * s;
  double c = 1.0 / 20922789888000.0;
  c = c * z - 1.0 / 87178291200.0;
  c = c * z + 1.0 / 479001600.0;
  c = c * z - 1.0 / 3628800.0;
  c = c * z + 1.0 / 40320.0;
  c = c * z - 1.0 / 720.0;
  c = c * z + 1.0 / 24.0;
  c = c * z - 0.5;
  const double co = 1.0 + z * c;
  const double a = (quarter & 1) ? co : si, b = (quarter & 1) ? si : co;
  *sine = (quarter & 2) ? -a : a;
  *cosine = ((quarter + 1) & 2) ? -b : b;
}

}  // namespace
}  // namespace lethe
