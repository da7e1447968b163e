/**
 * Cash by any order of events: every kind of booking is in exactly one measure, and whatever loads,
 * changes, vanishes or moves, the days end as if they were made from nothing.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Db, Tx } from '#sql/db/pool.ts';
import { claimMarks } from '#sql/dirty/claim.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked, runRollups } from '#sql/rollups/run.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { moveConnection } from '#sql/tenants/connections.ts';
import { freshDb } from '../support/db/db.ts';
import { aggregatesOf, rebuiltFromNothing } from '../support/db/rebuild.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { aBrand, aConnection, aRetailer } from '../support/rows/factory.ts';
import { aBooking, aCharge, loadMoney, moneyTables } from '../support/rows/payments.ts';
import type { Place } from '../support/rows/raw_orders.ts';

const now = new Date('2024-12-01T00:00:00Z');
const PLACES: Readonly<Record<string, number>> = { USD: 2, EUR: 2, JPY: 0, KWD: 3 };

// All categories that providers/stripe documents, and some that nobody has heard of.
const categories = [
  ...['charge', 'charge_failure', 'partial_capture_reversal', 'refund', 'refund_failure', 'dispute'],
  ...[
    'dispute_reversal',
    'fee',
    'tax',
    'network_cost',
    'payout',
    'payout_reversal',
    'topup',
    'topup_reversal',
  ],
  ...['transfer', 'transfer_reversal', 'advance', 'advance_funding', 'connect_collection_transfer'],
  ...['connect_reserved_funds', 'issuing_transaction', 'other_adjustment', 'platform_earning'],
  ...['platform_earning_refund', 'risk_reserved_funds', '', 'Charge', 'charge ', 'constructor', 'neu'],
];
const category = fc.constantFrom(...categories);
const currency = fc.constantFrom('USD', 'USD', 'EUR', 'JPY', 'KWD');
const minor = fc.integer({ min: -99_999_999, max: 99_999_999 });
const RUNS = inForm(3, 12);

type Sums = Record<string, bigint>;

const MEASURES: Readonly<Record<string, (row: { amount: bigint; fee: bigint }) => Sums>> = {
  charge: ({ amount, fee }) => ({ charge_amount: amount, fees: fee, net: amount - fee }),
  refund: ({ amount, fee }) => ({ refund_amount: -amount, fees: fee, net: amount - fee }),
  dispute: ({ amount, fee }) => ({ dispute_amount: -amount, fees: fee, net: amount - fee }),
  fee: ({ amount, fee }) => ({ fees: fee - amount, net: amount - fee }),
  payout: ({ amount, fee }) => ({ payout_amount: -amount, fees: fee, payout_fees: fee }),
  topup: ({ amount, fee }) => ({ topup_amount: amount, fees: fee, payout_fees: fee }),
  transfer: ({ amount, fee }) => ({ transfer_amount: -amount, fees: fee, payout_fees: fee }),
  other: ({ amount, fee }) => ({ other: amount, fees: fee, net: amount - fee }),
};

const KINDS: ReadonlyMap<string, string> = new Map([
  ...['charge', 'charge_failure', 'partial_capture_reversal'].map((name) => [name, 'charge'] as const),
  ...['refund', 'refund_failure'].map((name) => [name, 'refund'] as const),
  ...['dispute', 'dispute_reversal'].map((name) => [name, 'dispute'] as const),
  ...['fee', 'tax', 'network_cost'].map((name) => [name, 'fee'] as const),
  ...['payout', 'topup', 'transfer'].flatMap((name) => [
    [name, name] as const,
    [`${name}_reversal`, name] as const,
  ]),
]);

function unitsOf(text: string, currencyCode: string): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(PLACES[currencyCode] ?? 2, '0'));
}

function decimalOf(units: bigint, currencyCode: string): string {
  const places = PLACES[currencyCode] ?? 2;
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, '0');
  const sign = units < 0n ? '-' : '';
  return places === 0 ? sign + digits : `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

test('every booking is in one measure, and the measures make the net, to the last digit', async () => {
  await using db = await freshDb();
  const booking = fc.record({
    category,
    currency,
    amount: minor,
    fee: fc.integer({ min: -9_999, max: 9_999 }),
    application: fc.integer({ min: -9_999, max: 9_999 }),
  });
  await assertHolds(
    fc.asyncProperty(fc.array(booking, { minLength: 1, maxLength: 60, size: 'max' }), async (bookings) => {
      const { brandId, retailers, accounts } = await aWorld(db);
      const expected = new Map<string, Sums>();
      const items = bookings.map(({ amount, fee, application, ...given }, index) => {
        const row = { amount: BigInt(amount), fee: BigInt(fee) };
        const everywhere = {
          closing_balance: row.amount - row.fee,
          application_fees: BigInt(application),
        };
        const sums = expected.get(given.currency) ?? {};
        const measures = MEASURES[KINDS.get(given.category) ?? 'other']?.(row) ?? {};
        for (const [name, units] of Object.entries({ ...measures, ...everywhere }))
          sums[name] = (sums[name] ?? 0n) + units;
        expected.set(given.currency, sums);
        const text = {
          amount: decimalOf(row.amount, given.currency),
          fee: decimalOf(row.fee, given.currency),
          applicationFee: decimalOf(BigInt(application), given.currency),
        };
        return aBooking({ ...given, ...text, id: `txn_${index}` });
      });
      await db.transaction((tx) => loadMoney(tx, at(accounts, 0), items));
      await rollEverything(db, { brandId, retailers, accounts });
      const names = [
        'application_fees',
        ...new Set(Object.values(MEASURES).flatMap((of) => Object.keys(of({ amount: 0n, fee: 0n })))),
      ];
      const found = await db.rows<Record<string, string>>(
        `select currency, closing_balance, ${names}, charge_amount - refund_amount - dispute_amount + other
                - (fees - payout_fees) = net as adds_up,
                net - payout_amount + topup_amount - transfer_amount - payout_fees = closing_balance as is_balance
         from bi.daily_payments where brand_id = $1`,
        [brandId],
      );
      expect(found.map((row) => row.currency).sort()).toEqual([...expected.keys()].sort());
      for (const { currency: code = '', adds_up, is_balance, ...row } of found) {
        expect({ adds_up, is_balance }).toEqual({ adds_up: true, is_balance: true });
        const units = (text: string) => unitsOf(text, code);
        for (const name of [...names, 'closing_balance'])
          expect(units(row[name] ?? ''), `${name} of ${code}`).toBe(expected.get(code)?.[name] ?? 0n);
      }
    }),
    RUNS,
  );
});

test('a net that is not amount less fee is counted as it is, and the difference shown', async () => {
  await using db = await freshDb();
  const world = await aWorld(db);
  const odd = ['charge', 'refund', 'fee', 'neu'].map((name) =>
    aBooking({ id: name, category: name, amount: '10', fee: '1', net: '8.5' }),
  );
  await db.transaction((tx) => loadMoney(tx, at(world.accounts, 0), odd));
  await rollEverything(db, world);
  const columns = 'charge_amount, refund_amount, other, fees, net, closing_balance';
  expect(await db.rows(`select ${columns} from bi.daily_payments`)).toEqual([
    { charge_amount: '10', refund_amount: '-10', other: '8', fees: '-6', net: '34', closing_balance: '34' },
  ]);
});

// Around both changes of the clock in London, so that zones cut the days differently.
const instant = fc.constantFrom(
  ...['2024-03-30T23:30:00Z', '2024-03-31T00:30:00Z', '2024-03-31T22:30:00Z', '2024-03-31T23:30:00Z'],
  ...['2024-10-26T22:59:59Z', '2024-10-27T00:30:00Z', '2024-10-28T00:00:00Z', '2024-07-15T12:00:00Z'],
);
const version = fc.integer({ min: 10, max: 29 }).map((n) => `2024-11-${n}T00:00:00Z`);
const amount = fc.integer({ min: -9_000, max: 9_000 }).map((n) => (n / 100).toFixed(2));
const id = fc.constantFrom('1', '2', '3', '4', '5');
const account = fc.constantFrom(0, 0, 1, 2);

const aStoredBooking = fc
  .record({
    ...{ id, at: instant, version, currency, amount, fee: amount, category },
    balance: fc.constantFrom(...Array<string>(6).fill('payments'), 'issuing'),
  })
  .map(aBooking);
const aStoredCharge = fc
  .record({
    id,
    at: instant,
    version,
    currency,
    status: fc.constantFrom('failed', 'failed', 'succeeded', 'pending'),
  })
  .map(aCharge);
const change = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('load' as const),
      account,
      items: fc.array(fc.oneof(aStoredBooking, aStoredCharge), { minLength: 1, maxLength: 4, size: 'max' }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('roll' as const), retailer: fc.nat(1), days: fc.nat(4) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), account, id, version }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('zone' as const),
      zone: fc.constantFrom('America/New_York', 'Asia/Kolkata', 'Europe/London'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('move' as const), account, retailer: fc.nat(1) }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
type World = { brandId: string; retailers: string[]; accounts: Place[] };

test('any sequence of loads, edits, deletes, moves and partial rollups equals a rebuild', async () => {
  await using db = await freshDb();
  const steps = fc.array(fc.record({ change, brand: fc.nat(1) }), {
    minLength: 10,
    maxLength: 30,
    size: 'max',
  });
  await assertHolds(
    fc.asyncProperty(steps, async (happenings) => {
      const worlds = [await aWorld(db), await aWorld(db)]; // with equal ids
      for (const { change: happening, brand } of happenings)
        await db.transaction((tx) => apply(tx, at(worlds, brand), happening));
      for (const world of worlds) {
        await rollEverything(db, world);
        const found = await aggregatesOf(db, world.brandId);
        expect(found).toEqual(await rebuiltFromNothing(db, world.brandId));
        await assertBalance(db, world);
        await assertSettled(db, world);
      }
    }),
    inForm(4, 15),
  );
});

async function aWorld(db: Db): Promise<World> {
  const { id: brandId } = await aBrand(db);
  const retailers = [(await aRetailer(db, { brandId })).id, (await aRetailer(db, { brandId })).id];
  const accounts: Place[] = [];
  for (const [index, retailer] of [0, 0, 1].entries()) {
    const given = { provider: 'stripe', account: `acct_${index}`, auth: 'key' } as const;
    const owner = { brandId, retailerId: at(retailers, retailer) };
    const { id: connectionId } = await aConnection(db, { ...given, ...owner, secret: 'rk_test_1' });
    accounts.push({ brandId, connectionId });
  }
  return { brandId, retailers, accounts };
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`nothing at ${index}`);
  return item;
}

async function apply(tx: Tx, { brandId, retailers, accounts }: World, change: Change): Promise<unknown> {
  const marking = { brandId, tables: moneyTables, now };
  switch (change.type) {
    case 'load':
      return loadMoney(tx, at(accounts, change.account), change.items);
    case 'delete':
      return loadMoney(
        tx,
        at(accounts, change.account),
        [],
        [{ id: change.id, deletedAt: new Date(change.version) }],
      );
    case 'zone':
      return changeTimeZone(tx, change.zone, marking);
    case 'move': {
      const { connectionId } = at(accounts, change.account);
      return moveConnection(tx, { ...marking, connectionId, retailerId: at(retailers, change.retailer) });
    }
    case 'roll':
      return rollSome(tx, brandId, at(retailers, change.retailer), change.days + 1);
  }
}

async function rollSome(tx: Tx, brandId: string, retailerId: string, limit: number): Promise<number> {
  const marks = await claimMarks(tx, brandId, retailerId, { days: limit, objects: limit });
  await runMarked(tx, rollups, { brandId, retailerId, marks, now });
  return marks.length;
}

async function rollEverything(db: Db, { brandId, retailers }: World): Promise<void> {
  for (const retailerId of retailers) {
    let days = 1;
    while (days > 0) days = await db.transaction((tx) => rollSome(tx, brandId, retailerId, 5));
  }
}

/** The last closing balance of a retailer and currency is the sum of all that is stored. */
async function assertBalance(db: Db, { brandId }: World): Promise<void> {
  const { rows } = await db.query(
    `select retailer_id, currency, trim_scale(sum(t.net)) as balance
     from raw.stripe_balance_transactions t join app.connections c on (c.brand_id, c.id) = (t.brand_id, t.connection_id)
     where t.brand_id = $1 and t.deleted_at is null and t.balance_type = 'payments' group by 1, 2
     except
     select retailer_id, currency, closing_balance from (
       select distinct on (retailer_id, currency) retailer_id, currency, closing_balance
       from bi.daily_payments where brand_id = $1 order by retailer_id, currency, day desc) last`,
    [brandId],
  );
  expect(rows).toEqual([]);
}

/** A run over every day writes and deletes nothing. */
async function assertSettled(db: Db, { brandId, retailers }: World): Promise<void> {
  const { rows } = await db.query<{ day: string }>(
    "select day::date from generate_series('2024-03-29'::date, '2024-10-30', interval '1 day') day",
  );
  const days = rows.map(({ day }) => day);
  for (const retailerId of retailers) {
    const target = { brandId, retailerId, days, now };
    expect(await db.transaction((tx) => runRollups(tx, rollups, target))).toMatchObject({
      written: 0,
      deleted: 0,
    });
  }
}
