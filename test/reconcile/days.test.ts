/** `bi.completeness`: a day is called final only when that is proven. */
import { expect, test } from 'vitest';
import { streams } from '#connectors/providers.ts';
import { rollups } from '#sql/rollups/index.ts';
import { rollup } from '#tasks/rollup.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { charge } from '../support/providers/stripe.ts';
import { anAccountOf, connectStripe } from '../support/providers/stripe_sync.ts';
import { runTask } from '../support/run.ts';

const STREAMS = ['charges', 'refunds', 'balance_transactions', 'payouts'];
const HOUR_SECONDS = 3_600;

/** A zone in which it is afternoon now, so that no midnight comes in between. */
function zoneOfAfternoon(): string {
  const ahead = 15 - new Date().getUTCHours();
  return ahead === 0 ? 'Etc/GMT' : `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`;
}

/** The days of one brand's payments, oldest first; the first one had the first transaction. */
async function daysOf(db: TestDb, brandId: string) {
  const text = `select state, cause from bi.completeness where brand_id = $1 and source = 'payments' order by day`;
  return db.rows<{ state: string; cause: string | null }>(text, [brandId]);
}

async function aLedgerNow(db: TestDb) {
  const created = Math.floor(Date.now() / 1000) - 72 * HOUR_SECONDS;
  const files = {
    charges: [charge('ch_1', { created })],
    balance_transactions: [{ id: 'txn_1', amount: 1_000, currency: 'usd', created, source: 'ch_1' }],
  };
  const account = await anAccountOf(db, files, { now: undefined });
  await db.query('update app.brands set time_zone = $1', [zoneOfAfternoon()]);
  const read = async ({ sync }: Pick<typeof account, 'sync'>) => {
    for (const stream of STREAMS) await sync(stream, { now: undefined });
  };
  const rolledUp = async (brandId: string) => {
    const [retailerId] = await db.column('select id from app.retailers where brand_id = $1', [brandId]);
    await runTask(rollup, { brandId, retailerId: String(retailerId) }, db);
  };
  return { account, read, rolledUp };
}

test('days are final once all that feeds them is read past their end and computed', async () => {
  await using db = await freshDb();
  const { account, read, rolledUp } = await aLedgerNow(db);
  await using _ = account;
  const other = await connectStripe(db, account.sandbox); // another brand, the same account: never read
  // Without a row the days begin with yesterday.
  const unread = [{ state: 'late' }, { state: 'provisional' }];
  expect(await daysOf(db, account.brandId)).toMatchObject(unread);

  await read(account);
  const waiting = 'figures of the day wait to be computed again';
  expect((await daysOf(db, account.brandId))[0]).toEqual({ state: 'provisional', cause: waiting });
  await db.query("update ops.marks set marked_at = now() - interval '13 hours'");
  expect((await daysOf(db, account.brandId))[0]).toEqual({ state: 'late', cause: waiting });
  await rolledUp(account.brandId);
  const final = { state: 'final', cause: null };
  const today = { state: 'provisional', cause: 'the day is not over' };
  expect(await daysOf(db, account.brandId)).toEqual([final, final, final, today]);
  expect(await daysOf(db, other.brandId)).toMatchObject([
    { cause: expect.stringContaining('never read to its end') },
    today,
  ]);

  // The last run that ended whole was two days ago; what failed since takes nothing back.
  await db.query("update ops.positions set state = 'failing', complete_to = now() - interval '49 hours'");
  const late = await daysOf(db, account.brandId);
  expect(late.map(({ state }) => state)).toEqual(['final', 'late', 'late', 'provisional']);
  expect(late[1]?.cause).toMatch(/^stripe\.\w+ of shop-\w+ is read up to \d{4}-\d\d-\d\dT/);
});

test('while a check fails, or a record waits, no day is final', async () => {
  await using db = await freshDb();
  const { account, read, rolledUp } = await aLedgerNow(db);
  await using _ = account;
  await read(account);
  await rolledUp(account.brandId);
  const states = async () => (await daysOf(db, account.brandId)).map(({ state }) => state);
  const whole = ['final', 'final', 'final', 'provisional'];
  const open = ['late', 'late', 'late', 'provisional'];
  expect(await states()).toEqual(whole);

  await account.faults({ kind: 'balance_off', currency: 'usd', amount: 1 });
  await read(account);
  expect(await states()).toEqual(open);
  expect((await daysOf(db, account.brandId))[0]?.cause).toContain('fails its check balance USD');
  await account.faults();
  await read(account);
  expect(await states()).toEqual(whole);

  await db.query(
    `insert into ops.rejected_rows values ($1, $2, 'stripe.charges', 'ch_9', 'not understood', '{}', now())`,
    [account.brandId, account.connectionId],
  );
  expect(await states()).toEqual(open);
  await db.query('delete from ops.rejected_rows');
  await db.query("delete from ops.completeness where check_name like 'balance %'");
  expect(await states()).toEqual(open); // nothing proves that the ledger is whole
});

