/** What an operator is told of the whole: green only while nothing is wrong and nothing will be. */
import { expect, test, vi } from 'vitest';
import { streams } from '#connectors/providers.ts';
import { finishRuns } from '#sql/load/sync_state.ts';
import { nightshift, type Ran } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aWorker } from '../support/queue.ts';
import { type Shop, twoShops } from '../support/rows/factory.ts';

const env = (db: TestDb) => ({ DATABASE_URL: db.url });

type Told = {
  well: boolean;
  attention: string[];
  warnings: string[];
  connections: { brand: string; state: string; late_streams: string[]; never_read_streams: string[] }[];
};

const told = (ran: Ran) => ran.json()[0] as Told;

/** Every stream of the shop was read to its end so long ago. */
async function wholeSince(db: TestDb, { brand, connection }: Shop, ago: string): Promise<void> {
  await db.query(
    `insert into ops.positions
       (brand_id, connection_id, stream, position, state, last_run_at, last_success_at, updated_at)
     select $1, $2, stream, '{}', 'ok', now() - $3::interval, now() - $3::interval, now()
     from ops.streams where provider = 'shopify'
     on conflict (brand_id, connection_id, stream) do update set last_success_at = excluded.last_success_at`,
    [brand.id, connection.id, ago],
  );
}

const statesOf = (db: TestDb, { brand }: Shop) =>
  db.rows('select stream, state from bi.sync_status where brand_id = $1 order by stream', [brand.id]);

test('what is expected is said of each stream that there is', async () => {
  await using db = await freshDb();
  const known = await db.rows('select stream, provider, feeds from ops.streams order by stream collate "C"');
  const names = streams.map(({ name: stream, provider, feeds = [] }) => ({ stream, provider, feeds }));
  expect(known).toEqual(names.toSorted((one, other) => (one.stream < other.stream ? -1 : 1)));
});

test('a connection that is weeks behind is late, for status, for sync status and for BI', async () => {
  await using db = await freshDb();
  const [behind, current] = await twoShops(db);
  await wholeSince(db, behind, '21 days');
  await wholeSince(db, current, '2 hours');
  const ran = await nightshift(['status', '--json'], { env: env(db) });
  const status = told(ran);
  expect(ran.code).toBe(1);
  expect(status.well).toBe(false);
  expect(status.attention).toEqual([
    `${behind.brand.slug}: ${behind.connection.name} is late by up to 20 d 21 h. ` +
      `Next: npx nightshift sync run --brand ${behind.brand.slug}`,
  ]);
  const [late, ok] = [behind, current].map(({ brand }) =>
    status.connections.find((one) => one.brand === brand.slug),
  );
  expect(late).toMatchObject({ state: 'late', late_streams: expect.arrayContaining(['shopify.orders']) });
  expect(ok).toMatchObject({ state: 'ok', late_streams: [], never_read_streams: [] });

  for (const shop of [behind, current]) {
    const listed = await nightshift(['sync', 'status', '--brand', shop.brand.slug, '--json'], {
      env: env(db),
    });
    expect(listed.code).toBe(shop === behind ? 1 : 0);
    const rows = listed.json() as { stream: string; state: string }[];
    const shown = rows.map(({ stream, state }) => ({ stream, state }));
    expect(shown.toSorted((one, other) => (one.stream < other.stream ? -1 : 1))).toEqual(
      await statesOf(db, shop),
    );
    expect(new Set(shown.map(({ state }) => state))).toEqual(new Set([shop === behind ? 'late' : 'ok']));
  }
});

test('how late is late is a figure of each stream', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  await wholeSince(db, shop, '20 hours');
  await db.query("update ops.streams set late_after = '26 hours' where stream <> 'shopify.orders'");
  const states = await statesOf(db, shop);
  expect(states.filter(({ state }) => state === 'late')).toEqual([
    { stream: 'shopify.orders', state: 'late' },
  ]);
});

test('a connection that was never read is said, also while others of it were', async () => {
  await using db = await freshDb();
  const [shop, other] = await twoShops(db);
  await wholeSince(db, shop, '1 minute');
  await db.query('delete from ops.positions where stream = $1', ['shopify.orders']);
  const ran = await nightshift(['status', '--json'], { env: env(db) });
  const { attention, connections } = told(ran);
  expect(ran.code).toBe(1);
  for (const one of [shop, other])
    expect(attention).toContain(
      `${one.brand.slug}: ${one.connection.name} is not read to the end yet. ` +
        `Next: npx nightshift sync run --brand ${one.brand.slug}`,
    );
  expect(connections.find(({ brand }) => brand === shop.brand.slug)).toMatchObject({
    state: 'never',
    never_read_streams: ['shopify.orders'],
  });
});

