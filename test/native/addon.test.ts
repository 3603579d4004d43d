// The addon's own surface, called as native/backend.ts never would: every wrong argument is an error, and no memory of
// JavaScript's is touched after the call.

import { createRequire } from 'node:module';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Addon, NativeRuntime } from '../../native/backend.ts';
import { encode } from '../../native/encode.ts';
import { addonPath, describeCpu, increment } from './support.ts';

let addon: Addon;
let runtime: NativeRuntime;
beforeAll(() => {
  addon = createRequire(import.meta.url)(addonPath);
  runtime = new addon.Runtime(2);
});
afterAll(() => runtime.close());

/** What a caller without types may pass. */
const loose = (x: unknown) => x as never;

const nonsense: [string, unknown][] = [
  ['a negative number', -1],
  ['a fraction', 1.5],
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['a string', '1'],
  ['a bigint', 1n],
  ['null', null],
  ['an object', { valueOf: () => 1 }],
  ['nothing', undefined],
];

describeCpu('a wrong argument is an error', () => {
  it.each([['zero', 0], ['too many', 1025], ...nonsense])('threads: %s', (_, threads) => {
    expect(() => new addon.Runtime(loose(threads))).toThrow(
      'the number of threads must be a whole number from 1 to 1024',
    );
  });

  it.each([['more than a number can hold', 2 ** 53], ...nonsense])('a size: %s', (_, bytes) => {
    expect(() => runtime.allocate(loose(bytes))).toThrow('the size of a buffer must be a whole number');
  });

  it('a size that no machine has', () => {
    expect(() => runtime.allocate(2 ** 53 - 1)).toThrow('out of memory');
  });

  it.each([['too large', 2 ** 32], ...nonsense])('the number of a buffer or program: %s', (_, id) => {
    const calls = [
      () => runtime.free(loose(id)),
      () => runtime.write(loose(id), new Float32Array(1)),
      () => runtime.read(loose(id), 4),
      () => runtime.dispose(loose(id)),
      () => runtime.run(loose(id), new Uint32Array(1), 1),
    ];
    for (const f of calls) expect(f).toThrow('the number of a buffer or program must be a whole number');
  });

  it('a number that stands for nothing', () => {
    expect(() => runtime.free(4_000_000_000)).toThrow('already released');
    expect(() => runtime.read(4_000_000_000, 0)).toThrow('already released');
  });

  it('the kind of an array', () => {
    const words = Float64Array.from(encode(increment(4)));
    const p = runtime.compile('p', words);
    const x = runtime.allocate(16);
    for (const wrong of [
      new Uint8Array(7),
      new Float32Array(3),
      [1, 2],
      words.buffer,
      new DataView(words.buffer),
      null,
    ])
      expect(() => runtime.compile('p', loose(wrong))).toThrow("a program's description must be a");
    for (const wrong of [new Uint8Array(2), new Int32Array(2), [x, x], null])
      expect(() => runtime.run(p, loose(wrong), 2)).toThrow("a program's buffers must be a");
    for (const wrong of [[1], words.buffer, new DataView(words.buffer), 'abcd', null])
      expect(() => runtime.write(x, loose(wrong))).toThrow('the data must be a typed array');
    expect(() => runtime.compile(loose(7), words)).toThrow("a program's label must be a string");
    expect(() => runtime.run(p, Uint32Array.of(x, x), 3)).toThrow("the number of a program's buffers");
    expect(() => addon.useInstructionSet(loose(1))).toThrow('must be a string');
    runtime.dispose(p);
    runtime.free(x);
  });

  it('a method of another object, or a class without new', () => {
    expect(() => runtime.memory.call(loose({}))).toThrow();
    expect(() => (addon.Runtime as unknown as (n: number) => void)(2)).toThrow();
  });

  it('data of another size than its buffer, and more to read than there is', () => {
    const x = runtime.allocate(16);
    expect(() => runtime.write(x, new Float32Array(5))).toThrow('the data has another size than the buffer');
    expect(() => runtime.write(x, new Float32Array(3))).toThrow('the data has another size than the buffer');
    expect(() => runtime.read(x, 17)).toThrow('from 0 to 16');
    runtime.free(x);
  });
});

describeCpu('memory of JavaScript', () => {
  const bytes = async (buffer: number, n: number) => [...new Float32Array(await runtime.read(buffer, 4 * n))];

  it('that was transferred, or shrank away under a view, is refused', () => {
    const x = runtime.allocate(16);
    const gone = new Float32Array(4);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(() => runtime.write(x, gone)).toThrow('was transferred');
    const buffer = resizable(16, 64);
    const view = new Float32Array(buffer, 0, 4);
    resize(buffer, 8);
    expect(() => runtime.write(x, view)).toThrow('another size');
    runtime.free(x);
  });

  it('that is shared, growable or resizable is copied at the call', async () => {
    const [x, y] = [runtime.allocate(16), runtime.allocate(16)];
    const shared = new Float32Array(new SharedArrayBuffer(16)).fill(3);
    runtime.write(x, shared);
    shared.fill(9);
    const buffer = resizable(16, 64);
    runtime.write(y, new Float32Array(buffer).fill(5));
    resize(buffer, 0);
    expect(await bytes(x, 4)).toEqual([3, 3, 3, 3]);
    expect(await bytes(y, 4)).toEqual([5, 5, 5, 5]);
    runtime.free(x);
    runtime.free(y);
  });
});

describeCpu('closing', () => {
  it('rejects what is pending, and nothing else is answered', async () => {
    const r = new addon.Runtime(2);
    const n = 1_000_000;
    const p = r.compile('p', Float64Array.from(encode(increment(n, true))));
    const x = r.allocate(4 * n);
    for (let k = 0; k < 50; k++) r.run(p, Uint32Array.of(x, x), 2);
    r.startProfile();
    const pending = [r.read(x, 4 * n), r.sync(), r.stopProfile(), r.ceilings()];
    r.close();
    for (const one of await Promise.allSettled(pending))
      expect(one).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringMatching(/was closed before/) },
      });
    expect(() => r.memory()).toThrow('the backend is closed');
    r.close();
  });
});

// Resizable buffers are newer than the types.
const resizable = (length: number, maxByteLength: number): ArrayBuffer =>
  new (ArrayBuffer as unknown as new (n: number, options: object) => ArrayBuffer)(length, { maxByteLength });
const resize = (buffer: ArrayBuffer, n: number): void =>
  (buffer as ArrayBuffer & { resize(n: number): void }).resize(n);
