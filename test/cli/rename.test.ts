/** Other names, and other ways of signing in, for what there is. */
import { expect, test } from 'vitest';
import { openConnection } from '#sql/tenants/connections.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { aConnection, aShop, TEST_KEYS, testKeyring } from '../support/rows/factory.ts';

test('brands, retailers and connections take another name, once, and keep their ids and data', async () => {
  await using db = await freshDb();
  const { brand, retailer, connection } = await aShop(db, { slug: 'acme', name: 'acme' });
  const taken = await aConnection(db, { brandId: brand.id, retailerId: retailer.id, name: 'taken' });
  const other = await aShop(db, { slug: 'other' });
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const run = (...args: string[]) => nightshift(args, { env });
  const same = await run('connections', 'rename', connection.name, taken.name, '--brand', 'acme');
  expect(same).toMatchObject({ code: 4, stderr: expect.stringContaining('taken already') });
  expect(await run('connections', 'rename', connection.name, 'No Name', '--brand', 'acme')).toMatchObject({
    code: 2,
  });
  expect(await run('connections', 'rename', connection.name, 'web', '--brand', 'acme')).toMatchObject({
    code: 0,
  });
  expect(await run('retailers', 'rename', retailer.slug, 'uk', '--brand', 'acme')).toMatchObject({ code: 0 });
  expect(await run('brands', 'rename', 'acme', 'other')).toMatchObject({ code: 4 });
  const renamed = await run('brands', 'rename', 'acme', 'apex', '--json');
  expect(renamed.json()).toEqual([{ brand: 'apex', was: 'acme' }]);
  expect(
    await db.rows(
      `select b.slug, b.name, r.slug as retailer, c.name as connection
       from app.brands b join app.retailers r on r.brand_id = b.id join app.connections c on c.brand_id = b.id
       where c.id = $1 and r.id = $2 and b.id = $3`,
      [connection.id, retailer.id, brand.id],
    ),
  ).toEqual([{ slug: 'apex', name: 'apex', retailer: 'uk', connection: 'web' }]);
  expect(await db.column('select slug from app.brands where id = $1', [other.brand.id])).toEqual(['other']);
  const kept = await db.rows(
    "select action, target, after ->> 'name' as to from ops.audit_log where action like '%.rename' order by id",
  );
  expect(kept).toEqual([
    { action: 'connections.rename', target: connection.name, to: 'web' },
    { action: 'retailers.rename', target: retailer.slug, to: 'uk' },
    { action: 'brands.rename', target: 'acme', to: 'apex' },
  ]);
});

test('a shop goes over from an admin token to client credentials, and is asked anew whose key it is', async () => {
  await using db = await freshDb();
  const { brandId, id, name } = await aConnection(db);
  await db.query("update app.connections set token = 'x', token_key_id = 'test', account_asked_at = now()");
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const change = (auth: string, input: string) =>
    nightshift(['connections', 'key', name, '--auth', auth], { env, input });
  expect(await change('connected', 'sk_test_x')).toMatchObject({ code: 2 });
  const oneHalf = await change('client_credentials', 'shpat_0123456789abcdef');
  expect(oneHalf).toMatchObject({ code: 2, stderr: expect.stringContaining('has 2 parts') });
  expect(await openConnection(db, { brandId, connectionId: id }, testKeyring)).toMatchObject({
    auth: 'token',
  });
  expect(await change('client_credentials', 'app:s3cret')).toMatchObject({ code: 0 });
  const opened = await openConnection(db, { brandId, connectionId: id }, testKeyring);
  expect(opened).toMatchObject({ auth: 'client_credentials', accountAskedAt: null });
  expect(JSON.parse(opened.secret)).toEqual({ client_id: 'app', client_secret: 's3cret' });
  expect(await db.column('select token from app.connections')).toEqual([null]);
  const used = "select before ->> 'auth' as was, after ->> 'auth' as is_now from ops.audit_log";
  expect(await db.rows(`${used} where action = 'connections.key'`)).toEqual([
    { was: 'token', is_now: 'client_credentials' },
  ]);
  expect(await nightshift(['connections', 'key', name], { env, input: 'app2:s3cret' })).toMatchObject({
    code: 0,
  });
  expect(await openConnection(db, { brandId, connectionId: id }, testKeyring)).toMatchObject({
    auth: 'client_credentials',
  });
});
