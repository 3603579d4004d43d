// Which cases are measured on a GPU: `peers` are those that the WebGPU peers can do as well, in sizes that software
// Vulkan can do; `gpu` are those of a real card. `quick` cuts the latter down until it runs anywhere.

import {
  type Case,
  type ConvShape,
  convolution,
  DIRECTIONS,
  derivative,
  elementwise,
  type Float,
  matmul,
  RESNET,
  reduction,
  trainingStep,
} from '../cases.ts';

const M = 2 ** 20;

export const peerCases: readonly Case[] = [
  matmul(1024),
  ...RESNET.slice(0, 2).flatMap((s) => DIRECTIONS.map((d) => convolution(s, d, 16))),
  elementwise(4 * M, 'add'),
  elementwise(4 * M, 'chain'),
  reduction(2048, 2048, -1),
  reduction(2048, 2048, 0),
  reduction(2048, 2048, 1),
  trainingStep('smallCnn'),
];

/** Convolutions of a U-Net on 32x32 images: wide ones at full size, after joining what was skipped. */
const UNET: readonly ConvShape[] = [
  { c: 128, o: 128, h: 32, k: 3, stride: 1 },
  { c: 256, o: 128, h: 32, k: 3, stride: 1 },
  { c: 384, o: 256, h: 16, k: 3, stride: 1 },
];

/** `floats`: the types that the device has. */
export function gpuCases(floats: readonly Float[], quick: boolean): Case[] {
  const sizes = quick ? [256, 512] : [1024, 2048, 4096, 8192];
  const shapes = quick ? RESNET.slice(3) : [...RESNET, ...UNET];
  const batches = quick ? [8] : [128, 256, 512];
  const n = quick ? 8 : 128;
  const elements = quick ? M : 32 * M;
  const side = Math.sqrt(elements) | 0;
  return [
    ...floats.flatMap((dtype) => sizes.map((size) => matmul(size, size, size, { dtype }))),
    ...shapes.flatMap((s) => DIRECTIONS.map((d) => convolution(s, d, n))),
    elementwise(elements, 'add'),
    elementwise(elements, 'chain'),
    ...([-1, 0, 1] as const).map((axis) => reduction(side, side, axis)),
    ...batches.flatMap((b) =>
      (['smallCnn', 'allCnn', 'resnet18'] as const)
        .filter((name) => !quick || name === 'smallCnn')
        .map((name) => trainingStep(name, b)),
    ),
    derivative('fgsm', n),
    derivative('persample', n),
    derivative('hvp', n),
  ];
}
