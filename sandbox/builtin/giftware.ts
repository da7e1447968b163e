/** The brand `giftware`: the real orders of one year, in five shops by the customer's country. */
import { giftwareProfiles } from '../ayrshare/builtin.ts';
import { builtInRates } from '../ecb/rates.ts';
import type { Plain } from '../plain.ts';
import { giftwareMailer } from '../sendgrid/builtin.ts';
import { ALL_SCOPES, gid, type Shop, splitGid, type World } from '../shopify/shop.ts';
import { shopObject } from '../shopify/shop_object.ts';
import { CLUB_ACCOUNT, clubAccount } from '../stripe/club/club.ts';
import { giftwareAccounts } from '../stripe/giftware/giftware.ts';
import type { Accounts } from '../tables/declare.ts';
import { toStamp } from '../zone.ts';
import { buildProducts, LOCATION_ID, productKey } from './catalogue.ts';
import { RETAILERS, type Retailer, retailerOf } from './countries.ts';
import { buildLedger, type Ledger, type Order, ZONE } from './ledger.ts';
import { pounds } from './money.ts';
import { type InvoiceLines, readInvoiceLines } from './online_retail.ts';
import { LineItemView, OrderView, type ShopContext } from './orders.ts';
import { RefundView } from './refunds.ts';

/** The morning after the last day of the data. */
export const NOW = '2011-12-10T06:00:00Z';

export function shopName(retailer: Retailer): string {
  return `giftware-${retailer}`;
}

export function shopToken(retailer: Retailer): string {
  return `shpat_sandbox_giftware_${retailer}`;
}

export async function buildGiftware(): Promise<World> {
  const lines = await readInvoiceLines();
  const ledger = buildLedger(lines);
  const orders = new Map<Retailer, Order[]>(RETAILERS.map((retailer) => [retailer, []]));
  for (const order of ledger.orders) orders.get(retailerOf(lines.countries.name(order.country)))?.push(order);
  const shops = RETAILERS.map((retailer, index) => {
    return buildShop(retailer, index, orders.get(retailer) ?? [], lines, ledger);
  });
  const accounts = giftwareAccounts(lines, (retailer) => orders.get(retailer) ?? [], [CLUB_ACCOUNT]);
  const mailer = giftwareMailer(ZONE);
  return {
    source: 'built-in: UCI Online Retail, 2010-12-01 to 2011-12-09',
    now: Date.parse(NOW),
    shops: new Map(shops.map((shop) => [shop.name, shop])),
    stripe: new Map(
      [...accounts, clubAccount(Date.parse(NOW) / 1000)].map((account) => [account.id, account]),
    ),
    tables: new Map<string, Accounts>([
      ['sendgrid', new Map([[mailer.name, mailer]])],
      ['ayrshare', new Map(giftwareProfiles().map((profile) => [profile.name, profile]))],
    ]),
    rates: builtInRates,
    warnings: [],
  };
}

function buildShop(
  retailer: Retailer,
  index: number,
  orders: Order[],
  lines: InvoiceLines,
  ledger: Ledger,
): Shop {
  const name = shopName(retailer);
  const context: ShopContext = {
    lines,
    ledger,
    productId: (stock) => gid('Product', productKey(index, stock)),
    variantId: (stock) => gid('ProductVariant', productKey(index, stock)),
    customerId: (customer) => gid('Customer', lines.customers.name(customer)),
  };
  const products = buildProducts(index, orders, lines, Date.parse(NOW));
  const location = {
    id: LOCATION_ID,
    name: 'Warehouse',
    isActive: true,
    createdAt: '2010-11-01T00:00:00Z',
    updatedAt: '2010-11-01T00:00:00Z',
  };
  const settings = {
    name,
    currency: 'GBP',
    zone: ZONE,
    taxesIncluded: false,
    tokens: [shopToken(retailer)],
    clients: [{ id: 'sandbox', secret: `sandbox-${retailer}`, lifeSeconds: 86_399 }],
    scopes: ALL_SCOPES,
    bucket: { size: 20_000, restoreRate: 1_000 },
  };
  const views = orders.map((order) => new OrderView(order, context));
  const lists = {
    orders: views,
    customers: buildCustomers(orders, lines, context),
    products: products.map(({ product }) => product),
    productVariants: products.map(({ variant }) => variant),
    inventoryItems: products.map(({ item }) => item),
    locations: [location],
    events: [],
  };
  const self = shopObject(settings, '2010-11-01T00:00:00Z');
  return {
    ...settings,
    domain: `${name}.myshopify.com`,
    self,
    lists,
    find: finder(lists, orders, context),
    older: () => undefined,
  };
}

function buildCustomers(orders: Order[], lines: InvoiceLines, { customerId }: ShopContext): Plain[] {
  const byCustomer = new Map<number, Order[]>();
  for (const order of orders) {
    if (!lines.customers.name(order.customer)) continue;
    const own = byCustomer.get(order.customer);
    if (own) own.push(order);
    else byCustomer.set(order.customer, [order]);
  }
  return [...byCustomer].map(([customer, own]) => {
    const times = own.flatMap(({ at, refunds }) => [at, ...refunds.map((refund) => refund.at)]);
    const sold = own.filter(({ invoice }) => !invoice.startsWith('C'));
    return {
      id: customerId(customer),
      displayName: `Customer ${lines.customers.name(customer)}`,
      state: 'DISABLED',
      locale: 'en-GB',
      createdAt: toStamp(Math.min(...times)),
      updatedAt: toStamp(Math.max(...times)),
      numberOfOrders: String(sold.length),
      amountSpent: pounds(sold.reduce((sum, order) => sum + worth(order, lines), 0)),
      defaultEmailAddress: null,
      defaultPhoneNumber: null,
    };
  });
}

function worth(order: Order, { quantity, price }: InvoiceLines): number {
  return order.lines.reduce((sum, line) => sum + (quantity[line] ?? 0) * (price[line] ?? 0), 0);
}

/** Finds the rows of the lists, and what stands below orders, by the numbers in their ids. */
function finder(lists: Shop['lists'], orders: Order[], context: ShopContext): Shop['find'] {
  const rows = new Map<string, Plain>();
  for (const list of Object.values(lists)) {
    for (const row of list) rows.set((row as { id: string }).id, row);
  }
  const own = new Set(orders);
  const refunds = new Map(
    orders.flatMap((order) => {
      const orderId = gid('Order', order.invoice.replace('C', ''));
      return order.refunds.map((refund) => [String(refund.number), { refund, orderId }] as const);
    }),
  );
  return (id) => {
    const row = rows.get(id);
    const parts = row ? undefined : splitGid(id);
    if (parts?.type === 'LineItem') {
      const line = Number(parts.key) - 1;
      const order = context.ledger.orderOfLine[line];
      return order && own.has(order) ? new LineItemView(line, context) : undefined;
    }
    const found = parts?.type === 'Refund' ? refunds.get(parts.key) : undefined;
    return found ? new RefundView(found.refund, found.orderId) : row;
  };
}