test('a mark keeps only those figures waiting whose rollups follow it, a change of rates those that keep rates', async () => {
  await using db = await freshDb();
  const { account, read, rolledUp } = await aLedgerNow(db);
  await using _ = account;
  await read(account);
  await rolledUp(account.brandId);
  const first = async () => (await daysOf(db, account.brandId))[0];
  const final = { state: 'final', cause: null };
  expect(await first()).toEqual(final);
  const mark = (subject: string) =>
    db.query(
      `insert into ops.marks (brand_id, retailer_id, subject, day, marked_at)
       select brand_id, retailer_id, $2, (select min(day) from bi.completeness where brand_id = $1), now()
       from app.connections where brand_id = $1`,
      [account.brandId, subject],
    );
  for (const subject of ['sales', 'subscriptions', 'fx']) await mark(subject);
  await db.query(
    `insert into ops.fx_changes (currencies, from_day, to_day, noted_at) values ('{USD}', '2000-01-01', 'infinity', now())`,
  );
  expect(await first()).toEqual(final);
  await mark('payments');
  expect(await first()).toMatchObject({ cause: 'figures of the day wait to be computed again' });

  // Of sales the note alone is enough: their rows keep rates.
  await db.query('delete from ops.marks');
  await db.query("update ops.streams set feeds = '{sales}' where 'payments' = any (feeds)");
  const sales = `select distinct cause from bi.completeness where brand_id = $1 and source = 'sales' and day < current_date - 1`;
  expect(await db.column(sales, [account.brandId])).toEqual(['figures of the day wait to be computed again']);
  await db.query('update ops.fx_noticed set change_id = (select max(id) from ops.fx_changes)');
  expect(await db.column(sales, [account.brandId])).toEqual([null]);
});

test('the rows of ops.rollups say what the descriptors say, of figures that streams feed', async () => {
  await using db = await freshDb();
  const known = 'select rollup, changes_with, keeps_rates from ops.rollups order by rollup collate "C"';
  const declared = rollups.map(({ name, changesWith, waitsFor = [], keepsRates = false }) => ({
    ...{ rollup: name, changes_with: [...changesWith, ...waitsFor], keeps_rates: keepsRates },
  }));
  expect(await db.rows(known)).toEqual(declared.toSorted((a, b) => (a.rollup < b.rollup ? -1 : 1)));
  const made = await db.column('select distinct figures from ops.rollups order by 1');
  const fed = await db.column('select distinct unnest(feeds) from ops.streams order by 1');
  // Nobody can tell whether all events have come that senders report.
  expect(made).toEqual([...fed, 'events'].sort());
});

test('the comment of bi.completeness.source names all figures', async () => {
  await using db = await freshDb();
  const fed = await db.column('select distinct unnest(feeds) from ops.streams order by 1');
  const [comment] = await db.column(`
    select col_description(attrelid, attnum) from pg_attribute
    where attrelid = 'bi.completeness'::regclass and attname = 'source'`);
  const named = [...String(comment).matchAll(/(\w+) \([\w, ]+\)/g)].map(([, name]) => name);
  expect(named.sort()).toEqual(fed);
});

test('the first row of a stream is found by an index, in a table of its provider', async () => {
  await using db = await freshDb();
  const dated = await db.rows<{
    stream: string;
    rows_in: string;
    dated_by: string;
    columns: string[] | null;
  }>(`
    select s.stream, s.rows_in, s.dated_by, (
      select array_agg(a.attname::text order by k.place) from pg_index i
      cross join unnest(i.indkey[0:2]) with ordinality as k (attnum, place)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      where i.indrelid = s.rows_in::regclass and i.indpred is null
      group by i.indexrelid
      having (array_agg(a.attname::text order by k.place))[3] = s.dated_by
    ) as columns
    from ops.streams s where s.rows_in is not null order by s.stream`);
  expect(dated.length).toBeGreaterThan(2);
  for (const { stream, rows_in, dated_by, columns } of dated) {
    const needed = `${stream}: ${rows_in} needs an index (brand_id, connection_id, ${dated_by})`;
    expect(columns?.slice(0, 2), needed).toEqual(['brand_id', 'connection_id']);
    expect(streams.find(({ name }) => name === stream)?.tables.map(({ name }) => name)).toContain(rows_in);
  }
});
