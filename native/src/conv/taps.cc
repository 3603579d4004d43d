// Convolution by a list of taps: the packing of weights, and the loops around the microkernel. A task takes a few whole
// images or a band of rows of one, copies them into zero-bordered scratch memory, and makes all channels of their
// results, tile by tile of pixels that follow each other in the result.
#include "conv/taps.h"

#include "conv/taps_plan.h"

namespace lethe {
namespace {

// Where a panel begins in the packed weights of one of the B.
int64_t packedAt(const TapPlan& p, const Panel& panel) {
  const int64_t depth = p.conv.tapCount() * p.conv.sourcePerGroup();
  return depth * (panel.group * roundUp(p.conv.resultPerGroup(), microkernels().width) + panel.first);
}

// One tap of one panel: [source channel][result channel].
void packTap(const TapPlan& p, const TapTables& t, const float* w, float* packed, const Panel& panel, int64_t tap) {
  const TapConv& c = p.conv;
  const int64_t from = t.order[tap][0] * c.columns.taps + t.order[tap][1], depth = c.sourcePerGroup();
  float* out = packed + packedAt(p, panel) + tap * depth * panel.wide;
  if (c.gradient()) {
    const float* in = w + (from * c.resultPerGroup() + panel.first) * c.sourceChannels + panel.group * depth;
    microkernels().transpose(in, c.sourceChannels, panel.count, depth, out, panel.wide);
  } else {
    const float* in = w + from * depth * c.resultChannels + panel.group * c.resultPerGroup() + panel.first;
    for (int64_t i = 0; i < depth; ++i) {
      std::memcpy(out + i * panel.wide, in + i * c.resultChannels, static_cast<size_t>(panel.count) * sizeof(float));
    }
  }
}

void packWeights(Pool& pool, const TapPlan& p, const TapTables& t, const float* w, int64_t batches) {
  const TapConv& c = p.conv;
  const int64_t panels = c.depthwise() ? 1 : p.panels.count;
  const int64_t tapFloats = c.depthwise() ? c.resultChannels : c.sourcePerGroup() * p.panels.width;
  const int64_t tapBlock = std::min(c.tapCount(), divideUp(8 * 1024, std::max<int64_t>(tapFloats, 1)));
  const int64_t tapBlocks = divideUp(c.tapCount(), tapBlock);
  const auto task = [&](int64_t i, int) {
    const int64_t first = i % tapBlocks * tapBlock, last = std::min(c.tapCount(), first + tapBlock);
    const int64_t b = i / tapBlocks / panels;
    const float* from = w + b * c.weightFloats();
    float* packed = t.packed + b * p.packing.floats;
    for (int64_t tap = first; tap < last; ++tap) {
      if (c.depthwise()) {
        std::memcpy(packed + tap * c.resultChannels,
                    from + (t.order[tap][0] * c.columns.taps + t.order[tap][1]) * c.resultChannels,
                    static_cast<size_t>(c.resultChannels) * sizeof(float));
      } else {
        packTap(p, t, from, packed, Panel(p, i / tapBlocks % panels), tap);
      }
    }
  };
  runTasks(pool, 8 * batches * c.weightFloats(), batches * panels * tapBlocks, task);
}

// All results of one class for one panel: `pixels` of them, listed in the tables.
void runPanel(const TapPlan& p, const TapClass& k, const Panel& panel, int64_t pixels, const float* source,
              const float* weights, int64_t weightStep, float* result, bool stream) {
  const Microkernels& kernels = microkernels();
  RowsTile tile{};
  tile.a = source + panel.group * p.conv.sourcePerGroup();
  tile.segments = k.segments;
  tile.segmentCount = k.segmentCount;
  tile.b = weights;
  tile.bStep = weightStep;
  tile.c = result + panel.group * p.conv.resultPerGroup() + panel.first;
  tile.columns = static_cast<int>(panel.count);
  tile.stream = stream;
  const int64_t height = pixels > 0 ? divideUp(pixels, divideUp(pixels, p.panels.tileRows)) : 1;
  for (int64_t i = 0; i < pixels; i += height) {
    tile.aRows = k.sources + i;
    tile.cRows = k.results + i;
    kernels.runRows(static_cast<int>(std::min(height, pixels - i)), tile);
  }
}

void runDepthwise(const TapPlan& p, const TapClass& k, int64_t pixels, const float* source, const float* weights, float* result) {
  const int64_t channels = p.conv.resultChannels;
  microkernels().depthwise({source, k.sources, pixels, k.tapOffsets, k.taps, weights + k.firstTap * channels, channels,
                            result, k.results});
}

// Which results a task makes.
struct Task {
  int64_t b;                      // of the B packed at a time
  int64_t image, images;          // the first of all, and how many
  int64_t row;                    // the first, of a class
  int64_t firstPanel, endPanel;

