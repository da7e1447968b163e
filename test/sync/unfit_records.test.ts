/** One record that cannot be stored never keeps the others from being stored. */
import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { type Asked, by, fakeProvider, json } from '../support/providers/provider.ts';
import {
  deepJson,
  money,
  NESTED,
  node,
  none,
  ORDERS,
  SHOP_ACCOUNT,
  shopServing,
  syncNodes,
} from '../support/providers/shop_nodes.ts';
import { ACCOUNT, NOW, NOW_SECONDS } from '../support/providers/stripe.ts';
import { connectStripe } from '../support/providers/stripe_sync.ts';
import { aConnection } from '../support/rows/factory.ts';

const LONG = 'x'.repeat(3_000);
const HALF = '\ud800';
const NUL = '\0';

const line = (more: object) => ({
  ...none,
  nodes: [
    {
      ...{ id: 'gid://shopify/LineItem/7', title: 'Mug', variantTitle: null, sku: null, quantity: 1 },
      ...{ currentQuantity: 1, isGiftCard: false, originalUnitPriceSet: money('10.00') },
      ...{ product: null, variant: null, ...more },
    },
  ],
});

/** Of an order each: what is wrong with it, and what its reason shows. */
const UNFIT_ORDERS: Record<string, [fault: Record<string, unknown>, shown: string]> = {
  'the year 0': [{ processedAt: '0000-12-31T00:00:00Z' }, '"0000-12-31T00:00:00Z"'],
  'a day that stands for none': [{ processedAt: '0001-01-01T00:00:00Z' }, '"0001-01-01T00:00:00Z"'],
  'the year 10000': [{ createdAt: '+010000-01-01T00:00:00Z' }, '"+010000-01-01T00:00:00Z"'],
  'no day of the calendar': [{ processedAt: '2026-13-45T00:00:00Z' }, '"2026-13-45T00:00:00Z"'],
  'NUL in its id': [{ id: `gid://shopify/Order/1${NUL}2` }, '"1\ufffd2"'],
  'half a character in its id': [{ id: `gid://shopify/Order/1${HALF}` }, 'id:'],
  'an id that fills an index': [{ id: `gid://shopify/Order/${LONG}` }, 'xxx'],
  'NUL in the id of a customer': [{ customer: { id: `gid://shopify/Customer/${NUL}` } }, 'customer_id'],
  'the id of a customer that fills an index': [
    { customer: { id: `gid://shopify/Customer/${LONG}` } },
    '"xxx',
  ],
  'NUL in the id of a line': [
    { lineItems: line({ id: `gid://shopify/LineItem/${NUL}` }) },
    'raw.shopify_order_lines',
  ],
  'a quantity beyond the column': [{ lineItems: line({ quantity: 2 ** 31 }) }, '2147483648'],
  'an amount beyond all': [{ totalPriceSet: money('9'.repeat(200_000)) }, '"9999'],
  'a currency of two letters': [{ currencyCode: 'US' }, 'currencyCode: the string "US"'],
  'no currency': [{ currencyCode: 'XXX', totalPriceSet: money('1', 'XXX') }, '"XXX"'],
  'a currency for tests': [{ currencyCode: 'XTS' }, '"XTS"'],
  'a currency that is a picture': [{ currencyCode: '\u{1F4B6}' }, '"\u{1F4B6}"'],
  'a currency in small letters': [
    { presentmentCurrencyCode: 'usd' },
    'presentmentCurrencyCode: the string "usd"',
  ],
  'fields nested too deep': [{ customAttributes: [NESTED] }, 'customAttributes: nested deeper'],
};

/** A link that anybody may have written, and a name that a program may have given. */
const CAMPAIGN = `${' '.repeat(300)}${NUL}${LONG}`;

/** NUL, half characters and length of what is not a key are not a reason to lose an order. */
const FIT = {
  name: `${LONG}${HALF}`,
  customerJourneySummary: {
    ready: true,
    lastVisit: { occurredAt: null, utmParameters: { campaign: CAMPAIGN } },
  },
  ...{ presentmentCurrencyCode: 'DEM' }, // historic, and money all the same
  ...{
    note: `a${NUL}b`,
    sourceName: `web${NUL}${HALF}`,
    displayFinancialStatus: HALF,
    discountCodes: [NUL, HALF],
  },
  ...{ [`key${NUL}`]: { [HALF]: [NUL] } },
};

const faults = Object.values(UNFIT_ORDERS).map(([fault], index) => node(100 + index, fault));
const orders = [node(1), ...faults, node(2, FIT), node(3)];

