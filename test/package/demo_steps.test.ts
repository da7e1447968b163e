/** The steps of the demo end with a stop signal, and say what they leave. */
import { setImmediate as aTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { makeSteps } from '../../bin/cli/demo/steps.ts';

const LEFT = { left: 'What was deleted is not brought back.', hint: 'npx nightshift snapshots list' };

function stoppable() {
  const { promise, resolve } = Promise.withResolvers<string>();
  const stop = async () => {
    resolve('SIGINT');
    await aTurn();
  };
  const said: string[] = [];
  return { steps: makeSteps((line) => said.push(line), promise), stop, said };
}

test('what fails after a stop signal was interrupted, whatever it says itself', async () => {
  const { steps, stop } = stoppable();
  const broken = new Error('terminating connection due to administrator command');
  await expect(steps.run('before', () => Promise.reject(broken))).rejects.toBe(broken);
  const restoring = steps.run(
    'restore',
    async () => {
      await stop();
      expect(steps.signal.aborted).toBe(true);
      throw broken;
    },
    LEFT,
  );
  await expect(restoring).rejects.toMatchObject({
    code: 'NS_INTERRUPTED',
    message: `Stopped by SIGINT. ${LEFT.left}`,
    hint: LEFT.hint,
  });
});

test('a step that goes on to its end is done, and none begins after it', async () => {
  const { steps, stop, said } = stoppable();
  expect(await steps.run('one', () => stop().then(() => 1))).toBe(1);
  const before = [...said];
  await expect(steps.run('two', async () => expect.unreachable())).rejects.toMatchObject({
    code: 'NS_INTERRUPTED',
  });
  expect(said).toEqual(before);
  expect(steps.done).toMatchObject([{ step: 'one' }]);
});
