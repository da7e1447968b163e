/** The digest of a night by mail: once, whatever is run again. */
import { expect, test } from 'vitest';
import { digestRecipients, setDigest, takeDigest } from '#sql/mail/digests.ts';
import { recipientsOf } from '#sql/mail/letters.ts';
import { sendDigest } from '#tasks/mail/send_digest.ts';
import { nightly } from '#tasks/nightly.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { aMailbox, aSender, received } from '../support/mail/mail.ts';
import { testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import {
  aNightlyBrand,
  aNightWorker,
  letNightsGoOn,
  look,
  untilNight,
  zoneAtHour,
} from '../support/schedules/nights.ts';

async function tell(db: TestDb, key: { brandId: string; connectionId: string }, to: readonly string[]) {
  await db.transaction(async (tx) =>
    setDigest(tx, testSealer, key, await recipientsOf(tx, testSealer, key.brandId, to)),
  );
}

test('each recipient gets the digest of a final night once, however often it is run', async () => {
  await using db = await freshDb();
  await using box = await aMailbox();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using _shop = brand.shop;
  const { brandId, slug, day } = brand;
  const sender = await aSender(db, box, { brandId });
  // It only sends: what it lacks keeps no figures from being final.
  await db.query("update ops.streams set feeds = '{}' where provider = 'sendgrid'");
  await tell(db, sender, ['boss@acme.example', 'ann@acme.example']);
  await using _worker = await aNightWorker(db);
  await look(db, brand.twoOClock);
  await untilNight(db, brand, 'complete');
  await eventually(async () => expect(await received(box)).toHaveLength(2));
  const letters = await received(box);
  expect(letters.map(({ to }) => to).sort()).toEqual(['ann@acme.example', 'boss@acme.example']);
  expect(letters[0]).toMatchObject({ subject: `${slug} ${day}: the figures are final` });
  const [text, html] = letters[0]?.content ?? [];
  expect(text?.value).toContain('10 USD net of 1 order');
  expect(html?.value).toContain('<pre');
  const [localDay] = await db.column('select day + 1 from ops.nights');
  await runTask(nightly, { brandId, localDay: String(localDay) }, db);
  expect(await runTask(sendDigest, { brandId, day }, db)).toEqual({ letters: 0 });
  await db.query("update ops.nights set state = 'provisional', look_at = now()");
  await untilNight(db, brand, 'complete');
  expect(await received(box)).toHaveLength(2);
  expect(await db.column('select content from ops.mail')).toEqual([null, null]);
});

test('a night that is not final by its deadline says so in its digest, and is not told again when it is', async () => {
  await using db = await freshDb();
  await using box = await aMailbox();
  const brand = await aNightlyBrand(db, zoneAtHour(12));
  await using shop = brand.shop;
  const sender = await aSender(db, box, { brandId: brand.brandId });
  await db.query("update ops.streams set feeds = '{}' where provider = 'sendgrid'");
  await tell(db, sender, ['boss@acme.example']);
  await db.query(`update app.brands set complete_by = '18:00'`);
  await shop.faults({ kind: 'revoked_key', count: 0 });
  await using _worker = await aNightWorker(db);
  await look(db, brand.twoOClock);
  await untilNight(db, brand, 'provisional');
  expect(await db.column('select id from ops.mail')).toEqual([]);
  await db.query('update ops.nights set deadline_at = now()');
  await eventually(async () => {
    await letNightsGoOn(db);
    expect(await received(box)).toHaveLength(1);
  });
  expect(await received(box)).toMatchObject([{ subject: expect.stringContaining('not final yet') }]);
  await shop.faults();
  await db.query('update app.connections set held_at = null, held_code = null, held_reason = null');
  await db.query('select ops.release_jobs(brand_id, id) from app.connections');
  await untilNight(db, brand, 'complete');
  await letNightsGoOn(db);
  expect(await received(box)).toHaveLength(1);
});

test('nobody is told of a brand that told nobody', async () => {
  await using db = await freshDb();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using _shop = brand.shop;
  await using _worker = await aNightWorker(db);
  await look(db, brand.twoOClock);
  await untilNight(db, brand, 'complete');
  expect(await db.column('select digest_at from ops.nights')).toEqual([null]);
  expect(await runTask(sendDigest, { brandId: brand.brandId, day: brand.day }, db)).toEqual({ letters: 0 });
});

test('nights of long before somebody asked for digests are not told, and a digest has its language', async () => {
  await using db = await freshDb();
  const sender = await aSender(db, { url: 'http://127.0.0.1:9' });
  const { brandId } = sender;
  const days = ['2026-03-01', '2026-03-02'];
  for (const [hours, day] of [
    [25, days[0]],
    [23, days[1]],
  ])
    await db.query(
      `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at, look_at)
       select $1, $2, 'complete', at, at, at, at from (select now() - make_interval(hours => $3) as at) t`,
      [brandId, day, hours],
    );
  const recipients = await recipientsOf(db, testSealer, brandId, ['boss@acme.example']);
  await db.transaction((tx) => setDigest(tx, testSealer, sender, recipients, 'de'));
  const told = days.map((day) => db.transaction((tx) => takeDigest(tx, { brandId, day }, new Date())));
  expect(await Promise.all(told)).toEqual([false, true]);
  expect(await digestRecipients(db, brandId)).toMatchObject([{ language: 'de' }]);
});
