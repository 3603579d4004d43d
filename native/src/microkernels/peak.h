// The ceilings of this machine, measured: what a kernel's time is to be compared with, taken in the same run.
#pragma once
#include "runtime/threads.h"

namespace lethe {

struct Ceilings {
  double gflops;        // FMA rate of all threads of the pool together, 1e9 operations a second
  double triadGBs;      // a = b + s * c over arrays far larger than any cache, 1e9 bytes a second, result streamed
  double pingPongNs;    // one way between two cores; 0 with one thread
};

// Each takes some tens of milliseconds, best of several rounds.
double measureFmaPeak(Pool& pool);
double measureTriad(Pool& pool);
double measurePingPong();
Ceilings measureCeilings(Pool& pool);

}  // namespace lethe
