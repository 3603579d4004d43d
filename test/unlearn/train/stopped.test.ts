// Training on the CPU backend, where steps run beside JavaScript: batches are prepared while it computes, and memory given
// back early must still be alive for work that is under way. Skipped where the addon is not built.
import { beforeAll, expect, test } from 'vitest';
import * as lt from '../../../index.ts';
import { train } from '../../../unlearn/train.ts';
import { describeCpu } from '../../native/support.ts';
import { MemoryStore, stripes, tinyCnn, valuesOf } from '../problems.ts';

describeCpu('on the CPU backend', () => {
  beforeAll(() => lt.init({ device: 'cpu' }));

  test('training stopped again and again ends with the same bits', async () => {
    const input = {
      model: tinyCnn(),
      data: stripes(500),
      options: { epochs: 4, batchSize: 16, learningRate: 0.05, augment: { crop: 1, flip: true } },
      key: lt.random.key(3),
    };
    const whole = await train(input);
    const store = new MemoryStore();
    let stops = 0;
    for (;;) {
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), 3 + 7 * stops);
      try {
        const again = await train({ ...input, checkpoint: store, signal: stop.signal });
        expect(await valuesOf(again.variables)).toEqual(await valuesOf(whole.variables));
        expect(again.history).toEqual(whole.history);
        break;
      } catch (error) {
        expect((error as Error).name).toBe('AbortError');
        stops++;
      } finally {
        clearTimeout(timer);
      }
    }
    expect(stops).toBeGreaterThan(0);
  });
});
