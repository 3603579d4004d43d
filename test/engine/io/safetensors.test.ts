// The safetensors reader and writer: round trips, every rule of the format, and mutated files.
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { collect, source } from '../../bytes.ts';

const { io } = lt;

/** What loadSafetensors gives, read one tensor at a time. */
async function loadOneByOne(bytes: Uint8Array): Promise<lt.io.Safetensors> {
  const file = await io.openSafetensors(source(bytes));
  const tensors: Record<string, lt.io.StoredTensor> = Object.create(null);
  for (const name of file.names) tensors[name] = await file.tensor(name);
  return { tensors, metadata: file.metadata };
}
beforeAll(async () => {
  await lt.init({ device: 'reference' });
});

/** A file from a header (an object, or its text) and a number of data bytes. */
function file(header: unknown, data: ArrayLike<number> = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(Array.from(data), 8 + text.length);
  return out;
}
const one = (dtype: string, shape: number[], bytes: number) => ({ dtype, shape, data_offsets: [0, bytes] });

describe('round trips', () => {
  test('tensors, metadata and awkward names', async () => {
    const bytes = await io.saveSafetensors(
      {
        w: lt.tensor([
          [1.5, -2, 3],
          [4, 5, 6],
        ]),
        empty: lt.zeros([0, 4]),
        scalar: lt.tensor(7, { dtype: 'int32' }),
        key: lt.random.key(2 ** 40 + 5),
        flags: lt.tensor([true, false]),
        ...Object.fromEntries([['10', lt.tensor([1])]]),
        'a "quoted"\n\u00e9 name': lt.tensor([2]),
        ['__proto__']: lt.tensor([3]),
      },
      { format: 'pt', ['__proto__']: 'x' },
    );
    const { tensors, metadata } = io.loadSafetensors(bytes);
    expect(Object.getPrototypeOf(tensors)).toBe(null);
    expect(Object.keys(tensors).sort()).toEqual(
      ['10', '__proto__', 'a "quoted"\n\u00e9 name', 'empty', 'flags', 'key', 'scalar', 'w'].sort(),
    );
    expect(tensors.w).toEqual({
      data: Float32Array.of(1.5, -2, 3, 4, 5, 6),
      shape: [2, 3],
      dtype: 'float32',
      stored: 'F32',
    });
    expect(tensors.empty.shape).toEqual([0, 4]);
    expect(tensors.scalar).toMatchObject({ data: Int32Array.of(7), shape: [], dtype: 'int32' });
    expect(tensors.key).toMatchObject({ data: Uint32Array.of(5, 256), dtype: 'uint32' });
    expect(tensors.flags).toMatchObject({ data: Int32Array.of(1, 0), dtype: 'bool' });
    expect(Object.entries(metadata)).toEqual([
      ['__proto__', 'x'],
      ['format', 'pt'],
    ]);
    const { data, shape, dtype } = tensors.w;
    expect(await lt.tensor(data, { shape, dtype }).array()).toEqual([
      [1.5, -2, 3],
      [4, 5, 6],
    ]);
    // Saved again, the bytes are the same; they do not depend on the order of the names.
    expect(await io.saveSafetensors(tensors, metadata)).toEqual(bytes);
    const reversed = Object.fromEntries(Object.entries(tensors).reverse());
    expect(await io.saveSafetensors(reversed, metadata)).toEqual(bytes);
    expect(await collect(io.streamSafetensors(reversed, metadata))).toEqual(bytes);
    expect(await loadOneByOne(bytes)).toEqual({ tensors, metadata });
    // Tensors lie aligned for readers that map the file.
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
  });

  test('any float32 and any names', () =>
    fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.float32Array({ maxLength: 6 }), { maxKeys: 6 }),
        async (arrays) => {
          const given = Object.entries(arrays).filter(([n]) => n !== '__metadata__');
          const bytes = await io.saveSafetensors(
            Object.fromEntries(
              given.map(([n, data]) => [n, { data, shape: [data.length], dtype: 'float32' as const }]),
            ),
          );
          const { tensors } = io.loadSafetensors(bytes);
          expect(await loadOneByOne(bytes)).toEqual({ tensors, metadata: {} });
          expect(await collect(io.streamSafetensors(tensors))).toEqual(bytes);
          expect(Object.keys(tensors).length).toBe(given.length);
          for (const [n, data] of given) expect(tensors[n].data).toEqual(data);
        },
      ),
      { numRuns: 100 },
    ));

  test('narrow and wide types', () => {
    const load = (dtype: string, count: number, bytes: ArrayBuffer | Uint8Array) =>
      io.loadSafetensors(
        file({ x: one(dtype, [count], bytes.byteLength) }, new Uint8Array(bytes as ArrayBuffer)),
      ).tensors.x;
    // 1, -2, the smallest subnormal, the largest number, infinity, NaN.
    const half = load('F16', 6, Uint16Array.of(0x3c00, 0xc000, 1, 0x7bff, 0x7c00, 0x7e00).buffer);
    expect([...half.data]).toEqual([1, -2, 2 ** -24, 65504, Infinity, Number.NaN]);
    const brain = load('BF16', 3, Uint16Array.of(0x3f80, 0xc040, 0x7f80).buffer);
    expect([...brain.data]).toEqual([1, -3, Infinity]);
    expect([...load('F64', 1, Float64Array.of(Math.PI).buffer).data]).toEqual([Math.PI]);
    expect([...load('I64', 2, BigInt64Array.of(-5n, 2147483647n).buffer).data]).toEqual([-5, 2147483647]);
    expect(() => load('I64', 1, BigInt64Array.of(2147483648n).buffer)).toThrow(/beyond int32/);
    expect([...load('U8', 2, Uint8Array.of(0, 255)).data]).toEqual([0, 255]);
    expect([...load('BOOL', 2, Uint8Array.of(0, 1)).data]).toEqual([0, 1]);
    expect(() => load('BOOL', 1, Uint8Array.of(2))).toThrow(/expected 0 or 1/);
  });

  test('reads a view in the middle of a buffer', () => {
    const bytes = file({ x: one('I32', [1], 4) }, [1, 0, 0, 0]);
    const padded = new Uint8Array(bytes.length + 6).fill(9);
    padded.set(bytes, 3);
    const { tensors } = io.loadSafetensors(padded.subarray(3, 3 + bytes.length));
    expect([...tensors.x.data]).toEqual([1]);
    expect([...io.loadSafetensors(bytes.buffer as ArrayBuffer).tensors.x.data]).toEqual([1]);
  });
});

