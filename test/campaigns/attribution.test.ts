/** Which campaign an order is credited to, and what that makes of its day: computed by hand. */
import { expect, test } from 'vitest';
import { editCampaign, removeCampaign, setWindow } from '#sql/campaigns/campaigns.ts';
import { addLink, removeLink } from '#sql/campaigns/links.ts';
import { storeSpend } from '#sql/campaigns/spend.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { posts } from '../../connectors/ayrshare/streams/post_rows.ts';
import { aClick, aSeller, NOW, type Seller } from '../support/campaigns.ts';
import { freshDb } from '../support/db/db.ts';

const ANN = 'ann@example.com';
const sold = (total: string) => [{ total, quantity: 1 }];
const spent = ({ db, brandId }: Seller, campaignId: string, day: string, amount: string, currency = 'GBP') =>
  db.transaction((tx) =>
    storeSpend(tx, { brandId, target: 'test', actor: 'test' }, [
      { campaignId, day, currency, source: 'ads', amount },
    ]),
  );
const wrongSums = ({ db }: Seller) => db.rows('select * from ops.figure_checks where not ok');

test('many touches, spend rows and links multiply nothing: 220 and not 1,300', async () => {
  await using db = await freshDb();
  const [one, other] = [await aSeller(db), await aSeller(db)];
  for (const seller of [one, other]) {
    const spring = await seller.campaign('spring', [
      ['utm_campaign', 'spring'],
      ['discount_code', 'SPRING10'],
      ['email_category', 'news'],
    ]);
    await seller.orders([
      {
        id: '1',
        at: '2026-05-01T12:00:00Z',
        sales: sold('120.00'),
        utm: 'Spring ',
        codes: ['spring10', 'OTHER'],
        person: ANN,
      },
      { id: '2', at: '2026-05-01T13:00:00Z', sales: sold('100.00'), person: ANN },
      { id: '3', at: '2026-05-01T14:00:00Z', sales: sold('80.00') },
    ]);
    await seller.mailed([
      aClick('c1', ` ${ANN.toUpperCase()}`, '2026-05-01T08:00:00Z'),
      aClick('c2', ANN, '2026-05-01T09:00:00Z'),
      aClick('c3', ANN, '2026-05-01T10:00:00Z'),
    ]);
    await spent(seller, spring.id, '2026-05-01', '50');
    await spent(seller, spring.id, '2026-05-01', '30', 'USD');
  }
  await one.roll();
  expect(await one.days()).toEqual([
    {
      day: '2026-05-01',
      campaign: '-',
      currency: 'GBP',
      spend: '0',
      orders: 1,
      revenue: '80',
      credited: 0,
      accrued: '0',
    },
    {
      day: '2026-05-01',
      campaign: 'spring',
      currency: 'GBP',
      spend: '50',
      orders: 2,
      revenue: '220',
      credited: 2,
      accrued: '220',
    },
    {
      day: '2026-05-01',
      campaign: 'spring',
      currency: 'USD',
      spend: '30',
      orders: 0,
      revenue: '0',
      credited: 0,
      accrued: '0',
    },
  ]);
  expect(
    await db.rows('select expected::text, found::text, ok from ops.figure_checks where currency = $$GBP$$'),
  ).toEqual([{ expected: '300', found: '300', ok: true }]);
  // A rate for the spend in dollars is missing, so nothing is said in the reporting currency.
  expect(
    await db.rows('select spend, roi_percentage from bi.campaign_performance where brand_id = $1', [
      one.brandId,
    ]),
  ).toEqual([{ spend: null, roi_percentage: null }]);
  expect(await other.days()).toEqual([]);
});

test('an order that does not count and brings nothing makes no row of zeros, credited or not', async () => {
  await using db = await freshDb();
  const [one, other] = [await aSeller(db), await aSeller(db)];
  const card = [{ type: 'GIFT_CARD', quantity: 1, total: '50.00' }];
  for (const [seller, sales] of [
    [one, card],
    [other, sold('50.00')],
  ] as const) {
    await seller.campaign('ads', [['utm_campaign', 'ads']]);
    const visitedAt = '2026-04-30T12:00:00Z';
    await seller.orders([
      { id: '1', at: '2026-05-01T12:00:00Z', sales, utm: 'ads', visitedAt },
      { id: '2', at: '2026-05-02T12:00:00Z', sales },
    ]);
    await seller.roll();
  }
  expect((await one.credits()).map(Object.values)).toEqual([['uk/1', 'ads', 'utm_campaign']]);
  expect(await one.days()).toEqual([]);
  expect(await other.days()).toHaveLength(3);
  expect(await wrongSums(one)).toEqual([]);
});

