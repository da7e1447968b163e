import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadItems } from '#sql/load/load.ts';
import type { Deletion, Item } from '#sql/load/table.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { type Shop, twoShops } from '../support/rows/factory.ts';
import { targetOf } from '../support/rows/load.ts';
import { aThing, createThings, parts, things } from '../support/rows/things.ts';

/** What the provider said of an object at some time: a version with its parts, or that it is gone. */
type Version = { id: string; time: number; content: number; parts: readonly string[]; gone: boolean };

const RUNS = 60;
const tables = [things, parts];
const DAY_MS = 86_400_000;

// The content follows from id and time, as with a provider, and comes back later under a newer version.
const versions = fc
  .record({ id: fc.constantFrom('1', '2', '3'), time: fc.integer({ min: 1, max: 12 }), gone: fc.boolean() })
  .map(({ id, time, gone }): Version => {
    const content = time % 3;
    const own = ['a', 'b', 'c'].filter((_, n) => (content * 3 + Number(id)) & (1 << n));
    const parts = own.map((part) => id + part);
    return { id, time, content, gone: gone && time % 4 === 0, parts };
  });
const pages = fc.array(
  fc.record({ shop: fc.constantFrom(0, 1), versions: fc.array(versions, { maxLength: 5 }) }),
  {
    maxLength: 8,
  },
);

function timeOf({ time }: Version): Date {
  return new Date(Date.UTC(2024, 0, 1) + time * 1000);
}

function amountOf({ content }: Version): string {
  return `${content}.50`;
}

function itemOf(version: Version): Item {
  const { id, content } = version;
  const placed_at = new Date(Date.UTC(2024, 1, 1) + content * DAY_MS);
  const rows = version.parts.map((part) => ({ id: part, quantity: content, booked_at: placed_at }));
  return aThing({
    id,
    changedAt: timeOf(version),
    thing: { amount: amountOf(version), placed_at },
    parts: rows,
  });
}

/** The newest version of each object; a deletion wins against a version of its own instant. */
function newestOf(said: readonly Version[]): Map<string, Version> {
  const newest = new Map<string, Version>();
  for (const version of said) {
    const other = newest.get(version.id);
    const later = !other || version.time > other.time || (version.time === other.time && version.gone);
    if (later) newest.set(version.id, version);
  }
  return newest;
}

type State = { id: string; amount: string; parts: string[] }[];

function expectedState(said: readonly Version[]): State {
  const alive = [...newestOf(said).values()].filter(({ gone }) => !gone);
  const state = alive.map((version) => ({
    id: version.id,
    amount: amountOf(version),
    parts: version.parts.map((part) => `${part} ${version.content}`).sort(),
  }));
  return state.sort((a, b) => a.id.localeCompare(b.id));
}

async function storedState(db: TestDb, { brand, connection }: Shop): Promise<State> {
  return db.rows(
    `select t.id, t.amount, array(
       select p.id || ' ' || p.quantity from raw.parts p
       where p.brand_id = t.brand_id and p.connection_id = t.connection_id and p.thing_id = t.id
         and p.deleted_at is null order by 1) as parts
     from raw.things t
     where t.brand_id = $1 and t.connection_id = $2 and t.deleted_at is null order by t.id`,
    [brand.id, connection.id],
  );
}

async function loadVersions(db: TestDb, shop: Shop, said: readonly Version[]) {
  const items = said.filter(({ gone }) => !gone).map(itemOf);
  const deletions = said
    .filter(({ gone }) => gone)
    .map((v): Deletion => ({ id: v.id, deletedAt: timeOf(v) }));
  return db.transaction((tx) => loadItems(tx, targetOf(shop, { tables }), items, deletions));
}

test('whatever comes in whatever order and pages, the newest version of each object is what stays', async () => {
  await using db = await freshDb();
  await createThings(db);
  const shops = await twoShops(db);
  const property = fc.asyncProperty(pages, async (history) => {
    await db.query('truncate raw.things, raw.parts, ops.early_deletions');
    for (const page of history) {
      const tally = await loadVersions(db, shops[page.shop] ?? shops[0], page.versions);
      const items = page.versions.filter(({ gone }) => !gone).length;
      expect(tally.changed + tally.unchanged + tally.stale).toBe(items);
    }
    for (const [index, shop] of shops.entries()) {
      const said = history.filter((page) => page.shop === index).flatMap((page) => page.versions);
      expect(await storedState(db, shop)).toEqual(expectedState(said));
      // All of it again changes nothing.
      const again = await loadVersions(db, shop, [...newestOf(said).values()]);
      expect(again).toMatchObject({ changed: 0, deleted: 0, days: 0 });
    }
  });
  await assertHolds(property, RUNS);
});

// A model of a rollup: it knows the amounts by day as they were when the day was last computed, and
// computes marked days only. Were a day not marked that changed, it would stay wrong.
test('computing only the marked days gives the same as computing all of them', async () => {
  await using db = await freshDb();
  await createThings(db);
  const [shop] = await twoShops(db, { timeZone: 'Pacific/Auckland' });
  const byDay = async () => {
    const rows = await db.rows<{ day: string; figures: string }>(
      `select day, string_agg(figure, ',' order by figure) as figures from (
         select (t.placed_at at time zone 'Pacific/Auckland')::date as day, t.id || t.amount as figure
         from raw.things t where t.deleted_at is null
         union all
         select (p.booked_at at time zone 'Pacific/Auckland')::date, p.id || p.quantity || t.amount
         from raw.parts p join raw.things t using (brand_id, connection_id)
         where t.id = p.thing_id and p.deleted_at is null and t.deleted_at is null
       ) facts group by day`,
    );
    return new Map(rows.map(({ day, figures }) => [day, figures]));
  };
  const property = fc.asyncProperty(
    fc.array(fc.array(versions, { maxLength: 5 }), { maxLength: 8 }),
    async (history) => {
      await db.query('truncate raw.things, raw.parts, ops.early_deletions, ops.marks');
      const computed = new Map<string, string>();
      for (const page of history) {
        await loadVersions(db, shop, page);
        const now = await byDay();
        for (const day of await db.column('delete from ops.marks returning day')) {
          const figures = now.get(String(day));
          if (figures === undefined) computed.delete(String(day));
          else computed.set(String(day), figures);
        }
        expect(new Map([...computed].sort())).toEqual(new Map([...now].sort()));
      }
    },
  );
  await assertHolds(property, RUNS);
});
