/** The command line of letters. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { erasePersonFromMail } from '#sql/mail/persons.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { examine, wrongOf } from '../support/doctor.ts';
import { aMailbox, aSender, dying, received, runLetter } from '../support/mail/mail.ts';
import { ACCOUNT, connectSendGrid } from '../support/providers/sendgrid.ts';
import { aBrand, aConnection, TEST_KEYS } from '../support/rows/factory.ts';

const NOTICE = ['--template', 'notice', '--var', 'subject=Hello', '--var', 'text=A letter = this'];

function commands(db: TestDb) {
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const mail = (args: readonly string[], input = '') =>
    nightshift(['mail', ...args, '--json'], { env, input });
  const refusal = async (...args: string[]) => {
    const { code, stderr } = await mail(args);
    const { error } = JSON.parse(stderr.trim().split('\n').at(-1) ?? '{}') as {
      error: { code: string; message: string };
    };
    return [code, error.code, error.message];
  };
  return { mail, refusal };
}

test('a letter from the command line to the mailbox, and what the list says of it', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db, { slug: 'acme' });
  await connectSendGrid(db, box, { brandId });
  const { mail, refusal } = commands(db);
  expect(await refusal('send', '--to', 'ann@example.com', '--connection', 'mail', ...NOTICE)).toMatchObject([
    ...[2, 'NS_MAIL_SENDER_MISSING', expect.stringContaining('connection mail')],
  ]);
  const sender = [
    'sender',
    'mail',
    '--brand',
    'acme',
    '--from',
    'news@acme.example',
    '--name',
    'Acme',
    '--group',
    '7',
  ];
  expect((await mail(sender)).json()).toMatchObject([{ address: 'news@acme.example', groupId: '7' }]);
  const send = ['send', '--brand', 'acme', '--connection', 'mail', '--to', 'Ann@example.com', ...NOTICE];
  const rehearsed = await mail([...send, '--campaign', 'autumn', '--dry-run']);
  expect(rehearsed.json()).toEqual([
    { to: 'ann@example.com', template: 'notice', language: null, campaign: 'autumn', would: 'be sent' },
  ]);
  expect(await db.column('select id from ops.mail')).toEqual([]);
  const plain = await nightshift(['mail', ...send, '--campaign', 'autumn'], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
  });
  expect(plain).toMatchObject({ code: 0, stdout: 'Queued 1 letter.\n' });
  const more = await mail([...send, '--campaign', 'autumn', '--to-file', '-'], 'bob@example.com\r\n\n');
  expect(more.json()).toMatchObject([{ queued: 1, known: 1 }]);
  const waited = await mail(['send', '--to', 'bounce@example.com', ...NOTICE, '--wait']);
  expect(waited).toMatchObject({ code: 0 });
  // No worker runs, so the command that waits does all the work that there is.
  expect((await received(box)).map(({ to }) => to)).toEqual([
    ...['ann@example.com', 'bob@example.com', 'bounce@example.com'],
  ]);
  const list = (await mail(['list', '--brand', 'acme', '--to', 'ann@EXAMPLE.com'])).json();
  expect(list).toMatchObject([
    { brand: 'acme', state: 'sent', reached: null, campaign: 'autumn', told_by: 'answer' },
  ]);
  const [{ id } = { id: '' }] = list as { id: string }[];
  expect((await mail(['show', id])).json()).toMatchObject([{ to: null, events: [], connection: 'mail' }]);
  expect(
    await db.column(
      "select action || ' ' || target from ops.audit_log where action like 'mail.%' order by id",
    ),
  ).toEqual([...['mail.sender mail', 'mail.send mail', 'mail.send mail', 'mail.send mail']]);
  expect((await db.column('select string_agg(a::text, chr(10)) from ops.audit_log a'))[0]).not.toContain(
    'ann@',
  );
});

test('what cannot be sent is refused before anything is queued', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db, { slug: 'acme' });
  await aSender(db, box, { brandId });
  await aConnection(db, { brandId, name: 'shop' });
  const { refusal } = commands(db);
  const to = ['--to', 'ann@example.com'];
  await using files = await aFolder({
    'list.txt': 'ann\n',
    'vars.json': '[1]',
    'big.json': `{"a":"${'x'.repeat(300_000)}"}`,
  });
  const cases: [args: string[], code: string, message: RegExp][] = [
    [[...NOTICE], 'NS_USAGE', /To whom/],
    [[...to, '--template', 'nothing'], 'NS_MAIL_UNFIT', /no template nothing/],
    [[...to, '--template', 'notice', '--var', 'subject=Hi'], 'NS_MAIL_UNFIT', /text/],
    [[...to, ...NOTICE, '--var', 'more=1'], 'NS_MAIL_UNFIT', /more/],
    [[...to, ...NOTICE, '--language', 'fr'], 'NS_MAIL_UNFIT', /not written in fr/],
    [[...to, '--template', 'd-1', '--language', 'so german'], 'NS_MAIL_UNFIT', /no language/],
    [[...to, '--template', 'd-1', '--vars', files.at('vars.json')], 'NS_USAGE', /no JSON object/],
    [[...to, '--template', 'd-1', '--vars', files.at('big.json')], 'NS_FILE_UNREADABLE', /larger/],
    [[...to, ...NOTICE, '--campaign', '+44 7700 900123'], 'NS_MAIL_UNFIT', /campaign/],
    [[...to, ...NOTICE, '--connection', 'shop'], 'NS_USAGE', /sends no mail/],
    [['--to-file', files.at('list.txt'), ...NOTICE], 'NS_MAIL_UNFIT', /no e-mail address/],
  ];
  for (const [args, code, message] of cases)
    expect(await refusal('send', '--brand', 'acme', ...args), args.join(' ')).toMatchObject([
      ...[2, code, expect.stringMatching(message)],
    ]);
  expect(await db.column('select id from ops.mail')).toEqual([]);
});

async function aFolder(files: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-mail-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return { at: (name: string) => join(dir, name), [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
}

test('an operator decides about letters that are uncertain or failed, and about no others', async () => {
  await using box = await aMailbox({}, { accounts: { [ACCOUNT]: { scopes: ['mail.send'] } } });
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db, { slug: 'acme' });
  const [sender, other] = [await aSender(db, box, { brandId }), await aSender(db, box)];
  const ids = [
    ...(await sender.queue()),
    ...(await sender.queue()),
    ...(await sender.queue()),
    ...(await other.queue()),
  ];
  for (const id of ids) await runLetter(db, id, dying('before the request'));
  const { mail, refusal } = commands(db);
  const [first = '', second = '', third = ''] = ids;
  expect((await mail(['retry', first])).json()).toEqual([{ id: first, state: 'sending' }]); // looked up, not sent
  expect(await refusal('discard', first)).toMatchObject([
    4,
    'NS_MAIL_BUSY',
    expect.stringContaining('sending'),
  ]);
  for (const one of [sender, other]) await one.age(3);
  for (const id of ids) await runLetter(db, id);
  expect((await examine(db)).checks).toContainEqual(
    expect.objectContaining({
      check: 'open alerts',
      severity: 'failure',
      mend: expect.stringContaining('mail retry'),
    }),
  );
  expect((await mail(['retry', first, '--reason', 'it never came'])).json()).toEqual([
    { id: first, state: 'queued' },
  ]);
  expect((await mail(['discard', second])).json()).toEqual([{ id: second, state: 'discarded' }]);
  expect(await db.column('select resolved_at from ops.alerts')).toEqual([null, null]);
  await db.query(
    `insert into raw.sendgrid_events (brand_id, connection_id, id, event, happened_at, categories, parts, is_machine, source,
       payload, changed_at, seen_at)
     values ($1, $2, 'e', 'delivered', now(), '{}', '{}', false, 'webhook', jsonb_build_object('ns_mail', $3::text), now(), now())`,
    [sender.brandId, sender.connectionId, third],
  );
  expect((await mail(['retry', third])).json()).toEqual([{ id: third, state: 'sent' }]);
  expect(await db.column('select count(*)::int from ops.alerts where resolved_at is null')).toEqual([1]);
  expect(await runLetter(db, first)).toMatchObject({ tally: { state: 'sent' } });
  expect(await received(box)).toHaveLength(1);
  expect((await mail(['list', '--brand', 'acme', '--state', 'sent'])).json()).toHaveLength(2);
  expect((await mail(['list', '--brand', 'acme', '--state', 'sent'])).json()).toContainEqual(
    expect.objectContaining({ id: third, reached: 'delivered', told_by: 'event' }),
  );
  expect(await refusal('discard', first)).toMatchObject([
    4,
    'NS_MAIL_BUSY',
    expect.stringContaining('is sent'),
  ]);
  expect(await refusal('show', '00000000-0000-4000-8000-000000000000')).toMatchObject([
    ...[3, 'NS_MAIL_NOT_FOUND', expect.any(String)],
  ]);
  const audited =
    "select action, before ->> 'state' as before, after ->> 'state' as after from ops.audit_log where action like 'mail.%' order by id";
  expect(await db.rows(audited)).toEqual([
    { action: 'mail.retry', before: 'sending', after: 'sending' },
    { action: 'mail.retry', before: 'uncertain', after: 'queued' },
    { action: 'mail.discard', before: 'uncertain', after: 'discarded' },
    { action: 'mail.retry', before: 'uncertain', after: 'sent' },
  ]);
});

test('a person is erased from the mail of one brand: letters that wait too', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const [sender, other] = [await aSender(db, box), await aSender(db, box)];
  const [sent = '', waiting = ''] = [...(await sender.queue()), ...(await sender.queue())];
  await sender.queue({ to: ['bob@example.com'] });
  await other.queue();
  await runLetter(db, sent);
  const hash = await sender.hash('ann@example.com');
  const gone = await db.transaction((tx) => erasePersonFromMail(tx, sender.brandId, hash));
  expect(gone).toEqual({ letters: 2, digests: 0, resolved: [] });
  expect(await runLetter(db, waiting)).toMatchObject({ tally: { skipped: 'it is gone' } });
  expect([await sender.letters(), await other.letters()]).toEqual([
    [{ state: 'queued' }],
    [{ state: 'queued' }],
  ]);
});

test('doctor counts letters that are sealed, and reseal makes them open with the next key', async () => {
  await using box = await aMailbox();
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db, { slug: 'acme' });
  const sender = await aSender(db, box, { brandId });
  const [id = ''] = await sender.queue();
  const env = (keys: string) => ({ DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: keys });
  const digest = ['mail', 'digest', '--brand', 'acme', '--to', 'boss@acme.example'];
  expect((await nightshift(digest, { env: env(TEST_KEYS) })).code).toBe(0);
  const next = `next:${Buffer.alloc(32, 9).toString('base64')}`;
  const { checks } = await examine(db, { NIGHTSHIFT_SECRET_KEYS: `${next},${TEST_KEYS}` });
  expect(wrongOf(checks, 'sealing keys')).toMatchObject([
    {
      severity: 'warning',
      evidence: '1 connection and 2 addresses of mail sealed with key test, which is not the first.',
    },
  ]);
  const resealed = await nightshift(['connections', 'reseal', '--json'], {
    env: env(`${next},${TEST_KEYS}`),
  });
  expect(resealed.json()).toMatchObject([{ connections: 1, mail: 2 }]);
  const shown = await nightshift(['mail', 'show', id, '--json'], { env: env(next) });
  expect(shown.json()).toMatchObject([{ to: 'ann@example.com' }]);
  const told = await nightshift(['mail', 'digest', '--brand', 'acme', '--json'], { env: env(next) });
  expect(told.json()).toEqual([{ brand: 'acme', recipients: ['boss@acme.example'] }]);
});
