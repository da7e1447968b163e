/** What lifetime numbers become: differences on the days of their readings. */
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { assertExplained } from '../support/explain/law.ts';
import { assertHolds } from '../support/property.ts';
import { days, load, type Reading, read, roll, twoProfiles } from '../support/rows/social.ts';
import type { Place } from '../support/rows/two_brands.ts';
import { runTask } from '../support/run.ts';

const likes = (post: string, day: string, value: number, more: object = {}): Reading => ({
  ...{ post, at: `2026-11-${day}T20:00:00Z`, likes: value },
  ...more,
});

test('differences fall on the days of their readings, what was there at first on the day of the post', async () => {
  await using db = await freshDb();
  const [one, other] = await twoProfiles(db);
  for (const place of [one, other]) await load(db, place, [likes('p', '05', 100)]);
  await load(db, one, [likes('p', '06', 130), likes('p', '09', 190)]);
  for (const place of [one, other]) await roll(db, place);
  const columns = 'likes, posts_first_read, engagement_first_read, falls';
  const row = (day: string, gained: number, first = 0) => ({
    ...{ day: `2026-11-${day}`, likes: gained, posts_first_read: first },
    ...{ engagement_first_read: first && gained, falls: 0 },
  });
  expect(await days(db, one, columns)).toEqual([row('01', 100, 1), row('06', 30), row('09', 60)]);
  expect(await days(db, other, columns)).toEqual([row('01', 100, 1)]);
});

test('a late reading moves only the days between its neighbours, also before the first one', async () => {
  await using db = await freshDb();
  const [one] = await twoProfiles(db);
  for (const [day, value] of [
    ['05', 100],
    ['06', 130],
    ['09', 190],
  ] as const)
    await load(db, one, [likes('p', day, value)]);
  await roll(db, one);
  await load(db, one, [likes('p', '07', 150)]);
  expect(await db.column('select distinct day from ops.marks where day is not null order by 1')).toEqual([
    '2026-11-01', // of the post, because the reading might be its first
    '2026-11-07',
    '2026-11-09',
  ]);
  await roll(db, one);
  const gains = async () => (await days(db, one, 'likes')).map(({ day, likes: of }) => [day, of]);
  expect(await gains()).toEqual([
    ['2026-11-01', 100],
    ['2026-11-06', 30],
    ['2026-11-07', 20],
    ['2026-11-09', 40],
  ]);
  await load(db, one, [likes('p', '03', 60)]);
  await roll(db, one);
  expect((await gains()).slice(0, 3)).toEqual([
    ['2026-11-01', 60],
    ['2026-11-05', 40],
    ['2026-11-06', 30],
  ]);
});

test('a fall is a correction: it is shown, and subtracted from nothing', async () => {
  await using db = await freshDb();
  const [one] = await twoProfiles(db);
  for (const [day, value] of [
    ['05', 100],
    ['06', 90],
    ['07', 95],
  ] as const)
    await load(db, one, [likes('p', day, value, { comments: 3 })]);
  await roll(db, one);
  expect(await days(db, one, 'likes, comments, falls, engagement_fallen')).toEqual([
    { day: '2026-11-01', likes: 100, comments: 3, falls: 0, engagement_fallen: 0 },
    { day: '2026-11-06', likes: 0, comments: null, falls: 1, engagement_fallen: 10 },
    { day: '2026-11-07', likes: 5, comments: null, falls: 0, engagement_fallen: 0 },
  ]);
});

