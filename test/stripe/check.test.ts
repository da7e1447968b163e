import { expect, test } from 'vitest';
import { checkConnection, streamsOf } from '#connectors/providers.ts';
import { readKey } from '#connectors/stripe/api/key.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { charge, KEY, NOW } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';
import { testKeyring, testSealer } from '../support/rows/factory.ts';

async function check(db: TestDb, { brandId, connectionId }: { brandId: string; connectionId: string }) {
  const connection = await openConnection(db, { brandId, connectionId }, testKeyring);
  const signal = AbortSignal.timeout(30_000);
  return checkConnection({ connection, db, sealer: testSealer, signal }, new Date(NOW));
}

test('a check names the account and finds a restricted key fit', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {});
  const { account: found, missing, warnings, scopes } = await check(db, account);
  expect(found).toMatchObject({ domain: 'acct_acme', currency: 'USD' });
  expect([missing, warnings]).toEqual([[], []]);
  const used = streamsOf('stripe').flatMap((stream) => [...stream.scopes, ...(stream.scopesOptional ?? [])]);
  expect(new Set(scopes)).toEqual(new Set(used));
});

test('a check names the missing permission, and so does a sync of a stream that needs it', async () => {
  await using db = await freshDb();
  const permissions = ['rak_event_read', 'rak_payout_read', 'rak_balance_transaction_source_read'];
  const key = { key: KEY, permissions };
  await using account = await anAccountOf(db, {}, { stripe: { acct_acme: { key } } });
  const { missing, warnings } = await check(db, account);
  expect(warnings.join()).toContain('rak_balance_read');
  expect(missing).toContainEqual({ stream: 'stripe.charges', scopes: ['rak_charge_read'] });
  expect(missing.map(({ stream }) => stream)).not.toContain('stripe.payouts');
  expect(await account.sync('charges')).toMatchObject({
    incomplete: expect.stringContaining('Stripe denies what needs rak_charge_read:'),
  });
});

test('a secret key works with a warning; a publishable one and any other text are refused', async () => {
  await using db = await freshDb();
  const secret = 'sk_test_acme';
  const scenario = { stripe: { acct_acme: { key: secret } } };
  await using account = await anAccountOf(db, {}, scenario, { secret });
  expect((await check(db, account)).warnings.join()).toContain('secret key');
  expect((await account.sync('charges')).warning).toContain('secret key');
  expect(() => readKey('pk_test_acme')).toThrow(
    expect.objectContaining({ code: 'NS_KEY_UNFIT', verdict: 'hold' }),
  );
  expect(() => readKey('shpat_acme')).toThrow(expect.objectContaining({ code: 'NS_KEY_UNFIT' }));
});

test('a key that Stripe refuses holds the connection', async () => {
  await using db = await freshDb();
  await using account = await anAccountOf(db, {}, {}, { secret: 'rk_test_other' });
  await expect(check(db, account)).rejects.toMatchObject({
    code: 'NS_CREDENTIALS_REJECTED',
    verdict: 'hold',
  });
});

test('a key of another account, or of the other mode, is refused', async () => {
  await using db = await freshDb();
  await using other = await anAccountOf(db, {}, {}, { account: 'acct_other' });
  await expect(check(db, other)).rejects.toMatchObject({ code: 'NS_ACCOUNT_DIFFERS' });
  const live = 'rk_live_acme';
  const scenario = { stripe: { acct_acme: { keys: [KEY, live] } } };
  await using account = await anAccountOf(db, { charges: [charge('ch_1')] }, scenario);
  await account.sync('charges');
  const { sealed, keyId } = testSealer.seal(live, {
    ...{ brandId: account.brandId, connectionId: account.connectionId },
    use: 'secret',
  });
  await db.query('update app.connections set secret = $1, secret_key_id = $2 where id = $3', [
    ...[sealed, keyId],
    account.connectionId,
  ]);
  await expect(account.sync('charges')).rejects.toMatchObject({ code: 'NS_MODE_MIXED', verdict: 'hold' });
  expect(await account.rows('charges', 'id')).toHaveLength(1);
});
