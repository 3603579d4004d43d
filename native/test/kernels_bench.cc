// Times of the kernels: all cases take turns, round after round, and each keeps its best, since the machine is seldom
// alone. The share is of the FMA peak measured in the same run, by the operations of the direct algorithm.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

#include "microkernels/peak.h"
#include "runtime/isa.h"
#include "kernels_test.h"

namespace lethe {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Case {
  std::string name;
  double flops;
  std::function<void(Pool&)> run;
  std::vector<double> times;
};

using Shared = std::shared_ptr<Floats>;
Shared random(int64_t size) { return std::make_shared<Floats>(Floats::random(size, static_cast<unsigned>(size % 1000))); }

Case dotCase(const std::string& name, DotShape s) {
  Shared a = random(s.batch * s.m * s.k), b = random(s.batch * s.k * s.n);
  auto c = std::make_shared<Floats>(s.batch * s.m * s.n);
  auto scratch = std::make_shared<Scratch>(dotWorkspace(s, 2), 2);
  return {name, 2.0 * s.batch * s.m * s.n * s.k,
          [=](Pool& pool) { dot(pool, s, a->get(), b->get(), c->get(), scratch->workspace, nullptr); }, {}};
}

ConvShape square(int64_t n, int64_t size, int64_t c, int64_t o, int64_t kernel, int64_t stride) {
  const int64_t pad = kernel / 2, out = (size + 2 * pad - kernel) / stride + 1;
  return {1, n, size, size, c, kernel, kernel, o, out, out, stride, stride, pad, pad, pad, pad, 1, 1, 1};
}

void convCases(std::vector<Case>& cases, const std::string& name, ConvShape s) {
  const int64_t xs = s.B * s.N * s.H * s.W * s.C, ws = s.B * s.KH * s.KW * s.C / s.groups * s.O;
  const int64_t ys = s.B * s.N * s.OH * s.OW * s.O;
  Shared x = random(xs), w = random(ws), y = random(ys);
  auto scratch = [&](WorkspaceSize size) { return std::make_shared<Scratch>(size, 2); };
  auto f = scratch(convWorkspace(s, 2)), i = scratch(convGradInputWorkspace(s, 2)), g = scratch(convGradWeightWorkspace(s, 2));
  const double flops = 2.0 * ys * s.KH * s.KW * s.C / s.groups;
  auto out = std::make_shared<Floats>(std::max({xs, ws, ys}));
  cases.push_back({name + " fwd", flops, [=](Pool& pool) {
    conv(pool, s, x->get(), w->get(), out->get(), f->workspace, nullptr, nullptr); }, {}});
  cases.push_back({name + " dx", flops, [=](Pool& pool) {
    convGradInput(pool, s, y->get(), w->get(), out->get(), i->workspace, nullptr, nullptr); }, {}});
  cases.push_back({name + " dw", flops, [=](Pool& pool) {
    convGradWeight(pool, s, x->get(), y->get(), out->get(), g->workspace, nullptr, nullptr, nullptr); }, {}});
}

std::vector<Case> allCases(const std::string& filter) {
  std::vector<std::pair<std::string, std::function<void(std::vector<Case>&, const std::string&)>>> makers;
  auto addDot = [&](const char* name, DotShape s) {
    makers.push_back({name, [=](std::vector<Case>& cases, const std::string& n) { cases.push_back(dotCase(n, s)); }});
  };
  auto addConv = [&](const char* name, ConvShape s) {
    makers.push_back({name, [=](std::vector<Case>& cases, const std::string& n) { convCases(cases, n, s); }});
  };
  addDot("dot 512", {1, 512, 512, 512, false, false});
  addDot("dot 1024 NN", {1, 1024, 1024, 1024, false, false});
  addDot("dot 1024 NT", {1, 1024, 1024, 1024, false, true});
  addDot("dot 1024 TN", {1, 1024, 1024, 1024, true, false});
  addDot("dot 2048", {1, 2048, 2048, 2048, false, false});
  addDot("dot dense fwd 128x4096x128", {1, 128, 128, 4096, false, false});
  addDot("dot dense dx 128x128x4096 NT", {1, 128, 4096, 128, false, true});
  addDot("dot dense dw 4096x128x128 TN", {1, 4096, 128, 128, true, false});
  addDot("dot outer 128 of 4096x128", {128, 4096, 128, 1, false, false});
  addDot("dot last 128x128x10", {1, 128, 10, 128, false, false});
  addDot("dot 10x10x10", {1, 10, 10, 10, false, false});
  addDot("dot 1x4096x4096", {1, 1, 4096, 4096, false, false});
  addDot("dot 4096x1x4096", {1, 4096, 1, 4096, false, false});
  addDot("dot 256 of 64x64x64", {256, 64, 64, 64, false, false});
  addDot("dot 256 of 64x64x64 NT", {256, 64, 64, 64, false, true});
  addConv("3x3 64@32", square(128, 32, 64, 64, 3, 1));
  addConv("3x3 128@16", square(128, 16, 128, 128, 3, 1));
  addConv("3x3 256@8", square(128, 8, 256, 256, 3, 1));
  addConv("3x3 512@4", square(128, 4, 512, 512, 3, 1));
  addConv("3x3/2 64->128@32", square(128, 32, 64, 128, 3, 2));
  addConv("3x3/2 128->256@16", square(128, 16, 128, 256, 3, 2));
  addConv("3x3/2 256->512@8", square(128, 8, 256, 512, 3, 2));
  addConv("1x1 64->128@32", square(128, 32, 64, 128, 1, 1));
  addConv("1x1/2 64->128@32", square(128, 32, 64, 128, 1, 2));
  addConv("1x1/2 256->512@8", square(128, 8, 256, 512, 1, 2));
  addConv("3x3 3->32@32", square(128, 32, 3, 32, 3, 1));
  addConv("3x3 3->64@32", square(128, 32, 3, 64, 3, 1));
  addConv("3x3 32->64@16", square(128, 16, 32, 64, 3, 1));
  ConvShape each = square(1, 16, 32, 64, 3, 1);
  each.B = 128;
  addConv("3x3 32->64@16 per sample", each);
  each = square(1, 32, 3, 32, 3, 1);
  each.B = 128;
  addConv("3x3 3->32@32 per sample", each);
  addConv("3x3 256@8 batch 1", square(1, 8, 256, 256, 3, 1));
  addConv("3x3 512@4 batch 1", square(1, 4, 512, 512, 3, 1));
  ConvShape depthwise = square(128, 16, 128, 128, 3, 1);
  depthwise.groups = 128;
  addConv("3x3 depthwise 128@16", depthwise);
  std::vector<Case> cases;
  for (auto& [name, make] : makers) {
    if (name.find(filter) != std::string::npos || filter.find(name) != std::string::npos) make(cases, name);
  }
  cases.erase(std::remove_if(cases.begin(), cases.end(),
                             [&](const Case& c) { return c.name.find(filter) == std::string::npos; }),
              cases.end());
  return cases;
}

}  // namespace

