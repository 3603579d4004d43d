// The inner loops that every product is made of, one table per instruction set. Two forms of the same small tile of C
// that lives in registers:
//
//   rows   C[r][j] (+)= sum over k of A_r[k] * B[k][j]   each row of A is read along k from its own pointer
//          (matrix rows, or the windows of pixels anywhere in an image: a convolution is a list of segments of k)
//   outer  C[r][j] (+)= sum over k of A[k][r] * B[k][j]  both operands are read across k
//          (weight gradients, whose k runs over pixels)
//
// Every variant adds the products of one element of C in order of k with one rounding each, starting from zero (or
// from C), so the result does not depend on the tile that computed it. Blocking and packing are not done here.
#pragma once
#include <cstdint>

namespace lethe {

constexpr int kMostVectors = 4;  // vectors across a tile
constexpr int kMostRows = 12;    // rows of a tile

// `length` consecutive k, starting at offset `a` from each row's pointer and at row `b` of B, `shift` floats along it.
struct Segment {
  int64_t a, b, length, shift;
};

struct RowsTile {
  const float* a;
  const int64_t* aRows;  // row r of A starts at a + aRows[r]
  const Segment* segments;
  int64_t segmentCount;
  const float* b;
  int64_t bStep;  // floats from one k to the next
  float* c;
  const int64_t* cRows;  // row r of C starts at c + cRows[r]
  int columns;           // of the tile: more than (vectors - 1) * width, at most vectors * width
  bool accumulate;
  bool stream;  // write past the caches; needs whole, aligned vectors and no accumulation
};

// k runs over `images` x `lines` x `length`.
struct OuterTile {
  const float* a;
  const float* b;
  int64_t images, aImage, bImage;
  int64_t lines, aLine, bLine;
  int64_t length, aStep, bStep;
  float* c;
  int64_t cRow;
  int columns;
  bool accumulate;
};

// Convolution of each channel by itself: y[p][c] = sum over t of x[aRows[p] + taps[t]][c] * w[t * channels + c].
struct DepthwiseRow {
  const float* x;
  const int64_t* pixels;  // offset of pixel p in x
  int64_t pixelCount;
  const int64_t* taps;  // offset of tap t from the pixel
  int64_t tapCount;
  const float* w;
  int64_t channels;
  float* y;
  const int64_t* results;  // offset of pixel p in y
};

// Its weight gradient: dw[t * channels + c] += sum over p of x[pixels[p] + taps[t]][c] * dy[p * channels + c].
struct DepthwiseGradient {
  const float* x;
  const int64_t* pixels;
  int64_t pixelCount;
  const int64_t* taps;
  int64_t tapCount;
  const float* dy;
  int64_t channels;
  float* dw;
};

// The maps of winograd_transforms.h. Pointers to a square of inputs and of outputs, each of `count` channels (a
// multiple of the width).
using Transform = void (*)(const float* const* in, float* const* out, int64_t count);
struct WinogradTransforms {
  Transform input;           // 6x6 -> 6x6
  Transform output;          // 6x6 -> 4x4
  Transform outputStreamed;  // the same, written past the caches, to aligned pointers
  Transform gradient;        // 4x4 -> 6x6
  Transform weights;         // 3x3 -> 6x6
  Transform weightGradient;  // 6x6 -> 3x3
};

struct Microkernels {
  int width;        // floats in a vector
  int dotVectors;   // vectors across the tile that suits a matrix product
  int convVectors;  // and a convolution
  // Most rows of a tile with v vectors; 0 where v is not offered. Index 0 is not used.
  int rowsLimit[kMostVectors + 1];
  int outerLimit[kMostVectors + 1];
  // [columns % width != 0][vectors][rows]
  void (*rows[2][kMostVectors + 1][kMostRows + 1])(const RowsTile&);
  void (*outer[2][kMostVectors + 1][kMostRows + 1])(const OuterTile&);
  // out[j * outStep + i] = in[i * inStep + j], i < rows, j < columns
  void (*transpose)(const float* in, int64_t inStep, int64_t rows, int64_t columns, float* out, int64_t outStep);
  // sum over k < length of a[k] * b[k]; lanes are added in a fixed order
  float (*inner)(const float* a, const float* b, int64_t length);
  void (*depthwise)(const DepthwiseRow&);
  void (*depthwiseGradient)(const DepthwiseGradient&);
  // out[i] += in[i]
  void (*add)(const float* in, int64_t count, float* out);
  // Runs independent FMAs in registers `rounds` times and returns how many operations that was (see peak.h).
  int64_t (*burn)(int64_t rounds, float* sink);
  // a[i] = b[i] + s * c[i], written past the caches
  void (*triad)(const float* b, const float* c, float s, int64_t count, float* a);

  WinogradTransforms winograd;

  int vectors(int columns) const { return (columns + width - 1) / width; }
  void runRows(int tileRows, const RowsTile& tile) const {
    rows[tile.columns % width != 0][vectors(tile.columns)][tileRows](tile);
  }
  void runOuter(int tileRows, const OuterTile& tile) const {
    outer[tile.columns % width != 0][vectors(tile.columns)][tileRows](tile);
  }
};

// The table for isa().
const Microkernels& microkernels();

namespace detail {
extern const Microkernels kPortableKernels;
#if defined(__x86_64__)
extern const Microkernels kAvx2Kernels;
extern const Microkernels kAvx512Kernels;
#elif defined(__aarch64__)
extern const Microkernels kNeonKernels;
#endif
}  // namespace detail

}  // namespace lethe
