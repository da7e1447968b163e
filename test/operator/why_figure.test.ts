/** An operator is told why a figure is absent or not final. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { aShopToSync } from '../support/providers/cli_shop.ts';
import { aBrand, aConnection, aRetailer } from '../support/rows/factory.ts';
import { aJob, ask, becauseOf } from '../support/why.ts';

test('a figure is there and final, or its day had nothing, is not over, has not begun or waits for a rollup', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  expect(await nightshift(['sync', 'run', '--brand', 'acme', '--wait'], { env: shop.env })).toMatchObject({
    code: 0,
  });
  const why = (day: string, figure = 'daily_sales') =>
    ask(db, 'why', figure, '--brand', 'acme', '--day', day);
  const [today, tomorrow] = (await db.column(
    `select ((now() at time zone 'America/New_York')::date + n)::text from generate_series(0, 1) n order by n`,
  )) as [string, string];
  expect(await why('2026-11-01')).toMatchObject({
    ...{
      code: 0,
      page: { state: 'final', rows: 1, reasons: [{ because: 'it is there (1 row) and final' }] },
    },
  });
  const sales = await why('2026-11-01', 'sales');
  expect(sales).toMatchObject({ code: 0, page: { state: 'final', rows: null } });
  const nothing = await why('2026-11-10');
  expect(nothing).toMatchObject({ code: 0, page: { state: 'final', rows: 0 } });
  expect(becauseOf(nothing)[0]).toContain('the providers had nothing of it');
  expect(nothing.page.reasons[0]?.next).toContain('--since 2026-11-10T05:00:00Z'); // when it began in New York
  expect(becauseOf(await why('2026-10-01'))).toEqual([
    'the first day with data of sales is 2026-11-01: the providers had nothing before',
  ]);
  expect(await why(today)).toMatchObject({ code: 6, page: { state: 'provisional' } });
  expect(becauseOf(await why(today))).toEqual(['the day is not over']);
  expect(becauseOf(await why(tomorrow))).toEqual(['the day has not begun']);
  await db.query(
    "insert into ops.marks (brand_id, subject, retailer_id, day, marked_at) select brand_id, 'sales', id, '2026-11-02', now() from app.retailers",
  );
  expect((await why('2026-11-02')).page.reasons).toEqual([
    {
      because: 'figures of the day wait to be computed again',
      next: 'npx nightshift rollup run --brand acme --from 2026-11-02 --to 2026-11-02 --wait',
    },
  ]);
  const unknown = await nightshift(['why', 'sails', '--brand', 'acme', '--day', today], { env: shop.env });
  expect(unknown).toMatchObject({ code: 3, stderr: expect.stringContaining('daily_sales') });
});

test('a figure names the connection that is held, not read or not there, its job and the slots that did not fire', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  const { env, connection } = shop;
  const { id: brandId } = await aBrand(db, { slug: 'brio', timeZone: 'America/New_York' });
  await aRetailer(db, { brandId, slug: 'us' });
  await aRetailer(db, { brandId: connection.brandId, slug: 'de' });
  const why = (...more: string[]) => ask(db, 'why', 'daily_sales', '--day', '2026-11-20', ...more);
  await db.query(
    `insert into ops.schedules (brand_id, connection_id, name, task, expression, decided_to)
     values ($1, $2, 'count', 'reconcile', '5 * * * *', now())`,
    [connection.brandId, connection.id],
  ); // it is of the connection, and reads nothing
  const never = await why('--brand', 'acme', '--retailer', 'us');
  expect(never).toMatchObject({ code: 6, page: { state: 'absent', rows: 0 } });
  expect(becauseOf(never)).toEqual([
    'shopify.deletions of shop was never read to its end',
    'shopify.orders of shop was never read to its end',
    'no schedule syncs shop',
  ]);
  for (const [name, options] of [
    ['brio', ['--brand', 'brio']],
    ['de of acme', ['--brand', 'acme', '--retailer', 'de']],
  ] as const)
    expect(becauseOf(await why(...options))).toEqual([
      `${name} has no connection to shopify, which sales rest on`,
    ]);

  expect(await nightshift(['sync', 'run', '--brand', 'acme', '--wait'], { env })).toMatchObject({ code: 0 });
  await db.query(
    "update ops.positions set complete_to = '2026-11-15T00:00:00Z' where stream = 'shopify.orders'",
  );
  await db.query("update app.connections set held_at = now(), held_reason = 'the key is refused'");
  await db.query(
    `insert into ops.schedules (brand_id, connection_id, name, task, expression, decided_to, paused_at, paused_by, paused_reason)
     values ($1, $2, 'sync', 'sync_connection', '5 * * * *', now(), now(), 'ann', 'stocktaking')`,
    [connection.brandId, connection.id],
  );
  await db.query(
    `insert into ops.schedule_slots (brand_id, schedule_id, slot, version, local_day, outcome, detail, decided_at, decided_by)
     select brand_id, id, '2026-11-20T00:00:00Z'::timestamptz + make_interval(hours => n), 1, '2026-11-20',
            case when n < 3 then 'missed' else 'queued' end, 'no scheduler ran', now(), 'x'
     from ops.schedules, generate_series(1, 4) n where task = 'sync_connection'`,
  );
  const id = await aJob(db, { payload: { brandId: connection.brandId, connectionId: connection.id } });
  const late = await why('--brand', 'acme');
  expect(late).toMatchObject({ code: 6 });
  expect(becauseOf(late)).toEqual([
    'shopify.orders of shop is read up to 2026-11-15T00:00:00Z only',
    'shop is held: the key is refused',
    expect.stringContaining(`job ${id} (retention) is waiting`),
    expect.stringMatching(/its schedule \d+ sync is paused: stocktaking, by ann/),
    expect.stringMatching(
      /2 slots of schedule \d+ sync ended as missed, the last at 2026-11-20T02:00:00Z: no scheduler ran/,
    ),
  ]);
});

test('a retailer that is read is not blamed for another one, and a figure without any data has none yet', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  const { connection, env } = shop;
  const { brandId } = connection;
  expect(await nightshift(['sync', 'run', '--brand', 'acme', '--wait'], { env })).toMatchObject({ code: 0 });
  const { id: retailerId } = await aRetailer(db, { brandId, slug: 'de' });
  await aConnection(db, { brandId, retailerId, name: 'laden' });
  const why = (retailer: string, day: string) =>
    ask(db, 'why', 'daily_sales', '--brand', 'acme', '--retailer', retailer, '--day', day);
  const waits =
    'the day of acme is judged as a whole and waits: shopify.deletions of laden was never read to its end';
  const us = await why('us', '2026-11-02');
  expect(us).toMatchObject({ code: 6, page: { rows: 1 } });
  expect(becauseOf(us)).toEqual(['nothing that us rests on is behind', waits]);
  expect(becauseOf(await why('de', '2026-11-02'))).toEqual([
    'shopify.deletions of laden was never read to its end',
    'shopify.orders of laden was never read to its end',
    'no schedule syncs laden',
    waits,
  ]);

  await db.query(
    'update app.connections set removing_at = now(), held_at = now(), retailer_id = null where id = $1',
    [connection.id],
  );
  await db.query(
    `insert into ops.positions (brand_id, connection_id, stream, position, state, last_run_at, last_success_at, updated_at, complete_to)
     select brand_id, id, stream, '{}', 'ok', now(), now(), now(), now()
     from app.connections, ops.streams where name = 'laden' and ops.streams.provider = 'shopify'`,
  );
  expect(becauseOf(await why('de', '2026-10-01'))).toEqual([
    'there is no data of sales yet: the providers had nothing',
  ]);
});

test('one stream that is behind is named among hundreds that are not', async () => {
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db, { slug: 'acme' });
  const { id: retailerId } = await aRetailer(db, { brandId });
  for (let n = 100; n <= 200; n++) await aConnection(db, { brandId, retailerId, name: `shop-${n}` });
  await db.query(
    `insert into ops.positions (brand_id, connection_id, stream, position, state, last_run_at, last_success_at, updated_at, complete_to)
     select c.brand_id, c.id, s.stream, '{}', 'ok', now(), now(), now(), now()
     from app.connections c join ops.streams s on s.provider = c.provider
     where (c.name, s.stream) <> ('shop-200', 'shopify.orders')`,
  );
  const [yesterday] = await db.column("select ((now() at time zone 'UTC')::date - 1)::text");
  const { page } = await ask(db, 'why', 'daily_sales', '--brand', 'acme', '--day', String(yesterday));
  const said = page.reasons.map(({ because }) => because);
  expect(new Set(said)).toEqual(
    new Set(['shopify.orders of shop-200 was never read to its end', 'no schedule syncs shop-200']),
  );
});
