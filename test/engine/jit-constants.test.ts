// Tensors that a function makes while it is traced become constants of the program; nobody else has to dispose them.
import { expect, test } from 'vitest';
import * as lt from '../../index.ts';

test('a jitted function that makes a tensor leaves nothing behind', async () => {
  await lt.close();
  await lt.init({ device: 'reference' });
  const x = lt.tensor([1, 2, 3]);
  const before = lt.memory().buffers;
  const f = lt.jit((v: lt.Tensor) => v.mul(lt.tensor([2, 3, 4])));
  const y = f(x);
  expect(await y.array()).toEqual([2, 6, 12]);
  expect(lt.memory().buffers).toBe(before + 2); // the result and the program's constant
  y.dispose();
  const again = f(x);
  expect(await again.array()).toEqual([2, 6, 12]);
  again.dispose();
  f.dispose();
  expect(lt.memory().buffers).toBe(before);
});
