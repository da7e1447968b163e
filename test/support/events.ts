/** A brand with two retailers whose senders report events, for tests of these. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readEvent } from '#sql/events/event.ts';
import { batchOf, makeMonths, openEvents, type Stored, storeEvents } from '#sql/events/store.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runRollups } from '#sql/rollups/run.ts';
import { only } from '#sql/tenants/brands.ts';
import { rollup } from '#tasks/rollup.ts';
import type { TestDb } from './db/db.ts';
import { aggregatesOf } from './db/rebuild.ts';
import { assertExplained } from './explain/law.ts';
import { aBrand, aRetailer, testSealer } from './rows/factory.ts';
import { runTask } from './run.ts';

export const NOW = new Date('2026-06-30T12:00:00Z');

export type Given = Readonly<Record<string, unknown>>;
export const ofEvents = rollups.filter(({ keptFrom }) => keptFrom);

export type Sender = Awaited<ReturnType<typeof aSender>>;

export async function aSender(db: TestDb, zone = 'Europe/London') {
  const brand = await aBrand(db, { timeZone: zone });
  const brandId = brand.id;
  const uk = await aRetailer(db, { brandId, slug: 'uk' });
  const ie = await aRetailer(db, { brandId, slug: 'ie' });
  return {
    ...{ db, brand, brandId, uk, ie },
    send: async (given: readonly Given[], now?: Date): Promise<Stored> =>
      only(await storeBatches(db, brandId, [given], now)),
    /** In one transaction, as a file of many events. */
    sendBatches: (batches: readonly (readonly Given[])[]) => storeBatches(db, brandId, batches),
    async roll() {
      const tally = await runTask(rollup, { brandId, retailerId: null }, db);
      await assertExplained(db, brandId, { rollups: ofEvents });
      return tally;
    },
    figures: (view: string, columns: string) =>
      db.rows(`select ${columns} from bi.${view} where brand_id = $1 order by ${columns}`, [brandId]),
    /** All aggregates of events are as if they were made from nothing. */
    assertRebuilt: async () => {
      const stored = await aggregatesOf(db, brandId, ofEvents);
      const { rows } = await db.query<{ day: string }>(
        `select distinct (e.happened_at at time zone b.time_zone)::date as day
         from raw.events e join app.brands b on b.id = e.brand_id where e.brand_id = $1 order by 1`,
        [brandId],
      );
      const undone = new Error('undone');
      await db
        .transaction(async (tx) => {
          for (const { writes } of ofEvents)
            await tx.query(
              `delete from ${writes} a using app.brands b
               where a.brand_id = $1 and b.id = $1 and (a.day >= fact.first_day_from(b.events_from, b.time_zone) or b.events_from is null)`,
              [brandId],
            );
          const days = rows.map(({ day }) => day);
          await runRollups(tx, ofEvents, { brandId, retailerId: null, days, now: NOW });
          expect(stored).toEqual(await aggregatesOf(tx, brandId, ofEvents));
          throw undone;
        })
        .catch((error: unknown) => {
          if (error !== undone) throw error;
        });
    },
  };
}

function storeBatches(
  db: TestDb,
  brandId: string,
  batches: readonly (readonly Given[])[],
  now = NOW,
): Promise<Stored[]> {
  return db.transaction(async (tx) => {
    const storing = await openEvents(tx, testSealer, brandId, now);
    const stored: Stored[] = [];
    for (const given of batches) {
      const events = given.map((one) => {
        const event = readEvent(one, storing);
        if (Array.isArray(event)) throw new Error(JSON.stringify(event));
        return event;
      });
      await makeMonths(db, events, new Set());
      stored.push(await storeEvents(tx, storing, batchOf(storing, events)));
    }
    return stored;
  });
}

let made = 0;

/** An event of a kind; what a test does not name is filled in. */
export function anEvent(kind: string, given: Given = {}): Given {
  made += 1;
  const needs: Record<string, Given> = {
    conversion: { stage: 'purchase' },
    exposure: { experiment: 'button', variant: 'a' },
    ab_conversion: { experiment: 'button' },
    scan: { code: 'box-1' },
    download: { asset: 'guide.pdf' },
  };
  return {
    id: `e${made}`,
    kind,
    happened_at: '2026-06-01T12:00:00Z',
    visitor: 'v1',
    ...needs[kind],
    ...given,
  };
}

export const ndjson = (events: readonly Given[]): string =>
  events.map((event) => `${JSON.stringify(event)}\n`).join('');

/** A file for a command, which goes with its scope. */
export async function aFile(name: string, text: string) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-events-'));
  const path = join(dir, name);
  await writeFile(path, text);
  return { path, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

/** For how many days brands keep events, or one of them does. */
export async function keepEvents(db: TestDb, days: number, brandId?: string): Promise<void> {
  await db.query(
    `insert into app.retention (brand_id, rule, kept)
     select id, 'events', $1 from app.brands where $2::uuid is null or id = $2
     on conflict (brand_id, rule) do update set kept = excluded.kept`,
    [days, brandId ?? null],
  );
}
