/** Which letters bi.campaign_performance counts for a campaign: as the comments of its columns say it. */
import { expect, test } from 'vitest';
import { aClick, aSeller, type Seller } from '../support/campaigns.ts';
import { freshDb } from '../support/db/db.ts';

const AT = '2026-05-01T12:00:00Z';
const ANN = 'ann@x.example';

const mailOf = ({ db, brandId }: Seller) =>
  db.rows(
    `select campaign, delivered, clicks, attributed_orders as orders from bi.campaign_performance
     where brand_id = $1 order by 1`,
    [brandId],
  );

/** Each with what its letters are named by. */
async function aMailer(db: Parameters<typeof aSeller>[0]): Promise<Seller> {
  const seller = await aSeller(db);
  await seller.campaign('news', [['email_category', 'news']]);
  await seller.campaign('own', [['email_category', 'own']]);
  await seller.campaign('sends', [['single_send', 's1']]);
  await seller.campaign('spring', [
    ['email_category', 'spring'],
    ['email_category', 'spring-de'],
  ]);
  return seller;
}

test('a letter is of its mailing, else of its first category, and of one campaign at most; an order of any category', async () => {
  await using db = await freshDb();
  const seller = await aMailer(db);
  const letter = (id: string, more: object) => [
    { ...aClick(id, ANN, AT, { ...more, event: 'delivered' }), sg_event_id: `d-${id}` },
    aClick(id, ANN, AT, { ...more }),
  ];
  await seller.mailed([
    ...letter('1', { category: ['news', 'spring'] }), // of two campaigns: the first one's
    ...letter('2', { category: ['spring', 'spring-de'] }), // of one campaign: one letter
    ...letter('3', { category: ['spring'], singlesend_id: 's1' }),
    ...letter('4', { category: ['unlinked', 'spring'] }), // nobody's
    aClick('5', ANN, '2026-05-01T13:00:00Z', { category: ['unlinked', 'spring'] }),
  ]);
  await seller.orders([{ id: '1', at: '2026-05-01T14:00:00Z', person: ANN }]);
  await seller.roll();
  expect(await mailOf(seller)).toEqual([
    { campaign: 'news', delivered: 1, clicks: 1, orders: 0 },
    { campaign: 'own', delivered: null, clicks: null, orders: 0 },
    { campaign: 'sends', delivered: 1, clicks: 1, orders: 0 },
    { campaign: 'spring', delivered: 1, clicks: 1, orders: 1 },
  ]);
});

test('where only counts are known, a letter is in each category that a retailer has, so twice in a campaign of two', async () => {
  await using db = await freshDb();
  const seller = await aMailer(db);
  const { brandId, mail, uk } = seller;
  // One letter with the categories news, spring, spring-de and own; nobody has mapped the last one.
  const zeros = [
    ...['processed', 'deferred', 'bounces', 'blocks', 'bounce_drops', 'invalid_emails', 'spam_report_drops'],
    ...['unsubscribe_drops', 'opens', 'unique_opens', 'spam_reports', 'unsubscribes'],
  ];
  await db.query(
    `insert into raw.sendgrid_statistics (brand_id, connection_id, id, scope, name, part, day, time_zone, requests, delivered, clicks,
       unique_clicks, ${zeros}, changed_at, seen_at)
     select $1, $2, name, case name when '' then 'account' else 'category' end, name, 'category:' || nullif(name, ''),
       '2026-05-01', 'Europe/London', 1, 1, 1, 1, ${zeros.map(() => 0)}, now(), now()
     from unnest(array['', 'news', 'spring', 'spring-de', 'own']) name`,
    [brandId, mail.id],
  );
  await db.query(
    `insert into app.connection_parts (brand_id, connection_id, part, retailer_id)
     select $1, $2, part, $3 from raw.sendgrid_statistics where name in ('news', 'spring', 'spring-de')`,
    [brandId, mail.id, uk.retailerId],
  );
  await db.query(
    `insert into ops.marks (brand_id, subject, day, marked_at) values ($1, 'email', '2026-05-01', now())`,
    [brandId],
  );
  await seller.roll();
  expect(await mailOf(seller)).toMatchObject([
    { campaign: 'news', delivered: 1, clicks: 1 },
    { campaign: 'own', delivered: null },
    { campaign: 'sends', delivered: null },
    { campaign: 'spring', delivered: 2, clicks: 2 },
  ]);
});
