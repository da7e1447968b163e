/** A brand that knows one person at three providers, beside another person, for tests of erasures. */
import { findStream, streamsOf } from '#connectors/providers.ts';
import { addCampaign } from '#sql/campaigns/campaigns.ts';
import { addLink } from '#sql/campaigns/links.ts';
import { setReadsPersons } from '#sql/tenants/account_facts.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import { rollup } from '#tasks/rollup.ts';
import { storePage } from '#tasks/store_page.ts';
import { eventsOf } from '../../../connectors/sendgrid/events/event.ts';
import type { TestDb } from '../db/db.ts';
import { anEvent, connectSendGrid, NOW as MAIL_NOW, sendgridSandbox } from '../providers/sendgrid.ts';
import { aShopOf } from '../providers/shopify.ts';
import { NOW, NOW_SECONDS } from '../providers/stripe.ts';
import { anAccountOf } from '../providers/stripe_sync.ts';
import { aBrand, testSealer } from '../rows/factory.ts';
import { runTask } from '../run.ts';

export const EMAIL = 'Anna.Berg@Example.com';
export const CUSTOMER = '7012345678901';
export const STRIPE_CUSTOMER = 'cus_AnnaBerg9';
const OTHER = '7012345678902';
const DAY = 86_400;
const START = NOW_SECONDS - 10 * DAY;
const LATER = NOW_SECONDS - 5 * DAY;

const order = (id: number, day: string, more: object = {}) => ({
  ...{ id, processedAt: `2026-11-${day}T12:00:00Z`, updatedAt: `2026-11-${day}T12:00:00Z` },
  ...{ shippingAddress: { countryCodeV2: 'US' } },
  lineItems: [{ id: id * 10, sku: 'MUG', quantity: 1, originalUnitPriceSet: '10.00' }],
  transactions: [{ kind: 'SALE', amountSet: '10.00' }],
  ...more,
});

/** Orders of the person, the last one after a click in a letter, one of somebody else, one of a guest. */
export const shopRows = (more: object = {}) => ({
  'orders.ndjson': [
    order(1001, '03', { customer: Number(CUSTOMER) }),
    order(1002, '07', { customer: Number(CUSTOMER), ...more }),
    order(1003, '07', { customer: Number(OTHER) }),
    order(1004, '08'),
    order(1005, '12', { customer: Number(CUSTOMER), email: EMAIL }),
  ],
  'customers.ndjson': [CUSTOMER, OTHER].map((id) => ({
    ...{ id: Number(id), createdAt: '2026-11-01T00:00:00Z', updatedAt: '2026-11-02T00:00:00Z' },
    ...{ tags: [id === CUSTOMER ? 'anna.berg@example.com' : 'vip'], locale: 'sv' },
    defaultEmailAddress: {
      ...{ emailAddress: EMAIL, marketingState: 'SUBSCRIBED', marketingOptInLevel: 'SINGLE_OPT_IN' },
      marketingUpdatedAt: '2026-11-01T00:00:00Z',
    },
  })),
});

const PRICE = { id: 'price_1', currency: 'usd', product: 'prod_1', created: START };

export const stripeFiles = (more: object = {}) => ({
  products: [{ id: 'prod_1', name: 'Box', created: START }],
  prices: [{ ...PRICE, unit_amount: 500, recurring: { interval: 'month', interval_count: 1 } }],
  customers: [
    {
      ...{ id: STRIPE_CUSTOMER, email: EMAIL, name: 'Anna Berg', created: START },
      metadata: { nick: 'anna.berg@example.com' },
    },
    { id: 'cus_2', created: START },
  ],
  charges: [
    {
      ...{ id: 'ch_1', amount: 1_000, currency: 'usd', created: START, customer: STRIPE_CUSTOMER },
      ...{
        description: 'Box for anna.berg@example.com',
        receipt_email: EMAIL,
        metadata: { order_id: '1001' },
      },
      ...{ billing_details: { email: EMAIL, name: 'Anna Berg' }, payment_intent: 'pi_1', ...more },
    },
    // Bought as a guest: only a text says by whom.
    { id: 'ch_2', amount: 700, currency: 'usd', created: LATER, metadata: { note: `gift ${EMAIL}` } },
    { id: 'ch_3', amount: 300, currency: 'usd', created: LATER, customer: 'cus_2', description: 'kept' },
  ],
  payment_intents: [
    {
      id: 'pi_1',
      amount: 1_000,
      currency: 'usd',
      created: START,
      customer: STRIPE_CUSTOMER,
      description: 'Anna',
    },
  ],
  refunds: [
    {
      id: 're_1',
      amount: 200,
      currency: 'usd',
      created: LATER,
      charge: 'ch_1',
      metadata: { why: 'Anna called' },
    },
  ],
  balance_transactions: [
    ...[
      { id: 'txn_1', amount: 1_000, fee: 59, source: 'ch_1', description: 'Box for anna.berg@example.com' },
      { id: 'txn_2', amount: -200, source: 're_1', description: 'Refund for Anna' },
      { id: 'txn_3', amount: 700, source: 'ch_2' },
      { id: 'txn_4', amount: 300, source: 'ch_3', description: 'kept' },
    ].map((one) => ({ currency: 'usd', created: START + 60, ...one })),
  ],
  subscriptions: [
    {
      ...{ id: 'sub_1', customer: STRIPE_CUSTOMER, created: START, start_date: START },
      ...{ items: [{ price: 'price_1' }], metadata: { who: 'Anna' }, description: 'for Anna' },
    },
    { id: 'sub_2', customer: 'cus_2', created: START, start_date: START, items: [{ price: 'price_1' }] },
  ],
  invoices: [
    {
      ...{ id: 'in_1', customer: STRIPE_CUSTOMER, currency: 'usd', created: START, subscription: 'sub_1' },
      ...{ billing_reason: 'subscription_create', total: 500, description: 'Anna' },
    },
  ],
});

