/** Sessions through a connection pooler, which have lost what a session of ours relies on. */
import { expect, test } from 'vitest';
import { assertSchema, migrate } from '#sql/db/migrate.ts';
import { openDb } from '#sql/db/pool.ts';
import { startScheduler } from '#workers/scheduler/scheduler.ts';
import { freshDb } from '../support/db/db.ts';
import { type PoolerMode, startPooler } from '../support/db/pooler.ts';
import { quiet } from '../support/run.ts';

const REFUSED: [PoolerMode, RegExp][] = [
  ['refuses', /unsupported startup parameter: options/],
  ['drops', /it drops the settings that a session asks for/],
  ['passes', /it says that our session is process \d+, which is \d+/],
];

test.each(REFUSED)('a pooler that %s is refused before anything is done', async (mode, message) => {
  await using db = await freshDb();
  await using pooler = await startPooler(db.url, mode);
  await using through = openDb(pooler.url, { applicationName: 'nightshift test' });
  const refused = { code: 'NS_DATABASE_POOLED', message: expect.stringMatching(message) };
  await expect(assertSchema(through)).rejects.toMatchObject(refused);
  await expect(migrate(through)).rejects.toMatchObject(refused);
  await expect(startScheduler({ url: pooler.url, log: quiet, tasks: [] })).rejects.toMatchObject(refused);
});