test('the last touch within the window decides, its edge included, and what came after the order never counts', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  await seller.campaign('letters', [['email_category', 'news']]);
  await seller.campaign('visits', [['utm_campaign', 'ads']]);
  await seller.campaign('codes', [['discount_code', 'ten']]);
  await seller.campaign('sends', [['single_send', 's1']]);
  const at = '2026-05-08T12:00:00Z';
  await seller.orders([
    { id: '1', at, person: 'edge@x.example' }, // a click exactly 168 hours before
    { id: '2', at, person: 'late@x.example' }, // and one second earlier than that
    { id: '3', at, person: 'after@x.example' }, // a click after the order
    { id: '4', at, person: 'same@x.example', utm: 'ads', visitedAt: '2026-05-07T12:00:00Z' }, // at the same instant as the visit
    { id: '5', at, person: 'newer@x.example', utm: 'ads', visitedAt: '2026-05-07T12:00:00Z' },
    { id: '6', at, person: 'newer@x.example', utm: 'ads', codes: ['TEN'] },
    { id: '7', at, person: 'send@x.example' }, // the mailing says more than its category
    { id: '8', at, person: 'robot@x.example' },
    { id: '9', at, utm: 'unknown' },
    { id: '10', at, test: true, utm: 'ads' },
  ]);
  await seller.mailed([
    aClick('e', 'edge@x.example', '2026-05-01T12:00:00Z'),
    aClick('l', 'late@x.example', '2026-05-01T11:59:59Z'),
    aClick('a', 'after@x.example', '2026-05-08T12:00:01Z'),
    aClick('s', 'same@x.example', '2026-05-07T12:00:00Z'),
    aClick('n', 'newer@x.example', '2026-05-07T12:00:01Z'),
    aClick('m', 'send@x.example', '2026-05-07T12:00:00Z', { singlesend_id: 's1' }),
    aClick('r', 'robot@x.example', '2026-05-07T12:00:00Z', { sg_machine_open: true }),
    aClick('u', 'edge@x.example', '2026-05-08T11:00:00Z', { category: ['unlinked'] }), // names no campaign
  ]);
  await seller.roll();
  const expected = [
    ['uk/1', 'letters', 'email_click'],
    ['uk/4', 'visits', 'utm_campaign'],
    ['uk/5', 'letters', 'email_click'],
    ['uk/6', 'codes', 'discount_code'],
    ['uk/7', 'sends', 'email_click'],
  ];
  expect((await seller.credits()).map(Object.values)).toEqual(expected);

  await db.transaction((tx) => setWindow(tx, seller.brandId, 169, { actor: 'test' }));
  await seller.roll();
  expect((await seller.credits()).map(Object.values)).toEqual(
    [...expected, ['uk/2', 'letters', 'email_click']].sort(),
  );
  await db.transaction((tx) => setWindow(tx, seller.brandId, 0, { actor: 'test' }));
  await seller.roll();
  expect((await seller.credits()).map(Object.values)).toEqual([['uk/6', 'codes', 'discount_code']]);
});

test('returns count on their own day for cash, and on the day of the touch for accrual', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db, 'America/New_York');
  await seller.campaign('letters', [['email_category', 'news']]);
  const order = { id: '1', at: '2026-05-02T03:30:00Z', person: ANN }; // still the 1st in New York
  await seller.orders([{ ...order, sales: sold('100.00') }]);
  await seller.mailed([aClick('c', ANN, '2026-04-29T12:00:00Z')]);
  await seller.roll();
  const placed = { campaign: 'letters', currency: 'GBP', spend: '0' };
  expect(await seller.days()).toEqual([
    { day: '2026-04-29', ...placed, orders: 0, revenue: '0', credited: 1, accrued: '100' },
    { day: '2026-05-01', ...placed, orders: 1, revenue: '100', credited: 0, accrued: '0' },
  ]);
  const back = {
    reason: 'REFUND',
    action: 'RETURN',
    at: '2026-05-20T12:00:00Z',
    quantity: -1,
    total: '-40.00',
  };
  await seller.orders([{ ...order, version: '2026-05-20T12:00:00Z', sales: [...sold('100.00'), back] }]);
  await seller.roll();
  expect(await seller.days()).toEqual([
    { day: '2026-04-29', ...placed, orders: 0, revenue: '0', credited: 1, accrued: '60' },
    { day: '2026-05-01', ...placed, orders: 1, revenue: '100', credited: 0, accrued: '0' },
    { day: '2026-05-20', ...placed, orders: 0, revenue: '-40', credited: 0, accrued: '0' },
  ]);
  expect(await wrongSums(seller)).toEqual([]);
});

