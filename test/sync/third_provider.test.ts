/** The exercise: a third provider, at the level of the brand, with a stream of each kind. */
import { expect, test } from 'vitest';
import { campaign, figure, first, open, reading, STREAMS, twoBrands } from '../support/acorn/bench.ts';
import type { Tables } from '../support/acorn/fake.ts';

const later: Tables = {
  campaigns: [
    campaign('c1', 'Spring', '1.75', '03'),
    { id: 'c3', title: 7, price: '1', updated_at: 'never' },
  ],
  opens: [open('o3', 'c2'), open('o4')],
  spend: [figure('02', '21'), figure('03', '5')],
  views: [reading('03', 130), reading('04', 190)],
};

const both = Object.fromEntries(
  Object.entries(first).map(([list, rows]) => [list, [...rows, ...(later[list] ?? [])]]),
);

test('a stream of each kind is backfilled, read on from where it was, and stays the same when nothing is new', async () => {
  await using bench = await twoBrands();
  const { one, other, served } = bench;
  for (const stream of STREAMS) for (const brand of [one, other]) await brand.sync(stream);
  served.tables = both;
  expect(await one.sync('campaigns')).toMatchObject({ read: 1, rejected: 1, incomplete: expect.any(String) });
  expect(await one.sync('opens')).toMatchObject({ read: 2, changed: 1 });
  expect(await one.sync('spend')).toMatchObject({ read: 2, changed: 2 });
  expect(await one.sync('views')).toMatchObject({ read: 2, changed: 1 });
  expect(await one.rows('id, title', 'campaigns', 'id')).toEqual([
    { id: 'c1', title: 'Spring' },
    { id: 'c2', title: 'Summer' },
  ]);
  expect(await one.rows('id, price', 'prices', 'id, valid_from')).toEqual([
    { id: 'c1', price: '1.5' },
    { id: 'c1', price: '1.75' },
    { id: 'c2', price: '2' },
  ]);
  expect(await one.rows('id, campaign_id', 'opens', 'id')).toEqual(
    ['o1', 'o2', 'o3', 'o4'].map((id) => ({ id, campaign_id: 'c1' })),
  );
  const spent = [
    { day: '2026-11-01', amount: '10' },
    { day: '2026-11-02', amount: '21' },
    { day: '2026-11-03', amount: '5' },
  ];
  expect(await one.rows('day, amount', 'spend', 'day')).toEqual(spent);
  const added = 'views - coalesce(lag(views) over (partition by id order by read_at), 0) as added';
  expect(await one.rows(added, 'views', 'read_at')).toEqual([{ added: 100 }, { added: 30 }, { added: 60 }]);
  expect(await other.rows('amount', 'spend', 'day')).toEqual([{ amount: '10' }, { amount: '20.5' }]);
  for (const stream of ['opens', 'views'])
    expect(await one.sync(stream, { full: true }), stream).toMatchObject({ changed: 0 });
  await one.sync('spend', { full: true });
  expect(await one.rows('day, amount', 'spend', 'day')).toEqual(spent);
});

test('one object is read by its id, and a record without an id is set aside by what it says', async () => {
  await using bench = await twoBrands();
  const { db, one, served, fake } = bench;
  await one.sync('campaigns');
  served.tables = { ...first, campaigns: [campaign('c1', 'Autumn', '3', '04'), { title: 'nobody' }] };
  const before = fake.asked.length;
  expect(await one.sync('campaigns', { ids: ['c1'] })).toMatchObject({ read: 1, changed: 1 });
  expect(fake.asked.slice(before).map(({ path }) => path)).toEqual(['/v1/campaigns/c1']);
  expect(await one.rows('title', 'campaigns', 'id')).toEqual([{ title: 'Autumn' }, { title: 'Summer' }]);
  await one.sync('campaigns', { full: true });
  expect(await db.column('select row_key from ops.rejected_rows')).toEqual([
    expect.stringMatching(/^sha256:/),
  ]);
});

test('its figures are in bi.completeness by its rows in ops.streams alone, from their first day on', async () => {
  await using bench = await twoBrands();
  const { db, one, other, served } = bench;
  served.tables = {
    campaigns: [],
    opens: [{ ...open('o1'), at: '2024-03-02T03:00:00Z' }], // still the first of March in New York
    spend: [{ ...figure('05', '10'), day: '2024-03-05' }],
    views: [{ ...reading('01', 100), read_at: '2024-03-07T12:00:00Z' }],
  };
  for (const stream of STREAMS) await one.sync(stream);
  const days = (brandId: string, more = '') =>
    db.rows(
      `select source, min(day) as first from bi.completeness where brand_id = $1 ${more} group by source order by source`,
      [brandId],
    );
  const begun = [
    { source: 'emails', first: '2024-03-01' },
    { source: 'spend', first: '2024-03-05' },
    { source: 'views', first: '2024-03-07' },
  ];
  expect(await days(one.brandId)).toEqual(begun);
  expect(await days(one.brandId, "and state = 'final'")).toEqual(begun);
  const [{ yesterday } = {}] = await db.rows(
    "select (now() at time zone 'America/New_York')::date - 1 as yesterday",
  );
  expect(await days(other.brandId)).toEqual(begun.map(({ source }) => ({ source, first: yesterday })));
});

test('one run reads all streams that were read once, leaves the others to jobs of their own, and stops at none', async () => {
  await using bench = await twoBrands();
  const { db, one, other, served, fake } = bench;
  const jobs = () =>
    db.column("select payload ->> 'stream' from ops.jobs where task = 'sync_stream' order by 1");
  expect(await one.syncAll()).toMatchObject({ quiet: 0, requests: 0 });
  expect(await jobs()).toEqual(STREAMS.map((stream) => `acorn.${stream}`));
  await db.query('delete from graphile_worker._private_jobs');
  for (const stream of STREAMS) for (const brand of [one, other]) await brand.sync(stream);
  expect(await one.syncAll()).toMatchObject({ quiet: 4, requests: 4, read: 0 });
  served.tables = { ...both, spend: [...(both.spend ?? []), { campaign: 'c1', day: 'never', amount: '1' }] };
  const before = fake.asked.length;
  expect(await one.syncAll()).toMatchObject({
    streams: {
      'acorn.opens': { changed: 1 },
      'acorn.campaigns': { rejected: 1, incomplete: expect.any(String) },
    },
    incomplete: expect.stringContaining('acorn.campaigns: '),
  });
  expect(fake.asked.length).toBeGreaterThan(before);
  expect(await other.rows('amount', 'spend', 'day')).toEqual([{ amount: '10' }, { amount: '20.5' }]);
});
