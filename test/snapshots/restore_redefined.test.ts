/** Figures that come back of before a change of owner, zone, currency or rates are computed for what holds now. */
import { expect, test } from 'vitest';
import { streams } from '#connectors/providers.ts';
import { listCampaigns } from '#sql/campaigns/campaigns.ts';
import { removeLink } from '#sql/campaigns/links.ts';
import { storeSpend } from '#sql/campaigns/spend.ts';
import { noticeRatesOfBrand } from '#sql/fx/days.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { rollups as all } from '#sql/rollups/index.ts';
import { runRollups } from '#sql/rollups/run.ts';
import { changeReportingCurrency, changeTimeZone } from '#sql/tenants/brands.ts';
import { mapPart } from '#sql/tenants/connection_parts.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { aClick, aSeller, NOW, type Seller } from '../support/campaigns.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aggregatesOf } from '../support/db/rebuild.ts';
import { daysOf } from '../support/providers/fx.ts';
import { TEST_KEYS } from '../support/rows/factory.ts';
import { aStore, runSnapshot, type StoreDir } from '../support/snapshots/snapshots.ts';

const KINDS = /daily_sales|order_days|order_credits|campaign_sales|daily_campaigns|daily_email/;
const rollups = all.filter(({ writes }) => KINDS.test(writes));
const AT = '2026-05-04T23:30:00Z'; // on the next day in London
const change = { tables: streams.flatMap((stream) => [...stream.tables]), now: NOW, actor: 'test' };
const rate = (db: TestDb, eur: string) =>
  db.transaction((tx) =>
    storeRates(tx, {
      days: daysOf([['GBP', '2026-05-05', eur]]),
      source: 'test',
      now: NOW,
      actor: 'test',
    }),
  );

async function filled(db: TestDb): Promise<Seller> {
  const seller = await aSeller(db);
  await seller.campaign('may', [['utm_campaign', 'may']]);
  await seller.orders([
    { id: '1', at: AT, utm: 'may', sales: [{ total: '10.05' }] },
    { id: '2', at: AT, currency: 'EUR', sales: [{ total: '20.10' }] },
  ]);
  await seller.orders([{ id: '1', at: AT, sales: [{ total: '30.15' }] }], seller.ie);
  await seller.mailed([aClick('e1', 'a@x.example', AT, { category: ['uk'] })]);
  await db.transaction((tx) => mapPart(tx, { ...ofMail(seller), retailerId: seller.ie.retailerId }));
  await settled(seller);
  return seller;
}

const ofMail = ({ brandId, mail }: Seller) => ({
  ...change,
  ...{ brandId, connectionId: mail.id, part: 'category:uk', takesAway: true },
});

/** Figures follow each other. */
async function settled(seller: Seller): Promise<void> {
  for (let again = 0; again < 2; again++) await seller.roll();
}

async function rebuilt({ db, brandId, uk, ie }: Seller) {
  const days = ['2026-05-03', '2026-05-04', '2026-05-05', '2026-05-06'];
  for (const { writes } of rollups) await db.query(`delete from ${writes} where brand_id = $1`, [brandId]);
  for (const retailerId of [uk.retailerId, ie.retailerId, null])
    await db.transaction((tx) => runRollups(tx, rollups, { brandId, retailerId, days, now: NOW }));
  return aggregatesOf(db, brandId, rollups);
}

const CHANGES: Record<string, [string[], (db: TestDb, seller: Seller) => Promise<unknown>]> = {
  'a move': [
    ['the retailers of shop-uk'],
    (db, { brandId, uk, ie }) =>
      db.transaction((tx) =>
        moveConnection(tx, {
          ...change,
          ...{ brandId, connectionId: uk.connectionId, retailerId: ie.retailerId },
        }),
      ),
  ],
  'a part that changes hands': [
    ['the retailers of mail'],
    (db, seller) =>
      db.transaction((tx) => mapPart(tx, { ...ofMail(seller), retailerId: seller.uk.retailerId })),
  ],
  'another zone': [
    ['the time zone'],
    (db, { brandId }) =>
      db.transaction((tx) => changeTimeZone(tx, 'America/New_York', { ...change, brandId })),
  ],
  'another currency': [
    ['the reporting currency'],
    (db, { brandId }) => db.transaction((tx) => changeReportingCurrency(tx, 'EUR', { ...change, brandId })),
  ],
  'another link': [
    ['links of campaigns'],
    (db, seller) =>
      db.transaction(async (tx) => {
        const [campaign] = await listCampaigns(tx, seller.brandId);
        if (campaign)
          await removeLink(tx, campaign, { kind: 'utm_campaign', value: 'may' }, { actor: 'test' });
      }),
  ],
  'another campaign, with its spend': [
    ['links of campaigns', 'spend', 'campaigns'],
    async (db, seller) => {
      const { id: campaignId, brandId } = await seller.campaign('june', [['email_category', 'uk']]);
      const row = { campaignId, day: '2026-05-05', source: 'ads', amount: '7', currency: 'GBP' };
      await db.transaction((tx) => storeSpend(tx, { brandId, target: 'test', actor: 'test' }, [row]));
    },
  ],
  'a revised rate': [
    [],
    async (db, { brandId }) => {
      await rate(db, '0.5');
      await db.transaction((tx) => noticeRatesOfBrand(tx, brandId));
    },
  ],
};

test.for(Object.entries(CHANGES))('%s since the snapshot', async ([, [redefined, apply]]) => {
  await using db = await freshDb();
  await using place = await aStore();
  await rate(db, '0.8');
  const [seller, other] = [await filled(db), await filled(db)];
  const { brandId, brand } = seller;
  const id = String((await runSnapshot(db, place, brandId)).snapshot);
  const then = await aggregatesOf(db, brandId);
  await apply(db, seller);
  await settled(seller);
  const ofOther = await aggregatesOf(db, other.brandId);
  const present = await aggregatesOf(db, brandId);
  expect(present).not.toEqual(then);

  const restored = await restore(db, place, `${id} --brand ${brand.slug} --into live --yes ${brand.slug}`);
  expect(restored).toMatchObject([
    { redefined: expect.toSatisfy((said: string[]) => isSame(said, redefined)) },
  ]);
  expect(await db.column('select count(*) from ops.marks where brand_id = $1', [brandId])).not.toEqual([0]);
  expect(await aggregatesOf(db, brandId)).toEqual(then);
  await settled(seller);
  expect(await aggregatesOf(db, brandId)).toEqual(present);
  const incremental = await aggregatesOf(db, brandId, rollups);
  expect(await rebuilt(seller)).toEqual(incremental);
  expect(await aggregatesOf(db, other.brandId)).toEqual(ofOther);
  expect(await db.column('select count(*) from ops.marks where brand_id = $1', [other.brandId])).toEqual([0]);
});

const isSame = (one: readonly string[], other: readonly string[]) =>
  String([...one].sort()) === String([...other].sort());

async function restore(db: TestDb, { dir }: StoreDir, line: string): Promise<unknown> {
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const { code, stderr, json } = await nightshift(['snapshots', 'restore', ...line.split(' '), '--json'], {
    env,
  });
  expect(code, stderr).toBe(0);
  return json();
}