test('one late click credits one order anew, and computes the days that it moves', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  await seller.campaign('letters', [['email_category', 'news']]);
  await seller.campaign('visits', [['utm_campaign', 'ads']]);
  const days = Array.from({ length: 9 }, (_, n) => `2026-05-0${n + 1}T12:00:00Z`);
  await seller.orders(
    days.map((at, n) => ({ id: String(n + 1), at, utm: 'ads', visitedAt: at, person: `p${n}@x.example` })),
  );
  await seller.orders([{ id: '1', at: '2026-05-08T13:00:00Z', person: 'p4@x.example' }], seller.ie);
  await seller.roll();
  await seller.mailed([aClick('late', 'p4@x.example', '2026-05-05T12:00:00Z')]); // when he visited: the visit says more
  const [, , unmoved] = await seller.roll();
  // The mail of the day; the credit of the order in the other shop, its day in the place of none, the day of the touch. So does
  // the month. And the retailer of that shop in the ranking of its day, week and month.
  expect(unmoved).toMatchObject({ written: 1 + 4 + 1 + 3, deleted: 1 + 1 });
  expect(await seller.credits()).toContainEqual({
    order_id: 'ie/1',
    campaign: 'letters',
    touch_kind: 'email_click',
  });
  await seller.mailed([
    aClick('later', 'p4@x.example', '2026-05-05T12:00:00Z'),
    aClick('later2', 'p5@x.example', '2026-05-06T12:00:00Z'),
  ]);
  const [, , again] = await seller.roll();
  expect(again).toMatchObject({ written: 2, deleted: 0 }); // the mail of two days: at the instant of a visit a click decides nothing
});

test('a utm_campaign of any length names its campaign: link, order and post are cut alike', async () => {
  await using db = await freshDb();
  const [one, other] = [await aSeller(db), await aSeller(db)];
  const long = (letter: string) => ` ${letter.repeat(254)}\u{1F4B6}${'x'.repeat(45)}`;
  const link = (value: string) => `https://x.example/?utm_campaign=${encodeURIComponent(value)}`;
  for (const seller of [one, other]) {
    await seller.campaign('visits', [['utm_campaign', long('A')]]);
    await seller.campaign('posts', [['hashtag', 'spring']]);
    await seller.orders([
      { id: '1', at: '2026-05-01T12:00:00Z', utm: long('a').trim() },
      { id: '2', at: '2026-05-01T12:00:00Z', utm: long('b').trim() },
    ]);
    const post = { id: '1', created: '2026-04-30T12:00:00Z', post: `#spring ${link(long('B'))}` };
    const row = posts.rowOf(post, { platform: 'facebook', lacks: false });
    await seller.posted([
      { id: 'facebook/1', at: post.created, text: post.post, campaign: String(row.campaign) },
    ]);
    await seller.roll();
    expect(await seller.credits()).toEqual([
      { order_id: 'uk/1', campaign: 'visits', touch_kind: 'utm_campaign' },
      { order_id: 'uk/2', campaign: 'posts', touch_kind: 'social_post' },
    ]);
  }
  const unfit = one.campaign('codes', [['discount_code', 'c'.repeat(256)]]); // a code is one only as a whole
  await expect(unfit).rejects.toMatchObject({ code: 'NS_LINK_UNFIT' });
});

