/** Two brands in New York that read Acorn, with equal ids there, and what it serves them. */
import { makeKeyring } from '#connectors/providers.ts';
import { addConnection } from '#sql/tenants/connections.ts';
import { syncConnection } from '#tasks/sync_connection.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import { freshDb } from '../db/db.ts';
import { aBrand, aRetailer, testSealer } from '../rows/factory.ts';
import { runTask } from '../run.ts';
import { acornServing, KEY, type Tables } from './fake.ts';
import { withAcorn } from './provider.ts';
import { migrateAcorn } from './tables.ts';

export const keyring = makeKeyring(testSealer, [], withAcorn);

export const campaign = (id: string, title: string, price: string, at: string) => ({
  ...{ id, title, price, updated_at: `2026-11-${at}T10:00:00Z` },
});
export const open = (id: string, campaignId = 'c1') => ({
  ...{ id, campaign: campaignId, at: '2026-11-02T08:00:00Z' },
});
export const figure = (day: string, amount: string, campaignId = 'c1') => ({
  ...{ campaign: campaignId, day: `2026-11-${day}`, amount },
});
export const reading = (day: string, views: number) => ({
  ...{ id: 'p1', views, read_at: `2026-11-${day}T12:00:00Z` },
});

export const first: Tables = {
  campaigns: [campaign('c1', 'Spring', '1.50', '01'), campaign('c2', 'Summer', '2', '01')],
  opens: [open('o1'), open('o2'), open('o3')],
  spend: [figure('01', '10'), figure('02', '20.5')],
  views: [reading('01', 100), reading('02', 130)],
};

export const STREAMS = ['campaigns', 'opens', 'spend', 'views'];

export type AcornBench = Awaited<ReturnType<typeof twoBrands>>;

export async function twoBrands() {
  const db = await freshDb();
  await migrateAcorn(db);
  const served = { tables: first };
  const fake = await acornServing(() => served.tables);
  const connect = async () => {
    const { id: brandId } = await aBrand(db, { timeZone: 'America/New_York' });
    const { id: retailerId } = await aRetailer(db, { brandId });
    const wanted = { brandId, name: 'acorn', provider: 'acorn', account: 'acme', auth: 'key', secret: KEY };
    const { id } = await db.transaction((tx) => addConnection(tx, keyring, { ...wanted, baseUrl: fake.url }));
    const place = { brandId, connectionId: id };
    return {
      ...{ ...place, retailerId },
      sync: (stream: string, more: object = {}) =>
        runTask(syncStream, { ...place, stream: `acorn.${stream}`, ...more }, db, { services: keyring }),
      syncAll: () => runTask(syncConnection, place, db, { services: keyring }),
      rows: (columns: string, table: string, order: string) =>
        db.rows(`select ${columns} from raw.acorn_${table} where brand_id = $1 order by ${order}`, [brandId]),
    };
  };
  const [one, other] = [await connect(), await connect()];
  return {
    ...{ db, served, fake, one, other },
    async [Symbol.asyncDispose]() {
      await fake[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}