const STRIPE = [
  ...[
    'products',
    'prices',
    'customers',
    'subscriptions',
    'invoices',
    'payment_intents',
    'charges',
    'refunds',
  ],
  'balance_transactions',
];
const SUPPRESSIONS = ['unsubscribes', 'bounces'];

const letter = (at: string, more: object = {}) => ({
  ...{ sg_message_id: `${at}.filter.1.0`, email: EMAIL, who: 'Anna Berg' },
  ...more,
});

export const events = [
  anEvent('delivered', '2026-11-10T10:00:00Z', letter('m1')),
  anEvent('open', '2026-11-10T11:00:00Z', letter('m1', { sg_event_id: 'open 1' })),
  anEvent(
    'open',
    '2026-11-10T12:00:00Z',
    letter('m1', { sg_event_id: 'open 2', email: ` ${EMAIL.toLowerCase()} ` }),
  ),
  anEvent('click', '2026-11-10T12:00:00Z', letter('m1', { url: 'https://shop.example/anna' })),
  // Known by what it says alone.
  anEvent('spamreport', '2026-11-10T13:00:00Z', letter('m1', { sg_event_id: undefined })),
  anEvent('delivered', '2026-11-10T10:00:00Z', { sg_message_id: 'm2.filter.1.0', email: 'bo@example.com' }),
  anEvent('open', '2026-11-10T10:30:00Z', { sg_message_id: 'm2.filter.1.0', email: 'bo@example.com' }),
];

const lists = {
  unsubscribes: [
    { email: EMAIL, created: START },
    { email: 'bo@example.com', created: START },
  ],
  bounces: [{ email: EMAIL, created: START, reason: '550 unknown', status: '5.1.1' }],
};

export type World = Awaited<ReturnType<typeof aWorld>>;

export async function aWorld(db: TestDb) {
  const { id: brandId, slug } = await aBrand(db, { timeZone: 'America/New_York' });
  const shop = await aShopOf(db, shopRows(), undefined, brandId);
  await db.transaction((tx) => setReadsPersons(tx, { ...shop, actor: 'test' }, true));
  await db.transaction(async (tx) => {
    const fields = {
      name: 'Autumn',
      startsOn: null,
      endsOn: null,
      budget: null,
      budgetCurrency: null,
      retailerId: null,
    };
    const campaign = await addCampaign(tx, { brandId, slug: 'autumn', ...fields, actor: 'test' });
    await addLink(tx, campaign, { kind: 'email_category', value: 'autumn' }, { actor: 'test' });
  });
  const stripe = await anAccountOf(db, stripeFiles(), {}, { brandId });
  const sandbox = await sendgridSandbox(lists);
  const mail = await connectSendGrid(db, sandbox, { brandId });
  const push = async () => {
    const { digestOf } = await personKeyOf(db, testSealer, brandId);
    const now = new Date(MAIL_NOW);
    const content = eventsOf(events, { personOf: digestOf, source: 'webhook', readAt: now });
    const storing = {
      stream: findStream('sendgrid.events'),
      ...{ now, distrustsDigests: false, sealer: testSealer },
    };
    return db.transaction((tx) => storePage(tx, mail, storing, { phase: 'changes', ...content }));
  };
  const owners = async () => [
    ...(await db.column('select id from app.retailers where brand_id = $1 order by id', [brandId])),
    null,
  ];
  return {
    ...{ brandId, slug, shop, stripe, mail, push },
    /** Everything again, as from the beginning. */
    async sync(full = true) {
      const more = full ? { full: true, request: crypto.randomUUID() } : {};
      for (const stream of ['orders', 'customers']) await shop.sync(`shopify.${stream}`, more);
      for (const stream of STRIPE) await stripe.sync(stream, more);
      for (const stream of SUPPRESSIONS) await mail.sync(stream, more);
      await push();
    },
    async roll() {
      for (const retailerId of await owners())
        await runTask(rollup, { brandId, retailerId: retailerId as string | null, now: NOW }, db);
    },
    /** Every row of every view, without when it was computed, and without what customers are called. */
    async figures() {
      const views = await db.column(
        `select table_name::text from information_schema.columns
         where table_schema = 'bi' and column_name = 'brand_id' and table_name not in ('sync_status', 'completeness')
         order by 1`,
      );
      const all: Record<string, unknown[]> = {};
      for (const view of views)
        all[String(view)] = await db.column(
          `select (to_jsonb(v) - '{computed_at,customer_id}'::text[])::text from bi.${view} v where brand_id = $1 order by 1`,
          [brandId],
        );
      return all;
    },
    /** The versions of all raw rows: equal before and after means that nothing was rewritten. */
    async headers() {
      const tables = new Set(
        ['shopify', 'stripe', 'sendgrid'].flatMap((name) =>
          streamsOf(name).flatMap((stream) => stream.tables.map((table) => table.name)),
        ),
      );
      const parts = [...tables].map(
        (name) => `select '${name}' as t, ctid::text, xmin::text from ${name} where brand_id = $1`,
      );
      return db.rows(`${parts.join(' union all ')} order by 1, 2`, [brandId]);
    },
    async [Symbol.asyncDispose]() {
      for (const one of [shop, stripe, sandbox]) await one[Symbol.asyncDispose]();
    },
  };
}
