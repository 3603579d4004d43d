// Measures the machine's ceilings. On virtual machines the latency between cores can change from minute to minute as
// the host moves them; figures are comparable only where it is alike.
#include "microkernels/peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "microkernels/microkernel.h"

namespace lethe {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

double measureFmaPeak(Pool& pool) {
  double best = 0;
  pool.wake();
  for (int round = 0; round < 8; ++round) {
    std::atomic<int64_t> operations{0};
    const double start = now();
    pool.run(pool.threads() * 4, [&](int64_t, int) {
      float sink[4] = {0, 0, 0, 0};
      operations += microkernels().burn(100 * 1000, sink);
    });
    best = std::max(best, static_cast<double>(operations) / (now() - start) * 1e-9);
  }
  pool.rest();
  return best;
}

double measureTriad(Pool& pool) {
  const int64_t count = int64_t{1} << 24, piece = int64_t{1} << 16;
  std::unique_ptr<float[]> memory(new float[3 * count + 16]());
  float* a = memory.get();
  while (reinterpret_cast<uintptr_t>(a) % 64) ++a;
  float *b = a + count, *c = b + count;
  double best = 0;
  pool.wake();
  for (int round = 0; round < 6; ++round) {
    const double start = now();
    pool.run(count / piece, [&](int64_t i, int) {
      microkernels().triad(b + i * piece, c + i * piece, 0.5f, piece, a + i * piece);
    });
    best = std::max(best, 3.0 * sizeof(float) * count / (now() - start) * 1e-9);
  }
  pool.rest();
  return best;
}

double measurePingPong() {
  constexpr int kTrips = 20000;
  alignas(64) std::atomic<int> ball{0};
  std::thread other([&] {
    for (int i = 0; i < kTrips; ++i) {
      while (ball.load(std::memory_order_acquire) != 2 * i + 1) {}
      ball.store(2 * i + 2, std::memory_order_release);
    }
  });
  double best = 1e9, start = now();
  for (int i = 0; i < kTrips; ++i) {
    ball.store(2 * i + 1, std::memory_order_release);
    while (ball.load(std::memory_order_acquire) != 2 * i + 2) {}
    if (i % 1000 == 999) {
      const double end = now();
      best = std::min(best, (end - start) / 1000);
      start = end;
    }
  }
  other.join();
  return best * 0.5e9;
}

Ceilings measureCeilings(Pool& pool) {
  return {measureFmaPeak(pool), measureTriad(pool), pool.threads() > 1 ? measurePingPong() : 0};
}

}  // namespace lethe
