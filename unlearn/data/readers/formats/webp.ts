// WebP, lossy and lossless, by Google's decoder compiled to WebAssembly (@jsquash/webp), behind a walk over the chunks
// that checks sizes first. Each picture gets an instance of its own: nothing a file does outlives it, and its memory
// goes with it. Animations are refused.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { refuse } from '../../refuse.ts';
import { orientationOf, tiffIn } from './exif.ts';
import { checkSize, onWhite, type Picture, upright } from './pixels.ts';

/** Checks the container and the sizes it states; answers the EXIF orientation. */
function checkWebp(bytes: Buffer, file: string): number {
  if (bytes.length < 20) refuse(file, 'byte 0', `expected a WebP header, found ${bytes.length} bytes`);
  const declared = bytes.readUInt32LE(4) + 8;
  if (declared !== bytes.length)
    refuse(file, 'byte 4', `the header says ${declared} bytes, the file has ${bytes.length}`);
  let orientation = 1;
  let pixels = false;
  for (let at = 12; at < bytes.length; ) {
    if (at + 8 > bytes.length) refuse(file, `byte ${at}`, 'expected another chunk, the file ends');
    const type = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (body.length < length) refuse(file, `byte ${at}`, `chunk of ${length} bytes is longer than the file`);
    const where = `byte ${at}`;
    if (type === 'ANIM' || type === 'ANMF') refuse(file, where, 'an animation, expected a still picture');
    if (type === 'VP8X' && length >= 10)
      checkSize(file, where, body.readUIntLE(4, 3) + 1, body.readUIntLE(7, 3) + 1);
    if (type === 'VP8 ' && length >= 10)
      checkSize(file, where, body.readUInt16LE(6) & 0x3fff, body.readUInt16LE(8) & 0x3fff);
    if (type === 'VP8L' && length >= 5) {
      const packed = body.readUInt32LE(1);
      checkSize(file, where, (packed & 0x3fff) + 1, ((packed >>> 14) & 0x3fff) + 1);
    }
    if (type === 'VP8 ' || type === 'VP8L') pixels = true;
    if (type === 'EXIF') orientation = orientationOf(tiffIn(body));
    at += 8 + length + (length & 1);
  }
  if (!pixels) refuse(file, '', 'no pixels in the WebP file');
  return orientation;
}

let compiled: Promise<WebAssembly.Module> | null = null;

async function compile(): Promise<WebAssembly.Module> {
  const path = createRequire(import.meta.url).resolve('@jsquash/webp/codec/dec/webp_dec.wasm');
  return WebAssembly.compile(await readFile(path));
}

export async function decodeWebp(input: Uint8Array, file: string): Promise<Picture> {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const orientation = checkWebp(bytes, file);
  const { default: decoder } = await import('@jsquash/webp/codec/dec/webp_dec.js');
  compiled ??= compile();
  const code = await compiled;
  const { decode } = await decoder({
    noInitialRun: true,
    instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
      const instance = new WebAssembly.Instance(code, imports);
      done(instance);
      return instance.exports;
    },
  });
  const found = decode(bytes);
  if (found === null) return refuse(file, '', 'damaged WebP');
  const { width, height, data } = found;
  return upright(onWhite(data, width, height, 4), orientation);
}
