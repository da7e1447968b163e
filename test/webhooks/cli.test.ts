import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { aConnection, TEST_KEYS } from '../support/rows/factory.ts';
import { aDoor, fromShopify, fromStripe, send } from '../support/webhooks/door.ts';

test('a secret that is stored by the command verifies, is kept in the audit log, and is shown nowhere', async () => {
  await using db = await freshDb();
  const { id, name } = await aConnection(db, {
    ...{ provider: 'stripe', account: 'acct_acme', auth: 'key', secret: 'rk_test_acme' },
  });
  await using door = await aDoor(db);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const secret = (input: string, ...more: string[]) =>
    nightshift(['connections', 'webhooks', 'secret', name, ...more, '--json'], { env, input });
  expect(await secret('sk_live_wrong')).toMatchObject({ code: 2 });
  const ran = await secret('whsec_one\n');
  expect(ran.json()).toEqual([{ connection: name, secrets: 1, path: `/webhooks/stripe/${id}` }]);
  expect((await secret('whsec_two\n')).json()).toMatchObject([{ secrets: 2 }]);
  for (const one of ['whsec_one', 'whsec_two'])
    expect(await send(door, 'stripe', id, fromStripe('ping', {}, { secret: one }))).toBe(200);
  expect((await secret('whsec_three\n', '--only')).json()).toMatchObject([{ secrets: 1 }]);
  const audit = await db.column(
    "select after from ops.audit_log where action = 'connections.webhooks_secret' order by id",
  );
  expect(audit).toEqual([{ secrets: 1 }, { secrets: 2 }, { secrets: 1 }]);
  expect(ran.stdout + ran.stderr).not.toContain('whsec_one');
});

test('a relay goes to hosts that are listed, and is kept without the path', async () => {
  await using db = await freshDb();
  const { name } = await aConnection(db, {
    ...{ provider: 'stripe', account: 'acct_acme', auth: 'key', secret: 'rk_test_acme' },
  });
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_ALLOWED_HOSTS: 'hooks.example.com' };
  const relay = (...more: string[]) =>
    nightshift(['connections', 'webhooks', 'relay', name, ...more], { env });
  for (const wrong of [
    'https://10.0.0.1/',
    'http://hooks.example.com/',
    'https://user:pw@hooks.example.com/',
    'x',
  ])
    expect(await relay('--to', wrong), wrong).toMatchObject({ code: 2 });
  expect(await relay('--to', 'https://hooks.example.com/', '--off')).toMatchObject({ code: 2 });
  expect(await relay('--to', 'https://hooks.example.com/token')).toMatchObject({ code: 0 });
  expect(await relay('--off')).toMatchObject({ code: 0 });
  const kept = await db.rows(
    "select before, after from ops.audit_log where action = 'connections.webhooks_relay' order by id",
  );
  expect(kept).toEqual([
    { before: { to: null }, after: { to: 'hooks.example.com' } },
    { before: { to: 'hooks.example.com' }, after: { to: null } },
  ]);
});

test('the secret that a key contained verifies for a while after the key was replaced', async () => {
  await using db = await freshDb();
  const old = JSON.stringify({ client_id: 'app', client_secret: 'of-before' });
  const shop = await aConnection(db, { auth: 'client_credentials', secret: old });
  await using door = await aDoor(db);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const key = await nightshift(['connections', 'key', shop.name], { env, input: 'app:of-now\n' });
  expect(key).toMatchObject({ code: 0 });
  const answers = async () => {
    const all = [];
    for (const secret of ['of-before', 'of-now'])
      all.push(await send(door, 'shopify', shop.id, fromShopify('orders/updated', '{"id":1}', { secret })));
    return all;
  };
  expect(await answers()).toEqual([200, 200]);
  expect(await db.column("select ends_at < now() + interval '1 day' from app.webhook_secrets")).toEqual([
    true,
  ]);
  await db.query('update app.webhook_secrets set ends_at = now()');
  await using later = await aDoor(db);
  expect(
    await send(later, 'shopify', shop.id, fromShopify('orders/updated', '{"id":1}', { secret: 'of-before' })),
  ).toBe(401);
});
