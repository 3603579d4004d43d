// Lifetimes: disposal, scopes, leaks, donated arguments, shared storage, and what compiled programs hold.

import { beforeEach, expect, test } from 'vitest';
import { verifyProgram } from '../../engine/graph/verify.ts';
import * as lt from '../../index.ts';

beforeEach(() => lt.init({ device: 'reference' }));
const numbers = async (x: lt.Tensor) => Array.from(await x.data());

test('a disposed tensor is of no more use, and says so', () => {
  const x = lt.tensor([1, 2]);
  const before = lt.memory().buffers;
  x.dispose();
  x.dispose();
  expect(lt.memory().buffers).toBe(before - 1);
  expect(() => lt.add(x, 1)).toThrow('use after dispose: float32[2] has been given back');
});

test('views share memory, which lives as long as the last of them', async () => {
  const x = lt.tensor([1, 2, 3, 4]);
  const y = x.reshape([2, 2]);
  x.dispose();
  expect(await numbers(y)).toEqual([1, 2, 3, 4]);
  const before = lt.memory().bytes;
  y.dispose();
  expect(lt.memory().bytes).toBe(before - 16);
});

test('a scope disposes what it made and does not return', async () => {
  const before = lt.memory().buffers;
  const kept: lt.Tensor[] = [];
  const { out } = lt.scope(() => {
    const inner = lt.scope(() => lt.tensor([1]).add(1));
    kept.push(lt.keep(lt.tensor([7])));
    return { out: inner.mul(3), nested: new Map([['a', lt.tensor([5])]]) };
  });
  expect(await numbers(out)).toEqual([6]);
  expect(lt.memory().buffers).toBe(before + 3);
  expect(() =>
    lt.scope(() => {
      lt.ones([4]);
      throw new Error('stop');
    }),
  ).toThrow('stop');
  expect(lt.memory().buffers).toBe(before + 3);
  const late = await lt.scope(async () => {
    const a = lt.tensor([2]);
    await a.data();
    return a.mul(a);
  });
  expect(await numbers(late)).toEqual([4]);
  expect(lt.memory().buffers).toBe(before + 4);
  {
    using gone = lt.tensor([1]);
    expect(gone.size).toBe(1);
  }
  expect(lt.memory().buffers).toBe(before + 4);
  expect(kept.length).toBe(1);
});

test('derivatives and batches leave nothing behind but their results', () => {
  const x = lt.tensor([1, 2, 3]);
  const f = (t: lt.Tensor) => lt.sum(lt.exp(lt.mul(t, t)));
  const step = lt.jit(lt.grad(f));
  step(x).dispose();
  const before = lt.memory().buffers;
  for (const make of [
    () => lt.grad(f)(x),
    () => lt.vmap(lt.sin)(x),
    () => lt.vmap(lt.grad((t: lt.Tensor) => lt.mul(t, t)))(x),
    () => lt.hvp(f, [x], [x]),
    () => step(x),
  ])
    make().dispose();
  expect(lt.memory().buffers).toBe(before);
});

test('findLeaks names the line', async () => {
  const kept: lt.Tensor[] = [];
  const leaks = await lt.findLeaks(() => {
    kept.push(lt.ones([2, 3]));
    lt.tensor([1]).dispose();
    return lt.tensor([5]);
  });
  expect(leaks).toHaveLength(1);
  expect(leaks[0]).toMatchObject({ tensor: 'float32[2, 3]', bytes: 24 });
  expect(leaks[0].site).toContain('memory.test.ts');
  const w = lt.tensor([3]);
  const f = lt.jit((x: lt.Tensor) => x.mul(w));
  expect(await lt.findLeaks(() => f(lt.keep(w)).dispose())).toEqual([]);
});

test('donated arguments are disposed and their memory is used again', async () => {
  const step = lt.jit((p: lt.Tensor, g: lt.Tensor) => p.sub(g.mul(0.5)), { donate: [0] });
  const g = lt.tensor([2, 4]);
  let p = lt.tensor([1, 1]);
  const before = lt.memory().buffers;
  for (let i = 0; i < 3; i++) p = step(p, g);
  expect(await numbers(p)).toEqual([-2, -5]);
  expect(lt.memory().buffers).toBe(before);
  expect(step.program(p, g).donations).toEqual([[0, 0]]);
  verifyProgram(step.program(p, g));
  const old = p;
  p = step(p, g);
  expect(() => old.add(1)).toThrow('use after dispose');
});

test('donation never overwrites what someone else still sees', async () => {
  const step = lt.jit((p: lt.Tensor, q: lt.Tensor) => p.add(q), { donate: [0] });
  const p = lt.tensor([1, 2]);
  const view = p.reshape([2, 1]);
  expect(await numbers(step(p, lt.tensor([10, 10])))).toEqual([11, 12]);
  expect(await numbers(view)).toEqual([1, 2]);
  // The same memory as two arguments.
  const twice = lt.jit((a: lt.Tensor, b: lt.Tensor) => [a.add(1), b.flip()], { donate: [0] });
  const x = lt.tensor([1, 2]);
  const [y, z] = twice(x, x);
  expect([await numbers(y), await numbers(z)]).toEqual([
    [2, 3],
    [2, 1],
  ]);
  // Read again later, or not element for element: not reused.
  const later = lt.jit((a: lt.Tensor) => [a.mul(2), lt.cumsum(a)], { donate: [0] });
  verifyProgram(later.program(lt.tensor([1, 2])));
  expect(await Promise.all(later(lt.tensor([1, 2])).map(numbers))).toEqual([
    [2, 4],
    [1, 3],
  ]);
  const handed = lt.jit((a: lt.Tensor) => [a, a.neg()], { donate: [0] });
  expect(await Promise.all(handed(lt.tensor([1, 2])).map(numbers))).toEqual([
    [1, 2],
    [-1, -2],
  ]);
});

test('a compiled function owns its constants, and gives back everything', async () => {
  const before = lt.memory().buffers;
  const w = lt.tensor([2, 3]);
  const f = lt.jit((x: lt.Tensor) => x.mul(w));
  const x = lt.tensor([1, 1]);
  f(x).dispose();
  w.dispose();
  const y = f(x);
  expect(await numbers(y)).toEqual([2, 3]);
  for (const t of [x, y]) t.dispose();
  f.dispose();
  expect(lt.memory().buffers).toBe(before);
});

test('compiled functions tell their arguments apart', async () => {
  const f = lt.jit((x: lt.Tensor, a: string, b: string, n: number) =>
    lt.add(x, a.length * 100 + b.length + 1 / n),
  );
  const x = lt.tensor([0]);
  expect(await numbers(f(x, 'a string:"b"', 'c', 1))).toEqual([1202]);
  expect(await numbers(f(x, 'a', 'b string:c', 1))).toEqual([111]);
  expect(await numbers(f(x, '', '', 0))).toEqual([Infinity]);
  expect(await numbers(f(x, '', '', -0))).toEqual([-Infinity]);
  await lt.close();
  await lt.init({ device: 'reference' });
  expect(await numbers(f(lt.tensor([0]), 'a', 'b', 1))).toEqual([102]);
});

test('keys folded with neighbouring numbers are different keys', async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 8; seed++)
    for (let data = 0; data < 8; data++)
      seen.add(String(await numbers(lt.random.foldIn(lt.random.key(seed), data))));
  expect(seen.size).toBe(64);
});
