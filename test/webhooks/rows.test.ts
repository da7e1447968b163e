/** Deliveries that are rows themselves: whatever the way they come, they make the same tables. */
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeKeyring } from '#connectors/providers.ts';
import { followDeliveries } from '#tasks/webhooks/follow_deliveries.ts';
import { withAcorn } from '../support/acorn/provider.ts';
import { migrateAcorn } from '../support/acorn/tables.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Program, runProgram } from '../support/program.ts';
import { randomFrom } from '../support/random.ts';
import { aConnection, testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { giveSecret, type Which } from '../support/webhooks/door.ts';

const services = makeKeyring(testSealer, [], withAcorn);
const SECRET = 'acorn_of_the_test';
const BATCHES = 16;
const EVENTS = 10;

const open = (id: string, minute = 0) => ({
  ...{ id, campaign: 'c1', at: `2026-11-20T10:${String(minute % 60).padStart(2, '0')}:00Z` },
});
const batch = (n: number) => JSON.stringify(Array.from({ length: EVENTS }, (_, i) => open(`o${n}-${i}`, n)));

async function acorn(db: TestDb, name: string): Promise<Which> {
  const account = { provider: 'acorn', account: name, auth: 'key', secret: 'acorn_key_1', name };
  const { brandId, id: connectionId } = await aConnection(db, account, services);
  await giveSecret(db, { brandId, connectionId }, SECRET);
  return { brandId, connectionId };
}

async function post(url: string, { connectionId }: Which, body: string): Promise<number> {
  const headers = { 'x-acorn-signature': createHmac('sha256', SECRET).update(body).digest('hex') };
  const answer = await fetch(`${url}/webhooks/acorn/${connectionId}`, { method: 'POST', headers, body });
  await answer.body?.cancel();
  return answer.status;
}

async function follow(db: TestDb, which: Which): Promise<void> {
  for (let runs = 0; runs < 20; runs++) {
    const tally = await runTask(followDeliveries, { ...which, stream: 'acorn.opens', rows: true }, db, {
      services,
    });
    if (tally.deliveries === 0) return;
  }
}

const rows = (db: TestDb, { brandId }: Which) =>
  db.column('select id || campaign_id || opened_at from raw.acorn_opens where brand_id = $1 order by 1', [
    brandId,
  ]);

test('five times, shuffled, from eight senders, past a killed process: the same tables as one clean delivery', async () => {
  await using db = await freshDb();
  await migrateAcorn(db);
  const [clean, wild] = [await acorn(db, 'clean'), await acorn(db, 'wild')];
  const all = Array.from({ length: BATCHES }, (_, n) => batch(n));
  let web = runProgram('acorn_web.ts', [db.url]);
  let url = await web.line();
  for (const body of all) expect(await post(url, clean, body)).toBe(200);

  const random = randomFrom(7);
  const queue = Array.from({ length: 5 }, () => all)
    .flat()
    .map((body) => ({ body, at: random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ body }) => body);
  let answered = 0;
  let restarting: Promise<void> | undefined;
  const restart = async (before: Program) => {
    before.child.kill('SIGKILL');
    await before.ended();
    web = runProgram('acorn_web.ts', [db.url]);
    url = await web.line();
  };
  const sender = async () => {
    for (let body = queue.pop(); body !== undefined; body = queue.pop()) {
      // As a provider does it: what was not answered is sent again.
      while ((await post(url, wild, body).catch(() => undefined)) !== 200) await restarting;
      if (++answered === 25 || answered === 55) restarting = restart(web);
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
  await restarting;
  for (const which of [clean, wild]) await follow(db, which);
  expect(await rows(db, clean)).toHaveLength(BATCHES * EVENTS);
  expect(await rows(db, wild)).toEqual(await rows(db, clean));
  expect(await db.column('select count(*) from ops.webhook_deliveries group by connection_id')).toEqual([
    BATCHES,
    BATCHES,
  ]);
  await web[Symbol.asyncDispose]();
});

test('what of a batch cannot be understood is set aside, and the rest is loaded once', async () => {
  await using db = await freshDb();
  await migrateAcorn(db);
  const which = await acorn(db, 'acme');
  await using web = runProgram('acorn_web.ts', [db.url]);
  const url = await web.line();
  const body = JSON.stringify([open('o1'), { id: 'o2', campaign: 7, at: 'never' }]);
  for (let times = 0; times < 2; times++) expect(await post(url, which, body)).toBe(200);
  const stream = { ...which, stream: 'acorn.opens', rows: true } as const;
  expect(await runTask(followDeliveries, stream, db, { services })).toMatchObject({
    deliveries: 1,
    changed: 1,
    rejected: 1,
  });
  expect(await runTask(followDeliveries, stream, db, { services })).toMatchObject({ deliveries: 0 });
  expect(await db.column('select row_key from ops.rejected_rows')).toEqual(['o2']);
});
