/**
 * Whatever comes in whatever order, twice, by webhook or from logs, in any zone: each letter counts once, all owners
 * together have what the account has, and the figures are those that a rebuild makes.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findStream } from '#connectors/providers.ts';
import { mapPart } from '#sql/tenants/connection_parts.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { rollup } from '#tasks/rollup.ts';
import { storePage } from '#tasks/store_page.ts';
import { dayIn, daysFrom } from '../../connectors/sendgrid/api/calendar.ts';
import { eventsOf, type Source } from '../../connectors/sendgrid/events/event.ts';
import { METRICS, stepOf } from '../../connectors/sendgrid/streams/statistics.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertExplained } from '../support/explain/law.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { anEvent, NOW } from '../support/providers/sendgrid.ts';
import { aBrand, aConnection, aRetailer, testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const now = new Date(NOW);
const HOURS = 2 * 24;
const CATEGORIES = ['uk', 'us', 'other'] as const;
const NONE = Object.fromEntries(METRICS.map((metric) => [metric, 0]));
const zones = ['Europe/London', 'America/New_York', 'Pacific/Auckland'];

const letters = fc.array(
  fc.record({
    hour: fc.integer({ min: 0, max: HOURS - 1 }),
    category: fc.constantFrom(...CATEGORIES),
    isRepaired: fc.boolean(),
  }),
  { minLength: 2, maxLength: 6 },
);

const histories = letters.chain((sent) =>
  fc.record({
    sent: fc.constant(sent),
    brandZone: fc.constantFrom(...zones),
    accountZone: fc.constantFrom(...zones),
    /** Days of the account on which the webhook brings everything. */
    pushed: fc.subarray(daysFrom('2026-11-09', '2026-11-12')),
    steps: fc.array(
      fc.record({
        letter: fc.constantFrom(...sent),
        what: fc.constantFrom('event', 'counts'),
        rolls: fc.constantFrom(true, true, false),
      }),
      { maxLength: 12 },
    ),
  }),
);
type History = typeof histories extends fc.Arbitrary<infer T> ? T : never;
type Letter = History['sent'][number];

const instantOf = ({ hour }: Letter) => new Date(Date.parse('2026-11-10T00:00:00Z') + hour * 3_600_000);

test('each letter counts once, whatever comes when, and a rebuild changes nothing', async () => {
  await using db = await freshDb();
  await assertHolds(
    fc.asyncProperty(histories, (history) => check(db, history)),
    inForm(8, 60),
  );
});

async function check(db: TestDb, { sent, brandZone, accountZone, pushed, steps }: History) {
  const place = await aPlace(db, brandZone, accountZone);
  const { brandId } = place;
  const dayOf = (letter: Letter) => dayIn(accountZone, instantOf(letter));
  const event = async (letter: Letter) => {
    const of = { sg_message_id: `m${sent.indexOf(letter)}`, category: [letter.category] };
    const source = pushed.includes(dayOf(letter)) ? 'webhook' : 'logs';
    if (source === 'logs' && !letter.isRepaired) return;
    await push(db, place, anEvent('delivered', instantOf(letter).toISOString(), of), source);
  };
  const counts = async (letter: Letter) => {
    const day = dayOf(letter);
    await count(db, place, accountZone, { day, sent: sent.filter((one) => dayOf(one) === day) });
  };
  const roll = () => runTask(rollup, { brandId, retailerId: null }, db);
  for (const { letter, what, rolls } of steps) {
    await (what === 'event' ? event(letter) : counts(letter));
    if (rolls) await roll();
  }
  // All that is still to come; the rest a second time.
  for (const letter of sent) await Promise.all([event(letter), counts(letter)]);
  await roll();
  const rows = () =>
    db.rows(
      "select (to_jsonb(a) - 'computed_at')::text as row from agg.daily_email a where brand_id = $1 order by 1",
      [brandId],
    );
  const found = await rows();
  const sums = await db.rows<{ owner: string; delivered: number }>(
    `select case when owner_id = brand_id then 'brand' else 'retailer' end as owner, sum(delivered)::int as delivered
     from agg.daily_email where brand_id = $1 group by 1`,
    [brandId],
  );
  const own = sent.filter(({ category }) => category === 'uk').length;
  const sum = (owner: string) => sums.find((one) => one.owner === owner)?.delivered ?? 0;
  expect([sum('retailer'), sum('brand')]).toEqual([own, sent.length - own]);
  await assertExplained(db, brandId, { days: daysFrom('2026-11-08', '2026-11-16'), now });
  await db.query('delete from agg.daily_email where brand_id = $1', [brandId]);
  await db.query(
    `insert into ops.marks (brand_id, subject, day, marked_at)
     select $1, 'email', day::date, now() from generate_series('2026-11-08'::date, '2026-11-16'::date, '1 day') day`,
    [brandId],
  );
  await roll();
  expect(await rows()).toEqual(found);
}

type Place = { brandId: string; connectionId: string };

async function aPlace(db: TestDb, timeZone: string, accountZone: string): Promise<Place> {
  const { id: brandId } = await aBrand(db, { timeZone });
  const { id: connectionId } = await aConnection(db, { brandId, provider: 'sendgrid', account: 'acme' });
  await db.query('update app.connections set account_zone = $2 where id = $1', [connectionId, accountZone]);
  const { id: retailerId } = await aRetailer(db, { brandId });
  const tables = findStream('sendgrid.events').tables;
  await db.transaction((tx) =>
    mapPart(tx, { brandId, connectionId, part: 'category:uk', retailerId, tables, now, actor: 'test' }),
  );
  return { brandId, connectionId };
}

async function push(db: TestDb, place: Place, event: unknown, source: Source) {
  const personOf = await personsOf(db, testSealer, place.brandId);
  const storing = { stream: findStream('sendgrid.events'), now, distrustsDigests: false, sealer: testSealer };
  const content = eventsOf([event], { personOf, source, readAt: now });
  await db.transaction((tx) => storePage(tx, place, storing, { phase: 'changes', ...content }));
}

/** What the provider counts of a day: of the account, and of each category. */
async function count(
  db: TestDb,
  place: Place,
  zone: string,
  { day: date, sent }: { day: string; sent: readonly Letter[] },
) {
  const storing = {
    stream: findStream('sendgrid.statistics'),
    now,
    distrustsDigests: false,
    sealer: testSealer,
  };
  const stats = (delivered: number, name?: string) => ({
    ...(name !== undefined && { name }),
    metrics: { ...NONE, delivered, requests: delivered },
  });
  const ofCategories = CATEGORIES.map((name) =>
    stats(sent.filter(({ category }) => category === name).length, name),
  );
  for (const [scope, all] of [
    ['account', [stats(sent.length)]],
    ['category', ofCategories],
  ] as const) {
    const { items = [], rejected = [] } = stepOf({ zone }, scope, {
      days: [{ date, stats: all }],
      sentAt: now,
    });
    await db.transaction((tx) => storePage(tx, place, storing, { phase: 'changes', items, rejected }));
  }
}
