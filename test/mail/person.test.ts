/** A person who is erased gets no letter any more, and what was sent names nobody. */
import { expect, test } from 'vitest';
import { setDigest } from '#sql/mail/digests.ts';
import { recipientsOf } from '#sql/mail/letters.ts';
import { storeRequest } from '#sql/privacy/requests.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { aroundTransactions } from '../support/db/around.ts';
import { freshDb } from '../support/db/db.ts';
import { dumpOf } from '../support/db/dump.ts';
import { aMailbox, aSender, dying, received, runLetter } from '../support/mail/mail.ts';
import { askErasure } from '../support/privacy/ask.ts';
import { ACCOUNT } from '../support/providers/sendgrid.ts';
import { testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

test('letters of an erased person go, those that wait too, and events keep their token only', async () => {
  await using box = await aMailbox(
    {},
    { accounts: { [ACCOUNT]: { scopes: ['mail.send', 'user.username.read'] } } },
  );
  await using db = await freshDb();
  const [sender, other] = [await aSender(db, box), await aSender(db, box)];
  const { brandId, connectionId } = sender;
  const [sent = '', waiting = '', uncertain = ''] = [
    ...(await sender.queue()),
    ...(await sender.queue()),
    ...(await sender.queue()),
  ];
  await other.queue();
  await runLetter(db, sent);
  await runLetter(db, uncertain, dying('before the request'));
  await sender.age(3);
  await runLetter(db, uncertain);
  const hash = await sender.hash('ann@example.com');
  await db.query(
    `insert into raw.sendgrid_events (brand_id, connection_id, id, event, happened_at, email_hash, categories, parts, is_machine,
       source, payload, changed_at, seen_at)
     values ($1, $2, 'e', 'delivered', now(), $3, '{}', '{}', false, 'webhook',
       jsonb_build_object('ns_mail', $4::text, 'ns_recipient', $3::text), now(), now())`,
    [brandId, connectionId, hash, sent],
  );
  await db.query(
    `insert into raw.sendgrid_unsubscribes (brand_id, connection_id, id, email_hash, created_at, changed_at, seen_at)
     values ($1, $2, $3 || ' 1', $3, now(), now(), now())`,
    [brandId, connectionId, hash],
  );
  await db.transaction(async (tx) =>
    setDigest(tx, testSealer, sender, await recipientsOf(tx, testSealer, brandId, ['ann@example.com'])),
  );
  const { id: request } = await db.transaction((tx) =>
    storeRequest(tx, testSealer, {
      ...{ brandId, connectionId: null, kind: 'erase_person', subject: {}, source: 'operator', dueDays: 30 },
      person: { email: 'ann@example.com' },
    }),
  );
  await runTask(privacyErase, { brandId, request }, db);
  const rows = (await dumpOf(db)).filter((row) => row.includes(brandId));
  expect(rows.filter((row) => row.includes(hash) || row.includes('ann@'))).toEqual([]);
  expect(await sender.letters()).toEqual([]);
  expect(await runLetter(db, waiting)).toMatchObject({ tally: { skipped: 'it is gone' } });
  expect(await db.column("select payload from raw.sendgrid_events where id = 'e'")).toEqual([
    { erased: true, ns_mail: sent },
  ]);
  expect(await db.column('select resolved_at is not null from ops.alerts')).toEqual([true]);
  expect(await other.letters()).toEqual([{ state: 'queued' }]);
  expect(await received(box)).toHaveLength(1);

  // A letter of later bears no digest either, and who had unsubscribed stays suppressed.
  const [later = ''] = await sender.queue();
  expect(await sender.letters('recipient_hash')).toEqual([
    { recipient_hash: expect.stringMatching(/^erased:/) },
  ]);
  expect(await runLetter(db, later)).toMatchObject({ tally: { state: 'suppressed' } });
  expect(await received(box)).toHaveLength(1);
});

test('a letter that is stored while its person is erased goes too, under either name', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const { brandId, connectionId } = sender;
  const hash = await sender.hash('ann@example.com');
  const request = await askErasure(db, { brandId, connectionId: null }, { email: 'ann@example.com' });
  let isQueued = false;
  const meddling = aroundTransactions(db, async (transaction) => {
    const result = await transaction();
    const [at] = await db.column("select progress->>'at' from ops.privacy_requests");
    if (at === 'mail' && !isQueued) {
      isQueued = true;
      await sender.queue();
      await db.query(
        "insert into ops.mail (brand_id, connection_id, template, recipient_hash) values ($1, $2, 'notice', $3)",
        [brandId, connectionId, hash],
      );
    }
    return result;
  });
  const run = (on: typeof db) => runTask(privacyErase, { brandId, request }, on, { control: db });
  await expect(run(meddling)).rejects.toMatchObject({ code: 'NS_PERSON_LEFT' });
  expect(await db.column("select proof->'found' from ops.privacy_requests")).toEqual([{ 'ops.mail': 2 }]);
  await run(db);
  expect(await sender.letters()).toEqual([]);
});
