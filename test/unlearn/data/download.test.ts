import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { download, extractTarGz, getRemote } from '../../../unlearn/data/readers/download.ts';
import { records } from '../../../unlearn/data/sets/index.ts';
import type { DatasetRecord } from '../../../unlearn/data/sets/record.ts';
import { sha256 } from '../../../unlearn/sha256.ts';
import { refuses, scratch } from './helpers.ts';

const data = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 3));
const sum = sha256(data);
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that answers with `handle`; its address, and the Range headers it was sent. */
async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    handle(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, ranges };
}

/** Answers Range as RFC 9110 says. */
function ranged(body: Buffer) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? -1);
    if (from >= body.length) response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    else if (from >= 0) {
      response.writeHead(206, {
        'content-range': `bytes ${from}-${body.length - 1}/${body.length}`,
        'content-length': body.length - from,
      });
      response.end(body.subarray(from));
    } else response.writeHead(200, { 'content-length': body.length }).end(body);
  };
}

describe('download', () => {
  it('brings a file, and does not bring it twice', async () => {
    const { url, ranges } = await serve(ranged(data));
    const path = join(await scratch(), 'deep', 'file.bin');
    const seen: number[] = [];
    const options = {
      urls: [`${url}file.bin`],
      sha256: sum,
      path,
      onProgress: (_: string, bytes: number) => seen.push(bytes),
    };
    expect(await download(options)).toBe('downloaded');
    expect(await readFile(path)).toEqual(data);
    expect(seen.at(-1)).toBe(data.length);
    expect(await download(options)).toBe('present');
    expect(ranges.length).toBe(1);
    expect(await readdir(join(path, '..'))).toEqual(['file.bin']);
  });

  it('takes up what an earlier try left', async () => {
    const { url, ranges } = await serve(ranged(data));
    const folder = await scratch({ 'file.bin.part': data.subarray(0, 100_000) });
    await download({ urls: [url], sha256: sum, path: join(folder, 'file.bin') });
    expect(ranges).toEqual(['bytes=100000-']);
    expect(await readFile(join(folder, 'file.bin'))).toEqual(data);
  });

  it('goes on by itself when the connection breaks', async () => {
    let calls = 0;
    const { url, ranges } = await serve((request, response) => {
      if (calls++ > 0) return ranged(data)(request, response);
      response.writeHead(200, { 'content-length': data.length });
      response.write(data.subarray(0, 200_000), () => setTimeout(() => response.destroy(), 50));
    });
    const path = join(await scratch(), 'f');
    await download({ urls: [url], sha256: sum, path });
    expect(ranges.length).toBe(2);
    expect(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1])).toBeGreaterThan(0);
    expect(await readFile(path)).toEqual(data);
  });

  it('starts over when the server knows no Range, or the part is of something else', async () => {
    const whole = await serve((_, response) => response.end(data));
    const folder = await scratch({
      'f.part': data.subarray(0, 5),
      'g.part': 'something else',
      'h.part': Buffer.alloc(400_000),
    });
    await download({ urls: [whole.url], sha256: sum, path: join(folder, 'f') });
    const { url } = await serve(ranged(data));
    await download({ urls: [url], sha256: sum, path: join(folder, 'g') });
    await download({ urls: [url], sha256: sum, path: join(folder, 'h') });
    for (const name of ['f', 'g', 'h']) expect(await readFile(join(folder, name))).toEqual(data);
    expect((await readdir(folder)).sort()).toEqual(['f', 'g', 'h']);
  });

  it('tries the next place when one fails', async () => {
    const broken = await serve((_, response) => response.writeHead(404).end());
    const good = await serve(ranged(data));
    const path = join(await scratch(), 'f');
    await download({ urls: [broken.url, good.url], sha256: sum, path });
    expect(await readFile(path)).toEqual(data);
  });

  it('throws away what has the wrong sha256, keeps the part when the server fails, stops when told', async () => {
    const folder = await scratch({ 'g.part': data.subarray(0, 10) });
    const wrong = await serve((_, response) => response.end('tampered'));
    await refuses(
      () => download({ urls: [wrong.url], sha256: sum, path: join(folder, 'f') }),
      'data',
      /^f: download: expected sha256 [0-9a-f]{64}, found another/,
    );
    const gone = await serve((_, response) => response.writeHead(503).end());
    await refuses(
      () => download({ urls: [gone.url], sha256: sum, path: join(folder, 'g') }),
      'io',
      /^could not download g: .*the server answered 503$/,
    );
    expect(await readdir(folder)).toEqual(['g.part']);
    const signal = AbortSignal.abort();
    await refuses(
      () => download({ urls: [gone.url], sha256: sum, path: join(folder, 'h'), signal }),
      'io',
      /^download of h stopped$/,
    );
    await refuses(
      () => download({ urls: ['http://127.0.0.1:1/'], sha256: sum, path: join(folder, 'i') }),
      'io',
      /^could not download i/,
    );
  });
});

