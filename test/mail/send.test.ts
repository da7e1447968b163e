/** Letters as they are sent: what goes out, what does not, and what is kept of it. */
import { expect, test } from 'vitest';
import { replaceSecret } from '#sql/tenants/connections.ts';
import { retention } from '#tasks/retention.ts';
import { freshDb } from '../support/db/db.ts';
import { aMailbox, aSender, asSender, received, runLetter } from '../support/mail/mail.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import { ACCOUNT, KEY } from '../support/providers/sendgrid.ts';
import { testSealer } from '../support/rows/factory.ts';
import { twoBrands } from '../support/rows/two_brands.ts';
import { runTask } from '../support/run.ts';

test('a letter goes out once, with its token, and its address is not kept', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue({ to: [' Ann@Example.com', 'ann@example.com'], campaign: 'autumn' });
  expect(await runLetter(db, id)).toMatchObject({
    outcome: 'succeeded',
    tally: { state: 'sent', attempt: 1 },
  });
  expect(await runLetter(db, id)).toEqual({ outcome: 'no job' });
  const [letter, ...more] = await received(box);
  expect(more).toEqual([]);
  expect(letter).toMatchObject({
    ...{ to: 'ann@example.com', from: 'news@acme.example', subject: 'Hello' },
    custom_args: {
      ns_mail: id,
      ns_campaign: 'autumn',
      ns_recipient: await sender.hash('ann@example.com'),
    },
  });
  expect(letter?.content?.map(({ type }) => type)).toEqual(['text/plain', 'text/html']);
  expect(await sender.letters('state, told_by, message_id, content, ended_at is not null as ended')).toEqual([
    { state: 'sent', told_by: 'answer', message_id: letter?.message_id, content: null, ended: true },
  ]);
  // A campaign reaches a recipient once.
  expect(await sender.queue({ campaign: 'autumn' })).toEqual([]);
  expect(await sender.queue({ campaign: 'winter' })).toHaveLength(1);
});

test('what the provider refuses is failed with its reason; what it limits is tried again', async () => {
  await using box = await aMailbox({ templates: [{ id: 'd-1', name: 'one', generation: 'dynamic' }] });
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [wrong = ''] = await sender.queue({ template: 'd-2', variables: { name: 'Ann' } });
  expect(await runLetter(db, wrong)).toMatchObject({ outcome: 'partial', tally: { state: 'failed' } });
  expect(await sender.letters('state, reason')).toEqual([
    { state: 'failed', reason: expect.stringMatching(/400 .*template_id/) },
  ]);
  await setFaults(box, { kind: 'status', on: 'sendgrid', status: 429, match: 'mail/send', resetSeconds: 1 });
  const [limited = ''] = await sender.queue({ template: 'd-1', language: 'de', variables: { name: 'Ann' } });
  expect(await runLetter(db, limited)).toMatchObject({
    outcome: 'snoozed',
    error: { code: 'NS_RATE_LIMITED' },
  });
  expect(await sender.letters('state, attempts')).toContainEqual({ state: 'queued', attempts: 1 });
  expect(await runLetter(db, limited)).toMatchObject({ tally: { state: 'sent', attempt: 2 } });
  expect(await received(box)).toMatchObject([
    { template_id: 'd-1', variables: { name: 'Ann', language: 'de' } },
  ]);
});

test('a key that is refused holds the connection, and the letter is not lost; one that may not send lets letters wait', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const sender = await aSender(db, box);
  const [id = ''] = await sender.queue();
  await setFaults(box, { kind: 'revoked_key', match: 'mail/send' });
  expect(await runLetter(db, id)).toMatchObject({
    outcome: 'held',
    error: { code: 'NS_CREDENTIALS_REJECTED' },
  });
  expect(await sender.letters('state')).toEqual([{ state: 'queued' }]);
  await db.query('update app.connections set held_at = null, held_code = null, held_reason = null');
  await db.query('select ops.release_jobs(brand_id, id) from app.connections');
  await setFaults(box, { kind: 'revoked_scope', scope: 'mail.send' });
  expect(await runLetter(db, id)).toMatchObject({ outcome: 'snoozed', error: { code: 'NS_MAIL_PAUSED' } });
  expect(await sender.letters('state, reason')).toEqual([
    { state: 'queued', reason: expect.stringContaining('403') },
  ]);
  expect(await db.column('select held_at from app.connections')).toEqual([null]);
  expect(await received(box)).toEqual([]);
});

