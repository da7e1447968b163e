/** Readings of social numbers in two brands with equal ids, and the figures of them. */
import {
  accountReadings,
  postReadingItems,
  postReadings,
  readMarks,
} from '#connectors/ayrshare/streams/readings.ts';
import { loadItems } from '#sql/load/load.ts';
import { dailySocial } from '#sql/rollups/social/daily_social.ts';
import { rollup } from '#tasks/rollup.ts';
import type { TestDb } from '../db/db.ts';
import { assertExplained } from '../explain/law.ts';
import { runTask } from '../run.ts';
import { type Place, twoBrands } from './two_brands.ts';

export type Reading = { post: string; at: string; published?: string } & Record<string, number | string>;

const NAMES = ['impressions', 'reach', 'likes', 'comments', 'shares', 'saves', 'clicks', 'video_views'];

export async function twoProfiles(db: TestDb): Promise<[Place, Place]> {
  return twoBrands(db, ['ayrshare', 'ayrshare']);
}

export async function load(
  db: TestDb,
  place: Place,
  readings: readonly Reading[],
  platform = 'facebook',
  fields: Readonly<Record<string, string>> = {},
) {
  const items = readings.flatMap(({ post, at, published = '2026-11-01T12:00:00Z', ...numbers }) =>
    postReadingItems({
      ...{ id: `${platform}/${post}`, platform, readAt: new Date(at), publishedAt: new Date(published) },
      metrics: NAMES.flatMap((metric) =>
        typeof numbers[metric] === 'number'
          ? { metric, value: numbers[metric], field: fields[metric] ?? metric }
          : [],
      ),
    }),
  );
  return db.transaction((tx) => loadItems(tx, { ...place, tables: [postReadings], now: new Date() }, items));
}

/** Says that the posts of a network were read on a day, and give these numbers. */
export async function read(db: TestDb, place: Place, day: string, metrics: readonly string[]) {
  const items = readMarks('facebook', { readAt: new Date(`${day}T21:00:00Z`), readOn: day }, metrics);
  return db.transaction((tx) =>
    loadItems(tx, { ...place, tables: [accountReadings], now: new Date() }, items),
  );
}

/** Rolls up, and sees that what explains the figures adds up to them. */
export async function roll(db: TestDb, { brandId }: Place) {
  const tally = await runTask(rollup, { brandId, retailerId: null }, db);
  await assertExplained(db, brandId, { rollups: [dailySocial] });
  return tally;
}

export const days = (db: TestDb, { brandId }: Place, columns: string) =>
  db.rows(`select day, ${columns} from bi.daily_social where brand_id = $1 order by platform, day`, [
    brandId,
  ]);