test('where nothing is wrong, it is said that no worker runs and that no schedule syncs', async () => {
  await using db = await freshDb();
  for (const shop of await twoShops(db)) await wholeSince(db, shop, '1 minute');
  const alone = await nightshift(['status'], { env: env(db) });
  expect(alone.code).toBe(6);
  expect(alone.stdout).toContain('! No worker runs');
  expect(alone.stdout).toContain('! No schedule syncs 2 connections');
  expect(alone.stdout).not.toContain('All is well');
  await using _ = await aWorker(db);
  const worked = await nightshift(['status', '--json'], { env: env(db) });
  expect(worked.code).toBe(6);
  expect(told(worked)).toMatchObject({
    well: false,
    attention: [],
    warnings: [
      expect.stringMatching(/^No schedule syncs 2 connections/),
      expect.stringMatching(/^The write-ahead log is not archived/),
    ],
  });
});

test('exchange rates that end are said, and no rates at all are none to miss', async () => {
  await using db = await freshDb();
  await using _ = await aWorker(db);
  const empty = await nightshift(['status'], { env: env(db) });
  expect(empty).toMatchObject({ code: 0, stdout: expect.stringContaining('All is well.') });
  await db.query("insert into app.fx_rates values ('USD', '2026-01-05', 1.1, 'test', now())");
  const { code, stdout } = await nightshift(['status'], { env: env(db) });
  expect(code).toBe(6);
  expect(stdout).toMatch(/! Exchange rates end on 2026-01-05; .* Next: npx nightshift fx sync --wait/);
});

test.for([[], ['--until', '2999-01-01T00:00:00Z']])(
  'nothing is well while jobs are paused %s',
  async (end) => {
    await using db = await freshDb();
    await using _ = await aWorker(db);
    const which = ['--provider', 'stripe'];
    const pause = ['jobs', 'pause', ...which, '--reason', 'weekend', ...end];
    expect(await nightshift(pause, { env: env(db) })).toMatchObject({ code: 0 });
    const paused = await nightshift(['status'], { env: env(db) });
    expect(paused).toMatchObject({ code: 6, stdout: expect.not.stringContaining('All is well') });
    expect(paused.stdout).toMatch(
      /! \S+ paused stripe .*: weekend; 0 jobs waiting. Next: npx nightshift jobs resume --provider stripe/,
    );
    await nightshift(['jobs', 'resume', ...which], { env: env(db) });
    expect(await nightshift(['status'], { env: env(db) })).toMatchObject({ code: 0 });
  },
);

test('rates of today are missed only once their schedule has had its turn', async () => {
  await using db = await freshDb();
  await using _ = await aWorker(db);
  await db.query("insert into app.fx_rates values ('USD', '2026-01-14', 1.1, 'test', now())");
  const codes = [];
  for (const now of [
    '2026-01-15T14:59:59Z',
    '2026-01-15T15:00:00Z',
    '2026-01-15T15:59:59Z',
    '2026-01-15T16:00:00Z',
  ]) {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date(now) });
    codes.push((await nightshift(['status'], { env: env(db) })).code);
    vi.useRealTimers();
  }
  expect(codes).toEqual([0, 0, 0, 6]);
});

test('what was read as of an instant ahead of the clock was read just now', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  await wholeSince(db, shop, '-18 days');
  const { stdout } = await nightshift(['status'], { env: env(db) });
  expect(stdout).toMatch(/ ok +last complete just now$/m);
  expect(await db.column('select distinct lag_seconds from bi.sync_status')).toEqual(
    expect.arrayContaining([0]),
  );
});

test('what was read as of another instant is late by the clock, not by that instant', async () => {
  await using db = await freshDb();
  const [shop] = await twoShops(db);
  await wholeSince(db, shop, '21 days');
  const key = { brandId: shop.brand.id, connectionId: shop.connection.id };
  const end = { stream: 'shopify.orders', state: 'ok' } as const;
  await db.transaction((tx) => finishRuns(tx, key, [end], new Date('2020-01-01T00:00:00Z')));
  const ok = async () => (await statesOf(db, shop)).filter(({ state }) => state === 'ok');
  expect(await ok()).toEqual([{ stream: 'shopify.orders', state: 'ok' }]);
  await db.query("update ops.positions set whole_by_clock_at = whole_by_clock_at - interval '4 hours'");
  expect(await ok()).toEqual([]);
  const late = await db.rows<{ stream: string; late_by_seconds: number }>(
    'select stream, late_by_seconds from bi.sync_status where late_by_seconds is not null and brand_id = $1',
    [shop.brand.id],
  );
  const hours = new Map(late.map((one) => [one.stream, Math.floor(one.late_by_seconds / 3600)]));
  expect(hours.get('shopify.orders')).toBe(1);
  expect(hours.get('shopify.products')).toBe(21 * 24 - 3);
});
