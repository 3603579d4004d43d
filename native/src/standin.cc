// Plain loops in place of the convolution kernels, until those are merged.
#include "conv.h"

namespace lethe {
namespace {
template <class F> void taps(const ConvShape& s, F&& tap) {
  const int64_t cg = s.C / s.groups, og = s.O / s.groups;
  for (int64_t b = 0; b < s.B; ++b)
    for (int64_t n = 0; n < s.N; ++n)
      for (int64_t oh = 0; oh < s.OH; ++oh)
        for (int64_t ow = 0; ow < s.OW; ++ow)
          for (int64_t kh = 0; kh < s.KH; ++kh)
            for (int64_t kw = 0; kw < s.KW; ++kw) {
              const int64_t h = oh * s.strideH - s.padT + kh * s.dilH, w = ow * s.strideW - s.padL + kw * s.dilW;
              if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
              for (int64_t o = 0; o < s.O; ++o)
                for (int64_t c = 0; c < cg; ++c)
                  tap((((b * s.N + n) * s.H + h) * s.W + w) * s.C + (o / og) * cg + c,
                      (((b * s.KH + kh) * s.KW + kw) * cg + c) * s.O + o,
                      (((b * s.N + n) * s.OH + oh) * s.OW + ow) * s.O + o);
            }
}
const float* load(const Prologue* p, const float* direct, float* scratch, int64_t size) {
  if (!p) return direct;
  (*p)(0, size, scratch, 0);
  return scratch;
}
int64_t sizeX(const ConvShape& s) { return s.B * s.N * s.H * s.W * s.C; }
int64_t sizeY(const ConvShape& s) { return s.B * s.N * s.OH * s.OW * s.O; }
int64_t sizeW(const ConvShape& s) { return s.B * s.KH * s.KW * s.C / s.groups * s.O; }
size_t room(const ConvShape& s) { return static_cast<size_t>(sizeX(s) + sizeY(s)) * 4; }
void clear(float* p, int64_t n) { for (int64_t i = 0; i < n; ++i) p[i] = 0; }
}  // namespace

WorkspaceSize convWorkspace(const ConvShape& s, int) { return {room(s), 0}; }
WorkspaceSize convGradInputWorkspace(const ConvShape& s, int) { return {room(s), 0}; }
WorkspaceSize convGradWeightWorkspace(const ConvShape& s, int) { return {room(s), 0}; }
void conv(Pool&, const ConvShape& s, const float* x, const float* w, float* y, const Workspace& ws, const Prologue* px, const Epilogue* e) {
  x = load(px, x, reinterpret_cast<float*>(ws.shared), sizeX(s));
  clear(y, sizeY(s));
  taps(s, [&](int64_t i, int64_t j, int64_t k) { y[k] += x[i] * w[j]; });
  if (e) (*e)(0, sizeY(s), y, 0);
}
void convGradInput(Pool&, const ConvShape& s, const float* dy, const float* w, float* dx, const Workspace& ws, const Prologue* p, const Epilogue* e) {
  dy = load(p, dy, reinterpret_cast<float*>(ws.shared), sizeY(s));
  clear(dx, sizeX(s));
  taps(s, [&](int64_t i, int64_t j, int64_t k) { dx[i] += dy[k] * w[j]; });
  if (e) (*e)(0, sizeX(s), dx, 0);
}
void convGradWeight(Pool&, const ConvShape& s, const float* x, const float* dy, float* dw, const Workspace& ws, const Prologue* px, const Prologue* pdy, const Epilogue* e) {
  float* scratch = reinterpret_cast<float*>(ws.shared);
  x = load(px, x, scratch, sizeX(s));
  dy = load(pdy, dy, scratch + sizeX(s), sizeY(s));
  clear(dw, sizeW(s));
  taps(s, [&](int64_t i, int64_t j, int64_t k) { dw[j] += x[i] * dy[k]; });
  if (e) (*e)(0, sizeW(s), dw, 0);
}
}  // namespace lethe
