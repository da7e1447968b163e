/** `nightshift fx …` as a person types it. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { zip } from '../../sandbox/ecb/zip.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { inForm, isLong } from '../support/property.ts';
import {
  aSeller,
  DAILY_GZ,
  HISTORY_GZ,
  historySince,
  markedDays,
  versions,
} from '../support/providers/fx.ts';
import { stripeDir } from '../support/providers/stripe.ts';
import { TEST_KEYS } from '../support/rows/factory.ts';

const envOf = (db: TestDb) => ({ DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS });

async function aFolder() {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-fx-'));
  return {
    put: async (name: string, content: string | Buffer) => {
      await writeFile(join(dir, name), content);
      return join(dir, name);
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** What the real history holds, or its last months in short form. */
const KNOWN = inForm(
  { from: '2025-12-01', added: 2_660, days: 91, currencies: 30, doubtful: 0, ruble: 'no_rate' },
  { from: '1999-01-04', added: 217_555, days: 6_983, currencies: 41, doubtful: 7, ruble: 'stale_rate' },
);

async function realHistory({ put }: Awaited<ReturnType<typeof aFolder>>): Promise<string> {
  if (isLong) return HISTORY_GZ;
  return put('ecb-eurofxref-hist.csv.gz', gzipSync(historySince(KNOWN.from)));
}

test('the real history is tried, imported, imported again, and then answers', async () => {
  await using db = await freshDb();
  await using folder = await aFolder();
  const history = await realHistory(folder);
  const { added, doubtful } = KNOWN;
  const env = envOf(db);
  const days = ['2026-04-12', '2026-04-13', '2026-01-15'];
  const seller = await aSeller(db, { reports: 'GBP', days, currencies: ['USD', 'BGN'] });
  const counts = { added, changed: 0, withdrawn: 0, unchanged: 0, days: 3, retailers: 1 };

  const tried = await nightshift(['fx', 'import', history, '--dry-run', '--json'], { env });
  expect(tried).toMatchObject({ code: 0 });
  const file = {
    file: 'ecb-eurofxref-hist.csv.gz',
    layout: 'history CSV',
    from: KNOWN.from,
    to: '2026-04-13',
  };
  expect(tried.json()).toMatchObject([{ ...file, dry_run: true, ...counts }]);
  expect(await db.column('select count(*) from app.fx_rates')).toEqual([0]);
  expect(await markedDays(db, seller)).toEqual([]);

  const done = await nightshift(['fx', 'import', history, '--wait', '--json'], { env });
  expect(done.code).toBe(0);
  const said = /(\d+) rates to look at/.exec(done.stderr)?.[1] ?? '0';
  expect(Number(said)).toBe(doubtful);
  expect(done.json()).toMatchObject([{ ...file, dry_run: false, ...counts }]);
  expect(await markedDays(db, seller)).toEqual([]);
  expect(await db.rows("select target, details from ops.audit_log where action = 'fx.import'")).toEqual([
    { target: 'ecb-eurofxref-hist.csv.gz', details: { added, changed: 0, withdrawn: 0 } },
  ]);
  const flags =
    'select day, is_complete, unconverted_currencies from bi.daily_sales_consolidated order by day';
  expect(await db.rows(flags)).toEqual(
    days.sort().map((day) => ({ day, is_complete: false, unconverted_currencies: ['BGN'] })),
  );

  const before = [await versions(db, 'app.fx_rates'), await versions(db, 'agg.daily_sales')];
  const again = await nightshift(['fx', 'import', history, '--json'], { env });
  expect(again.json()).toMatchObject([{ added: 0, changed: 0, withdrawn: 0, unchanged: added, days: 0 }]);
  expect([await versions(db, 'app.fx_rates'), await versions(db, 'agg.daily_sales')]).toEqual(before);

  const show = (from: string, to: string, day: string) =>
    nightshift(['fx', 'show', '--currency', from, '--to', to, '--day', day, '--json'], { env });
  const sunday = await show('USD', 'GBP', '2026-04-12');
  expect(sunday).toMatchObject({ code: 0 });
  expect(sunday.json()).toEqual([
    {
      ...{ currency: 'USD', to: 'GBP', day: '2026-04-12', fx_rate: '0.743787891726', fx_day: '2026-04-10' },
      ...{ fx_cause: null, source: 'ECB statistics' },
    },
  ]);
  const ended = await show('RUB', 'EUR', '2026-04-12');
  expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining('fx list') });
  expect(ended.json()).toMatchObject([{ fx_rate: null, fx_cause: KNOWN.ruble }]);
  expect((await show('AED', 'EUR', '2026-04-12')).json()).toMatchObject([{ fx_cause: 'no_rate' }]);

  const list = await nightshift(['fx', 'list', '--json'], { env });
  expect(list.json()).toHaveLength(KNOWN.currencies);
  const bgn = { currency: 'BGN', last_day: '2025-12-31', state: 'ended' };
  expect(list.json()).toContainEqual(expect.objectContaining(bgn));
  const status = await nightshift(['fx', 'status', '--now', '2026-04-13T18:00:00Z', '--json'], { env });
  expect(status.json()).toMatchObject([
    {
      ...{ newest_day: '2026-04-13', expected_day: '2026-04-13', is_current: true, days: KNOWN.days },
      ...{ missing_days: 0, currencies: 29, doubtful },
    },
  ]);
  const later = await nightshift(['fx', 'status', '--now', '2026-04-14T18:00:00Z'], { env });
  expect(later.stdout).toContain('The publication of 2026-04-14 is missing.');
  expect(later.stderr).toContain('fx sync --wait');
});

