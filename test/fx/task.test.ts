/** The task that keeps rates up to date, against the sandbox's real history and against bad servers. */
import { expect, test, vi } from 'vitest';
import { fxRates } from '#tasks/fx/fx_rates.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import {
  aSeller,
  historySince,
  markedDays,
  passOn,
  rollUp,
  store,
  versions,
} from '../support/providers/fx.ts';
import { by, fakeProvider, file, status } from '../support/providers/provider.ts';
import { post, setFaults } from '../support/providers/sandbox.ts';
import { type Files, stripeDir } from '../support/providers/stripe.ts';
import { runTask } from '../support/run.ts';

const FEEDS = 'ecb/stats/eurofxref';

/** Real rates, all of them or from a day on, as of an instant that can be moved on. */
const anEcb = (now: string, first = '') =>
  anEcbOf(now, first === '' ? {} : { 'ecb/eurofxref-hist.csv': historySince(first) });

async function anEcbOf(now: string, files: Files) {
  const data = await stripeDir(files, { now });
  const sandbox = await startSandbox({ data: data.dir });
  return {
    sandbox,
    url: `${sandbox.url}/${FEEDS}`,
    moveOn: (later: string) => post(sandbox, 'load', { dir: data.dir, now: later }),
    async asked(): Promise<string[]> {
      const entries = (await (await fetch(`${sandbox.url}/_sandbox/requests`)).json()) as {
        requests: Entry[];
      };
      return entries.requests.map(({ path, status: code }) => `${path.split('/').at(-1)} ${code}`);
    },
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      await data[Symbol.asyncDispose]();
    },
  };
}

type Entry = { path: string; status: number };

const sync = (db: TestDb, ecbUrl: string, now: string, full?: boolean) =>
  runTask(fxRates, { now, ...(full && { full }) }, db, { services: { ecbUrl } });

/** By the clock, which says this instant. */
async function syncAt(db: TestDb, ecbUrl: string, now: string) {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(now) });
  try {
    return await runTask(fxRates, {}, db, { services: { ecbUrl } });
  } finally {
    vi.useRealTimers();
  }
}

const rollups = (db: TestDb) =>
  db.column("select count(*) from graphile_worker.jobs where task_identifier = 'rollup'");
const retries = (db: TestDb) =>
  db.rows(`select p.payload ->> 'now' as now, round(extract(epoch from j.run_at - now()) / 60)::int as minutes
           from graphile_worker.jobs j join graphile_worker._private_jobs p using (id)
           where j.task_identifier = 'fx_rates' order by j.id`);

test('an empty table takes the history once, then the feed of 90 days, and asks for nothing twice', async () => {
  await using db = await freshDb();
  await using ecb = await anEcb('2001-06-28T18:00:00Z');
  const seller = await aSeller(db, {
    reports: 'GBP',
    days: ['2001-06-29', '2001-06-30'],
    currencies: ['USD'],
  });
  await rollUp(db, seller);
  const first = await sync(db, ecb.url, '2001-06-28T18:00:00Z');
  expect(first).toMatchObject({
    feeds: 'eurofxref-hist.zip',
    newest_day: '2001-06-28',
    changed: 0,
    requests: 1,
  });
  expect(first.incomplete).toBeUndefined();
  expect(await db.column('select count(distinct day) from app.fx_rates')).toEqual([639]);
  expect(await passOn(db)).toBe(2);
  expect(first.warning).toBe('rates to look at, used all the same (1): TRL 2001-02-22: jump');
  await rollUp(db, seller);

  const again = await sync(db, ecb.url, '2001-06-28T18:30:00Z');
  expect(again).toMatchObject({ added: 0, unchanged: 1_736 });
  const before = await versions(db, 'app.fx_rates');
  const third = await sync(db, ecb.url, '2001-06-29T06:00:00Z');
  expect(third).toMatchObject({ feeds: 'eurofxref-hist-90d.xml (not modified)', added: 0, bytes: 0 });
  expect(await versions(db, 'app.fx_rates')).toEqual(before);

  await ecb.moveOn('2001-06-29T18:00:00Z');
  const next = await sync(db, ecb.url, '2001-06-29T18:00:00Z');
  expect(next).toMatchObject({
    feeds: 'eurofxref-hist-90d.xml',
    added: 28,
    newest_day: '2001-06-29',
  });
  expect(await passOn(db)).toBe(2);
  expect(await markedDays(db, seller)).toEqual(['2001-06-29', '2001-06-30']);
  expect(await rollups(db)).toEqual([1]);
  expect(await ecb.asked()).toEqual([
    'eurofxref-hist.zip 200',
    'eurofxref-hist-90d.xml 200',
    'eurofxref-hist-90d.xml 304',
    'eurofxref-hist-90d.xml 200',
  ]);
});

