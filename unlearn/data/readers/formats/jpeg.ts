// JPEG, baseline and progressive, by jpeg-js, behind a walk over the segments that checks sizes before anything is decoded.

import { limits, refuse } from '../../refuse.ts';
import { orientationOf, tiffIn } from './exif.ts';
import { checkSize, type Picture, upright } from './pixels.ts';

/** Checks the frame header before the decoder allocates for it; answers the number of components and the orientation. */
function checkJpeg(bytes: Uint8Array, file: string): { components: number; orientation: number } {
  let components = 0;
  let orientation = 1;
  let scans = 0;
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) {
      at++;
      continue;
    }
    const marker = bytes[at + 1];
    if (marker === 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    if (marker === 0xd9) break;
    const length = bytes[at + 2] * 256 + bytes[at + 3];
    if (marker >= 0xc0 && marker <= 0xc2) {
      if (at + 10 > bytes.length) refuse(file, `byte ${at}`, 'frame header is cut off');
      if (components !== 0) refuse(file, `byte ${at}`, 'a second frame, expected one');
      const height = bytes[at + 5] * 256 + bytes[at + 6];
      const width = bytes[at + 7] * 256 + bytes[at + 8];
      components = bytes[at + 9];
      checkSize(file, `byte ${at}`, width, height);
      // Every block of 8 x 8 pixels takes a bit at least.
      if ((width * height) / 64 > bytes.length * 8)
        refuse(file, `byte ${at}`, `${width} x ${height} pixels cannot be in ${bytes.length} bytes`);
      if (components !== 1 && components !== 3 && components !== 4)
        refuse(file, `byte ${at}`, `${components} components, expected 1, 3 or 4`);
    } else if (marker === 0xe1 && orientation === 1) {
      // The block's own length keeps a directory from reaching into the pixels.
      orientation = orientationOf(tiffIn(bytes.subarray(at + 4, at + 2 + length)));
    } else if (marker === 0xda && ++scans > 100) refuse(file, `byte ${at}`, 'more than 100 scans');
    at += 2 + length;
  }
  if (components === 0)
    refuse(file, '', 'no frame header, or a kind of JPEG other than baseline and progressive');
  return { components, orientation };
}

export async function decodeJpeg(bytes: Uint8Array, file: string): Promise<Picture> {
  const { components, orientation } = checkJpeg(bytes, file);
  const { default: jpeg } = await import('jpeg-js');
  const { width, height, data } = jpeg.decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: Math.ceil(limits.picturePixels / 1e6),
    maxMemoryUsageInMB: 1024,
  });
  if (components !== 1) return upright({ width, height, channels: 3, data }, orientation);
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) grey[i] = data[i * 3];
  return upright({ width, height, channels: 1, data: grey }, orientation);
}
