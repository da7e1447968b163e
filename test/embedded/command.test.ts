/** What a short command does with the embedded server when it is interrupted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { openDb } from '#sql/db/pool.ts';
import { removeDataDir } from '../support/db/embedded_home.ts';
import { copyCluster } from '../support/db/ready_cluster.ts';
import { eventually } from '../support/eventually.ts';
import { bareEnv, runProgram } from '../support/program.ts';

const root = join(import.meta.dirname, '../..');

async function dataDirectory() {
  const dataDir = await mkdtemp(join(tmpdir(), 'nightshift-command-'));
  await copyCluster(inject('cluster'), dataDir);
  return {
    dataDir,
    [Symbol.asyncDispose]: () => removeDataDir(dataDir),
  };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  'a command that %s ends on its way stops the server that nobody else uses',
  async (signal, code) => {
    await using place = await dataDirectory();
    const env = { NIGHTSHIFT_DATA_DIR: place.dataDir };
    await using keeper = runProgram('serve.ts', [place.dataDir]);
    const url = await keeper.line();
    await using db = openDb(url, { applicationName: 'embedded command test' });
    const holder = await db.pool.connect(); // not counted as a user of the server
    await holder.query('begin; lock table app.brands');

    const program = [join(root, 'bin/nightshift.ts'), 'brands', 'list'];
    const child = spawn(process.execPath, program, {
      cwd: root,
      env: { ...bareEnv, ...env },
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    const waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock'";
    await eventually(async () => expect((await db.query(waiting)).rows).toHaveLength(1));
    keeper.child.kill('SIGTERM');
    expect(await keeper.ended()).toBe(0);
    expect((await db.query('select 1 as one')).rows).toEqual([{ one: 1 }]); // the command keeps it up
    child.kill(signal);

    expect((await ended)[0]).toBe(code);
    holder.release(true);
    await expect(db.query('select 1')).rejects.toMatchObject({ code: 'NS_DATABASE_UNREACHABLE' });
  },
);