describe('what the format forbids', () => {
  const huge = new Uint8Array(8);
  new DataView(huge.buffer).setBigUint64(0, 2n ** 63n, true);
  const long = new Uint8Array(40);
  new DataView(long.buffer).setBigUint64(0, 33n, true);
  const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  test.each<[string, Uint8Array, RegExp]>([
    ['too few bytes', new Uint8Array(7), /too few/],
    ['a header length of 2^63', huge, /over the limit/],
    ['a header longer than the file', long, /should have 33/],
    ['no header', new Uint8Array(8), /start with/],
    ['a header that is not UTF-8', file('').fill(0).length ? badUtf8() : huge, /UTF-8/],
    ['a byte-order mark', file('\ufeff{}'), /start with/],
    ['leading space', file(' {}'), /start with/],
    ['broken JSON', file('{"a":'), /expected an object/],
    ['an unfinished string', file('{"a'), /end of a string/],
    ['something after the header', file('{} x'), /expected the end/],
    ['the same name twice', file(`{"a":${entry},"a":${entry}}`, [0]), /"a" twice/],
    ['the same name twice, escaped', file(`{"a":${entry},"\\u0061":${entry}}`, [0]), /"a" twice/],
    ['the same field twice', file('{"a":{"dtype":"U8","dtype":"U8"}}'), /"dtype" twice/],
    ['deep nesting', file(`{"a":${'['.repeat(1e5)}`), /too deeply/],
    ['a tensor that is a number', file('{"a":1}'), /not described/],
    ['an unknown field', file({ a: { ...one('U8', [1], 1), extra: 1 } }, [0]), /unknown field "extra"/],
    ['an unknown type', file({ a: one('F8', [1], 1) }, [0]), /F8.*knows F64/],
    ['a type named after a method', file({ a: one('toString', [1], 1) }, [0]), /knows/],
    ['no type', file({ a: { shape: [], data_offsets: [0, 0] } }), /type none/],
    ['a negative size', file({ a: one('U8', [-1], 1) }, [0]), /whole number|expected/],
    ['a fraction', file('{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', [0]), /expected/],
    ['a leading zero', file('{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}', [0]), /whole number/],
    ['a size beyond 2^53', file(`{"a":{"dtype":"U8","shape":[${2 ** 60}]}}`), /below 2\^53/],
    ['a product beyond 2^53', file({ a: one('U8', [2 ** 30, 2 ** 30, 0], 0) }), /too large/],
    ['offsets that do not match the shape', file({ a: one('F32', [1], 3) }, [0, 0, 0]), /takes 4 bytes/],
    ['offsets in reverse', file({ a: { dtype: 'U8', shape: [0], data_offsets: [1, 0] } }, [0]), /takes 0/],
    ['one offset', file({ a: { dtype: 'U8', shape: [0], data_offsets: [0] } }), /takes 0/],
    ['data beyond the file', file({ a: one('U8', [2], 2) }, [0]), /has 1 after/],
    ['bytes after the data', file({ a: one('U8', [1], 1) }, [0, 0]), /has 2 after/],
    ['an overlap', file({ a: one('U8', [2], 2), b: one('U8', [2], 2) }, [0, 0]), /gaps or overlaps/],
    ['a gap', file({ a: { dtype: 'U8', shape: [1], data_offsets: [1, 2] } }, [0, 0]), /starts at byte 1/],
    ['metadata that is no string', file('{"__metadata__":{"a":1}}'), /only hold strings/],
    ['metadata that is no object', file('{"__metadata__":"a"}'), /not an object/],
  ])('%s', async (_, bytes, message) => {
    expect(() => io.loadSafetensors(bytes)).toThrow(message);
    expect(() => io.loadSafetensors(bytes)).toThrow(lt.LetheError);
    await expect(loadOneByOne(bytes)).rejects.toThrow(message);
  });

  function badUtf8(): Uint8Array {
    const f = file('{"a":1}');
    f[10] = 0xff;
    return f;
  }

  test('writing refuses the reserved name and data that does not fill its shape', async () => {
    await expect(io.saveSafetensors({ __metadata__: lt.tensor([1]) })).rejects.toThrow(/cannot name/);
    await expect(
      io.saveSafetensors({ a: { data: Float32Array.of(1), shape: [2], dtype: 'float32' } }),
    ).rejects.toThrow(/1 elements/);
    // A stream says so before it gives its first part.
    expect(() => io.streamSafetensors({ __metadata__: lt.tensor([1]) })).toThrow(/cannot name/);
    const short = { data: async () => Float32Array.of(1), shape: [2], dtype: 'float32' as const };
    await expect(collect(io.streamSafetensors({ short }))).rejects.toThrow(/1 elements/);
  });
});

