/** Letters whose attempt was interrupted: none is sent twice, none is forgotten. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { aMailbox, aSender, type Death, dying, push, received, runLetter } from '../support/mail/mail.ts';
import { by, fakeProvider, hangUp, json } from '../support/providers/provider.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { ACCOUNT } from '../support/providers/sendgrid.ts';
import { giveSecret } from '../support/webhooks/door.ts';

const UNSETTLED = { outcome: 'snoozed', error: { code: 'NS_MAIL_UNSETTLED' } };
const onSend = { on: 'sendgrid', match: 'mail/send' };
const onLogs = { on: 'sendgrid', match: '/v3/logs' };

test('a run that dies before the request sends it after the window, not before, and once', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  await runLetter(db, id, dying('before the request'));
  expect(await sender.letters('state, attempts')).toEqual([{ state: 'sending', attempts: 1 }]);
  for (const minutes of [0, 3, 10, 105]) {
    await sender.age(minutes);
    expect(await runLetter(db, id)).toMatchObject(UNSETTLED);
  }
  expect(await received(box)).toEqual([]);
  await sender.age(10);
  expect(await runLetter(db, id)).toMatchObject({ tally: { state: 'sent', attempt: 2 } });
  expect(await received(box)).toHaveLength(1);
});

test('a run that dies after the request finds its letter in the log, also when that lags', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  // Another letter to the same person is not taken for it.
  const [other = '', id = ''] = [...(await sender.queue()), ...(await sender.queue())];
  await runLetter(db, other);
  await runLetter(db, id, dying('after the request'));
  await setFaults(box, { kind: 'late_logs', count: 2 });
  for (let n = 0; n < 2; n++) {
    await sender.age(5);
    expect(await runLetter(db, id)).toMatchObject(UNSETTLED);
  }
  expect(await runLetter(db, id)).toMatchObject({ tally: { state: 'sent', told_by: 'log' } });
  const letters = await received(box);
  expect(letters.map(({ custom_args }) => custom_args.ns_mail)).toEqual([other, id]);
  expect(await sender.letters('message_id, told_by')).toEqual([
    { message_id: letters[0]?.message_id, told_by: 'answer' },
    { message_id: letters[1]?.message_id, told_by: 'log' },
  ]);
});

test.each([
  ['the connection breaks after the letter was taken', { kind: 'reset', done: true }, 1],
  ['the connection breaks before', { kind: 'reset' }, 0],
  ['a gateway answers 502 after it was taken', { kind: 'status', status: 502, done: true }, 1],
  ['the provider answers 500 and has not taken it', { kind: 'status', status: 500 }, 0],
])('%s: nobody sends it again before the log was asked', async (_, fault, taken) => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  await setFaults(box, { ...onSend, ...fault });
  expect(await runLetter(db, id)).toMatchObject({
    outcome: 'retrying',
    error: { code: 'NS_PROVIDER_UNAVAILABLE' },
  });
  expect(await runLetter(db, id)).toMatchObject(UNSETTLED);
  await sender.age(121);
  expect(await runLetter(db, id)).toMatchObject({
    tally: { state: 'sent', ...(taken === 1 && { told_by: 'log' }) },
  });
  expect(await received(box)).toHaveLength(1);
});

test('what never reached the provider is tried again at once', async () => {
  await using db = await freshDb();
  const sender = await aSender(db, { url: 'http://127.0.0.1:9' });
  await db.query('update app.connections set account_asked_at = now()');
  const [id = ''] = await sender.queue();
  expect(await runLetter(db, id)).toMatchObject({ outcome: 'retrying' });
  expect(await sender.letters('state, reason')).toEqual([
    { state: 'queued', reason: expect.stringContaining('ECONNREFUSED') },
  ]);
});

const noLog = { accounts: { [ACCOUNT]: { scopes: ['mail.send'] } } };

test('without the log and without events a letter becomes uncertain, alarms once, and is never sent again', async () => {
  await using box = await aMailbox({}, noLog);
  await using db = await freshDb();
  const [sender, other] = [await aSender(db, box), await aSender(db, box)];
  const ids = await sender.queue({ to: ['ann@example.com', 'bob@example.com'] });
  const [apart = ''] = await other.queue();
  for (const id of ids) await runLetter(db, id, dying('after the request'));
  await runLetter(db, apart, dying('before the request'));
  await sender.age(3);
  for (const id of ids) expect(await runLetter(db, id)).toMatchObject(UNSETTLED);
  expect(await sender.letters('state, reason')).toMatchObject([
    { state: 'uncertain', reason: expect.stringContaining('messages.read') },
    { state: 'uncertain' },
  ]);
  expect(await other.letters()).toEqual([{ state: 'sending' }]);
  expect(await db.column('select held_at from app.connections')).toEqual([null, null]);
  expect(await db.rows('select brand_id, kind, resolved_at from ops.alerts')).toEqual([
    { brand_id: sender.brandId, kind: 'mail', resolved_at: null },
  ]);
  await sender.age(80 * 60);
  for (const id of ids) expect(await runLetter(db, id)).toMatchObject({ tally: { state: 'uncertain' } });
  expect(await received(box)).toHaveLength(2);
});

test('where events come they are waited for; one of them tells, be the letter uncertain already', async () => {
  await using box = await aMailbox({}, noLog);
  await using db = await freshDb();
  const [sender, other] = [await aSender(db, box), await aSender(db, box)];
  await giveSecret(db, sender, 'a key');
  const [first = '', second = ''] = [...(await sender.queue()), ...(await sender.queue())];
  for (const id of [first, second]) await runLetter(db, id, dying('after the request'));
  await sender.age(100);
  expect(await runLetter(db, first)).toMatchObject(UNSETTLED);
  await push(db, other, first); // of another brand
  expect(await runLetter(db, first)).toMatchObject(UNSETTLED);
  await push(db, sender, first);
  expect(await runLetter(db, first)).toMatchObject({ tally: { state: 'sent', told_by: 'event' } });
  await sender.age(21);
  await runLetter(db, second);
  expect(await sender.letters('state')).toEqual([{ state: 'sent' }, { state: 'uncertain' }]);
  await push(db, sender, second);
  expect(await runLetter(db, second)).toMatchObject({ tally: { state: 'sent', told_by: 'event' } });
  expect(await db.column('select resolved_at is not null from ops.alerts')).toEqual([true]);
});

test('a log that cannot be read is asked again for a day, and then nobody guesses', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  await runLetter(db, id, dying('before the request'));
  await setFaults(box, { kind: 'status', status: 400, count: 0, ...onLogs });
  await sender.age(23 * 60);
  expect(await runLetter(db, id)).toMatchObject(UNSETTLED);
  await sender.age(2 * 60);
  await runLetter(db, id);
  expect(await sender.letters('state')).toEqual([{ state: 'uncertain' }]);
  // Long after the attempt the log proves nothing any more: what is missing is not sent again unasked.
  await setFaults(box);
  await runLetter(db, id);
  expect(await sender.letters('state')).toEqual([{ state: 'uncertain' }]);
  expect(await received(box)).toEqual([]);
});

test('a letter of a subuser is looked up by its parent', async () => {
  const accounts = { [ACCOUNT]: {}, sub: { parent: ACCOUNT } };
  await using box = await aMailbox({ subusers: [{ id: 7, username: 'sub' }] }, { accounts });
  await using db = await freshDb();
  const sender = await aSender(db, box, { account: 'sub', auth: 'subuser' });
  const ids = [...(await sender.queue()), ...(await sender.queue())];
  const deaths: Death[] = ['before the request', 'after the request'];
  for (const [at, id] of ids.entries()) await runLetter(db, id, dying(deaths[at] ?? 'before the request'));
  await sender.age(121);
  for (const id of ids) await runLetter(db, id);
  expect(await sender.letters('told_by')).toEqual([{ told_by: 'answer' }, { told_by: 'log' }]);
  expect(await received(box)).toHaveLength(2);
});

test('that the log of a customer account lacks a letter proves nothing', async () => {
  const answer = by(({ path }) => (path.includes('/v3/logs') ? json({ messages: [] }) : hangUp));
  await using provider = await fakeProvider(answer);
  await using db = await freshDb();
  const sender = await aSender(db, provider, { account: 'x', auth: 'customer' });
  await db.query('update app.connections set account_asked_at = now()');
  const [id = ''] = await sender.queue();
  expect(await runLetter(db, id)).toMatchObject({ outcome: 'retrying' });
  await sender.age(100);
  expect(await runLetter(db, id)).toMatchObject(UNSETTLED);
  await sender.age(21);
  expect(await runLetter(db, id)).toMatchObject(UNSETTLED);
  expect(await sender.letters('state')).toEqual([{ state: 'uncertain' }]);
});
