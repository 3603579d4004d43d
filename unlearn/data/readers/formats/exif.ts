// The one EXIF tag that changes what a picture shows: its orientation. Reads the first directory of the TIFF structure
// that JPEG, PNG and WebP carry, and nothing else in it. Metadata is a courtesy: whatever is wrong with it means "as it
// is stored", never an error.

const ORIENTATION = 0x0112;
const SHORT = 3;

/** Orientation 1 to 8 of a TIFF structure (from `II` or `MM` on); 1 where there is none that makes sense. */
export function orientationOf(tiff: Uint8Array): number {
  if (tiff.length < 8) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = view.getUint16(0);
  const little = order === 0x4949;
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return 1;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return 1;
  const count = view.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.length) return 1;
    if (view.getUint16(entry, little) !== ORIENTATION) continue;
    const value = view.getUint16(entry + 8, little);
    return view.getUint16(entry + 2, little) === SHORT && value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** The TIFF structure in an `Exif\0\0` block as JPEG has it (WebP files sometimes too), or the block itself. */
export function tiffIn(block: Uint8Array): Uint8Array {
  const header = [0x45, 0x78, 0x69, 0x66, 0, 0];
  return header.every((byte, i) => block[i] === byte) ? block.subarray(6) : block;
}
