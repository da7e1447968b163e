/** The invoices of those lives of money_lives.ts that leave a trace. */
import { noon, PRICES } from './lives.ts';

const DAY = 86_400;
const END = noon('11-20T06:00:00');

/** The end of a period that begins at `start`: those of a month and more reach beyond the end of the scenario. */
const LENGTHS: Readonly<Record<string, number>> = {
  day: DAY,
  week: 7 * DAY,
  year: 365 * DAY,
  odd: 365 * DAY,
  quarter: 92 * DAY,
};
const lengthOf = (price: string) => LENGTHS[price] ?? 31 * DAY;

type Line = {
  price: string;
  quantity?: number;
  amount?: number;
  start: number;
  end: number;
  proration?: boolean;
};
type Bill = { sub: string; customer?: string; at: number; reason: string; lines: Line[] };

function priceOf(id: string) {
  const price = PRICES.find((one) => one.id === id);
  if (!price) throw new Error(`no price ${id}`);
  return { unit: Number(price.unit_amount), currency: String(price.currency) };
}

function invoice({ sub, customer = sub, at, reason, lines }: Bill, index: number): object {
  const subscription = `sub_${sub}`;
  const { currency } = priceOf(lines[0]?.price ?? '');
  return {
    ...{
      id: `in_${sub}_${index}`,
      customer: `cus_${customer}`,
      currency,
      created: at,
      billing_reason: reason,
    },
    parent: {
      type: 'subscription_details',
      quote_details: null,
      subscription_details: { subscription, metadata: {} },
    },
    lines: lines.map(({ price, quantity = 1, amount, start, end, proration = false }) => ({
      ...{ amount: amount ?? priceOf(price).unit * quantity, quantity, period: { start, end } },
      pricing: {
        type: 'price_details',
        price_details: { price, product: 'prod_1' },
        unit_amount_decimal: String(priceOf(price).unit),
      },
      parent: {
        type: 'subscription_item_details',
        invoice_item_details: null,
        subscription_item_details: {
          ...{ invoice_item: proration ? `ii_${sub}_${index}` : null, proration },
          ...{ proration_details: proration ? { credited_items: null } : null },
          ...{ subscription, subscription_item: `si_${sub}_0` },
        },
      },
    })),
  };
}

/** One at the beginning of each period up to the end of the subscription or of the scenario. */
function cycles(
  sub: string,
  from: string,
  price: string,
  more: { quantity?: number; customer?: string } = {},
): Bill[] {
  const { quantity = 1, customer } = more;
  const bills: Bill[] = [];
  for (let start = noon(from); start <= END; start += lengthOf(price)) {
    const reason = bills.length === 0 ? 'subscription_create' : 'subscription_cycle';
    const lines = [{ price, quantity, start, end: start + lengthOf(price) }];
    bills.push({ sub, at: start, reason, lines, ...(customer && { customer }) });
  }
  return bills;
}

function trialOf(sub: string): Bill {
  const [start, end] = [noon('10-21'), noon('10-28')];
  return {
    sub,
    at: start,
    reason: 'subscription_create',
    lines: [{ price: 'month', amount: 0, start, end }],
  };
}

const upgrade: Bill = {
  ...{ sub: 'up', at: noon('11-02'), reason: 'subscription_update' },
  lines: [
    { price: 'month', amount: -645, start: noon('11-02'), end: noon('11-22'), proration: true },
    { price: 'big', amount: 1_935, start: noon('11-02'), end: noon('11-22'), proration: true },
  ],
};

export const INVOICES: object[] = [
  ...cycles('plain', '10-21', 'month'),
  ...[trialOf('kept'), ...cycles('kept', '10-28', 'month')],
  trialOf('left'),
  ...[...cycles('up', '10-22', 'month'), upgrade],
  ...cycles('atend', '10-22', 'month'),
  ...[...cycles('back', '10-22', 'year'), ...cycles('again', '11-06', 'year', { customer: 'back' })],
  ...['week', 'day', 'quarter', 'dinar'].flatMap((price) => cycles(price, '10-25', price)),
  ...cycles('yen', '10-25', 'yen', { quantity: 3 }),
  ...['one', 'two'].flatMap((id) => cycles(`odd${id}`, '10-25', 'odd')),
  ...cycles('oddthree', '10-26', 'odd'),
  ...['first', 'second'].flatMap((id) => cycles(id, '10-25', 'month', { customer: 'both' })),
  ...cycles('hours', '10-28T01:00:00', 'month'),
  ...cycles('edge', '10-24T23:30:00', 'month'),
].map(invoice);