test('engagement is likes, comments and shares; its rate is over impressions, and null without them', async () => {
  await using db = await freshDb();
  const [one] = await twoProfiles(db);
  const at = (day: string) => ({ at: '2026-11-10T12:00:00Z', published: `2026-11-${day}T12:00:00Z` });
  await load(db, one, [
    { post: 'high', ...at('01'), likes: 3, comments: 1, shares: 1, saves: 50, impressions: 100 },
    { post: 'good', ...at('02'), likes: 2, impressions: 100 },
    { post: 'standard', ...at('03'), likes: 1, comments: 0, impressions: 51 },
    { post: 'unknown', ...at('04'), likes: 9 },
    { post: 'unseen', ...at('05'), likes: 0, impressions: 0 },
    { post: 'untold', ...at('06'), video_views: 5 },
  ]);
  await roll(db, one);
  const row = (day: string, engagement: number | null, rate: string | null, tier: string | null) => ({
    ...{ day: `2026-11-${day}`, engagement, engagement_rate: rate, engagement_tier: tier },
  });
  expect(await days(db, one, 'engagement, engagement_rate, engagement_tier')).toEqual([
    row('01', 5, '0.0500', 'High'),
    row('02', 2, '0.0200', 'Good'),
    row('03', 1, '0.0196', 'Standard'),
    row('04', 9, null, null),
    row('05', 0, null, null),
    row('06', null, null, null),
  ]);
});

test('no difference is taken where the map of fields has changed', async () => {
  await using db = await freshDb();
  const [one] = await twoProfiles(db);
  await load(db, one, [likes('p', '05', 100)]);
  await db.query('update raw.ayrshare_post_readings set mapping_version = 0');
  await load(db, one, [likes('p', '06', 400)]);
  await load(db, one, [likes('p', '07', 401)]);
  await roll(db, one);
  expect(await days(db, one, 'likes, breaks')).toEqual([
    { day: '2026-11-01', likes: 100, breaks: 0 },
    { day: '2026-11-06', likes: null, breaks: 1 },
    { day: '2026-11-07', likes: 1, breaks: 0 },
  ]);
});

test('a number that is read from another field is a break, and its day is unknown, not 0', async () => {
  await using db = await freshDb();
  const [one] = await twoProfiles(db);
  await load(db, one, [likes('p', '05', 100, { comments: 3 })]);
  await db.query("update raw.ayrshare_post_readings set field = 'reactions.total' where metric = 'likes'");
  await load(db, one, [likes('p', '06', 400)]);
  await read(db, one, '2026-11-06', ['likes', 'comments']);
  await roll(db, one);
  expect(await days(db, one, 'likes, comments, breaks')).toEqual([
    { day: '2026-11-01', likes: 100, comments: 3, breaks: 0 },
    { day: '2026-11-06', likes: null, comments: 0, breaks: 1 },
  ]);
});

const YOUTUBE = { video_views: 'views' };
const views = (at: string, video_views: number, likes: number): Reading => ({
  ...{ post: 'v', at, video_views, likes, published: '2026-08-20T12:00:00Z' },
});
/** Views of YouTube count something else since 2026-08-27, under the same name. */
const REDEFINED = [
  views('2026-08-25T20:00:00Z', 100, 10),
  views('2026-08-26T20:00:00Z', 130, 11),
  views('2026-08-28T20:00:00Z', 900, 13),
  views('2026-08-29T20:00:00Z', 950, 14),
];
const OF_REDEFINED = [
  { day: '2026-08-20', video_views: 100, likes: 10, breaks: 0 },
  { day: '2026-08-26', video_views: 30, likes: 1, breaks: 0 },
  { day: '2026-08-28', video_views: null, likes: 2, breaks: 1 },
  { day: '2026-08-29', video_views: 50, likes: 1, breaks: 0 },
];

test('no difference is taken across the day on which a field began to mean something else', async () => {
  await using db = await freshDb();
  const [one, other] = await twoProfiles(db);
  for (const reading of REDEFINED) {
    await load(db, one, [reading], 'youtube', YOUTUBE);
    await roll(db, one);
  }
  await load(db, other, REDEFINED.toReversed(), 'youtube', YOUTUBE);
  await roll(db, other);
  const found = (place: Place) => days(db, place, 'video_views, likes, breaks');
  for (const place of [one, other]) expect(await found(place)).toEqual(OF_REDEFINED);
  await db.query('delete from agg.daily_social where brand_id = $1', [one.brandId]);
  await runTask(
    rollup,
    { ...{ brandId: one.brandId, retailerId: null }, from: '2026-08-01', to: '2026-08-31' },
    db,
  );
  expect(await found(one)).toEqual(OF_REDEFINED);
});

