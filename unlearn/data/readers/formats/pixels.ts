// What the picture formats share: the decoded picture, the bound on its size, transparency laid on white, and turning
// it upright. No bytes of any format here.

import { limits, refuse } from '../../refuse.ts';

/** Bytes of a picture, height x width x channels, channels 1 (grey) or 3 (RGB). */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Refuses a picture without pixels, or with more than limits.picturePixels, before memory is spent on it. */
export function checkSize(file: string, where: string, width: number, height: number): void {
  if (width < 1 || height < 1 || width * height > limits.picturePixels) {
    refuse(file, where, `${width} x ${height} pixels, expected 1 to ${limits.picturePixels} in all`);
  }
}

/** Pixels with an optional last channel of opacity, laid on white. */
export function onWhite(
  flat: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  channels: 1 | 2 | 3 | 4,
): Picture {
  if (channels === 1 || channels === 3)
    return {
      width,
      height,
      channels,
      data: new Uint8Array(flat.buffer as ArrayBuffer, flat.byteOffset, flat.length),
    };
  const colours = channels === 2 ? 1 : 3;
  const data = new Uint8Array(width * height * colours);
  for (let i = 0; i < width * height; i++) {
    const alpha = flat[i * channels + colours];
    for (let c = 0; c < colours; c++) {
      const value = flat[i * channels + c] * alpha + 255 * (255 - alpha);
      data[i * colours + c] = Math.floor((value + 127) / 255);
    }
  }
  return { width, height, channels: colours, data };
}

/**
 * A stored picture as it is to be seen, by its EXIF orientation (EXIF 2.32, tag 0x0112): 1 as it is, 2 mirrored left to
 * right, 3 turned by 180 degrees, 4 mirrored top to bottom, 5 transposed, 6 to be turned 90 degrees clockwise,
 * 7 transposed over the other diagonal, 8 to be turned 90 degrees counterclockwise.
 */
export function upright(picture: Picture, orientation: number): Picture {
  if (orientation <= 1 || orientation > 8) return picture;
  const { channels, data: from } = picture;
  const swapped = orientation >= 5;
  const width = swapped ? picture.height : picture.width;
  const height = swapped ? picture.width : picture.height;
  // Where stored columns run backwards, and where stored rows do.
  const right = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const bottom = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const data = new Uint8Array(from.length);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = swapped ? y : x;
      const row = swapped ? x : y;
      const at =
        (bottom ? picture.height - 1 - row : row) * picture.width +
        (right ? picture.width - 1 - column : column);
      for (let c = 0; c < channels; c++) data[to++] = from[at * channels + c];
    }
  }
  return { width, height, channels, data };
}
