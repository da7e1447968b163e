/** Laws of what stays: whatever snapshots there are, in whatever zone, under whatever rules. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Planned, planSnapshots } from '#sql/snapshots/retention.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { aBrand } from '../support/rows/factory.ts';

type Made = {
  id: string;
  minutes: number;
  scope: 'all' | 'aggregates';
  level: number | null;
  isDamaged: boolean;
  isPinned: boolean;
};

const BEGIN = Date.parse('2024-12-20T00:00:00Z');
const DAYS = 430; // past two changes of the clocks, and ends of years
const NOW = '2026-03-15T12:00:00Z';
// Whole, half and no change of clocks, on both hemispheres, one with a midnight that does not exist.
const ZONES = [
  'Europe/London',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Pacific/Kiritimati',
];

const made: fc.Arbitrary<Made> = fc.record({
  id: fc.noShrink(fc.constant(0).map(() => randomUUID())),
  minutes: fc.oneof(
    fc.integer({ min: 0, max: DAYS * 1_440 }),
    fc.integer({ min: (DAYS - 12) * 1_440, max: DAYS * 1_440 }),
  ),
  scope: fc.constantFrom('all', 'aggregates'),
  level: fc.option(fc.integer({ min: 0, max: 5 })),
  isDamaged: fc.boolean(),
  isPinned: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
});

const rules = fc.record({
  within: fc.integer({ min: 1, max: 10 }),
  daily: fc.integer({ min: 0, max: 60 }),
  weekly: fc.integer({ min: 0, max: 8 }),
  monthly: fc.integer({ min: 0, max: 14 }),
  yearly: fc.integer({ min: 0, max: 2 }),
});
type Rules = typeof rules extends fc.Arbitrary<infer R> ? R : never;

const given = fc.record({
  snapshots: fc.array(made, { maxLength: 40 }),
  rules,
  zone: fc.constantFrom(...ZONES),
});

const timeOf = ({ minutes }: Made) => BEGIN + minutes * 60_000;
const isWhole = ({ isDamaged }: Made) => !isDamaged;

async function store(db: TestDb, brandId: string, snapshots: readonly Made[]): Promise<void> {
  await db.query(
    `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at, manifest_sha256, verified_level,
       verified_at, pinned_at, pinned_by)
     select $1, s.id, 'acme', s.scope, case when s.damaged then 'damaged' else 'complete' end, 'here', s.at, repeat('0', 64),
       s.level, case when s.level is not null then s.at end, case when s.pinned then now() end, case when s.pinned then 'me' end
     from jsonb_to_recordset($2::jsonb) s (id uuid, scope text, damaged boolean, at timestamptz, level int, pinned boolean)`,
    [
      brandId,
      JSON.stringify(
        snapshots.map((one) => ({
          ...{ id: one.id, scope: one.scope, damaged: one.isDamaged, pinned: one.isPinned },
          ...{ at: new Date(timeOf(one)).toISOString(), level: one.isDamaged ? null : one.level },
        })),
      ),
    ],
  );
}

async function setAll(db: TestDb, brandId: string, zone: string, given: Rules): Promise<void> {
  await db.query('delete from ops.snapshots where brand_id = $1', [brandId]);
  await db.query('update app.brands set time_zone = $2 where id = $1', [brandId, zone]);
  for (const [rule, kept] of Object.entries(given))
    await db.query(
      `insert into app.retention (brand_id, rule, kept) values ($1, 'snapshots_' || $2, $3)
       on conflict (brand_id, rule) do update set kept = excluded.kept`,
      [brandId, rule, kept],
    );
}

/** The day in the zone, counted from 1970, by another library than that of PostgreSQL. */
function dayOf(ms: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone }).format(ms);
  return Date.parse(`${parts}T00:00:00Z`) / 86_400_000;
}

test('what stays and what goes', async () => {
  await using db = await freshDb();
  const [brand, other] = [await aBrand(db, { slug: 'acme' }), await aBrand(db, { slug: 'brio' })];
  const plan = (now = NOW) => planSnapshots(db, { brandId: brand.id, now: new Date(now) });
  const law = fc.asyncProperty(given, given, async ({ snapshots, rules: kept, zone }, others) => {
    const isOf = (planned: Planned) => snapshots.find(({ id }) => id === planned.id) as Made;
    await setAll(db, brand.id, zone, kept);
    await store(db, brand.id, snapshots);
    const found = await plan();
    const alive = found.filter(({ expires }) => !expires).map(isOf);
    const gone = found.filter(({ expires }) => expires).map(isOf);
    expect(found).toHaveLength(snapshots.length);

    for (const scope of ['all', 'aggregates'] as const) {
      const newest = (some: readonly Made[]) =>
        some.filter((one) => one.scope === scope).toSorted((a, b) => timeOf(b) - timeOf(a))[0];
      const times = (one?: Made) => one && timeOf(one);
      // The newest whole one stays, and the newest that was verified.
      expect(times(newest(alive.filter(isWhole)))).toBe(times(newest(snapshots.filter(isWhole))));
      const isProved = (one: Made) => isWhole(one) && (one.level ?? 0) >= 1;
      expect(times(newest(alive.filter(isProved)))).toBe(times(newest(snapshots.filter(isProved))));
      // Each of the last days has one that is whole, if it had one.
      const today = dayOf(Date.parse(NOW), zone);
      for (const one of snapshots.filter((s) => isWhole(s) && s.scope === scope)) {
        const day = dayOf(timeOf(one), zone);
        if (day > today - kept.daily)
          expect(alive.some((a) => isWhole(a) && a.scope === scope && dayOf(timeOf(a), zone) === day)).toBe(
            true,
          );
        if (day > today - kept.within) expect(alive).toContain(one);
      }
    }
    // Pins stay. Whatever goes has one that is as whole and as young beside it.
    expect(gone.filter(({ isPinned }) => isPinned)).toEqual([]);
    for (const one of gone)
      expect(
        alive.some(
          (a) =>
            a.scope === one.scope &&
            isWhole(a) >= isWhole(one) &&
            (one.isDamaged || timeOf(a) >= timeOf(one)),
        ),
      ).toBe(true);
    for (const { expires, expiresAt } of found)
      expect(expires).toBe(expiresAt !== null && expiresAt.getTime() <= Date.parse(NOW));
    // What goes now goes later too.
    const later = (await plan('2026-04-20T00:00:00Z')).filter(({ expires }) => expires).map(({ id }) => id);
    expect(later).toEqual(expect.arrayContaining(gone.map(({ id }) => id)));

    // In another order, and beside another brand with the same ids and other rules, it is the same.
    await setAll(db, brand.id, zone, kept);
    await setAll(db, other.id, others.zone, others.rules);
    const sameIds = others.snapshots.map((one, at) => ({ ...one, id: snapshots[at]?.id ?? one.id }));
    await store(db, other.id, sameIds);
    await store(db, brand.id, snapshots.toReversed());
    expect(await plan()).toEqual(found);
    // Once these are gone, nothing more goes.
    await db.query('delete from ops.snapshots where brand_id = $1 and id = any ($2)', [
      brand.id,
      gone.map(({ id }) => id),
    ]);
    expect((await plan()).filter(({ expires }) => expires)).toEqual([]);
  });
  await assertHolds(law, 40);
});