test('a missed month mends itself from the feed of 90 days, a missed year from the history', async () => {
  await using db = await freshDb();
  await using ecb = await anEcb('1999-03-29T18:00:00Z');
  await sync(db, ecb.url, '1999-03-29T18:00:00Z');
  await ecb.moveOn('1999-04-28T18:00:00Z');
  expect(await sync(db, ecb.url, '1999-04-28T18:00:00Z')).toMatchObject({ feeds: 'eurofxref-hist-90d.xml' });
  await ecb.moveOn('1999-12-29T18:00:00Z');
  expect(await sync(db, ecb.url, '1999-12-29T18:00:00Z')).toMatchObject({ feeds: 'eurofxref-hist.zip' });
  expect(await db.column('select count(distinct day) from app.fx_rates')).toEqual([258]);
});

test('rates that somebody deleted come back, although the feed has not changed', async () => {
  await using db = await freshDb();
  await using ecb = await anEcb('1999-06-29T18:00:00Z');
  const now = '1999-06-29T18:00:00Z';
  await sync(db, ecb.url, now);
  await sync(db, ecb.url, now);
  await db.query("delete from app.fx_rates where day = '1999-06-22'");
  expect(await sync(db, ecb.url, now)).toMatchObject({ feeds: 'eurofxref-hist-90d.xml', added: 27 });
  await db.query("delete from app.fx_rates where day = '1999-01-22'");
  expect(await sync(db, ecb.url, now)).toMatchObject({ feeds: 'eurofxref-hist.zip', added: 27 });
});

test('what the ECB corrects or withdraws is taken over and audited', async () => {
  await using db = await freshDb();
  await using ecb = await anEcb('2018-02-05T18:00:00Z', '2017-09-01');
  await sync(db, ecb.url, '2018-02-05T18:00:00Z');
  await store(db, [
    ['USD', '2018-01-30', '1.2'],
    ['ISK', '2018-01-30', '120'], // which it published from two days later on
  ]);
  expect(await sync(db, ecb.url, '2018-02-05T18:00:00Z')).toMatchObject({
    changed: 1,
    withdrawn: 1,
    added: 0,
  });
  const audited = await db.rows(
    "select actor, action, target from ops.audit_log where actor = 'fx_rates' order by id",
  );
  expect(audited).toEqual([
    { actor: 'fx_rates', action: 'fx.withdraw', target: 'ISK 2018-01-30' },
    { actor: 'fx_rates', action: 'fx.change', target: 'USD 2018-01-30' },
  ]);
});

