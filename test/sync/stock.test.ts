/** Changes of stock and costs are read from a list that Shopify neither counts nor sorts. */
import { expect, test } from 'vitest';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Asked, by, type FakeProvider, fakeProvider, json } from '../support/providers/provider.ts';
import { NOW } from '../support/providers/sandbox.ts';
import { aConnection, testKeyring } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const PRODUCTS = 'shopify.products';
/** Far more than are asked for, so that the limit of 25,000 is reached with few pages. */
const PAGE_OBJECTS = 5_000;
const none = { nodes: [], pageInfo: { hasNextPage: false, endCursor: null } };

const access = {
  shop: {
    ...{ id: 'gid://shopify/Shop/1', name: 'Acme', myshopifyDomain: 'acme.myshopify.com' },
    ...{ currencyCode: 'USD', ianaTimezone: 'UTC', createdAt: '2020-01-01T00:00:00Z' },
  },
  currentAppInstallation: {
    accessScopes: ['read_products', 'read_inventory'].map((handle) => ({ handle })),
  },
};

type Span = { from: string; to: string; after: string | null };

/** A shop without products whose inventory items come as `page` says. */
function shopServing(page: (span: Span) => object): Promise<FakeProvider> {
  return fakeProvider(
    by(({ body }: Asked) => {
      const { operationName, variables } = JSON.parse(body);
      if (operationName === 'Access') return json({ data: access });
      if (operationName === 'ProductsCount')
        return json({ data: { count: { count: 0, precision: 'EXACT' } } });
      if (operationName === 'ProductsPage') return json({ data: { page: none } });
      const [from = '', to = ''] = [...variables.query.matchAll(/'([^']+)'/g)].map(([, time]) => time);
      return json({ data: { page: page({ from, to, after: variables.after }) } });
    }),
  );
}

/** One page of items that never end, or only at page number `last`. */
function items({ from, after }: Span, last: number) {
  const page = Number(after ?? 0) + 1;
  const nodes = Array.from({ length: PAGE_OBJECTS }, (_, index) => ({
    id: `gid://shopify/InventoryItem/${Date.parse(from)}${page * PAGE_OBJECTS + index}`,
    updatedAt: from,
    variants: { nodes: [] },
  }));
  return { nodes, pageInfo: { hasNextPage: page < last, endCursor: String(page) } };
}

async function syncProducts(db: TestDb, shop: FakeProvider) {
  const { brandId, id: connectionId } = await aConnection(db, {
    baseUrl: shop.url,
    account: 'acme.myshopify.com',
  });
  await db.query(
    `insert into ops.positions (brand_id, connection_id, stream, position, updated_at)
     values ($1, $2, $3, '{"changesTo": "2026-11-20T05:00:00Z"}', now())`,
    [brandId, connectionId, PRODUCTS],
  );
  const which = { brandId, connectionId, stream: PRODUCTS, now: NOW };
  const tally = await runTask(syncStream, which, db, { services: testKeyring });
  const [changesTo] = await db.column("select position ->> 'changesTo' from ops.positions");
  return { incomplete: tally.incomplete ?? null, changesTo };
}

test('a window with more changes of stock than can be paged is halved, though nobody counts them', async () => {
  await using db = await freshDb();
  const ended: string[] = [];
  await using shop = await shopServing((span) => {
    const minutes = (Date.parse(span.to) - Date.parse(span.from)) / 60_000;
    const page = items(span, minutes > 40 ? 9 : 2);
    if (!page.pageInfo.hasNextPage) ended.push(`${span.from.slice(11, 16)}-${span.to.slice(11, 16)}`);
    return page;
  });
  expect(await syncProducts(db, shop)).toEqual({ incomplete: null, changesTo: '2026-11-20T05:59:00.000Z' });
  expect(ended).toEqual(['04:55-05:27', '05:27-05:59']);
});

test('changes of stock that come to no end leave the position where it is', async () => {
  await using db = await freshDb();
  await using shop = await shopServing((span) => items({ ...span, after: null }, 2));
  expect(await syncProducts(db, shop)).toEqual({
    incomplete: expect.stringContaining('the same page comes again and again'),
    changesTo: '2026-11-20T05:00:00Z',
  });
});
