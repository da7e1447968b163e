/** What comes to a letter from several sides: an event, an operator, an erasure, another key. */
import { expect, test } from 'vitest';
import { digestRecipients, setDigest } from '#sql/mail/digests.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { examine, wrongOf } from '../support/doctor.ts';
import { aMailbox, aSender, dying, mailing, push, received, runLetter } from '../support/mail/mail.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { ACCOUNT } from '../support/providers/sendgrid.ts';
import { TEST_KEYS, testSealer } from '../support/rows/factory.ts';

const onSend = { on: 'sendgrid', match: 'mail/send' };
const limited = { kind: 'status', status: 429, resetSeconds: 1, ...onSend };

async function mail(db: TestDb, ...args: string[]) {
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  return (await nightshift(['mail', ...args, '--json'], { env })).json();
}

test('who is erased gets neither a letter nor a digest', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  await db.query("update ops.mail set recipient_hash = 'erased:1'");
  expect(await runLetter(db, id)).toMatchObject({
    tally: { state: 'suppressed', reason: 'the person is erased' },
  });
  const recipients = [
    { to: 'ann@example.com', hash: 'erased:1' },
    { to: 'bob@example.com', hash: 'b' },
  ];
  await db.transaction((tx) => setDigest(tx, testSealer, sender, recipients));
  expect(await digestRecipients(db, sender.brandId)).toMatchObject([{ hash: 'b' }]);
  expect(await received(box)).toEqual([]);
});

test('a letter that is queued again is not sent if an event tells that it arrived', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [waiting = '', failed = ''] = [...(await sender.queue()), ...(await sender.queue())];
  await setFaults(box, { ...limited, count: 2 });
  for (const id of [waiting, failed]) {
    expect(await runLetter(db, id)).toMatchObject({ outcome: 'snoozed' });
    await push(db, sender, id);
  }
  expect(await runLetter(db, waiting)).toMatchObject({ tally: { state: 'sent', told_by: 'event' } });
  await db.query("update ops.mail set state = 'failed', ended_at = now() where id = $1", [failed]);
  expect(await mail(db, 'retry', failed)).toEqual([{ id: failed, state: 'sent' }]);
  expect(await sender.letters('told_by, content')).toEqual([
    { told_by: 'event', content: null },
    { told_by: 'event', content: null },
  ]);
  expect(await received(box)).toEqual([]);
});

test('a letter that is found while an operator queues it again is not sent again', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  await runLetter(db, id, dying('after the request'));
  await sender.age(121);
  const meanwhile = mailing(({ lookUp }) => ({
    async lookUp(context, sought) {
      await db.query("update ops.mail set state = 'queued'");
      return lookUp(context, sought);
    },
  }));
  expect(await runLetter(db, id, meanwhile)).toMatchObject({ tally: { state: 'sent', told_by: 'log' } });
  expect(await sender.letters('state, told_by')).toEqual([{ state: 'sent', told_by: 'log' }]);
  expect(await received(box)).toHaveLength(1);
});

test('the log of another account proves nothing', async () => {
  await using box = await aMailbox({}, { accounts: { [ACCOUNT]: {}, other: {} } });
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  await runLetter(db, id, dying('before the request'));
  await sender.age(121);
  await db.query("update app.connections set account = 'other', account_asked_at = null");
  const looked = mailing(() => ({ lookUp: () => Promise.reject(new TypeError('the log was asked')) }));
  expect(await runLetter(db, id, looked)).toMatchObject({ error: { code: 'NS_ACCOUNT_DIFFERS' } });
  expect(await sender.letters()).toEqual([{ state: 'sending' }]);
});

test('a letter on its way whose job is gone is looked up once an operator asks for it', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  await runLetter(db, id, dying('after the request'));
  await sender.age(121);
  await db.query("delete from graphile_worker._private_jobs where payload ->> 'mailId' = $1", [id]);
  expect(await mail(db, 'retry', id)).toEqual([{ id, state: 'sending' }]);
  expect(await runLetter(db, id)).toMatchObject({ tally: { state: 'sent', told_by: 'log' } });
  expect(await received(box)).toHaveLength(1);
});

test('a letter that has waited for three days is not sent unless an operator wants it', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  // However lately it was tried.
  await db.query(
    "update ops.mail set queued_at = now() - interval '73 hours', sending_at = now(), attempts = 1",
  );
  expect(wrongOf((await examine(db)).checks, 'mail')).toMatchObject([{ severity: 'failure' }]);
  expect(await runLetter(db, id)).toMatchObject({ tally: { state: 'failed' } });
  expect(await sender.letters('reason')).toEqual([{ reason: expect.stringContaining('too old') }]);
  expect(await mail(db, 'retry', id)).toEqual([{ id, state: 'queued' }]);
  expect(await runLetter(db, id)).toMatchObject({ tally: { state: 'sent' } });
  expect(await received(box)).toHaveLength(1);
});