async function assertOthersLoad(db: TestDb, tally: object): Promise<void> {
  expect(tally).toMatchObject({
    changed: 3,
    rejected: faults.length,
    incomplete: expect.stringContaining('records'),
  });
  expect(await db.column('select id from raw.shopify_orders order by id')).toEqual(['1', '2', '3']);
  expect(await db.rows("select name, utm_campaign from raw.shopify_orders where id = '2'")).toEqual([
    { name: LONG.slice(0, 255), utm_campaign: `\ufffd${LONG.slice(0, 254)}` },
  ]);
  expect(
    await db.column(
      `select payload #>> '{customerJourneySummary,lastVisit,utmParameters,campaign}' from raw.shopify_orders where id = '2'`,
    ),
  ).toEqual([CAMPAIGN.replace(NUL, '\ufffd')]);
  const rows = await db.rows<{ reason: string }>('select reason from ops.rejected_rows order by rejected_at');
  expect(rows).toHaveLength(faults.length);
  for (const [what, [, shown]] of Object.entries(UNFIT_ORDERS))
    expect(
      rows.map(({ reason }) => reason),
      what,
    ).toContainEqual(expect.stringContaining(shown));
  for (const { reason } of rows) expect(reason.length).toBeLessThan(400);
}

test('in pages of Shopify: every unfit order is set aside, all others load', async () => {
  await using db = await freshDb();
  await using shop = await shopServing(() => orders);
  const connection = await aConnection(db, { baseUrl: shop.url, account: SHOP_ACCOUNT });
  await assertOthersLoad(db, await syncNodes(db, connection));
  // Asked again they are the same records, not more of them.
  await assertOthersLoad(db, { changed: 3, rejected: faults.length, ...(await again(db, connection)) });
});

async function again(db: TestDb, connection: Parameters<typeof syncNodes>[1]) {
  const { changed, unchanged, ...tally }: Record<string, unknown> = await syncNodes(db, connection);
  expect([changed, unchanged]).toEqual([0, 3]);
  return tally;
}

test('in a bulk result of Shopify too', async () => {
  await using db = await freshDb();
  await using shop = await shopServing(
    () => orders,
    () => [],
  );
  const connection = await aConnection(db, { baseUrl: shop.url, account: SHOP_ACCOUNT });
  await assertOthersLoad(db, await syncNodes(db, connection, {}));
  expect(await db.column('select state from ops.positions where stream = $1', [ORDERS])).toEqual(['partial']);
});

test('an order that is whole again leaves, whatever kept it out', async () => {
  await using db = await freshDb();
  let nodes = [node(1, { processedAt: '0000-12-31T00:00:00Z' })];
  await using shop = await shopServing(() => nodes);
  const connection = await aConnection(db, { baseUrl: shop.url, account: SHOP_ACCOUNT });
  await syncNodes(db, connection);
  nodes = [node(1)];
  expect(await syncNodes(db, connection)).toMatchObject({ changed: 1, incomplete: null });
  expect(await db.column('select count(*)::int from ops.rejected_rows')).toEqual([0]);
});

const UNFIT_CHARGES: Record<string, [fault: Record<string, unknown>, shown: string]> = {
  'the year 10000': [{ created: 253_402_300_800 }, 'created: the number 253402300800'],
  'milliseconds for seconds': [{ created: NOW_SECONDS * 1_000_000 }, 'created'],
  'a time before all time': [{ created: -62_167_219_201 }, 'created'],
  'NUL in its id': [{ id: `ch_${NUL}` }, 'raw.stripe_charges'],
  'no id': [{ id: '' }, 'raw.stripe_charges'],
  'half a character in its id': [{ id: `ch_${HALF}` }, 'raw.stripe_charges'],
  'an id that fills an index': [{ id: LONG }, 'xxx'],
  'NUL in the id of a customer': [{ customer: NUL }, 'customer_id'],
  'metadata nested too deep': [{ metadata: { order: NESTED } }, 'metadata: nested deeper'],
  'a currency of two letters in small ones': [{ currency: 'us' }, 'currency: the string "us"'],
  'no money': [{ currency: 'xxx' }, '"xxx"'],
  'an amount that is not a whole number': [{ amount: 1e300 }, 'amount: the number 1e+300'],
};

const charge = (id: string, more: object) => ({
  ...{ id, object: 'charge', status: 'succeeded', paid: true, captured: true, currency: 'usd' },
  ...{ amount: 1_000, amount_captured: 1_000, amount_refunded: 0, created: NOW_SECONDS - 600 },
  ...more,
});

