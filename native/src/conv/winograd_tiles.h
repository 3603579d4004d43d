// Tiles of 4x4 results and the 6x6 pixels each is made from: how a plane is cut into blocks of them, and where their
// pixels lie.
#pragma once
#include "conv/padded.h"
#include "kernels/planning.h"

namespace lethe {

constexpr int64_t kTile = 4, kPatch = 6, kFrequencies = 36;

// Tiles to a block: enough to use the weights' frequencies while they are near, no more patches than fit.
inline int64_t tilesFor(int64_t channels) { return std::min<int64_t>(64, std::max<int64_t>(32, 4096 / channels)); }

// Blocks are bands of tile rows of one image, or several whole images.
struct TileGrid {
  int64_t images, height, width;   // results
  int64_t tileRows, tileColumns;   // of an image
  int64_t blockImages, blockRows;  // of a block: images, tile rows of each
  int64_t groups, bands;           // blocks

  TileGrid(int64_t imageCount, int64_t h, int64_t w, int64_t wantedTiles)
      : images(imageCount), height(h), width(w), tileRows(divideUp(h, kTile)), tileColumns(divideUp(w, kTile)) {
    const int64_t perImage = tileRows * tileColumns;
    blockImages = std::max<int64_t>(1, std::min(images, wantedTiles / perImage));
    blockRows = std::max<int64_t>(1, std::min(tileRows, wantedTiles / tileColumns));
    bands = divideUp(tileRows, blockRows);
    blockRows = divideUp(tileRows, bands);
    bands = divideUp(tileRows, blockRows);
    if (bands > 1) blockImages = 1;
    groups = divideUp(images, blockImages);
  }
  int64_t mostTiles() const { return blockImages * blockRows * tileColumns; }
  int64_t blocks() const { return groups * bands; }
};

struct TileBlock {
  int64_t image, images;  // first and how many
  int64_t row, rows;      // tile rows of each

  TileBlock(const TileGrid& g, int64_t index)
      : image(index / g.bands * g.blockImages), images(std::min(g.blockImages, g.images - image)),
        row(index % g.bands * g.blockRows), rows(std::min(g.blockRows, g.tileRows - row)) {}
  int64_t tiles(const TileGrid& g) const { return images * rows * g.tileColumns; }
  // f(tile number, image of the block, first result row, first result column)
  template <class F> void each(const TileGrid& g, F&& f) const {
    int64_t tile = 0;
    for (int64_t i = 0; i < images; ++i) {
      for (int64_t r = row; r < row + rows; ++r) {
        for (int64_t c = 0; c < g.tileColumns; ++c) f(tile++, i, r * kTile, c * kTile);
      }
    }
  }
};

// The rows of an operand that a block touches, as they are or made by a prologue.
class BlockRows {
 public:
  // `first` and `count`: rows of each image, before clipping to it.
  BlockRows(const Images& in, int64_t image, int64_t images, int64_t first, int64_t count, float* scratch, int thread)
      : row_(in.width * in.channels), channels_(in.channels), width_(in.width), begin_(std::max<int64_t>(0, first)),
        end_(std::min(in.height, first + count)), image_(in.planeFloats()), data_(in.data + image * in.planeFloats()) {
    if (!in.prologue) return;
    const int64_t floats = std::max<int64_t>(0, end_ - begin_) * row_;
    for (int64_t i = 0; i < images && floats > 0; ++i) {
      (*in.prologue)((image + i) * in.planeFloats() + begin_ * row_, floats, scratch + i * floats, thread);
    }
    image_ = floats;
    data_ = scratch - begin_ * row_;
  }
  // Pointers to a square of pixels; what lies outside the image points to `outside`.
  template <int SIZE> void square(int64_t image, int64_t h, int64_t w, const float* outside, const float** pixels) const {
    for (int64_t i = 0; i < SIZE; ++i) {
      const bool inside = h + i >= begin_ && h + i < end_;
      const float* row = data_ + image * image_ + (h + i) * row_;
      for (int64_t j = 0; j < SIZE; ++j) {
        pixels[i * SIZE + j] = inside && w + j >= 0 && w + j < width_ ? row + (w + j) * channels_ : outside;
      }
    }
  }

 private:
  int64_t row_, channels_, width_, begin_, end_, image_;
  const float* data_;
};

}  // namespace lethe