test('what is not out yet is asked for each half hour, until eight in Frankfurt', async () => {
  await using db = await freshDb();
  await using ecb = await anEcb('1999-06-29T13:30:00Z');
  const early = await syncAt(db, ecb.url, '1999-06-29T13:30:00Z');
  expect(early.incomplete).toBeUndefined(); // before four it is not due
  const due = await syncAt(db, ecb.url, '1999-06-29T14:05:00Z');
  expect(due).toMatchObject({
    feeds: 'eurofxref-hist-90d.xml, eurofxref-daily.xml',
    incomplete:
      'the rates of 1999-06-29 are not out, the newest are of 1999-06-28; the next attempt is at 16:35 in Frankfurt',
  });
  expect(await retries(db)).toEqual([{ now: null, minutes: 30 }]);
  await db.query(
    "select graphile_worker.complete_jobs(array_agg(id)) from graphile_worker.jobs where task_identifier = 'fx_rates'",
  );
  const late = await syncAt(db, ecb.url, '1999-06-29T17:40:00Z');
  expect(late.incomplete).toBe('the rates of 1999-06-29 are not out, the newest are of 1999-06-28');
  expect(await retries(db)).toEqual([]);
  const nextMorning = await syncAt(db, ecb.url, '1999-06-30T06:00:00Z');
  expect(nextMorning.incomplete).toContain('1999-06-29 are not out');
  expect(await retries(db)).toEqual([]);
  const played = await sync(db, ecb.url, '1999-06-29T14:05:00Z'); // whoever plays an instant plays the next one too
  expect(played.incomplete).toBe(late.incomplete);
  expect(await retries(db)).toEqual([]);
});

test('trouble that passes is waited out; a broken copy stores nothing', async () => {
  await using db = await freshDb();
  await using ecb = await anEcb('1999-06-29T18:00:00Z');
  await setFaults(
    ecb.sandbox,
    { kind: 'status', on: 'ecb', status: 503 },
    { kind: 'cut', on: 'ecb', bytes: 5_000 },
    { kind: 'reset', on: 'ecb' },
  );
  expect(await sync(db, ecb.url, '1999-06-29T18:00:00Z')).toMatchObject({
    newest_day: '1999-06-29',
    requests: 4,
  });

  const broken = 'Date,USD,\n2001-07-02,1.1,\n2001-07-03,1,1,\n';
  await using bad = await fakeProvider(file(broken, { headers: { etag: '"bad"' } }));
  await using other = await freshDb();
  await expect(sync(other, bad.url, '2001-07-03T18:00:00Z')).rejects.toMatchObject({
    code: 'NS_FX_NOT_UNDERSTOOD',
    message: expect.stringContaining(
      'eurofxref-hist.zip, line 3, column 1: 2 rates where the header names 1',
    ),
  });
  expect(await other.column('select count(*) from app.fx_rates')).toEqual([0]);
  expect(await other.column('select count(*) from ops.fx_feeds')).toEqual([0]);
  expect(bad.asked[0]?.headers['user-agent']).toMatch(/^Nightshift\//);
});

test.each([
  [status(404), 'NS_FX_FEED_NOT_SERVED'],
  [status(304), 'NS_FX_FEED_NOT_SERVED'],
  [status(302, { location: 'https://elsewhere.example/' }), 'NS_FX_FEED_NOT_SERVED'],
  [by(() => file('<html>We are closed</html>')), 'NS_FX_NOT_UNDERSTOOD'],
])('a server that serves something else is told apart (%#)', async (answer, code) => {
  await using db = await freshDb();
  await using server = await fakeProvider(answer);
  await expect(sync(db, server.url, '2001-06-29T18:00:00Z')).rejects.toMatchObject({
    code,
    verdict: 'retry',
  });
});

test('a scenario with a few rates of its own is taken as it is, and says what is thin', async () => {
  await using db = await freshDb();
  const csv = 'Date,USD,GBP,\n2026-11-19,1.5,0.9,\n2026-11-18,1.25,0.8,\n';
  await using ecb = await anEcbOf('2026-11-20T06:00:00Z', { 'ecb/eurofxref-hist.csv': csv });
  const { warning, incomplete, ...tally } = await sync(db, ecb.url, '2026-11-20T06:00:00Z');
  expect(tally).toMatchObject({ feeds: 'eurofxref-hist.zip', added: 4, newest_day: '2026-11-19' });
  expect(incomplete).toBeUndefined();
  expect(warning).toMatch(
    /^rates to look at, .*\(4\).*few_currencies.*; days of publication without rates \(60\): 2026-08-/,
  );
});