const unfitCharges = Object.values(UNFIT_CHARGES).map(([fault], index) => charge(`ch_bad_${index}`, fault));
const charges = [
  charge('ch_1', { created: NOW_SECONDS - 300 }),
  ...unfitCharges,
  charge('ch_2', { created: NOW_SECONDS - 900, metadata: { order_id: LONG, note: NUL + HALF } }),
];

/** An account that serves these, in lists and by their ids. */
function accountServing(objects: readonly object[]) {
  const answer = ({ path }: Asked) => {
    const { pathname } = new URL(path, 'http://stripe');
    if (pathname === '/stripe/v1/account') return { object: 'account', id: ACCOUNT };
    if (pathname === '/stripe/v1/charges') return { object: 'list', has_more: false, data: objects };
    if (pathname === '/stripe/v1/events')
      return { object: 'list', has_more: false, data: objects.map(eventOf) };
    const id = decodeURIComponent(pathname.split('/').at(-1) ?? '');
    return objects.find((object) => idOf(object).toWellFormed() === id);
  };
  const missing = {
    error: { code: 'resource_missing', type: 'invalid_request_error', message: 'No such charge' },
  };
  return fakeProvider(
    by((asked) => {
      const found = answer(asked);
      return found ? json(deepJson(found)) : json(missing, { status: 404 });
    }),
  );
}

const idOf = (object: object) => String('id' in object && object.id);

const eventOf = (object: object, index: number) => ({
  ...{ id: `evt_${index}`, object: 'event', type: 'charge.updated', created: NOW_SECONDS - 120 },
  data: { object: { id: idOf(object), object: 'charge' } },
});

async function assertOtherChargesLoad(db: TestDb): Promise<void> {
  expect(await db.rows('select id, order_reference from raw.stripe_charges order by id')).toEqual([
    { id: 'ch_1', order_reference: null },
    { id: 'ch_2', order_reference: null },
  ]);
  const reasons = await db.column('select reason from ops.rejected_rows');
  for (const [what, [, shown]] of Object.entries(UNFIT_CHARGES))
    expect(reasons, what).toContainEqual(expect.stringContaining(shown));
}

test('in a list of Stripe every unfit charge is set aside, all others load', async () => {
  await using db = await freshDb();
  await using stripe = await accountServing(charges);
  const account = await connectStripe(db, { url: stripe.url });
  const window = { since: '2026-11-01T00:00:00Z', until: NOW };
  expect(await account.sync('charges', window)).toMatchObject({ changed: 2, rejected: unfitCharges.length });
  await assertOtherChargesLoad(db);
  expect(await account.sync('charges', window)).toMatchObject({
    unchanged: 2,
    rejected: unfitCharges.length,
  });
});

test('read one by one after an event too', async () => {
  await using db = await freshDb();
  await using stripe = await accountServing(charges);
  const account = await connectStripe(db, { url: stripe.url });
  await db.query(
    `insert into ops.positions (brand_id, connection_id, stream, position, updated_at)
     values ($1, $2, 'stripe.charges', $3, now())`,
    [account.brandId, account.connectionId, { changesTo: '2026-11-20T05:50:00Z', livemode: false }],
  );
  expect(await account.sync('charges')).toMatchObject({ changed: 2 });
  await assertOtherChargesLoad(db);
  expect(await db.column('select state from ops.positions')).toEqual(['partial']);
});

test('a subscription whose price repeats never is set aside', async () => {
  await using db = await freshDb();
  const price = {
    id: 'price_1',
    unit_amount: 100,
    currency: 'usd',
    recurring: { interval: 'month', interval_count: 0 },
  };
  const subscription = (id: string, interval: number) => ({
    ...{
      id,
      object: 'subscription',
      status: 'active',
      currency: 'usd',
      customer: 'cus_1',
      created: NOW_SECONDS - 600,
    },
    ...{ start_date: NOW_SECONDS - 600, cancel_at_period_end: false },
    items: {
      has_more: false,
      data: [
        {
          id: `si_${id}`,
          quantity: 1,
          price: { ...price, recurring: { ...price.recurring, interval_count: interval } },
        },
      ],
    },
  });
  const data = [subscription('sub_1', 1), subscription('sub_2', 0)];
  await using stripe = await fakeProvider(
    by(({ path }) =>
      json(
        path.includes('/account')
          ? { object: 'account', id: ACCOUNT }
          : { object: 'list', has_more: false, data },
      ),
    ),
  );
  const account = await connectStripe(db, { url: stripe.url });
  const window = { since: '2026-11-01T00:00:00Z', until: NOW };
  expect(await account.sync('subscriptions', window)).toMatchObject({ changed: 1, rejected: 1 });
  expect(await db.column('select reason from ops.rejected_rows')).toEqual([
    'price.recurring.interval_count: not above zero',
  ]);
});
