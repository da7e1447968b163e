/** What the doctor does not look at, it says: lists that are cut, connections that are not asked, streams not judged. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { readConfig } from '#runtime/config.ts';
import { rejectRows } from '#sql/load/quarantine.ts';
import type { Context } from '../../bin/cli/doctor/check.ts';
import { keysWithin } from '../../bin/cli/doctor/connections.ts';
import { gapsWithin } from '../../bin/cli/doctor/gaps.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { examine, wrongOf } from '../support/doctor.ts';
import { aShop, TEST_KEYS, twoShops } from '../support/rows/factory.ts';

test('a stream that nobody reads is not quiet, and what is not judged is said', async () => {
  await using db = await freshDb();
  const [shop, held] = await twoShops(db);
  for (const day of [12, 11, 10, 9, 8])
    await db.query(
      `insert into ops.job_runs (job_id, task, brand_id, connection_id, payload, attempt, pool_id, claimed_at, started_at,
                                 finished_at, outcome, tally)
       select 1, 'sync_stream', $1, $2, '{"stream": "shopify.orders"}', 1, '', at, at, at, 'succeeded', '{"changed": 3}'
       from (select now() - make_interval(days => $3) as at) t`,
      [shop.brand.id, shop.connection.id, day],
    );
  await db.query('update app.connections set held_at = now() where id = $1', [held.connection.id]);
  const context: Context = { db, url: db.url, embedded: false, config: readConfig({}), asksProviders: false };
  expect(await gapsWithin(60_000).run(context)).toEqual([
    {
      severity: 'ok',
      evidence:
        '1 stream judged by the last 60 days; not judged: 4 streams with fewer than 5 changes, 1 held connection',
    },
  ]);
  expect(await gapsWithin(-1).run(context)).toMatchObject([
    { severity: 'warning', evidence: expect.stringContaining('0 of 1 connection') },
    { severity: 'ok' },
  ]);
});

test('what is not asked is counted, and one that does not answer keeps nobody else from being asked', async () => {
  await using db = await freshDb();
  await twoShops(db);
  await using silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  await db.query('update app.connections set base_url = $1', [
    `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
  ]);
  const config = readConfig({ NIGHTSHIFT_SECRET_KEYS: TEST_KEYS });
  const context: Context = { db, url: db.url, embedded: false, config, asksProviders: true };
  const ask = (askingMs: number, oneMs: number, askedMax: number) =>
    keysWithin({ askingMs, oneMs, askedMax }).run(context);
  const notAsked = (n: number) => ({ severity: 'warning', evidence: expect.stringContaining(`${n} of 2 `) });
  const noAnswer = { severity: 'failure', evidence: expect.stringContaining('did not answer within 0.3 s') };
  expect(await ask(60_000, 300, 200)).toMatchObject([noAnswer, noAnswer]);
  expect(await ask(60_000, 300, 1)).toMatchObject([noAnswer, notAsked(1)]);
  expect(await ask(300, 60_000, 200)).toMatchObject([notAsked(2)]);
});

test('a list that is cut says how many more there are', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aShop(db);
  await db.query(
    `insert into ops.alerts (brand_id, kind, promise, cause, hint, raised_at)
     select $1, 'night', 'promise ' || n, 'a cause', 'a hint', now() from generate_series(1, 23) n`,
    [brand.id],
  );
  await db.query(
    `insert into ops.pauses (flag, task, reason, paused_by)
     select ops.pause_flag('t' || n, null, null, null), 't' || n, 'why', 'ann' from generate_series(1, 22) n`,
  );
  await db.query(
    `insert into ops.schedules (name, task, expression, decided_to, next_slot, paused_at, paused_by, paused_reason)
     select 'quiet_' || n, 'retention', '0 2 * * *', now(), now() + interval '1 day', now(), 'ann', 'why' from generate_series(1, 21) n`,
  );
  const stream = (n: number) => ({ brandId: brand.id, connectionId: connection.id, stream: `s${n}` });
  await db.transaction(async (tx) => {
    for (let n = 0; n < 24; n++)
      await rejectRows(tx, stream(n), [{ key: '1', reason: 'strange', payload: {} }]);
  });
  const { checks } = await examine(db);
  for (const [check, more] of [
    ['open alerts', 3],
    ['pauses', 2],
    ['schedules', 1],
    ['quarantined records', 4],
  ] as const) {
    const found = wrongOf(checks, check);
    expect(found).toHaveLength(21);
    expect(found.at(-1)?.evidence).toBe(`and ${more} more`);
  }
  const status = await nightshift(['status'], { env: { DATABASE_URL: db.url } });
  expect(status.stdout).toContain('and 2 more: npx nightshift jobs pauses');
});

test('a dead job that is shown is the one whose error is told', async () => {
  await using db = await freshDb();
  await db.query(
    `select graphile_worker.add_job('odd', '{"n": 1}'), graphile_worker.add_job('odd', '{"n": 2}')`,
  );
  const [first, second] = (await db.column(
    "select job_id::text from ops.jobs where task = 'odd' order by job_id",
  )) as [string, string];
  for (const [id, error] of [
    [first, 'the first'],
    [second, 'the second'],
  ])
    await db.query('select graphile_worker.permanently_fail_jobs(array[$1::bigint], $2)', [id, error]);
  await db.query(
    `insert into ops.job_runs (job_id, task, payload, attempt, pool_id, claimed_at, started_at, finished_at, outcome)
     values ($1, 'odd', '{"n": 1}', 1, '', now(), now(), now(), 'dead'), (999, 'odd', '{"n": 1}', 1, '', now(), now(), now(), 'succeeded')`,
    [first],
  );
  expect(wrongOf((await examine(db)).checks, 'dead jobs')).toEqual([
    {
      severity: 'failure',
      evidence: expect.stringMatching(/2 odd jobs dead, 1 made good by later runs: the second/),
      mend: `npx nightshift jobs show ${second}`,
    },
  ]);
});

test('a pause of a connection names its brand', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aShop(db, { slug: 'acme' });
  await db.query(
    `insert into ops.pauses (flag, task, brand_id, connection_id, reason, paused_by)
     values (ops.pause_flag('sync_stream', null, $1, $2), 'sync_stream', $1, $2, 'why', 'ann')`,
    [brand.id, connection.id],
  );
  expect(wrongOf((await examine(db)).checks, 'pauses')).toMatchObject([
    { evidence: expect.stringContaining(`paused sync_stream of acme/${connection.name} without an end`) },
  ]);
});
