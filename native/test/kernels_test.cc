// Checks every kernel against plain loops in double, on shapes chosen to be awkward, for each instruction set of this
// machine, with and without prologues and epilogues, and that results are the same bits for 1, 2 and 3 threads.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>

#include "../src/isa.h"
#include "../src/microkernel.h"
#include "kernels_test.h"

namespace lethe {
namespace {

int failures = 0, checks = 0;

void fail(const std::string& what) {
  if (++failures <= 40) std::printf("FAIL %s: %s\n", isaName(isa()), what.c_str());
}

// `sizes[i]` is the sum of the absolute products of result i: what rounding errors are proportional to.
void compare(const std::string& name, const Floats& got, const std::vector<double>& expected,
             const std::vector<double>& sizes, double tolerance) {
  ++checks;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::fabs(got[static_cast<int64_t>(i)] - expected[i]);
    if (!(error <= tolerance * sizes[i] + 1e-30)) {
      char text[200];
      std::snprintf(text, sizeof text, "%s: element %zu is %g, expected %g", name.c_str(), i,
                    got[static_cast<int64_t>(i)], expected[i]);
      return fail(text);
    }
  }
}

// The epilogue of the tests writes 2 x + 1 to another place, and remembers that each element came once.
struct Doubler {
  Floats& result;
  std::vector<int> seen;
  bool misplaced = false;
  const float* raw;
  Doubler(Floats& r, const float* data) : result(r), seen(static_cast<size_t>(r.size()), 0), raw(data) {}
  void operator()(int64_t start, int64_t count, float* data, int) {
    if (data != raw + start) misplaced = true;
    for (int64_t i = 0; i < count; ++i) {
      result[start + i] = 2 * data[i] + 1;
      __atomic_fetch_add(&seen[static_cast<size_t>(start + i)], 1, __ATOMIC_RELAXED);
    }
  }
  void check(const std::string& name, const Floats& plain) {
    ++checks;
    if (misplaced) return fail(name + ": epilogue got a pointer that is not its run");
    for (int64_t i = 0; i < result.size(); ++i) {
      if (seen[static_cast<size_t>(i)] != 1) return fail(name + ": epilogue saw an element " + std::to_string(seen[static_cast<size_t>(i)]) + " times");
      if (result[i] != 2 * plain[i] + 1) return fail(name + ": epilogue's result differs");
    }
  }
};

using Kernel = std::function<void(Pool&, const Workspace&, float* result, const Epilogue*)>;
using Size = std::function<WorkspaceSize(int threads)>;

// Runs the kernel with 1, 2 and 3 threads, with and without an epilogue; all must give the bits of the first run.
Floats runAll(const std::string& name, int64_t size, const Size& workspaceSize, const Kernel& kernel) {
  static Pool pools[3] = {Pool(1), Pool(2), Pool(3)};
  Floats first(size);
  for (int threads = 1; threads <= 3; ++threads) {
    Pool& pool = pools[threads - 1];
    for (int fused = 0; fused < 2; ++fused) {
      Floats c(size, std::nanf("")), result(size, std::nanf(""));
      Scratch scratch(workspaceSize(threads), threads);
      Doubler doubler(result, c.get());
      Epilogue epilogue(doubler);
      kernel(pool, scratch.workspace, c.get(), fused ? &epilogue : nullptr);
      if (fused) {
        doubler.check(name, first);
      } else if (threads == 1) {
        std::memcpy(first.get(), c.get(), static_cast<size_t>(size) * 4);
      } else {
        ++checks;
        if (std::memcmp(first.get(), c.get(), static_cast<size_t>(size) * 4)) fail(name + ": depends on the number of threads");
      }
    }
  }
  return first;
}

void testDot(DotShape s) {
  char name[100];
  std::snprintf(name, sizeof name, "dot %ld of %ldx%ldx%ld %c%c", static_cast<long>(s.batch), static_cast<long>(s.m),
                static_cast<long>(s.n), static_cast<long>(s.k), s.transA ? 'T' : 'N', s.transB ? 'T' : 'N');
  const Floats a = Floats::random(s.batch * s.m * s.k, 1), b = Floats::random(s.batch * s.k * s.n, 2);
  std::vector<double> expected(static_cast<size_t>(s.batch * s.m * s.n)), sizes(expected.size());
  for (int64_t i = 0; i < s.batch; ++i) {
    for (int64_t r = 0; r < s.m; ++r) {
      for (int64_t c = 0; c < s.n; ++c) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < s.k; ++k) {
          const double x = a[i * s.m * s.k + (s.transA ? k * s.m + r : r * s.k + k)];
          const double y = b[i * s.k * s.n + (s.transB ? c * s.k + k : k * s.n + c)];
          sum += x * y;
          size += std::fabs(x * y);
        }
        expected[static_cast<size_t>((i * s.m + r) * s.n + c)] = sum;
        sizes[static_cast<size_t>((i * s.m + r) * s.n + c)] = size;
      }
    }
  }
  const Floats got = runAll(name, s.batch * s.m * s.n, [&](int threads) { return dotWorkspace(s, threads); },
                            [&](Pool& pool, const Workspace& workspace, float* c, const Epilogue* epilogue) {
                              dot(pool, s, a.get(), b.get(), c, workspace, epilogue);
                            });
  compare(name, got, expected, sizes, 1e-6);
}

void testDots() {
  const int64_t shapes[][4] = {
      {1, 1, 1, 1},    {1, 0, 5, 3},   {2, 3, 0, 4},     {2, 3, 4, 0},     {0, 2, 2, 2},     {1, 10, 10, 10},
      {3, 7, 5, 9},    {1, 1, 77, 33}, {1, 77, 1, 33},   {5, 3, 17, 130},  {1, 4, 300, 200}, {1, 65, 130, 67},
      {1, 13, 96, 31}, {2, 50, 70, 1}, {1, 61, 200, 70}, {1, 8, 8, 5000},  {1, 300, 3, 500}, {1, 200, 300, 600},
      {1, 33, 31, 2100}, {40, 6, 6, 6}, {1, 130, 260, 1100}, {1, 500, 16, 40}, {1, 2, 1500, 90}};
  for (const auto& s : shapes) {
    for (int t = 0; t < 4; ++t) testDot({s[0], s[1], s[2], s[3], (t & 1) != 0, (t & 2) != 0});
  }
}

#ifdef LETHE_CONV_TESTS
#endif

}  // namespace

int runTests() {
  for (Isa level : {Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512}) {
    if (!useIsa(level)) continue;
    const int before = checks;
    testDots();
    std::printf("%s: %d checks\n", isaName(level), checks - before);
  }
  std::printf(failures ? "%d FAILED\n" : "all passed\n", failures);
  return failures != 0;
}

}  // namespace lethe

int main(int argc, char** argv) {
  std::string filter, level;
  bool bench = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--bench") bench = true;
    else if (argument == "--isa" && i + 1 < argc) level = argv[++i];
    else filter = argument;
  }
  for (lethe::Isa isa : {lethe::Isa::Portable, lethe::Isa::Neon, lethe::Isa::Avx2, lethe::Isa::Avx512}) {
    if (level == lethe::isaName(isa) && !lethe::useIsa(isa)) return std::printf("this machine has no %s\n", level.c_str()), 1;
  }
  return bench ? lethe::runBench(filter) : lethe::runTests();
}