  Task(const TapPlan& p, int64_t b0, int64_t index) {
    b = index / p.tasksPerBatch();
    const int64_t block = index % p.panels.blocks.count;
    firstPanel = block * p.panels.blocks.length;
    endPanel = std::min(p.panels.count, firstPanel + p.panels.blocks.length);
    index /= p.panels.blocks.count;
    row = index % p.bands.rows.count * p.bands.rows.length;
    const int64_t first = index / p.bands.rows.count % p.bands.images.count * p.bands.images.length;
    images = std::min(p.bands.images.length, p.conv.N - first);
    image = (b0 + b) * p.conv.N + first;
  }
};

// The results of a task, class by class. `from` and `to`: its first pixel in the padded source and in the result;
// `weights`: packed or as they are.
void runTask(const TapPlan& p, const TapTables& tables, const Task& task, const float* from, const float* weights, float* to,
             bool stream) {
  const TapConv& c = p.conv;
  for (int64_t i = 0; i < p.classes; ++i) {
    const TapClass& k = tables.classes[i];
    const int64_t rows = std::max<int64_t>(0, std::min(p.bands.rows.length, c.rows.count(k.row) - task.row));
    // Several images only where a band is a whole plane, so that the pixels of a task are the first of the list.
    const int64_t pixels = task.images * rows * k.columns;
    if (c.depthwise()) {
      runDepthwise(p, k, pixels, from, weights, to);
      continue;
    }
    for (int64_t j = task.firstPanel; j < task.endPanel; ++j) {
      const Panel panel(p, j);
      const float* own = p.packing.wanted ? weights + packedAt(p, panel) : weights + panel.group * c.resultPerGroup() + panel.first;
      runPanel(p, k, panel, pixels, from, own, p.packing.wanted ? panel.wide : c.resultChannels, to, stream);
    }
  }
}

}  // namespace

WorkspaceSize tapConvWorkspace(const TapConv& conv, int) {
  if (conv.resultFloats() == 0) return {};
  const TapPlan p(conv);
  BumpAllocator allocator(nullptr);
  TapTables(p, allocator, false);
  return {allocator.used(), static_cast<size_t>(p.scratchFloats()) * sizeof(float)};
}

void tapConv(Pool& pool, const TapConv& conv, const float* source, const float* w, float* result,
             const Workspace& workspace, const Prologue* prologue, const Epilogue* epilogue) {
  if (conv.resultFloats() == 0) return;
  TapPlan p(conv);
  const Images images{source, prologue, conv.rows.source, conv.columns.source, conv.sourceChannels};
  // Where no window leaves the image, the image itself will do.
  PaddedWindow& window = p.bands.window;
  const PaddedWindow all{window.row0, conv.rows.span(0, p.bands.rows.length * p.bands.rows.count), window.column0, window.columns};
  const bool inPlace = !prologue && all.inside(images);
  if (inPlace) window.columns = images.width, window.rows = images.height;
  BumpAllocator allocator(workspace.shared);
  const TapTables tables(p, allocator, true);
  const int64_t rowFloats = conv.columns.result * conv.resultChannels, plane = conv.rows.result * rowFloats;
  const bool late = p.panels.blocks.count > 1;  // a run of results is finished by several tasks
  const bool stream = !epilogue && conv.resultFloats() * 4 >= kStreamBytes && beginsLine(result) &&
                      conv.resultPerGroup() % microkernels().width == 0;

  for (int64_t b0 = 0; b0 < conv.B; b0 += p.packing.batch.length) {
    const int64_t batches = std::min(p.packing.batch.length, conv.B - b0);
    if (p.packing.wanted) packWeights(pool, p, tables, w + b0 * conv.weightFloats(), batches);
    runTasks(pool, p.operations, batches * p.tasksPerBatch(), [&](int64_t index, int thread) {
      const Task task(p, b0, index);
      PaddedWindow own = window;
      own.row0 += task.row * conv.rows.step;
      const float* from;
      if (inPlace) {
        from = source + task.image * images.planeFloats() + own.row0 * p.pitch() + own.column0 * conv.sourceChannels;
      } else {
        float* scratch = reinterpret_cast<float*>(workspace.of(thread));
        fillPadded(images, task.image, task.images, own, 0, conv.sourceChannels, scratch, thread);
        from = scratch;
      }
      const float* weights =
          p.packing.wanted ? tables.packed + task.b * p.packing.floats : w + (b0 + task.b) * conv.weightFloats();
      const int64_t row = task.row * conv.rows.classes;
      float* to = result + task.image * plane + row * rowFloats;
      runTask(p, tables, task, from, weights, to, stream);
      if (!epilogue || late) return;
      const int64_t rows = std::min(p.bands.rows.length * conv.rows.classes, conv.rows.result - row);
      (*epilogue)(to - result, p.bands.rows.count == 1 ? task.images * plane : rows * rowFloats, to, thread);
    });
  }
  if (late) runEpilogue(pool, conv.resultFloats(), result, epilogue);
}

}  // namespace lethe
