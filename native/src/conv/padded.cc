// Copies pieces of images into zero-bordered scratch memory.
#include "conv/padded.h"

namespace lethe {
namespace {

void zero(float* out, int64_t count) { std::memset(out, 0, static_cast<size_t>(count) * sizeof(float)); }

}  // namespace

void fillPadded(const Images& in, int64_t firstImage, int64_t images, const PaddedWindow& window, int64_t channel0,
                int64_t channels, float* out, int thread) {
  const int64_t left = std::min(window.columns, std::max<int64_t>(0, -window.column0));
  const int64_t end = std::min(window.columns, in.width - window.column0);  // first column right of the image
  const int64_t inner = std::max<int64_t>(0, end - left);
  const int64_t pitch = window.columns * channels;
  const int64_t firstRow = std::min(window.rows, std::max<int64_t>(0, -window.row0));
  const int64_t endRow = std::max(firstRow, std::min(window.rows, in.height - window.row0));
  const bool wholeRows = inner == window.columns && inner == in.width && channels == in.channels;
  for (int64_t image = firstImage; image < firstImage + images; ++image, out += window.rows * pitch) {
    if (inner == 0 || firstRow == endRow) {
      zero(out, window.rows * pitch);
      continue;
    }
    zero(out, firstRow * pitch);
    zero(out + endRow * pitch, (window.rows - endRow) * pitch);
    const int64_t lines = wholeRows ? 1 : endRow - firstRow;
    const int64_t count = wholeRows ? (endRow - firstRow) * inner * channels : inner * channels;
    for (int64_t line = 0; line < lines; ++line) {
      float* row = out + (firstRow + line) * pitch;
      const int64_t start =
          ((image * in.height + window.row0 + firstRow + line) * in.width + window.column0 + left) * in.channels;
      zero(row, left * channels);
      float* first = row + left * channels;
      if (in.prologue) {
        (*in.prologue)(start, count, first, thread);
      } else if (channels == in.channels) {
        std::memcpy(first, in.data + start, static_cast<size_t>(count) * sizeof(float));
      } else {
        for (int64_t pixel = 0; pixel < inner; ++pixel) {
          std::memcpy(first + pixel * channels, in.data + start + pixel * in.channels + channel0,
                      static_cast<size_t>(channels) * sizeof(float));
        }
      }
      if (!wholeRows) zero(first + count, pitch - left * channels - count);
    }
  }
}

}  // namespace lethe
