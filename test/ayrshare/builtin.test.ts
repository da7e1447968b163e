/** The real posts that the sandbox carries, counted once, and the profiles of retailers. */
import { expect, test } from 'vitest';
import { streamsOf } from '#connectors/providers.ts';
import { mapPart, unmapPart } from '#sql/tenants/connection_parts.ts';
import { giftwareProfiles } from '../../sandbox/ayrshare/builtin.ts';
import { freshDb } from '../support/db/db.ts';
import { assertExplained } from '../support/explain/law.ts';
import { API_KEY, ayrshareSandbox, connectAyrshare, type Files } from '../support/providers/ayrshare.ts';
import { aBrand, aRetailer } from '../support/rows/factory.ts';

test('7,050 real posts, of which 6,997 are distinct, are counted once, each for its retailer', async () => {
  const built = giftwareProfiles();
  const files: Files = Object.fromEntries(
    built.flatMap(({ name, rows }) =>
      ['posts', 'accounts'].map((file) => [`${name}/${file}`, rows(file)] as const),
    ),
  );
  expect(built.flatMap(({ rows }) => rows('posts'))).toHaveLength(7_050);
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(
    files,
    Object.fromEntries(built.map(({ name }) => [name, { apiKey: API_KEY }])),
  );
  const { id: brandId } = await aBrand(db);
  const profiles = [];
  for (const { name: profile } of built) {
    const connected = await connectAyrshare(db, sandbox, { profile, brandId });
    profiles.push(connected);
    for (const stream of ['user', 'posts', 'account_metrics']) await connected.sync(stream);
  }
  const [uk] = profiles;
  await uk?.roll();
  expect(await assertExplained(db, brandId)).toBeGreaterThan(100);
  const sums = (view: string) =>
    db.rows(
      `select sum(likes)::int as likes, sum(comments)::int as comments, sum(shares)::int as shares
       from bi.${view} where brand_id = $1`,
      [brandId],
    );
  // Of the distinct posts, added up apart from the data.
  const distinct = [{ likes: 1_573_989, comments: 1_578_621, shares: 281_769 }];
  expect(await sums('social_posts')).toEqual(distinct);
  expect(await sums('daily_social')).toEqual(distinct);
  expect(
    await db.rows('select sum(posts)::int as posts, count(engagement_rate) as rates from bi.daily_social'),
  ).toEqual([{ posts: 6_997, rates: 0 }]);

  // A profile that nobody gave to a retailer is the brand's alone, and a mapped one is its at once.
  const owners = (retailer: string) =>
    db.column(
      `select distinct coalesce(retailer, 'nobody') from bi.daily_social where brand_id = $1 and connection = $2`,
      [brandId, `giftware-${retailer}`],
    );
  expect(await owners('uk')).toEqual(['nobody']);
  const { id: retailerId } = await aRetailer(db, { brandId, slug: 'uk' });
  const tables = streamsOf('ayrshare').flatMap((stream) => [...stream.tables]);
  const part = { brandId, connectionId: uk?.connectionId ?? '', part: 'giftware-uk', tables };
  const change = { ...part, now: new Date(), actor: 'test' };
  await db.transaction((tx) => mapPart(tx, { ...change, retailerId }));
  expect(await owners('uk')).toEqual(['uk']);
  expect(await owners('rest')).toEqual(['nobody']);
  await db.transaction((tx) => unmapPart(tx, change));
  expect(await owners('uk')).toEqual(['nobody']);
});