test('links, spend and campaigns come late, change hands and go', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  await seller.orders([{ id: '1', at: '2026-05-01T12:00:00Z', sales: sold('100'), utm: 'a', person: ANN }]);
  await seller.posted([
    {
      id: 'facebook/1',
      at: '2026-04-30T12:00:00Z',
      text: 'look #Spring https://x.example/?utm_campaign=A',
      campaign: 'A',
    },
  ]);
  await seller.roll();
  expect(await seller.days()).toEqual([]);
  const first = await seller.campaign('first');
  await seller.roll();
  expect(await seller.days()).toMatchObject([{ campaign: '-', revenue: '100' }]);
  const link = (kind: 'hashtag' | 'utm_campaign', value: string, campaign = first) =>
    db.transaction((tx) => addLink(tx, campaign, { kind, value }, { actor: 'test' }));
  await link('hashtag', '#SPRING');
  await seller.roll();
  expect(await seller.credits()).toEqual([
    { order_id: 'uk/1', campaign: 'first', touch_kind: 'social_post' },
  ]);
  const second = await seller.campaign('second');
  await link('utm_campaign', 'A', second);
  await expect(link('utm_campaign', 'a', first)).rejects.toMatchObject({ code: 'NS_LINK_TAKEN' });
  await seller.roll();
  expect(await seller.credits()).toEqual([
    { order_id: 'uk/1', campaign: 'second', touch_kind: 'utm_campaign' },
  ]);
  await spent(seller, second.id, '2026-05-01', '40');
  await seller.roll();
  expect(
    await db.rows(
      'select campaign, spend, attributed_revenue as revenue, roi_percentage as roi, roas, posts from bi.campaign_performance order by 1',
    ),
  ).toEqual([
    { campaign: 'first', spend: '0', revenue: '0', roi: null, roas: null, posts: null },
    { campaign: 'second', spend: '40.00', revenue: '100.00', roi: '150.00', roas: '2.5000', posts: 1 },
  ]);
  expect(await spent(seller, second.id, '2026-05-01', '40.00')).toBe(0);
  await db.transaction((tx) => editCampaign(tx, second, { name: 'Second' }, { actor: 'test' }));
  await db.transaction((tx) =>
    removeLink(tx, second, { kind: 'utm_campaign', value: 'a' }, { actor: 'test' }),
  );
  await seller.roll();
  expect(await seller.credits()).toEqual([
    { order_id: 'uk/1', campaign: 'first', touch_kind: 'social_post' },
  ]);
  for (const campaign of [first, second])
    await db.transaction((tx) => removeCampaign(tx, campaign, { actor: 'test' }));
  await seller.roll();
  expect(await seller.days()).toEqual([]);
  expect(await db.rows('select * from ops.figure_checks')).toEqual([]);
});

test('a post counts for visits after it, codes in any alphabet are found, and another zone moves the days of touches', async () => {
  await using db = await freshDb();
  const seller = await aSeller(db);
  await seller.campaign('early', [['hashtag', 'early']]);
  await seller.campaign('late', [['hashtag', 'late']]);
  await seller.campaign('codes', [['discount_code', ' \u0130ND\u0130R\u0130M10 ']]);
  const post = (id: string, at: string, text: string) => ({
    id: `facebook/${id}`,
    at,
    text,
    campaign: 'shared',
  });
  await seller.posted([
    post('1', '2026-05-09T09:00:00Z', '#Early'),
    post('2', '2026-05-10T11:30:00Z', '#late'),
  ]);
  await seller.orders([
    { id: '1', at: '2026-05-10T12:00:00Z', utm: 'shared', visitedAt: '2026-05-09T10:00:00Z' },
    { id: '2', at: '2026-05-02T12:00:00Z', codes: ['\u0130ND\u0130R\u0130M10'] },
    { id: '3', at: '2026-05-12T12:00:00Z', utm: 'shared', visitedAt: '2026-05-12T02:00:00Z' },
  ]);
  await seller.roll();
  expect((await seller.credits()).map(Object.values)).toEqual([
    ['uk/1', 'early', 'social_post'],
    ['uk/2', 'codes', 'discount_code'],
    ['uk/3', 'late', 'social_post'],
  ]);
  const touched = () => db.column('select touched_on::text from bi.order_credits order by order_id');
  expect(await touched()).toEqual(['2026-05-09', '2026-05-02', '2026-05-12']);
  const change = { brandId: seller.brandId, tables: [], now: NOW, actor: 'test' };
  await db.transaction((tx) => changeTimeZone(tx, 'America/New_York', change));
  await seller.roll();
  expect(await touched()).toEqual(['2026-05-09', '2026-05-02', '2026-05-11']);
});
