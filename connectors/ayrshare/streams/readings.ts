/** Numbers as they were read, of posts and of accounts: one row per number, and the network's own words beside it. */

import { type Item, table } from '#sql/load/table.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import type { Page } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { accountMetrics, fieldsOf, MAPPING_VERSION, type Metric, postMetrics } from '../metrics.ts';
import { ACCOUNT, POST, redefinitionsOf } from '../retirements.ts';

/** Its differences fall on the day of the reading, the first one on the day of the post. */
export const postReadings = {
  ...table({
    name: 'raw.ayrshare_post_readings',
    key: ['id', 'metric', 'read_at'],
    rootColumn: 'id',
    keeps: 'counters',
    personal: null,
    columns: {
      ...{ id: 'text', metric: 'text', read_at: 'timestamptz', value: 'numeric', platform: 'text' },
      ...{ published_at: 'timestamptz', field: 'text', mapping_version: 'integer', payload: 'jsonb' },
    },
    uncompared: ['platform', 'published_at', 'field'],
    marks: { read_at: 'social', published_at: 'social', id: 'social_posts' },
  }),
  fields: fieldsOf(postMetrics),
};

/** The day is compared, so that each day of a reading has a row. */
export const accountReadings = {
  ...table({
    name: 'raw.ayrshare_account_readings',
    key: ['id', 'metric', 'read_at'],
    rootColumn: 'id',
    keeps: 'counters',
    personal: null,
    columns: {
      ...{ id: 'text', metric: 'text', read_at: 'timestamptz', value: 'numeric', read_on: 'date' },
      ...{ field: 'text', mapping_version: 'integer', payload: 'jsonb' },
    },
    uncompared: ['field'],
    marks: { read_at: 'social' },
  }),
  fields: fieldsOf(accountMetrics),
};

export const snapshots = table({
  name: 'raw.ayrshare_snapshots',
  key: ['id', 'source', 'read_at'],
  rootColumn: 'id',
  keeps: 'counters',
  personal: null,
  columns: { id: 'text', source: 'text', read_at: 'timestamptz', payload: 'jsonb' },
});

const [ofPosts, ofAccounts, ofSnapshots] = [[postReadings], [accountReadings], [snapshots]];

/** A field that was given another meaning is read by another version of the map, as of the reading. */
function versionOf(stream: string, platform: string, field: string, readAt: Date): number {
  return MAPPING_VERSION + redefinitionsOf(stream, platform, field, readAt);
}

type Reading = { id: string; readAt: Date; metrics: readonly Metric[] };
export type PostReading = Reading & { platform: string; publishedAt: Date };
export type AccountReading = Reading & { readOn: string };

export function postReadingItems({ id, readAt, metrics, platform, publishedAt }: PostReading): Item[] {
  return metrics.map(({ metric, value, field }) => ({
    ...{ id, changedAt: readAt },
    rows: {
      [postReadings.name]: [
        {
          ...{
            id,
            metric,
            read_at: readAt,
            value: String(value),
            platform,
            published_at: publishedAt,
            field,
          },
          ...{ mapping_version: versionOf(POST, platform, field, readAt), payload: null },
        },
      ],
    },
  }));
}

export function accountReadingItems({ id, readAt, metrics, readOn }: AccountReading): Item[] {
  return metrics.map(({ metric, value, field }) => ({
    ...{ id, changedAt: readAt },
    rows: {
      [accountReadings.name]: [
        {
          ...{ id, metric, read_at: readAt, value: String(value), read_on: readOn, field },
          ...{ mapping_version: versionOf(ACCOUNT, id, field, readAt), payload: null },
        },
      ],
    },
  }));
}

/** Says that posts of a network were read, and give these numbers: what is null on such a day was not told. */
export function readMarks(
  platform: string,
  at: { readAt: Date; readOn: string },
  metrics: Iterable<string>,
): Item[] {
  const told = [...metrics].map((metric) => ({ metric: `read ${metric}`, value: 1, field: 'posts' }));
  return accountReadingItems({ id: platform, metrics: told, ...at });
}

export type Source = 'history' | 'analytics' | 'account';

export function snapshotItem(id: string, source: Source, readAt: Date, numbers: Fields): Item {
  return {
    ...{ id, changedAt: readAt },
    rows: { [snapshots.name]: [{ id, source, read_at: readAt, payload: splitNumbers(numbers).numbers }] },
  };
}

const WHOLE = /^\d{1,15}$/;

/** An object of the network in two: what it counts, which moves, and what it says, which stays. */
export function splitNumbers(object: Fields): { numbers: Fields; words: Fields } {
  const isNumber = (value: unknown) =>
    typeof value === 'number' || isObject(value) || (typeof value === 'string' && WHOLE.test(value));
  const all = Object.entries(object);
  return {
    numbers: Object.fromEntries(all.filter(([key, value]) => key !== 'id' && isNumber(value))),
    words: Object.fromEntries(all.filter(([key, value]) => key === 'id' || !isNumber(value))),
  };
}

type Numbers = { posts?: Item[]; accounts?: Item[]; snapshots?: Item[] };

/**
 * Pages of these rows, each of its table. They are of the stream that reads them: what one reads clears no record that
 * another one has set aside.
 */
export function numberPages(
  run: Pick<Page, 'phase'>,
  stream: string,
  { posts = [], accounts = [], snapshots: raw = [] }: Numbers,
): Page[] {
  const targets = [
    { stream, tables: ofPosts, items: posts },
    { stream, tables: ofAccounts, items: accounts },
    { stream, tables: ofSnapshots, items: raw },
  ];
  return targets.flatMap(({ items, ...target }) =>
    items.length === 0 ? [] : { ...emptyPage(run), items, target },
  );
}
