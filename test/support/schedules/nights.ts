/** Two brands in different zones, each with a shop of the same ids, and what works for them at night. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { insertSchedule } from '#sql/schedules/schedules.ts';
import { tasks } from '#tasks/index.ts';
import type { AlertChannels } from '#tasks/task.ts';
import { advanceNight, dueNights } from '#workers/scheduler/nights.ts';
import { lookOnce } from '#workers/scheduler/scheduler.ts';
import type { TestDb } from '../db/db.ts';
import { eventually } from '../eventually.ts';
import { aShopOf, type ShopUnderTest } from '../providers/shopify.ts';
import { aWorker } from '../queue.ts';
import { aBrand, testKeyring } from '../rows/factory.ts';
import { quiet } from '../run.ts';

const shops = { acme: { token: 'shpat_acme', currency: 'USD', zone: 'UTC' } };

export type NightlyBrand = {
  shop: ShopUnderTest;
  slug: string;
  brandId: string;
  day: string;
  twoOClock: Date;
};

/** A brand whose shop sold something on the day before its last 02:00. */
export async function aNightlyBrand(db: TestDb, timeZone: string): Promise<NightlyBrand> {
  const { id: brandId, slug } = await aBrand(db, { timeZone, reportingCurrency: 'USD' });
  const [row] = await db.rows(
    `select (d.at - interval '1 day')::date as day, d.at at time zone $1 as two,
            (d.at - interval '12 hours') at time zone $1 as sold
     from (select date_trunc('day', (now() at time zone $1) - interval '2 hours') + interval '2 hours' as at) d`,
    [timeZone],
  );
  await db.query("update app.brands set created_at = now() - interval '30 days'");
  const { day, two, sold } = row as { day: string; two: Date; sold: Date };
  const at = sold.toISOString();
  const lineItems = [{ id: 10, originalUnitPriceSet: '10.00' }];
  const orders = [{ id: 1, processedAt: at, updatedAt: at, createdAt: at, lineItems }];
  const shop = await aShopOf(db, { 'orders.ndjson': orders }, { scenario: { shops } }, brandId);
  const before = new Date(two.getTime() - 3_600_000);
  const policy = { catchUp: 'latest', catchUpMax: 1, overlap: 'queue' } as const;
  const given = { name: 'nightly', task: 'nightly', payload: {}, expression: '0 2 * * *', timeZone: null };
  await db.transaction((tx) =>
    insertSchedule(tx, { ...policy, ...given, brandId, connectionId: null }, { at: before, by: 'test' }),
  );
  return { shop, slug, brandId, day, twoOClock: two };
}

export function aNightWorker(db: TestDb, alerts: AlertChannels = {}, nights?: string) {
  const services = { ...testKeyring, ecbUrl: 'http://127.0.0.1:9', alerts, pings: { nights } };
  return aWorker(db, { tasks, services });
}

export const look = (db: TestDb, now: Date) => lookOnce({ db, log: quiet, now, tasks });

/** Lets nights go on, as a scheduler does whenever their time has come. */
export async function letNightsGoOn(db: TestDb): Promise<void> {
  await db.query('update ops.nights set look_at = now() where look_at is not null');
  for (const night of await dueNights(db, new Date())) await advanceNight(db, night);
}

/** Lets nights go on until the night of a brand has come to a state. */
export async function untilNight(db: TestDb, { brandId }: NightlyBrand, state: string): Promise<void> {
  await eventually(async () => {
    await letNightsGoOn(db);
    const [found] = await db.column('select state from ops.nights where brand_id = $1 order by day limit 1', [
      brandId,
    ]);
    if (found !== state) throw new Error(`The night is ${found}.`);
  });
}

export type Delivery = { method: string; path: string; signature: string; body: string };

/** Takes alerts and pings, or refuses them with another status. */
export async function aReceiver(status: () => number = () => 204) {
  const taken: Delivery[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => {
      body += piece;
    });
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      taken.push({ method, path, signature: String(headers['nightshift-signature']), body });
      response.writeHead(status(), { location: '/elsewhere' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/alerts`,
    /** Of another path there. */
    at: (path: string) => `http://127.0.0.1:${port}${path}`,
    taken,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** A zone where it is about that hour now. */
export function zoneAtHour(hour: number): string {
  const ahead = (new Date().getUTCHours() - hour + 24) % 24;
  const behind = ahead > 12 ? ahead - 24 : ahead;
  return behind === 0 ? 'Etc/GMT' : `Etc/GMT${behind > 0 ? `+${behind}` : behind}`;
}