int runBench(const std::string& filter) {
  Pool pool(2);
  auto cases = allCases(filter);
  Ceilings best = measureCeilings(pool);
  pool.wake();
  for (int round = 0; round < 12; ++round) {
    for (Case& c : cases) {
      c.run(pool);
      const int repeat = static_cast<int>(std::max(1.0, std::min(1000.0, 2e8 / c.flops)));
      const double start = now();
      for (int i = 0; i < repeat; ++i) c.run(pool);
      c.times.push_back((now() - start) / repeat);
    }
    best.gflops = std::max(best.gflops, measureFmaPeak(pool));
    pool.wake();
  }
  const double after = measurePingPong();
  std::printf("%s, %d threads: FMA peak %.0f GFLOP/s, triad %.0f GB/s, core to core %.0f ns (%.0f after)\n",
              isaName(isa()), pool.threads(), best.gflops, best.triadGBs, best.pingPongNs, after);
  std::printf("%-34s %10s %10s %9s %6s\n", "", "best ms", "median ms", "GFLOP/s", "peak");
  for (Case& c : cases) {
    std::sort(c.times.begin(), c.times.end());
    const double rate = c.flops / c.times[0] * 1e-9;
    std::printf("%-34s %10.4f %10.4f %9.1f %5.1f%%\n", c.name.c_str(), c.times[0] * 1e3,
                c.times[c.times.size() / 2] * 1e3, rate, 100 * rate / best.gflops);
  }
  return 0;
}

}  // namespace lethe
