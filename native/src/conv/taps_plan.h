// How a convolution by taps is cut into tasks, and the lists of taps and pixels that every task reads.
#pragma once
#include "conv/geometry.h"
#include "conv/padded.h"
#include "kernels/planning.h"
#include "microkernels/microkernel.h"

namespace lethe {

// What a task takes of the source: a few whole images, or a band of rows of one.
struct TapBands {
  Cut images, rows;    // rows: of a class
  PaddedWindow window;  // of the first band

  TapBands(const TapConv& conv, int64_t operations);
};

// What it takes of the result's channels: panels one tile wide.
struct TapPanels {
  int64_t width = 0;     // columns of a tile
  int64_t count = 0;     // of all groups
  Cut blocks;            // of panels, to a task
  int64_t tileRows = 0;  // pixels in a tile

  // `others`: tasks that there are anyway.
  TapPanels(const TapConv& conv, int64_t operations, int64_t others);
};

// The weights in the order in which tiles read them.
struct TapPacking {
  bool wanted = false;  // else they are read where they lie
  int64_t floats = 0;   // for one of the B
  Cut batch;            // of the B, packed at a time

  explicit TapPacking(const TapConv& conv);
};

struct TapPlan {
  const TapConv& conv;
  int64_t operations;
  TapBands bands;
  TapPanels panels;
  TapPacking packing;
  int64_t classes, pixels;  // of a task, of all classes

  explicit TapPlan(const TapConv& conv);
  // Floats from one row of the window to the next.
  int64_t pitch() const { return bands.window.columns * conv.sourceChannels; }
  int64_t scratchFloats() const { return bands.images.length * bands.window.rows * pitch(); }
  int64_t tasksPerBatch() const { return bands.images.count * bands.rows.count * panels.blocks.count; }
};

// One panel: columns of a group, where, how many, and padded to vectors.
struct Panel {
  int64_t group, first, count, wide;

  Panel(const TapPlan& plan, int64_t index);
};

// The results whose row and column have one residue.
struct TapClass {
  int64_t row, column;         // the residues
  int64_t columns;             // results in a row
  int64_t taps, firstTap;      // in order of offset; firstTap counts through all classes
  Segment* segments;           // runs of adjacent taps
  int64_t segmentCount;
  int64_t* tapOffsets;         // each tap by itself
  int64_t *sources, *results;  // offset of each pixel of a task in the padded source and in the result
};

struct TapTables {
  TapClass* classes;
  int64_t (*order)[2];  // row and column of each tap, as packed
  float* packed;

  // Without `build` only the memory is counted.
  TapTables(const TapPlan& plan, BumpAllocator& allocator, bool build);

 private:
  void listTaps(const TapPlan& p, TapClass& k);
  void listPixels(const TapPlan& p, TapClass& k);
};

}  // namespace lethe
