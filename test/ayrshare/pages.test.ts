/** Lists that Ayrshare gives badly: pages twice, in disorder, with cursors that are over, or with rows that come late. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import {
  anAccount,
  aPost,
  ayrshareSandbox,
  connectAyrshare,
  type Files,
  later,
} from '../support/providers/ayrshare.ts';

const createdOf = (n: number) => new Date(Date.parse('2026-11-10T00:00:00Z') + n * 60_000).toISOString();
const STREAMS = ['posts', 'sent_posts', 'account_metrics'];
const files: Files = {
  accounts: [
    anAccount('facebook', { followersCount: 599 }),
    anAccount('facebook', { followersCount: 600 }, { _at: '2026-11-20T00:00:00Z' }),
  ],
  posts: Array.from({ length: 350 }, (_, n) => aPost(`1_${n}`, createdOf(n), n)),
  sent: Array.from({ length: 30 }, (_, n) => ({
    ...{ id: `sent${n}`, status: 'success', created: createdOf(n), type: 'immediate', errors: [] },
    ...{ platforms: ['gmb'], postIds: [{ platform: 'gmb', id: `g${n}`, status: 'success' }] },
  })),
};

async function aPlace() {
  const sandbox = await ayrshareSandbox(files);
  const db = await freshDb();
  const [calm, one] = [await connectAyrshare(db, sandbox), await connectAyrshare(db, sandbox)];
  for (const stream of STREAMS) await calm.sync(stream);
  const rowsOf = async (brand: typeof one) => ({
    posts: await brand.rows('id', 'raw.ayrshare_posts'),
    likes: await brand.rows('id, value', 'raw.ayrshare_post_readings', "and metric = 'likes'"),
    sent: await brand.rows('id', 'raw.ayrshare_sent_posts'),
    followers: await brand.rows('value', 'raw.ayrshare_account_readings', "and metric = 'followers'"),
  });
  return {
    ...{ sandbox, one, calm: await rowsOf(calm), rows: () => rowsOf(one) },
    async load() {
      for (const stream of STREAMS) await one.sync(stream);
    },
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

test.each([
  ['the page before, again', [{ kind: 'repeat_page', count: 2 }]],
  ['the page before in the middle of a list', [{ kind: 'repeat_page', after: 1, count: 1 }]],
  ['pages in disorder', [{ kind: 'reorder_page', count: 0 }]],
  ['a cursor that is over', [{ kind: 'expired_cursor', after: 1 }]],
])('%s: nothing is lost', async (_, faults) => {
  await using place = await aPlace();
  await place.sandbox.faults(...faults);
  await place.load();
  expect(await place.rows()).toEqual(place.calm);
  expect(await place.one.causes()).toEqual([]);
});

test('rows that come late, and numbers that were over, are made good by the next day', async () => {
  await using place = await aPlace();
  await place.sandbox.faults(
    { kind: 'late_rows', ids: ['1_7', 'sent29'], seconds: 3_600 },
    { kind: 'older_version', ids: ['facebook'], count: 0 },
  );
  await place.load();
  const { posts, sent, followers } = await place.rows();
  expect([posts.length, sent.length, followers]).toEqual([350 + 30 - 2, 29, [{ value: '599' }]]);
  await place.sandbox.at(later(7 * 24));
  await place.sandbox.faults();
  await place.one.syncAll({ now: later(7 * 24) });
  expect(await place.rows()).toMatchObject({
    ...{ posts: place.calm.posts, sent: place.calm.sent },
    followers: [{ value: '599' }, { value: '600' }],
  });
});

test('a list that gives the same page for ever is not complete', async () => {
  await using place = await aPlace();
  await place.sandbox.faults({ kind: 'repeat_page', count: 0 });
  const incomplete = 'facebook gives the same page of posts again and again';
  expect(await place.one.sync('posts')).toMatchObject({ incomplete });
  await place.sandbox.faults();
  await place.one.sync('posts', { full: true });
  expect((await place.rows()).posts).toHaveLength(350);
});
