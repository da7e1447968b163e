/** What the outbox asks does not cost more because there are many events and letters, whatever PostgreSQL knows of them. */
import { expect, test } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { toldByEvent } from '#sql/mail/attempts.ts';
import { suppressionsOf } from '#sql/mail/letters.ts';
import { findLetter, listLetters } from '#sql/mail/list.ts';
import { freshDb } from '../support/db/db.ts';
import { forgetStatistics, keepStatisticsAsTheyAre, visitsOf } from '../support/db/visits.ts';
import { aSender } from '../support/mail/mail.ts';

const MANY = 3_000;
/** A page of fifty letters and the ways to them. */
const VISITS_MAX = 1_500;

const within = (tx: Tx) => ({ transaction: <T>(fn: (inner: Tx) => Promise<T>) => fn(tx) });

test('letters, their events and suppressions are found by their keys', async () => {
  await using db = await freshDb();
  await keepStatisticsAsTheyAre(db);
  const [sender, other] = [
    await aSender(db, { url: 'http://127.0.0.1:9' }),
    await aSender(db, { url: 'http://127.0.0.1:9' }),
  ];
  await db.query('analyze');
  for (const { brandId, connectionId } of [sender, other]) {
    await db.query(
      `insert into ops.mail (brand_id, connection_id, state, template, recipient_hash, queued_at)
       select $1, $2, 'sent', 'notice', md5(n::text), now() - make_interval(secs => n) from generate_series(1, ${MANY}) n`,
      [brandId, connectionId],
    );
    await db.query(
      `insert into raw.sendgrid_events (brand_id, connection_id, id, event, happened_at, categories, parts, is_machine,
         source, payload, changed_at, seen_at)
       select brand_id, connection_id, id::text, 'delivered', now(), '{}', '{}', false, 'webhook',
         jsonb_build_object('ns_mail', id), now(), now() from ops.mail where brand_id = $1`,
      [brandId],
    );
    await db.query(
      `insert into raw.sendgrid_bounces (brand_id, connection_id, id, email_hash, created_at, changed_at, seen_at)
       select $1, $2, n::text, md5(n::text), now(), now(), now() from generate_series(1, ${MANY}) n`,
      [brandId, connectionId],
    );
  }
  const { brandId, connectionId } = sender;
  const key = { brandId, connectionId };
  const [{ id, hash } = { id: '', hash: '' }] = await db.rows<{ id: string; hash: string }>(
    'select id, recipient_hash as hash from ops.mail where brand_id = $1 limit 1',
    [brandId],
  );
  const works: Record<string, (tx: Tx) => Promise<unknown>> = {
    list: (tx) => listLetters(within(tx), { brandId, max: 50 }),
    'list of a connection': (tx) => listLetters(within(tx), { ...key, max: 50 }),
    'list to somebody': (tx) => listLetters(within(tx), { brandId, recipient: hash, max: 50 }),
    'a letter': (tx) => listLetters(within(tx), { ...key, id, max: 1 }),
    find: (tx) => findLetter(within(tx), id),
    event: (tx) => toldByEvent(tx, { ...key, mailId: id }),
    suppressions: (tx) => suppressionsOf(tx, key, [hash]),
  };
  const costs: Record<string, Record<string, number>> = {};
  const look = async (statistics: string) => {
    for (const [name, work] of Object.entries(works))
      costs[name] = { ...costs[name], [statistics]: await visitsOf(db, work) };
  };
  await look('stale');
  await forgetStatistics(db);
  await look('absent');
  await db.query('analyze');
  await look('fresh');
  if (process.env.SHOW) console.log(costs);
  for (const [name, found] of Object.entries(costs))
    expect(Math.max(...Object.values(found)), `${name} ${JSON.stringify(found)}`).toBeLessThan(VISITS_MAX);
});
