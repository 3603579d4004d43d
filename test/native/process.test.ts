// The bare addon in processes of their own: what keeps one alive, and that none dies with a worker that ends while it is
// inside the addon.

import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { encode } from '../../native/encode.ts';
import { addonPath, describeCpu, increment } from './support.ts';

const load = `const { Runtime } = require(${JSON.stringify(addonPath)});`;

const run = (code: string) =>
  new Promise<{ code: number | string | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, ['-e', load + code], { stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { out: '', err: '' };
    for (const [to, from] of [['out', child.stdout] as const, ['err', child.stderr] as const])
      from.on('data', (d) => {
        text[to] += d;
      });
    child.on('close', (exit, signal) => resolve({ code: exit ?? signal, ...text }));
  });

// Twenty passes over 8 MB, enqueued.
const words = JSON.stringify([...encode(increment(2_000_000, true))]);
const busy = `
  const cpu = new Runtime(2);
  const p = cpu.compile('test', Float64Array.from(${words})), x = cpu.allocate(8e6);
  cpu.write(x, new Float32Array(2e6));
  for (let k = 0; k < 20; k++) cpu.run(p, Uint32Array.of(x, x), 2);`;

describeCpu('a process', () => {
  it('waits for what is awaited, then exits by itself', async () => {
    const got = await run(`${busy} cpu.read(x, 12).then((a) => console.log(new Float32Array(a)[2]));`);
    expect(got).toEqual({ code: 0, out: '20\n', err: '' });
  });

  it('exits with work enqueued that nobody waits for, and after close', async () => {
    expect(await run(busy)).toEqual({ code: 0, out: '', err: '' });
    expect(await run(`${busy} cpu.sync().then(() => cpu.close());`)).toEqual({ code: 0, out: '', err: '' });
    expect(await run(`${busy} process.exit(3);`)).toEqual({ code: 3, out: '', err: '' });
  });

  it('keeps a runtime that nobody holds until its promises are settled', async () => {
    const got = await run(`
      require('node:v8').setFlagsFromString('--expose-gc');
      const gc = require('node:vm').runInNewContext('gc');
      (() => { ${busy} cpu.read(x, 4).then((a) => console.log(new Float32Array(a)[0])); })();
      for (let k = 0; k < 3; k++) gc();`);
    expect(got).toEqual({ code: 0, out: '20\n', err: '' });
  });
});

// Each counts its calls, so that the main thread knows that it is among them; it stops the worker somewhere there.
const loops = {
  'calls of every kind': `
    const r = new Runtime(2), data = new Float32Array(1024);
    for (;;) {
      const b = r.allocate(4096);
      r.write(b, data);
      r.memory();
      r.read(b, 4096).catch(() => {});
      r.sync().catch(() => {});
      r.free(b);
      count();
    }`,
  'errors of calls': `
    const r = new Runtime(1);
    for (;;) {
      try { r.free(7); } catch {}
      count();
    }`,
  'runtimes opened and closed': `
    for (;;) {
      new Runtime(2).close();
      count();
    }`,
  'work and answers': `
    ${busy}
    (async () => {
      for (;;) {
        for (let k = 0; k < 5; k++) cpu.run(p, Uint32Array.of(x, x), 2);
        count();
        await cpu.read(x, 4);
      }
    })();`,
};

/** Defines `worker`: starts one, and resolves to it when it has counted to n or has ended. */
const workers = `
  const { Worker } = require('node:worker_threads');
  const worker = (code, n) => new Promise((resolve, reject) => {
    const counted = new Int32Array(new SharedArrayBuffer(4));
    const head = 'const { workerData } = require("node:worker_threads");' +
      'const count = () => { Atomics.add(workerData, 0, 1); };' + ${JSON.stringify(load)};
    const w = new Worker(head + code, { eval: true, workerData: counted });
    w.on('error', reject);
    const look = setInterval(() => { if (Atomics.load(counted, 0) >= n) done(); }, 1);
    const done = () => { clearInterval(look); resolve(w); };
    w.on('exit', done);
  });`;

describeCpu('a worker that ends inside the addon leaves the process alive', () => {
  const fine = { code: 0, out: 'done\n', err: '' };

  it.each(Object.entries(loops))('terminated among %s', async (_, code) => {
    const each = `
      (async () => {
        for (let n = 1; n <= 12; n++) await (await worker(${JSON.stringify(code)}, n)).terminate();
        console.log('done');
      })();`;
    expect(await run(workers + each)).toEqual(fine);
  });

  it('stopped by the exit of the process', async () => {
    const all = JSON.stringify(Object.values(loops));
    const exit = `
      Promise.all(${all}.map((code, n) => worker(code, n + 1))).then(() => {
        require('node:fs').writeSync(1, 'done\\n');
        process.exit(0);
      });`;
    for (let k = 0; k < 4; k++) expect(await run(workers + exit)).toEqual(fine);
  });

  it('exiting by itself', async () => {
    const code = `${busy} cpu.read(x, 4).catch(() => {}); process.exit(0);`;
    const each = `
      (async () => {
        for (let k = 0; k < 4; k++) await worker(${JSON.stringify(code)}, 1);
        console.log('done');
      })();`;
    expect(await run(workers + each)).toEqual(fine);
  });
});
