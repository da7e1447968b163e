/** The law of MRR, tried with whatever may happen, and what once broke it. */
import fc from 'fast-check';
import { test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { assertLawOfMrr, type Seen, type Step } from '../support/mrr/law.ts';
import type { Part } from '../support/mrr/model.ts';
import { assertHolds, inForm } from '../support/property.ts';

const RUNS = inForm(4, 12);

// Around the change of the clock in London, and around midnight there and in New York.
const instant = fc
  .tuple(
    fc.integer({ min: 0, max: 9 }),
    fc.constantFrom('00:00:00', '03:59:59', '04:00:00', '12:00:00', '22:59:59', '23:00:00', '23:30:00'),
  )
  .map(([day, time]) => new Date(Date.parse(`2024-03-28T${time}Z`) + day * 86_400_000));
const price = fc.constantFrom('p1', 'p2', 'p3');
const known = fc.record({
  price,
  monthly: fc.constantFrom(
    '12',
    '8.333333333333333333',
    '0.174999999999999999',
    '0.005',
    '0.0049',
    '30.5',
    '0',
  ),
  metered: fc.constant(false),
});
const unknown = fc.record({
  price,
  monthly: fc.constant(null),
  metered: fc.constant(false),
  cause: fc.constantFrom('price_unknown', 'tax_unknown'),
});
const item: fc.Arbitrary<Part> = fc.oneof({ weight: 9, arbitrary: known }, { weight: 1, arbitrary: unknown });
const version: fc.Arbitrary<Seen> = fc.record({
  id: fc.constantFrom('s1', 's2', 's3', 's4'),
  customer: fc.constantFrom('c1', 'c1', 'c2'),
  from: instant,
  changedAt: instant,
  status: fc.constantFrom(
    'active',
    'active',
    'active',
    'past_due',
    'trialing',
    'canceled',
    'unpaid',
    'incomplete',
  ),
  currency: fc.constantFrom('GBP', 'GBP', 'GBP', 'JPY', 'KWD'),
  paused: fc.constantFrom(false, false, true),
  items: fc.array(item, { minLength: 1, maxLength: 2 }),
});
const account = fc.constantFrom(0, 0, 1, 2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('load' as const),
      account,
      versions: fc.array(version, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('roll' as const),
      now: instant,
      days: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('zone' as const),
      zone: fc.constantFrom('Europe/London', 'America/New_York', 'Asia/Kolkata'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), retailer: fc.constantFrom(0, 1) }) },
);

test('MRR is what a look at each day says, however it came about, and adds up to the digit', async () => {
  await using db = await freshDb();
  const steps = fc.array(step, { minLength: 3, maxLength: 12, size: 'max' });
  const law = fc.asyncProperty(steps, (some) => assertLawOfMrr(db, some));
  await assertHolds(law, RUNS, { endOnFailure: true }); // a run takes seconds: the first that fails is told as it is
});

const seen = (more: Partial<Seen>): Seen => ({
  ...{ id: 's1', customer: 'c1', status: 'active', currency: 'GBP', paused: false },
  ...{ from: new Date('2024-04-01T12:00:00Z'), changedAt: new Date('2024-04-01T12:00:00Z') },
  items: [{ price: 'p1', monthly: '30.5', metered: false }],
  ...more,
});
const load = (...versions: Partial<Seen>[]): Step[] =>
  versions.map((version) => ({ do: 'load', account: 1, versions: [seen(version)] }));

// Seeds 6917253 and 447678546: the row of the plan that is left was told to hold a state that nobody saw.
test.each([
  { what: 'in another currency', change: { currency: 'KWD' } },
  { what: 'for another customer', change: { customer: 'c2' } },
])(
  'a plan that goes on $what on the day on which it is first seen has not ended unseen',
  async ({ change }) => {
    await using db = await freshDb();
    await assertLawOfMrr(
      db,
      load(
        { from: new Date('2024-04-05T23:30:00Z') }, // of the 6th in London
        { from: new Date('2024-04-06T12:00:00Z'), ...change },
      ),
    );
  },
);

// Seed 20261129, path "18": the day of the end in London is not the one in New York.
test('after a change of zone no day of the old one keeps an end', async () => {
  await using db = await freshDb();
  await assertLawOfMrr(db, [
    ...load({ status: 'unpaid', from: new Date('2024-04-01T03:59:59Z') }),
    { do: 'roll', now: new Date('2024-04-06T23:30:00Z'), days: 9 }, // makes the states, and marks their days
    { do: 'roll', now: new Date('2024-04-06T23:30:00Z'), days: 9 },
    { do: 'zone', zone: 'America/New_York' },
  ]);
});
