import { expect, test } from 'vitest';
import { atOnce } from '#connectors/kit/at_once.ts';

test('no more than allowed run at once, and after a failure nothing new begins', async () => {
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  const work = async (one: number) => {
    begun.push(one);
    most = Math.max(most, ++running);
    await new Promise((done) => setImmediate(done));
    running--;
    if (one === 4) throw new Error('four');
  };
  await atOnce(3, [1, 2, 3], work);
  await expect(atOnce(3, [4, 5, 6, 7, 8, 9, 10, 11, 12], work)).rejects.toThrow('four');
  await new Promise((done) => setTimeout(done, 20));
  expect(most).toBe(3);
  expect(begun.length).toBeLessThan(3 + 9);
});
