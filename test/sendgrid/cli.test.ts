/** A connection of the whole brand, from the command line. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { ACCOUNT, KEY, NOW, sendgridSandbox } from '../support/providers/sendgrid.ts';
import { aBrand, aRetailer, TEST_KEYS } from '../support/rows/factory.ts';

test('a connection of a whole brand takes no retailer, a zone of its account, and parts by their kind', async () => {
  const accounts = { [ACCOUNT]: { scopes: ['stats.read', 'user.username.read'] } };
  await using sandbox = await sendgridSandbox({}, { accounts });
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db, { slug: 'acme' });
  await aRetailer(db, { brandId, slug: 'uk' });
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS, MAIL_KEY: KEY };
  const add = (...more: string[]) =>
    nightshift(
      [
        ...['connections', 'add', 'mail', '--brand', 'acme', '--provider', 'sendgrid', '--account', ACCOUNT],
        ...['--base-url', `${sandbox.url}/sendgrid`, '--key-env', 'MAIL_KEY', ...more],
      ],
      { env },
    );
  expect(await add('--retailer', 'uk')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('whole brand'),
  });
  expect(await add('--account-zone', 'Mars/Olympus')).toMatchObject({ code: 2 });
  expect(await add('--account-zone', 'Asia/Tokyo')).toMatchObject({ code: 0 });
  const zone = () => db.column('select account_zone from app.connections');
  expect(await zone()).toEqual(['Asia/Tokyo']);
  expect(await nightshift(['connections', 'zone', 'mail', 'brand'], { env })).toMatchObject({ code: 0 });
  expect(await zone()).toEqual([null]);
  const checked = await nightshift(['connections', 'check', 'mail', '--now', NOW], { env });
  expect(checked).toMatchObject({ code: 1 });
  expect(checked.stdout).toContain(
    'missing suppression.read: sendgrid.bounces cannot be read, so there are not',
  );
  const map = (part: string) => nightshift(['connections', 'map', 'mail', part, '--retailer', 'uk'], { env });
  expect(await map('autumn')).toMatchObject({ code: 2, stderr: expect.stringContaining('category:NAME') });
  expect(await map('category:autumn')).toMatchObject({ code: 0 });
  const accepted = await nightshift(['sync', 'accept', 'mail', 'plan', '--stream', 'sendgrid.single_sends'], {
    env,
  });
  expect(accepted).toMatchObject({ code: 2, stderr: expect.stringContaining('no failed check plan') });
});
