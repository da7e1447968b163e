/** The command line of letters: senders that change, campaigns that are queued and tried again. */
import { expect, test } from 'vitest';
import { personKeyOf } from '#sql/tenants/persons.ts';
import { assertFits } from '#tasks/mail/queue.ts';
import { bodyOfLetter } from '#tasks/mail/templates.ts';
import { mail as sendgrid } from '../../connectors/sendgrid/mail.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aSender, runLetter } from '../support/mail/mail.ts';
import { by, fakeProvider, json } from '../support/providers/provider.ts';
import { aBrand, TEST_KEYS, testSealer } from '../support/rows/factory.ts';

const NOTICE = ['--template', 'notice', '--var', 'subject=Hello', '--var', 'text=A letter'];
const NOBODY = { url: 'http://127.0.0.1:9' };

function mail(db: TestDb, args: readonly string[], input = '') {
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  return nightshift(['mail', ...args, '--json'], { env, input });
}

test('what is not said of a sender stays as it is', async () => {
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db, { slug: 'acme' });
  await aSender(db, NOBODY, { brandId });
  const steps: [args: string[], sender: object][] = [
    [['--group', '7'], { address: 'news@acme.example', name: 'Acme', groupId: '7' }],
    [['--from', 'shop@acme.example'], { address: 'shop@acme.example', name: 'Acme', groupId: '7' }],
    [['--name', 'Shop', '--no-group'], { address: 'shop@acme.example', name: 'Shop', groupId: null }],
    [[], { address: 'shop@acme.example', name: 'Shop', groupId: null }],
  ];
  for (const [args, sender] of steps)
    expect((await mail(db, ['sender', 'mail', ...args])).json()).toMatchObject([sender]);
  expect(await db.column("select count(*)::int from ops.audit_log where action = 'mail.sender'")).toEqual([
    3,
  ]);
});

test('letters of a campaign that failed are no letters that somebody has, and are tried again together', async () => {
  await using provider = await fakeProvider(by(() => json({ errors: [{ message: 'no' }] }, { status: 400 })));
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db, { slug: 'acme' });
  const sender = await aSender(db, provider, { brandId });
  await db.query('update app.connections set account_asked_at = now()');
  const to = ['ann@example.com', 'bob@example.com', 'eve@example.com'];
  const [first = '', second = ''] = await sender.queue({ to, campaign: 'autumn' });
  for (const id of [first, second]) await runLetter(db, id);
  const send = ['send', '--brand', 'acme', '--campaign', 'autumn', '--to-file', '-', ...NOTICE];
  expect((await mail(db, send, to.join('\n'))).json()).toMatchObject([{ queued: 0, known: 1, ended: 2 }]);
  const persons = await personKeyOf(db, testSealer, brandId);
  const gone = persons.identifierOf({ kind: 'email', digest: persons.digestOf('gone@example.com') ?? '' });
  await db.query(
    "insert into ops.erased_identifiers (brand_id, identifier, pseudonym) values ($1, $2, 'erased:1')",
    [brandId, gone],
  );
  expect((await mail(db, send, 'gone@example.com')).json()).toMatchObject([
    { queued: 0, known: 0, erased: 1 },
  ]);
  const retry = ['retry', '--campaign', 'autumn', '--state', 'failed'];
  expect((await mail(db, retry)).json()).toEqual([
    { brand: 'acme', campaign: 'autumn', letters: 2, queued: 2 },
  ]);
  expect(await sender.letters()).toEqual([{ state: 'queued' }, { state: 'queued' }, { state: 'queued' }]);
  expect(await mail(db, ['retry', '--campaign', 'autumn'])).toMatchObject({ code: 2 });
});

test('where there are several brands, one must be named; a line that is no address is told by its number', async () => {
  await using db = await freshDb();
  for (const slug of ['acme', 'other']) await aBrand(db, { slug });
  const send = ['send', ...NOTICE, '--to-file', '-'];
  const unnamed = await mail(db, send, 'ann@example.com');
  expect([unnamed.code, unnamed.stderr]).toEqual([2, expect.stringContaining('Of which brand')]);
  const wrong = await mail(db, send, 'ann@example.com\n\nann\n');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('Line 3 of standard input')]);
});

test('a language is no variable, and the variables of all letters are bounded', () => {
  const wanted = { template: 'd-1', language: 'de', variables: { language: 'fr', name: 'Ann' } };
  expect(bodyOfLetter(sendgrid, wanted)).toEqual({
    template: 'd-1',
    variables: { language: 'de', name: 'Ann' },
  });
  const variables = { text: 'x'.repeat(20_000) };
  assertFits(800, variables);
  expect(() => assertFits(1_000, variables)).toThrow(/1000 letters/);
});
