import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { runProgram } from '../support/program.ts';
import { add, runs } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';

const FOR_EVER_MS = 3_600_000;

test('a process whose event loop stands still for too long says so and is killed', async () => {
  const program = join(import.meta.dirname, '../support/programs/stand_still.ts');
  const child = spawn(process.execPath, [program, '1', String(FOR_EVER_MS)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [[, signal], log] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
  expect(signal).toBe('SIGKILL');
  expect(JSON.parse(log)).toMatchObject({
    ...{ level: 'fatal', process: 'worker', pid: child.pid, code: 'NS_WORKER_STALLED' },
    ...{ time: expect.any(String), error: expect.stringContaining('1 s'), msg: 'the worker ends' },
  });
});

test('one that stands still for less, if often, is left alone', async () => {
  await using program = runProgram('stand_still.ts', ['30', '1000', '1000']);
  expect([await program.line(), await program.line()]).toEqual(['ready', 'alive']);
  program.child.kill('SIGTERM');
  expect(await program.ended()).toBe(0);
});

// Its lock is still its own, if the server has not found it gone; and if it has, the fence refuses it.
test('one that was stopped for longer than the limit and woke up is left alone', async () => {
  await using program = runProgram('stand_still.ts', ['5']);
  expect([await program.line(), await program.line()]).toEqual(['ready', 'alive']);
  program.child.kill('SIGSTOP');
  await sleep(6_000);
  program.child.kill('SIGCONT');
  await sleep(2_000);
  program.child.kill('SIGTERM');
  expect(await program.ended()).toBe(0);
});

test('the job of a worker that stands still runs elsewhere, with a crash on its record', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using still = runProgram('queue_worker.ts', [db.url, '10', '2']);
  expect(await still.line()).toBe('ready');
  await add(db, effect, { label: 'a', stallMs: FOR_EVER_MS });
  expect(await still.line()).toBe('begun a');
  await using heir = runProgram('queue_worker.ts', [db.url]);
  expect(await heir.line()).toBe('ready');
  expect(await still.ended()).toBe('SIGKILL');
  expect(await heir.line()).toBe('begun a');
  await eventually(async () =>
    expect(await runs(db)).toMatchObject([{ attempt: 1, outcome: 'crashed', error_code: 'NS_WORKER_DIED' }]),
  );
});

test('a worker that must stop while it stands still ends within the time that a stop may take', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using worker = runProgram('queue_worker.ts', [db.url, '0', '3600']);
  expect(await worker.line()).toBe('ready');
  await add(db, effect, { label: 'a', stallMs: FOR_EVER_MS });
  expect(await worker.line()).toBe('begun a');
  worker.child.kill('SIGTERM');
  expect(await worker.ended()).toBe('SIGKILL');
});
