import { expect, test } from 'vitest';
import { z } from 'zod';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import { openShopify } from '#connectors/shopify/api/client.ts';
import { shopQuery } from '#connectors/shopify/api/queries.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Asked, by, fakeProvider, json, status } from '../support/providers/provider.ts';
import { aConnection, testKeyring, testSealer } from '../support/rows/factory.ts';

const SECRET = JSON.stringify({ client_id: 'app', client_secret: 'hush-hush' });
const anything = z.record(z.string(), z.unknown());

type Shop = { grant?: (number: number) => object; refuses?: (token: string) => boolean };

/** A shop that hands out token-1, token-2, … and lists which token each question came with. */
async function aShop({ grant = () => ({ expires_in: 86_399 }), refuses = () => false }: Shop = {}) {
  let grants = 0;
  const tokens: string[] = [];
  const answer = ({ path, headers }: Asked) => {
    if (path.endsWith('/oauth/access_token')) {
      grants++;
      return json({ access_token: `token-${grants}`, scope: 'read_orders', ...grant(grants) });
    }
    const token = String(headers['x-shopify-access-token']);
    tokens.push(token);
    return refuses(token) ? status(401) : json({ data: { shop: {} } });
  };
  const provider = await fakeProvider(by(answer));
  return { ...provider, tokens, grants: () => grants };
}

async function connect(db: TestDb, baseUrl: string, key = { auth: 'client_credentials', secret: SECRET }) {
  const { brandId, id } = await aConnection(db, { baseUrl, ...key });
  const open = async (asked: Db = db) => {
    const connection = await openConnection(db, { brandId, connectionId: id }, testKeyring);
    const shopify = openShopify({
      ...{ connection, db: asked, sealer: testSealer, stats: newRequestStats(), warn: () => {} },
      signal: new AbortController().signal,
    });
    return () => shopify.ask(shopQuery, {}, anything);
  };
  return { open, id };
}

async function storedKey(db: TestDb, id: string): Promise<object> {
  const [brandId] = await db.column('select brand_id from app.connections where id = $1', [id]);
  const { secret } = await openConnection(db, { brandId: String(brandId), connectionId: id }, testKeyring);
  return JSON.parse(secret);
}

test('a token is asked for once and used by every worker until it is nearly over', async () => {
  await using db = await freshDb();
  await using shop = await aShop();
  const { open } = await connect(db, shop.url);
  const [one, other] = [await open(), await open()];
  await Promise.all([one(), other(), one()]);
  expect(shop.grants()).toBe(1);
  expect(new Set(shop.tokens)).toEqual(new Set(['token-1']));
  expect(shop.asked.find(({ path }) => path.includes('oauth'))?.body).toBe(
    '{"client_id":"app","client_secret":"hush-hush","grant_type":"client_credentials"}',
  );

  await db.query("update app.connections set token_expires_at = now() + interval '4 minutes'");
  await (await open())();
  expect(shop.tokens.at(-1)).toBe('token-2');
});

test('the token lies sealed in the database', async () => {
  await using db = await freshDb();
  await using shop = await aShop();
  const { open } = await connect(db, shop.url);
  await (await open())();
  const [row] = await db.rows(
    "select token, encode(token, 'escape') as plain, token_expires_at from app.connections",
  );
  expect(row?.token).toBeInstanceOf(Buffer);
  expect(row?.plain).not.toContain('token-1');
  expect(row?.token_expires_at.getTime()).toBeGreaterThan(Date.now() + 80_000_000);
});

test('a grant without an end is taken for one of an hour, never for one without end', async () => {
  await using db = await freshDb();
  await using shop = await aShop({ grant: () => ({}) });
  const { open } = await connect(db, shop.url);
  await (await open())();
  const [expires] = await db.column(
    'select extract(epoch from token_expires_at - now())::int from app.connections',
  );
  expect(expires).toBeGreaterThan(3_500);
  expect(expires).toBeLessThanOrEqual(3_600);
});

test('a token that is refused is renewed once', async () => {
  await using db = await freshDb();
  await using shop = await aShop({ refuses: (token) => token === 'token-1' });
  const { open } = await connect(db, shop.url);
  expect(await (await open())()).toEqual({ shop: {} });
  expect(shop.tokens).toEqual(['token-1', 'token-2']);
});