test('who is suppressed gets nothing; a block suppresses nobody, nor does the group of other letters', async () => {
  const created = Math.floor(Date.now() / 1000) - 60;
  const entry = (email: string) => ({ created, email });
  await using box = await aMailbox({
    bounces: [entry('gone@example.com')],
    unsubscribes: [entry('no@example.com')],
    blocks: [entry('full@example.com')],
    asm_suppressions: [{ email: 'ann@example.com', group_id: 7, created_at: created, group_name: 'n' }],
  });
  await using db = await freshDb();
  const [sender, other] = [await aSender(db, box), await aSender(db, box)];
  const at = { now: new Date().toISOString() };
  await sender.load(['bounces', 'unsubscribes', 'blocks', 'group_unsubscribes'], at);
  const to = ['gone@example.com', 'no@example.com', 'full@example.com', 'ann@example.com'];
  for (const id of await sender.queue({ to })) await runLetter(db, id);
  expect(
    (await sender.letters('state, reason, content is null as gone')).filter((one) => one.gone),
  ).toHaveLength(4);
  expect((await received(box)).map((one) => one.to).sort()).toEqual(['ann@example.com', 'full@example.com']);
  await db.query("update app.mail_senders set group_id = '7'");
  const [id = ''] = await sender.queue({ to: ['ann@example.com'] });
  expect(await runLetter(db, id)).toMatchObject({
    tally: { state: 'suppressed', reason: 'its owner unsubscribed from the group' },
  });
  // The other brand has heard of none of this.
  for (const one of await other.queue({ to: ['no@example.com'] })) await runLetter(db, one);
  expect(await other.letters('state')).toEqual([{ state: 'sent' }]);
});

test('letters are kept for 90 days after their end, and as long as nobody knows what became of them', async () => {
  await using db = await freshDb();
  const sender = await aSender(db, { url: 'http://127.0.0.1:9' });
  for (let n = 0; n < 4; n++) await sender.queue();
  await db.query(
    `update ops.mail m set state = s.state, queued_at = now() - s.age, ended_at = case when s.ended then now() - s.age end
     from (select id, row_number() over (order by id) as n from ops.mail) o
     join (values (1, 'sent', interval '91 days', true), (2, 'failed', interval '89 days', true),
                  (3, 'uncertain', interval '91 days', false), (4, 'sending', interval '91 days', false))
       s (n, state, age, ended) on s.n = o.n
     where m.id = o.id`,
  );
  expect(await runTask(retention, {}, db)).toMatchObject({ mail: 1 });
  expect((await sender.letters()).map(({ state }) => state).sort()).toEqual([
    'failed',
    'sending',
    'uncertain',
  ]);
});

test('two brands whose connections and letters have one id send each its own', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const places = await twoBrands(db, ['sendgrid', 'sendgrid']);
  await db.query('update app.connections set base_url = $1, account = $2', [`${box.url}/sendgrid`, ACCOUNT]);
  for (const place of places) await db.transaction((tx) => replaceSecret(tx, testSealer, place, KEY));
  const [one, other] = [await asSender(db, places[0]), await asSender(db, places[1])];
  const [id = ''] = await one.queue({ to: ['ann@example.com'] });
  const [its = ''] = await other.queue({ to: ['bob@example.com'] });
  await db.query('update ops.mail set id = $1 where id = $2', [id, its]);
  await db.query(
    `update graphile_worker._private_jobs set payload = (payload::jsonb || jsonb_build_object('mailId', $1::text))::json
     where payload ->> 'mailId' = $2`,
    [id, its],
  );
  await runLetter(db, id);
  expect([await one.letters(), await other.letters()]).toEqual([[{ state: 'sent' }], [{ state: 'queued' }]]);
  await runLetter(db, id);
  expect((await received(box)).map(({ to }) => to)).toEqual(['ann@example.com', 'bob@example.com']);
  expect(await other.letters('state, message_id')).toEqual([{ state: 'sent', message_id: 'sandbox-acme-1' }]);
});
