/** What the provider answers, and what it means for a letter. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { aSender, runLetter } from '../support/mail/mail.ts';
import { type Answer, by, fakeProvider, hangUp, json } from '../support/providers/provider.ts';

const errors = (message: string) => ({ errors: [{ message }] });

test.each<[string, Answer, object, object]>([
  [
    'credits are used up: it waits, and nothing is held',
    json(errors('Maximum credits exceeded'), { status: 401 }),
    { outcome: 'snoozed', error: { code: 'NS_MAIL_PAUSED' } },
    { state: 'queued' },
  ],
  [
    'the sender is not verified: it waits',
    json(errors('The from address does not match a verified Sender Identity'), { status: 403 }),
    { outcome: 'snoozed', error: { code: 'NS_MAIL_PAUSED' } },
    { state: 'queued' },
  ],
  [
    'a letter that was only checked was not sent, as far as anybody knows',
    json('', { status: 200 }),
    { outcome: 'retrying', error: { code: 'NS_ANSWER_NOT_UNDERSTOOD' } },
    { state: 'sending' },
  ],
])('%s', async (_, answer, report, letter) => {
  await using provider = await fakeProvider(answer);
  await using db = await freshDb();
  const sender = await aSender(db, provider);
  await db.query('update app.connections set account_asked_at = now()');
  const [id = ''] = await sender.queue();
  expect(await runLetter(db, id)).toMatchObject(report);
  expect(await sender.letters('state')).toEqual([letter]);
  expect(await db.column('select held_at from app.connections')).toEqual([null]);
});

const FOUND = { tally: { state: 'sent', told_by: 'log' } };
const UNSETTLED = { outcome: 'snoozed', error: { code: 'NS_MAIL_UNSETTLED' } };
const ours = { from_email: 'News@acme.example' };

test.each<[string, (token: string) => object, object]>([
  [
    'arguments are read of events too, and one that cannot be read hides no other',
    (token) => ({ ...ours, custom_args: {}, events: [{ custom_args: { ns_mail: token } }] }),
    FOUND,
  ],
  ['one of our sender without arguments may be it', () => ({ ...ours, events: [] }), UNSETTLED],
  [
    'one that cannot be read may be it',
    () => ({ from_email: 'x@else.example', custom_args: { a: 'b' } }),
    UNSETTLED,
  ],
])('in the log %s', async (_, told, report) => {
  let token = '';
  await using provider = await fakeProvider(
    by(({ path }) => {
      if (path.endsWith('/v3/logs'))
        return json({ messages: [{ sg_message_id: 'gone' }, { sg_message_id: 'a.b' }] });
      if (path.endsWith('/a.b')) return json(told(token));
      return path.endsWith('/gone') ? json(errors('not found'), { status: 404 }) : hangUp;
    }),
  );
  await using db = await freshDb();
  const sender = await aSender(db, provider);
  await db.query('update app.connections set account_asked_at = now()');
  [token = ''] = await sender.queue();
  await runLetter(db, token);
  await sender.age(121);
  expect(await runLetter(db, token)).toMatchObject(report);
  const [{ body = '' } = {}] = provider.asked.filter(({ path }) => path.endsWith('/v3/logs'));
  expect(body).toMatch(/created_at >= TIMESTAMP .* AND .*created_at < TIMESTAMP/);
});
