import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runProgram } from '../support/program.ts';

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} is told to whoever waits, and the process ends in its own way`, async () => {
    await using program = runProgram('stop.ts');
    expect(await program.line()).toBe('ready');
    program.child.kill(signal);
    expect(await program.line()).toBe(signal);
    expect(await program.ended()).toBe(0);
  });
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`a second ${signal} ends a process at once that takes long to stop`, async () => {
    await using program = runProgram('stop.ts', ['slow']);
    await program.line();
    program.child.kill('SIGTERM');
    expect(await program.line()).toBe('SIGTERM');
    await sleep(1_200);
    program.child.kill(signal);
    expect(await program.ended()).toBe(code);
  });
}

// Ctrl-C below `npm run` arrives twice: from the terminal and once more from npm.
test('the echo of the first signal is not a second wish', async () => {
  await using program = runProgram('stop.ts');
  await program.line();
  program.child.kill('SIGINT');
  program.child.kill('SIGINT');
  expect(await program.line()).toBe('SIGINT');
  expect(await program.ended()).toBe(0);
});