test('two workers whose token is refused do not renew it twice', async () => {
  await using db = await freshDb();
  await using shop = await aShop({ refuses: (token) => token === 'token-1' });
  const { open } = await connect(db, shop.url);
  const [one, other] = [await open(), await open()];
  await Promise.all([one(), other()]);
  expect(shop.grants()).toBe(2);
});

test('a new token that is refused too holds the connection', async () => {
  await using db = await freshDb();
  await using shop = await aShop({ refuses: () => true });
  const { open } = await connect(db, shop.url);
  await expect((await open())()).rejects.toMatchObject({
    code: 'NS_CREDENTIALS_REJECTED',
    verdict: 'hold',
    hint: expect.stringMatching(/connections key \S+ --brand \S+$/),
  });
  expect(shop.tokens).toEqual(['token-1', 'token-2']);
});

test('a refused login holds the connection and repeats nothing of the secret', async () => {
  await using db = await freshDb();
  await using provider = await fakeProvider(
    json(
      { error: 'app_not_installed', error_description: 'hush-hush is not a secret of app' },
      { status: 400 },
    ),
  );
  const { open } = await connect(db, provider.url);
  const error = await (await open())().catch((reason: Error) => reason);
  expect(error).toMatchObject({
    code: 'NS_CREDENTIALS_REJECTED',
    verdict: 'hold',
    message: expect.stringContaining('app_not_installed'),
  });
  expect(`${(error as Error).stack}${JSON.stringify(error)}`).not.toContain('hush-hush');
  expect(provider.asked).toHaveLength(1);
});

/** A shop of a public app: each renewal takes the latest refresh token, or the one before until its token is used. */
async function aPublicShop(lifeSeconds = 3_600) {
  const renewals: string[] = [];
  const answer = ({ path, body, headers }: Asked) => {
    if (!path.endsWith('/oauth/access_token'))
      return headers['x-shopify-access-token'] === `token-${renewals.length}`
        ? json({ data: { shop: {} } })
        : status(401);
    const { grant_type, refresh_token } = JSON.parse(body);
    expect(grant_type).toBe('refresh_token');
    renewals.push(refresh_token);
    const n = renewals.length;
    return json({ access_token: `token-${n}`, refresh_token: `renew-${n}`, expires_in: lifeSeconds });
  };
  return { ...(await fakeProvider(by(answer))), renewals };
}

test('a token of an hour is renewed, and what renews it next is stored with it', async () => {
  await using db = await freshDb();
  await using shop = await aPublicShop();
  const secret = JSON.stringify({ client_id: 'app', client_secret: 'hush-hush', refresh_token: 'renew-0' });
  const { open, id } = await connect(db, shop.url, { auth: 'refresh_token', secret });
  const other = await connect(db, shop.url, { auth: 'refresh_token', secret });
  const [early, late] = [await open(), await open()];
  expect(await early()).toEqual({ shop: {} });
  await db.query("update app.connections set token_expires_at = now() + interval '4 minutes'");
  expect(await late()).toEqual({ shop: {} }); // it opened the connection before that renewal
  expect(shop.renewals).toEqual(['renew-0', 'renew-1']);
  const secrets = await db.rows("select id, encode(secret, 'escape') as plain from app.connections");
  expect(secrets.every(({ plain }) => !plain.includes('renew'))).toBe(true);
  const [stored, untouched] = await Promise.all([storedKey(db, id), storedKey(db, other.id)]);
  expect(stored).toMatchObject({ client_secret: 'hush-hush', refresh_token: 'renew-2' });
  expect(untouched).toMatchObject({ refresh_token: 'renew-0' });
});

test('a renewal whose end is not stored is made again with the token of before', async () => {
  await using db = await freshDb();
  await using shop = await aPublicShop();
  const secret = JSON.stringify({ client_id: 'app', client_secret: 'hush-hush', refresh_token: 'renew-0' });
  const { open } = await connect(db, shop.url, { auth: 'refresh_token', secret });
  const failing = {
    ...db,
    transaction: <T>(fn: (tx: Tx) => Promise<T>) =>
      db.transaction(async (tx) => {
        await fn(tx);
        throw new Error('the server went away');
      }),
  };
  await expect((await open(failing))()).rejects.toThrow('went away');
  expect(await (await open())()).toEqual({ shop: {} });
  expect(shop.renewals).toEqual(['renew-0', 'renew-0']);
});
