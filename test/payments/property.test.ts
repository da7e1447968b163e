/** Every kind of booking is in exactly one measure of cash, and the measures make the net. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { at, aWorld, category, currency, rollEverything } from '../support/money/world.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { aBooking, loadMoney } from '../support/rows/payments.ts';

const PLACES: Readonly<Record<string, number>> = { USD: 2, EUR: 2, JPY: 0, KWD: 3 };

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
