// Checks every kernel against plain loops in double, on shapes chosen to be awkward, for each instruction set of this
// machine, with and without prologues and epilogues, and that results are the same bits for 1, 2 and 3 threads.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>

#include "runtime/isa.h"
#include "microkernels/microkernel.h"
#include "kernels_test.h"

namespace lethe {
namespace {

int failures = 0, checks = 0;

void fail(const std::string& what) {
  if (++failures <= 40) std::printf("FAIL %s: %s\n", isaName(isa()), what.c_str());
}

// `sizes[i]` is the sum of the absolute products of result i: what the rounding errors of plain sums are proportional
// to. Those of transformed sums are as large as the neighbours', so that they get `floor` times the mean size besides.
void compare(const std::string& name, const Floats& got, const std::vector<double>& expected,
             const std::vector<double>& sizes, double tolerance, double floor = 0) {
  ++checks;
  double mean = 0;
  for (double size : sizes) mean += size / static_cast<double>(sizes.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::fabs(got[static_cast<int64_t>(i)] - expected[i]);
    if (!(error <= tolerance * (sizes[i] + floor * mean) + 1e-30)) {
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

// The operand as a prologue: a run of it, and nothing beside the run, is written where the kernel says.
struct Copier {
  const Floats& operand;
  void operator()(int64_t start, int64_t count, float* data, int) {
    if (start < 0 || start + count > operand.size()) return fail("prologue asked for what is not there");
    std::memcpy(data, operand.get() + start, static_cast<size_t>(count) * 4);
  }
};

// Visits every product: f(index in x, in w, in y).
template <class F> void eachProduct(const ConvShape& s, F&& f) {
  const int64_t cg = s.C / s.groups, og = s.O / s.groups;
  for (int64_t b = 0; b < s.B; ++b)
    for (int64_t n = 0; n < s.N; ++n)
      for (int64_t oh = 0; oh < s.OH; ++oh)
        for (int64_t ow = 0; ow < s.OW; ++ow)
          for (int64_t kh = 0; kh < s.KH; ++kh)
            for (int64_t kw = 0; kw < s.KW; ++kw) {
              const int64_t h = oh * s.strideH + kh * s.dilH - s.padT, w = ow * s.strideW + kw * s.dilW - s.padL;
              if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
              for (int64_t c = 0; c < cg; ++c)
                for (int64_t o = 0; o < s.O; ++o)
                  f((((b * s.N + n) * s.H + h) * s.W + w) * s.C + o / og * cg + c,
                    (((b * s.KH + kh) * s.KW + kw) * cg + c) * s.O + o,
                    (((b * s.N + n) * s.OH + oh) * s.OW + ow) * s.O + o);
            }
}

void testConv(ConvShape s) {
  s.OH = std::max<int64_t>(0, (s.H + s.padT + s.padB - s.dilH * (s.KH - 1) - 1) / s.strideH + 1);
  s.OW = std::max<int64_t>(0, (s.W + s.padL + s.padR - s.dilW * (s.KW - 1) - 1) / s.strideW + 1);
  char shape[200];
  std::snprintf(shape, sizeof shape, "x %ldx%ldx%ldx%ldx%ld kernel %ldx%ld to %ld stride %ld,%ld pad %ld,%ld,%ld,%ld dil %ld,%ld groups %ld",
                long(s.B), long(s.N), long(s.H), long(s.W), long(s.C), long(s.KH), long(s.KW), long(s.O), long(s.strideH),
                long(s.strideW), long(s.padT), long(s.padB), long(s.padL), long(s.padR), long(s.dilH), long(s.dilW), long(s.groups));
  const Floats x = Floats::random(s.B * s.N * s.H * s.W * s.C, 3);
  const Floats w = Floats::random(s.B * s.KH * s.KW * s.C / s.groups * s.O, 4);
  const Floats dy = Floats::random(s.B * s.N * s.OH * s.OW * s.O, 5);
  const auto size = [](const Floats& f) { return static_cast<size_t>(f.size()); };
  std::vector<double> y(size(dy)), ys(size(dy)), dx(size(x)), dxs(size(x)), dw(size(w)), dws(size(w));
  eachProduct(s, [&](int64_t i, int64_t j, int64_t k) {
    const double a = static_cast<double>(x[i]) * w[j], b = static_cast<double>(dy[k]) * w[j], c = static_cast<double>(x[i]) * dy[k];
    const auto at = [](int64_t v) { return static_cast<size_t>(v); };
    y[at(k)] += a, ys[at(k)] += std::fabs(a);
    dx[at(i)] += b, dxs[at(i)] += std::fabs(b);
    dw[at(j)] += c, dws[at(j)] += std::fabs(c);
  });
  Copier copyX{x}, copyDy{dy};
  Prologue px(copyX), pdy(copyDy);
  Floats plain[3] = {Floats(0), Floats(0), Floats(0)};
  for (int run = 0; run < 4; ++run) {  // operands as they are, then through prologues; any algorithm, then exact ones
    const int made = run % 2;
    s.exact = run >= 2;
    const double floor = s.exact ? 0 : 1;
    const std::string tail = std::string(s.exact ? " (exact)" : "") + (made ? " (prologue) " : " ") + shape;
    const float* xp = made ? nullptr : x.get();
    const float* dyp = made ? nullptr : dy.get();
    Floats got[3] = {
        runAll("conv" + tail, dy.size(), [&](int t) { return convWorkspace(s, t); },
               [&](Pool& pool, const Workspace& workspace, float* c, const Epilogue* e) {
                 conv(pool, s, xp, w.get(), c, workspace, made ? &px : nullptr, e); }),
        runAll("convGradInput" + tail, x.size(), [&](int t) { return convGradInputWorkspace(s, t); },
               [&](Pool& pool, const Workspace& workspace, float* c, const Epilogue* e) {
                 convGradInput(pool, s, dyp, w.get(), c, workspace, made ? &pdy : nullptr, e); }),
        runAll("convGradWeight" + tail, w.size(), [&](int t) { return convGradWeightWorkspace(s, t); },
               [&](Pool& pool, const Workspace& workspace, float* c, const Epilogue* e) {
                 convGradWeight(pool, s, xp, dyp, c, workspace, made ? &px : nullptr, made ? &pdy : nullptr, e); })};
    if (!made) {
      compare("conv" + tail, got[0], y, ys, 2e-6, floor);
      compare("convGradInput" + tail, got[1], dx, dxs, 2e-6, floor);
      compare("convGradWeight" + tail, got[2], dw, dws, 2e-6, floor);
    }
    for (int i = 0; i < 3; ++i) {
      ++checks;
      if (made && std::memcmp(got[i].get(), plain[i].get(), size(got[i]) * 4)) fail("a prologue changes the result:" + tail);
      plain[i] = std::move(got[i]);
    }
  }
}

void testConvs() {
  // B N H W C KH KW O (OH OW) stride pad T B L R dilation groups
  const ConvShape shapes[] = {
      {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1},
      {1, 2, 5, 7, 3, 3, 3, 5, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 3, 8, 8, 16, 3, 3, 32, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
      {2, 3, 9, 6, 5, 3, 2, 35, 0, 0, 2, 1, 1, 0, 0, 1, 1, 1, 1},
      {1, 2, 8, 8, 7, 3, 3, 20, 0, 0, 2, 2, 1, 1, 1, 1, 1, 1, 1},
      {1, 2, 9, 11, 4, 3, 3, 6, 0, 0, 3, 2, 2, 1, 0, 3, 2, 1, 1},
      {1, 2, 10, 10, 6, 3, 3, 9, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 1},
      {1, 2, 4, 4, 3, 2, 2, 4, 0, 0, 1, 1, 5, 4, 3, 6, 1, 1, 1},     // padding larger than the kernel
      {1, 2, 3, 3, 2, 1, 1, 3, 0, 0, 1, 1, 2, 1, 1, 2, 1, 1, 1},
      {1, 2, 7, 7, 8, 1, 1, 12, 0, 0, 2, 2, 0, 0, 0, 0, 1, 1, 1},
      {1, 2, 6, 6, 4, 1, 1, 4, 0, 0, 3, 3, 1, 0, 1, 0, 1, 1, 1},
      {1, 2, 6, 6, 8, 3, 3, 12, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 4},
      {1, 2, 6, 7, 6, 3, 3, 6, 0, 0, 2, 1, 1, 1, 0, 1, 1, 2, 6},     // depthwise
      {2, 1, 12, 9, 37, 5, 3, 37, 0, 0, 1, 2, 2, 2, 1, 1, 1, 1, 37},
      {1, 2, 6, 6, 4, 3, 3, 8, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 4},     // depthwise, two results each
      {5, 1, 6, 6, 3, 3, 3, 33, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},    // per sample
      {1, 70, 4, 4, 5, 3, 3, 6, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 9, 7, 7, 3, 3, 3, 40, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 1, 40, 40, 3, 7, 7, 21, 0, 0, 2, 2, 3, 3, 3, 3, 1, 1, 1},
      {1, 2, 5, 5, 130, 5, 5, 70, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1},  // one result
      {1, 3, 4, 4, 200, 3, 3, 210, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, // a gradient in slices
      {1, 2, 6, 6, 170, 3, 3, 150, 0, 0, 2, 2, 1, 1, 1, 1, 1, 1, 1},
      {1, 1, 130, 120, 6, 3, 3, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, // in bands
      {1, 1, 70, 60, 40, 3, 3, 3, 0, 0, 2, 2, 1, 1, 1, 1, 1, 1, 1},
      {2, 3, 17, 19, 5, 3, 3, 40, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, // few channels in, and few out
      {2, 2, 9, 14, 35, 3, 3, 3, 0, 0, 1, 1, 2, 0, 0, 1, 1, 2, 1},
      {1, 1, 60, 75, 24, 5, 5, 8, 0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 1},
      {1, 2, 12, 12, 16, 3, 3, 1, 0, 0, 1, 1, 4, 4, 4, 4, 1, 1, 1},
      {1, 90, 8, 8, 32, 3, 3, 64, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},  // Winograd: whole tiles,
      {2, 6, 30, 27, 48, 3, 3, 32, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, // edges,
      {1, 80, 7, 6, 32, 3, 3, 96, 0, 0, 1, 1, 2, 0, 0, 3, 1, 1, 1},  // uneven padding,
      {1, 3, 40, 41, 64, 3, 3, 32, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1}, // none
      {1, 0, 4, 4, 3, 3, 3, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
      {0, 2, 4, 4, 3, 3, 3, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 2, 4, 4, 0, 3, 3, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 2, 4, 4, 3, 3, 3, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 2, 2, 2, 3, 5, 5, 4, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1},     // no result
      {1, 2, 1, 1, 3, 2, 2, 4, 0, 0, 2, 2, 1, 0, 1, 0, 1, 1, 1},
  };
  for (const ConvShape& s : shapes) testConv(s);
}

}  // namespace

// `only`: the name of an instruction set, or empty for all that this machine has.
int runTests(const std::string& only) {
  for (Isa level : {Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512}) {
    if ((!only.empty() && only != isaName(level)) || !useIsa(level)) continue;
    const int before = checks;
    testDots();
    testConvs();
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
  return bench ? lethe::runBench(filter) : lethe::runTests(level);
}