test('readings of before the break was known are parted by the migration, and their days computed anew', async () => {
  await using db = await freshDb();
  const places = await twoProfiles(db);
  for (const place of places) {
    await load(db, place, REDEFINED, 'youtube', YOUTUBE);
    await db.query('update raw.ayrshare_post_readings set mapping_version = 1 where brand_id = $1', [
      place.brandId,
    ]);
    await roll(db, place);
    expect((await days(db, place, 'breaks')).every(({ breaks }) => breaks === 0)).toBe(true);
  }
  const migration = new URL('../../sql/migrations/0071_redefined_views.sql', import.meta.url);
  await db.query(await readFile(migration, 'utf8'));
  for (const place of places) {
    await roll(db, place);
    expect(await days(db, place, 'video_views, likes, breaks')).toEqual(OF_REDEFINED);
  }
});

const HOURS = 30 * 24;
const instantAt = (hour: number) =>
  new Date(Date.parse('2026-11-01T00:00:00Z') + hour * 3_600_000).toISOString();

/** Readings of two posts whose numbers only grow, in any order and any division into loads. */
const histories = fc
  .array(fc.record({ post: fc.constantFrom('a', 'b'), hour: fc.integer({ min: 1, max: HOURS }) }), {
    ...{ minLength: 1, maxLength: 12 },
  })
  .chain((places) =>
    fc.record({
      readings: fc.shuffledSubarray(
        places.map(({ post, hour }) => ({ post, at: instantAt(hour), likes: Math.floor(hour / 5) })),
        { minLength: places.length },
      ),
      cuts: fc.array(fc.boolean(), { minLength: places.length, maxLength: places.length }),
    }),
  );

/** What the days gain if all is known at once. */
function model(readings: readonly Reading[]): Record<string, number> {
  const gains: Record<string, number> = {};
  for (const post of ['a', 'b']) {
    const own = readings.filter((one) => one.post === post).toSorted((x, y) => (x.at < y.at ? -1 : 1));
    for (const [index, { at, likes: value }] of own.entries()) {
      const before = own[index - 1];
      const gained = Number(value) - Number(before?.likes ?? 0);
      const day = before === undefined ? '2026-11-01' : at.slice(0, 10);
      if (before === undefined || gained > 0) gains[day] = (gains[day] ?? 0) + gained;
    }
  }
  return gains;
}

async function found(db: TestDb, place: Place): Promise<Record<string, number>> {
  const rows = await days(db, place, 'likes');
  return Object.fromEntries(rows.map(({ day, likes: of }) => [String(day), Number(of)]));
}

test('in whatever order readings come, their differences are those of the whole, and add up to the last ones', async () => {
  await using db = await freshDb();
  const [one, other] = await twoProfiles(db);
  await load(db, other, [likes('a', '05', 7)]);
  await assertHolds(
    fc.asyncProperty(histories, async ({ readings, cuts }) => {
      await db.query('delete from raw.ayrshare_post_readings where brand_id = $1', [one.brandId]);
      await db.query('delete from agg.daily_social where brand_id = $1', [one.brandId]);
      for (const [index, reading] of readings.entries()) {
        await load(db, one, [reading]);
        if (cuts[index]) await roll(db, one);
      }
      await roll(db, one);
      const gains = await found(db, one);
      const wanted = model(readings);
      expect(gains).toEqual(wanted);
      await assertExplained(db, one.brandId);
      const last = ['a', 'b'].map((post) =>
        Math.max(
          0,
          ...readings.filter((reading) => reading.post === post).map((reading) => reading.likes as number),
        ),
      );
      const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
      expect(sum(Object.values(gains))).toBe(sum(last));
    }),
    12,
  );
});