/** A tar of ustar entries: name, content, type. */
function tar(entries: [string, Buffer, string?][]): Buffer {
  const blocks = entries.flatMap(([name, content, type = '0']) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 'latin1');
    header.write(content.length.toString(8).padStart(11, '0'), 124, 'latin1');
    header.write(type, 156, 'latin1');
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

describe('get', () => {
  it('downloads, unpacks the files wanted and nothing else', async () => {
    const archive = gzipSync(
      tar([
        ['set/', Buffer.alloc(0), '5'],
        ['set/a.bin', Buffer.from('A'.repeat(700))],
        ['../../../evil.bin', Buffer.from('evil')],
        ['set/link', Buffer.from(''), '2'],
        ['/abs/b.bin', Buffer.from('B')],
      ]),
    );
    const { url } = await serve((request, response) =>
      request.url === '/x.tar.gz' ? ranged(archive)(request, response) : response.writeHead(404).end(),
    );
    const dir = await scratch();
    const remote = {
      page: '',
      bases: [url],
      files: [{ name: 'x.tar.gz', sha256: sha256(archive), extract: ['a.bin', 'b.bin'] }],
    };
    const folder = await getRemote('set', remote, { dir });
    expect((await readdir(folder)).sort()).toEqual(['a.bin', 'b.bin', 'x.tar.gz']);
    expect((await readFile(join(folder, 'a.bin'), 'utf8')).length).toBe(700);
    await getRemote(
      'set',
      { ...remote, bases: ['http://nowhere.invalid/'] },
      { dir, bases: [url.slice(0, -1)] },
    );
  });

  it('refuses archives that lie or lack something', async () => {
    const folder = await scratch();
    const path = join(folder, 'x.tar.gz');
    const lying = tar([['a', Buffer.from('a')]]);
    lying.write('77777777777', 124, 'latin1');
    const cases: [Buffer, RegExp][] = [
      [gzipSync(tar([['a', Buffer.from('a')]])), /x.tar.gz: lacks b$/],
      [gzipSync(lying), /byte 0 of the tar: an entry is longer than the archive/],
      [Buffer.from('no gzip'), /damaged or too large gzip stream/],
    ];
    for (const [bytes, line] of cases) {
      await writeFile(path, bytes);
      await refuses(() => extractTarGz(path, ['a', 'b'], folder), 'data', line);
    }
  });

  it('knows a sha256 for every public file, and only https or checked http', () => {
    for (const { remote } of Object.values<DatasetRecord>(records)) {
      if (remote === undefined) continue;
      expect(remote.bases.every((base) => /^https?:\/\/.*\/$/.test(base))).toBe(true);
      for (const file of remote.files) expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
      for (const known of Object.values(remote.published ?? {})) expect(known).toMatch(/^[0-9a-f]{64}$/);
    }
  });
});
