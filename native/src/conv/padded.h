// A piece of an image with its zero border, copied to scratch memory: convolutions then read every window without
// asking where the image ends. The copy is also where a prologue makes the operand.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "runtime/threads.h"

namespace lethe {

struct Images {
  const float* data;         // [count, height, width, channels]; not read where a prologue makes it
  const Prologue* prologue;  // or null
  int64_t height, width, channels;

  int64_t planeFloats() const { return height * width * channels; }
};

// Rows [row0, row0 + rows) and columns [column0, column0 + columns) of each image, either of which may lie outside.
struct PaddedWindow {
  int64_t row0, rows, column0, columns;

  bool inside(const Images& in) const {
    return row0 >= 0 && column0 >= 0 && row0 + rows <= in.height && column0 + columns <= in.width;
  }
};

// out [images, rows, columns, channels of the slice]; a prologue allows only the whole range of channels.
void fillPadded(const Images& in, int64_t firstImage, int64_t images, const PaddedWindow& window, int64_t channel0,
                int64_t channels, float* out, int thread);

}  // namespace lethe