describe('mutated files give a result or a LetheError of kind data, and take no more memory than four files', () => {
  /** Either way of reading gives the same tensors or the same error. */
  const readSafely = async (bytes: Uint8Array): Promise<void> => {
    const either = (error: unknown) => {
      if (!(error instanceof lt.LetheError)) throw error;
      expect(error.kind).toBe('data');
      return error.message;
    };
    let found: lt.io.Safetensors | string;
    try {
      found = io.loadSafetensors(bytes);
      const total = Object.values(found.tensors).reduce((n, t) => n + t.data.byteLength, 0);
      expect(total).toBeLessThanOrEqual(4 * bytes.length);
    } catch (error) {
      found = either(error);
    }
    expect(await loadOneByOne(bytes).catch(either)).toEqual(found);
  };
  const info = fc.record(
    {
      dtype: fc.constantFrom('F32', 'F16', 'BF16', 'I64', 'U8', 'BOOL', 'F8', '', 'constructor'),
      shape: fc.array(fc.oneof(fc.nat(4), fc.constantFrom(2 ** 31, 2 ** 53, -1, 0.5)), { maxLength: 4 }),
      data_offsets: fc.array(fc.oneof(fc.nat(40), fc.constantFrom(2 ** 40, -1)), { maxLength: 3 }),
    },
    { requiredKeys: [] },
  );
  const names = fc.constantFrom('a', 'b', '__proto__', 'constructor', '__metadata__', '');

  test('headers of the right form with wrong values', () =>
    fc.assert(
      fc.asyncProperty(fc.dictionary(names, info), fc.uint8Array({ maxLength: 40 }), (header, data) =>
        readSafely(file(header, data)),
      ),
      { numRuns: 500 },
    ));

  test('valid files with bytes changed, cut out, doubled', async () => {
    const valid = await io.saveSafetensors(
      { w: lt.ones([3, 2]), n: lt.tensor(1, { dtype: 'int32' }), b: lt.tensor([true]) },
      { format: 'pt' },
    );
    const edit = fc.record({
      at: fc.nat(valid.length - 1),
      what: fc.constantFrom('set', 'cut', 'double'),
      value: fc.oneof(
        fc.nat(255),
        fc.constantFrom(...[...'{}[]",:0123456789\\'].map((c) => c.charCodeAt(0))),
      ),
      length: fc.integer({ min: 1, max: 30 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (edits, repair) => {
          let bytes = [...valid];
          for (const { at, what, value, length } of edits) {
            if (what === 'set') bytes[at % bytes.length] = value;
            else if (what === 'cut') bytes = [...bytes.slice(0, at), ...bytes.slice(at + length)];
            else bytes = [...bytes.slice(0, at + length), ...bytes.slice(at)];
          }
          const out = Uint8Array.from(bytes);
          // With its length repaired, a mutated header is read to the point of the mutation.
          if (repair && out.length >= 8) {
            const end = bytes.lastIndexOf('}'.charCodeAt(0));
            new DataView(out.buffer).setBigUint64(0, BigInt(Math.max(0, end - 7)), true);
          }
          await readSafely(out);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('arbitrary text as the header', () =>
    fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), (text) => readSafely(file(`{${text}}`))),
      { numRuns: 500 },
    ));
});

test('metadata are had without the tensors, and by the same rules', async () => {
  const bytes = await lt.io.saveSafetensors({ a: lt.zeros([2, 3]) }, { one: '1', two: 'zwei' });
  expect(lt.io.safetensorsMetadata(bytes)).toEqual(lt.io.loadSafetensors(bytes).metadata);
  expect({ ...lt.io.safetensorsMetadata(bytes) }).toEqual({ one: '1', two: 'zwei' });
  for (const cut of [3, 20, bytes.length - 1])
    expect(() => lt.io.safetensorsMetadata(bytes.subarray(0, cut))).toThrow('safetensors: ');
});

describe('one tensor at a time', () => {
  test('a stream reads a tensor when its turn comes, and the bytes are those of the whole', async () => {
    const log: string[] = [];
    const lazy = (name: string, data: Float32Array) => ({
      data: async () => {
        log.push(`read ${name}`);
        return data;
      },
      shape: [data.length],
      dtype: 'float32' as const,
    });
    const tensors = {
      b: lazy('b', Float32Array.of(1, 2)),
      a: lazy('a', Float32Array.of(3)),
      c: lt.tensor([4]),
    };
    const parts: Uint8Array[] = [];
    for await (const part of io.streamSafetensors(tensors, { k: 'v' })) {
      parts.push(part);
      log.push(`${part.length} bytes`);
    }
    expect(log.slice(1)).toEqual(['read a', '4 bytes', 'read b', '8 bytes', '4 bytes']);
    expect(Uint8Array.from(Buffer.concat(parts))).toEqual(await io.saveSafetensors(tensors, { k: 'v' }));
  });

  test('a file is asked for its header and for the tensors named, no more', async () => {
    const bytes = await io.saveSafetensors({ a: lt.zeros([4]), b: lt.ones([2, 3]) }, { k: 'v' });
    const asked: number[] = [];
    const file = await io.openSafetensors({
      bytes: bytes.length,
      // A part of a larger buffer, at an odd place: elements need one of their own.
      read: async (offset, length) => {
        asked.push(length);
        const wide = new Uint8Array(length + 3);
        wide.set(bytes.subarray(offset, offset + length), 1);
        return wide.subarray(1, 1 + length);
      },
    });
    expect(file.names).toEqual(['a', 'b']);
    expect(file.forms.b).toEqual({ shape: [2, 3], dtype: 'float32', stored: 'F32' });
    expect({ ...file.metadata }).toEqual({ k: 'v' });
    expect((await file.tensor('b')).data).toEqual(new Float32Array(6).fill(1));
    expect(asked).toEqual([8, bytes.length - 8 - 40, 24]);
    await expect(file.tensor('constructor')).rejects.toThrow('no tensor "constructor" in the file');
  });

  test('a file that became shorter is told', async () => {
    const bytes = await io.saveSafetensors({ a: lt.zeros([4]) });
    const file = await io.openSafetensors({
      bytes: bytes.length,
      read: async (offset, length) => bytes.subarray(offset, Math.min(offset + length, bytes.length - 1)),
    });
    await expect(file.tensor('a')).rejects.toThrow(/15 bytes at byte \d+ of the file, expected 16/);
  });

  test('a model comes back from a file, bit for bit; one that does not fit is not read', async () => {
    const model = lt.nn.models.lenet({ classes: 10 });
    const inputShape = [1, 32, 32, 3];
    const variables = model.init(lt.random.key(3), inputShape);
    const bytes = await io.saveSafetensors(await io.toPyTorch(model, variables, { inputShape }));
    expect(await collect(io.streamSafetensors(io.toPyTorchLazy(model, variables, { inputShape })))).toEqual(
      bytes,
    );
    const file = await io.openSafetensors(source(bytes));
    const back = await io.fromPyTorchFile(model, file, { inputShape });
    for (const [path, t] of lt.tree.entries<lt.Tensor>(variables.params)) {
      const same = new Map(lt.tree.entries<lt.Tensor>(back.params)).get(path);
      expect(await same?.data()).toEqual(await t.data());
    }
    const other = { ...file, tensor: () => Promise.reject(new Error('read')) };
    const wide = lt.nn.models.lenet({ classes: 11 });
    await expect(io.fromPyTorchFile(wide, other, { inputShape })).rejects.toThrow(/wrong: /);
  });

  test('nothing is left of a model whose file breaks off', async () => {
    const model = lt.nn.models.lenet({ classes: 10 });
    const variables = model.init(lt.random.key(3), [1, 32, 32, 3]);
    const file = await io.openSafetensors(
      source(await io.saveSafetensors(await io.toPyTorch(model, variables))),
    );
    let left = 5;
    const breaking: lt.io.SafetensorsFile = {
      ...file,
      tensor: (name) => (left-- > 0 ? file.tensor(name) : Promise.reject(new lt.LetheError('io', 'gone'))),
    };
    const leaks = await lt.findLeaks(async () => {
      await expect(io.fromPyTorchFile(model, breaking)).rejects.toThrow('gone');
    });
    expect(leaks).toEqual([]);
  });
});
