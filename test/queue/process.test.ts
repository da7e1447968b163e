/** bin/worker.ts as the Procfile starts it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { emptyDb, freshDb } from '../support/db/db.ts';
import { ownPostgres } from '../support/db/own_postgres.ts';
import { eventually } from '../support/eventually.ts';
import { bareEnv } from '../support/program.ts';
import { aConnection } from '../support/rows/factory.ts';

const root = join(import.meta.dirname, '../..');

/** Runs it until it ends; `meanwhile` gets what sends it a signal. */
async function runWorker(
  databaseUrl: string,
  meanwhile: (kill: (signal: NodeJS.Signals) => void) => Promise<void> = async () => {},
  [program, ...args]: [string, ...string[]] = [process.execPath, join(root, 'bin/worker.ts')],
) {
  const dataDir = await mkdtemp(join(tmpdir(), 'nightshift-worker-'));
  const child = spawn(program, args, {
    cwd: root,
    env: { ...bareEnv, DATABASE_URL: databaseUrl, NIGHTSHIFT_DATA_DIR: dataDir },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [ended, log] = [once(child, 'exit'), text(child.stderr)];
  try {
    await meanwhile((signal) => child.kill(signal));
    const [code] = await ended;
    return { code, log: await log };
  } finally {
    child.kill('SIGKILL');
    await rm(dataDir, { recursive: true });
  }
}

test('a worker says that it is ready, and ends with 0 when it is told to stop', async () => {
  await using db = await freshDb();
  const { code, log } = await runWorker(db.url, async (kill) => {
    await eventually(async () => expect(await db.column('select id from ops.workers')).toHaveLength(1));
    kill('SIGTERM');
  });
  expect({ code, log }).toMatchObject({ code: 0, log: expect.stringContaining('worker ready') });
  expect(await db.column('select ended_how from ops.workers')).toEqual(['stopped']);
});

test('told to stop through npm, as the Procfile starts it, it hears that, and npm ends as it did', async () => {
  await using db = await freshDb();
  const stop = async (kill: (signal: NodeJS.Signals) => void) => {
    await eventually(async () => expect(await db.column('select id from ops.workers')).toHaveLength(1));
    kill('SIGTERM');
  };
  const { code } = await runWorker(db.url, stop, ['npm', 'run', '--silent', 'worker']);
  expect(code).toBe(0);
  expect(await db.column('select ended_how from ops.workers')).toEqual(['stopped']);
});

test('a worker on a database without our schema ends with 1 and says what to type', async () => {
  await using db = await emptyDb();
  const { code, log } = await runWorker(db.url);
  expect(code).toBe(1);
  expect(log).toContain('npx nightshift migrate');
});

test('a worker whose keys open no stored secret ends with 1, instead of holding every connection', async () => {
  await using db = await freshDb();
  await aConnection(db);
  const { code, log } = await runWorker(db.url); // in a data directory of its own, it has keys of its own
  expect(code).toBe(1);
  expect(log).toMatch(/"code":"NS_SECRET_KEYS_FOREIGN".*"msg":"the worker ends"/);
  expect(await db.column('select id from ops.workers')).toEqual([]);
});

test('a worker that finds no server ends with 69', async () => {
  const { code, log } = await runWorker('postgres://127.0.0.1:1/nowhere');
  expect(code).toBe(69);
  expect(log).toContain('NS_DATABASE_UNREACHABLE');
});

test('a worker that is stopped while PostgreSQL is away ends with 1 and says what it left undone', async () => {
  await using postgres = await ownPostgres();
  const { db } = postgres;
  const { code, log } = await runWorker(db.url, async (kill) => {
    await eventually(async () => expect(await db.column('select id from ops.workers')).toHaveLength(1));
    await postgres.stop('immediate');
    kill('SIGTERM');
  });
  expect(code).toBe(1);
  expect(log).toMatch(/"code":"NS_JOBS_LEFT_BEHIND".*"msg":"the worker ends"/);
});

test('an environment that cannot be used is named, and ends it with 1', async () => {
  const { code, log } = await runWorker('mysql://wrong');
  expect(code).toBe(1);
  expect(log).toContain('NS_CONFIG');
});
