/** Answers to the look of a run that one stream cannot use. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { STREAMS } from '../support/providers/shop_account.ts';
import { aShopOf, type ShopUnderTest } from '../support/providers/shopify.ts';

const at = (hour: number) => ({ now: `2026-11-20T0${hour}:00:00Z` });
const order = { id: 1, processedAt: '2026-11-10T10:00:00Z', updatedAt: '2026-11-20T01:00:00Z' };
const rows = { 'orders.ndjson': [{ ...order, lineItems: [{ id: 10, originalUnitPriceSet: '10.00' }] }] };

type Answer = { data?: Record<string, unknown>; errors?: unknown };

/** Passes requests on to a shop of the sandbox; what it answers to a query may be changed. */
async function changing(
  db: TestDb,
  { sandbox, connectionId }: ShopUnderTest,
  change: (name: string, answer: Answer, query: string) => Answer,
) {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const { operationName, query } = JSON.parse(body) as { operationName: string; query: string };
    const headers = {
      'content-type': 'application/json',
      'x-shopify-access-token': String(request.headers['x-shopify-access-token']),
    };
    const answer = await fetch(`${sandbox.url}${request.url}`, { method: 'POST', headers, body });
    const changed = change(operationName, (await answer.json()) as Answer, query);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(changed));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await db.query(
    `update app.connections set base_url = regexp_replace(base_url, '^http://[^/]+', $2) where id = $1`,
    [connectionId, `http://127.0.0.1:${port}`],
  );
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a record of the shop that could not be understood is read again, although it is the same', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, rows);
  await using other = await aShopOf(db, rows);
  for (const one of [shop, other]) for (const stream of STREAMS) await one.sync(stream, at(6));
  let createdAt: unknown = 'a day in May';
  await using _ = await changing(db, shop, (name, answer) => {
    const { shop: told } = answer.data ?? {};
    if (name === 'Look') Object.assign(told as object, createdAt ? { createdAt } : {});
    return answer;
  });
  for (const hour of [7, 8]) expect(await shop.syncAll(at(hour))).toMatchObject({ rejected: 1 });
  const rejected = 'select count(*)::int from ops.rejected_rows where brand_id = $1';
  expect(await db.column(rejected, [shop.brandId])).toEqual([1]);
  createdAt = undefined;
  expect(await shop.syncAll(at(9))).not.toHaveProperty('incomplete');
  expect(await db.column(rejected, [shop.brandId])).toEqual([0]);
  expect(await other.syncAll(at(9))).toMatchObject({ rejected: 0 });
});

test('a field that Shopify denies in the look fails the stream that needs it, and the others share the next look', async () => {
  await using db = await freshDb();
  await using shop = await aShopOf(db, rows);
  await using other = await aShopOf(db, rows);
  for (const one of [shop, other]) for (const stream of STREAMS) await one.sync(stream, at(6));
  const denied = {
    message: 'Access denied for customers field.',
    extensions: { code: 'ACCESS_DENIED', requiredAccess: '`read_customers` access scope.' },
  };
  await using _ = await changing(db, shop, (_name, answer, query) =>
    /\bcustomers(Count)?\(/.test(query) ? { errors: [denied] } : answer,
  );
  expect(await shop.syncAll(at(7))).toMatchObject({ incomplete: expect.stringContaining('read_customers') });
  const failing = "select stream from ops.positions where brand_id = $1 and state <> 'ok'";
  expect(await db.column(failing, [shop.brandId])).toEqual(['shopify.customers']);
  const before = (await shop.asked()).length;
  expect(await shop.syncAll(at(8))).not.toHaveProperty('warning');
  expect((await shop.asked()).slice(before)).toEqual(['Access', 'Look']);
  expect(await db.column(failing, [shop.brandId])).toEqual(['shopify.customers']);
  expect(await db.column('select warnings from ops.stream_warnings')).toEqual([]);
  await other.syncAll(at(7));
  expect(await db.column(failing, [other.brandId])).toEqual([]);
});
