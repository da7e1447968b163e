import { expect, test } from 'vitest';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb } from '../support/db/db.ts';
import { type Asked, by, fakeProvider, json } from '../support/providers/provider.ts';
import { NOW } from '../support/providers/sandbox.ts';
import {
  accessAnswer,
  money,
  node,
  none,
  ORDERS,
  shopServing,
  syncNodes,
} from '../support/providers/shop_nodes.ts';
import { aConnection, testKeyring } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

test.each([
  ['missing', { name: undefined }, 'name: missing, text wanted'],
  ['of another type', { test: 'no' }, 'test: the string "no", true or false wanted'],
  [
    'an amount as a number',
    { totalPriceSet: money(10) },
    'totalPriceSet.amount: the number 10, a decimal number as text wanted',
  ],
  [
    'money in another currency than its order',
    { totalPriceSet: money('10', 'EUR') },
    'totalPriceSet: in EUR but the order is in USD',
  ],
  [
    'an instant that is none',
    { processedAt: 'yesterday' },
    'processedAt: the string "yesterday", an instant wanted',
  ],
  [
    'deep inside',
    {
      refunds: [
        { id: 'gid://shopify/Refund/1', createdAt: null, processedAt: 5, totalRefundedSet: money('1') },
      ],
    },
    'refunds[0].processedAt: the number 5, an instant wanted',
  ],
  [
    'a connection that is none',
    { lineItems: { nodes: [] } },
    'lineItems: no connection with nodes and pageInfo',
  ],
])(
  'a field that is %s rejects its record, keeps it with the reason, and the sync is not green',
  async (_, fault, reason) => {
    await using db = await freshDb();
    let nodes = [node(1), node(2, fault)];
    await using shop = await shopServing(() => nodes);
    const connection = await aConnection(db, { baseUrl: shop.url, account: 'acme.myshopify.com' });
    expect(await syncNodes(db, connection)).toMatchObject({
      changed: 1,
      rejected: 1,
      incomplete: expect.stringContaining('1 record could'),
    });
    expect(await db.rows('select row_key, reason from ops.rejected_rows')).toEqual([
      { row_key: '2', reason },
    ]);
    expect(await db.column('select id from raw.shopify_orders')).toEqual(['1']);

    nodes = [node(1), node(2)]; // mended: the record loads and its rejection is settled
    expect(await syncNodes(db, connection)).toMatchObject({ changed: 1, rejected: 0, incomplete: null });
    expect(await db.column('select count(*)::int from ops.rejected_rows')).toEqual([0]);
  },
);

test('a field that we do not know stays in the payload and fails nothing', async () => {
  await using db = await freshDb();
  const line = {
    ...{
      id: 'gid://shopify/LineItem/1',
      title: 'Mug',
      variantTitle: null,
      sku: null,
      quantity: 1,
      currentQuantity: 1,
    },
    ...{
      isGiftCard: false,
      originalUnitPriceSet: money('10.00'),
      product: null,
      variant: null,
      colour: 'blue',
    },
  };
  const lineItems = { ...none, nodes: [line] };
  await using shop = await shopServing(() => [node(1, { mood: 'sunny', lineItems })]);
  const connection = await aConnection(db, { baseUrl: shop.url, account: 'acme.myshopify.com' });
  expect(await syncNodes(db, connection)).toMatchObject({ changed: 1, rejected: 0 });
  expect(await db.column("select payload ->> 'mood' from raw.shopify_orders")).toEqual(['sunny']);
  expect(await db.column("select payload ->> 'colour' from raw.shopify_order_lines")).toEqual(['blue']);
});

test('an amount that is written differently is the same amount: nothing is rewritten', async () => {
  await using db = await freshDb();
  let amount = '10.00';
  await using shop = await shopServing(() => [node(1, { totalPriceSet: money(amount) })]);
  const connection = await aConnection(db, { baseUrl: shop.url, account: 'acme.myshopify.com' });
  await syncNodes(db, connection);
  const version = () => db.column('select xmin::text from raw.shopify_orders');
  const before = await version();
  amount = '10.0';
  expect(await syncNodes(db, connection)).toMatchObject({ changed: 0, unchanged: 1 });
  expect(await version()).toEqual(before);
});

// Shopify pages no deeper than 25,000 objects into one filter: such a window is halved, and halved again.
test('a window with more objects than can be paged is read in parts, each moving the position', async () => {
  await using db = await freshDb();
  const asked: { from: string; to: string; name: string }[] = [];
  const spanOf = (query: string) => {
    const [from = '', to = ''] = [...query.matchAll(/'([^']+)'/g)].map((match) => match[1] ?? '');
    return { from, to };
  };
  await using shop = await fakeProvider(
    by(({ body }: Asked) => {
      const { operationName: name, variables } = JSON.parse(body);
      if (name === 'Access') return json({ data: accessAnswer });
      const span = spanOf(variables.query);
      asked.push({ ...span, name });
      const minutes = (Date.parse(span.to) - Date.parse(span.from)) / 60_000;
      if (name === 'OrdersPage') return json({ data: { page: none } });
      const count = minutes > 100_000 ? 0 : minutes > 20 ? 30_000 : 0; // the total of all is not what this is about
      return json({ data: { count: { count, precision: 'EXACT' } } });
    }),
  );
  const { brandId, id } = await aConnection(db, { baseUrl: shop.url, account: 'acme.myshopify.com' });
  await db.query(
    `insert into ops.positions (brand_id, connection_id, stream, position, updated_at)
     values ($1, $2, $3, '{"changesTo": "2026-11-20T05:00:00Z"}', now())`,
    [brandId, id, ORDERS],
  );
  const which = { brandId, connectionId: id, stream: ORDERS, now: NOW };
  await runTask(syncStream, which, db, { services: testKeyring });
  const pages = asked
    .filter(({ name }) => name === 'OrdersPage')
    .map(({ from, to }) => `${from.slice(11, 19)} ${to.slice(11, 19)}`);
  expect(pages).toEqual(['04:55:00 05:11:00', '05:11:00 05:23:00', '05:23:00 05:41:00', '05:41:00 05:59:00']);
  expect(await db.column("select position ->> 'changesTo' from ops.positions")).toEqual([
    '2026-11-20T05:59:00.000Z',
  ]);
});