test('each layout is taken, packed or not, from a file or from standard input', async () => {
  await using db = await freshDb();
  await using folder = await aFolder();
  const env = envOf(db);
  const daily = gunzipSync(readFileSync(DAILY_GZ));
  const csv = 'Date, USD, JPY, \n13 April 2026, 1.1684, 186.75, \n';
  const history = 'Date,USD,JPY,\n2026-04-13,1.1684,186.750,\n2026-04-10,1.1711,N/A,\n';
  const importing = (path: string, input = '') =>
    nightshift(['fx', 'import', path, '--json'], { env, input });
  const xml = await importing(await folder.put('d.xml', daily));
  expect(xml.json()).toMatchObject([{ layout: 'XML', from: '2018-06-29', added: 32 }]);
  expect((await importing('-', csv)).json()).toMatchObject([
    { file: 'standard input', layout: 'daily CSV', added: 2, unchanged: 0 },
  ]);
  const packed = zip('eurofxref-hist.csv', Buffer.from(history), new Date());
  expect((await importing(await folder.put('h.zip', packed))).json()).toMatchObject([
    { layout: 'history CSV', added: 1, unchanged: 2, changed: 0 },
  ]);
  const corrected = history.replace('1.1684', '1.1685').replace('1.1711', 'N/A');
  expect((await importing(await folder.put('h.csv', corrected))).json()).toMatchObject([
    { added: 0, changed: 1, withdrawn: 1, unchanged: 1 },
  ]);
});

test('what cannot be used is refused whole, says where, and what to type next', async () => {
  await using db = await freshDb();
  await using folder = await aFolder();
  const env = envOf(db);
  const broken = await folder.put('b.csv', 'Date,USD,\n2026-04-13,1.1684,\n2026-04-10,1.1x,\n');
  const refused = await nightshift(['fx', 'import', broken], { env });
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain(
    'b.csv, line 3, column 12: the rate of USD, "1.1x", is not a decimal number',
  );
  expect(refused.stderr).toContain('next: Take the file from the ECB again');
  expect(await db.column('select count(*) from app.fx_rates')).toEqual([0]);
  const gone = await nightshift(['fx', 'import', '/no/such/file.csv', '--json'], { env });
  expect(gone.code).toBe(3);
  expect(JSON.parse(gone.stderr)).toMatchObject({ error: { code: 'NS_FILE_MISSING' } });
  expect(
    await nightshift(['fx', 'show', '--currency', 'USD', '--to', 'Euro', '--day', '2026-04-12'], { env }),
  ).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining('ISO 4217') },
  });
});

test('a sync that is waited for brings rates and figures, and says when it is not whole', async () => {
  await using db = await freshDb();
  const now = '2018-06-29T18:00:00Z';
  await using data = await stripeDir({ 'ecb/eurofxref-hist.csv': historySince('2018-01-01') }, { now });
  await using sandbox = await startSandbox({ data: data.dir });
  const env = { ...envOf(db), NIGHTSHIFT_ECB_URL: `${sandbox.url}/ecb/stats/eurofxref/` };
  await aSeller(db, { reports: 'GBP', days: ['2018-06-29'], currencies: ['USD'] });
  const queued = await nightshift(['fx', 'sync', '--now', now, '--json'], { env });
  expect(queued).toMatchObject({ code: 0, stderr: expect.stringContaining('no worker runs') });
  expect(queued.json()).toMatchObject([{ task: 'fx_rates' }]);
  const done = await nightshift(['fx', 'sync', '--now', now, '--wait', '--json'], { env });
  expect(done).toMatchObject({ code: 0 });
  expect(done.json()).toMatchObject([{ state: 'succeeded', newest_day: '2018-06-29', days: 1 }]);
  expect(await db.column('select count(*) from bi.daily_sales where gross_sales_reporting > 0')).toEqual([1]);
  const late = await nightshift(['fx', 'sync', '--now', '2018-07-03T06:00:00Z', '--wait'], { env });
  expect(late).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('the rates of 2018-07-02 are not out'),
  });
});
