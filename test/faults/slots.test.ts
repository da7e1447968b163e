/** Slots that come due while PostgreSQL is away, schedulers are killed, or a clock is wrong. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { ownPostgres } from '../support/db/own_postgres.ts';
import { untilDrained } from '../support/faults/driver.ts';
import { expectNothingLost, fault } from '../support/faults/fault.ts';
import { aFleet } from '../support/faults/fleet.ts';
import { openHistory } from '../support/faults/history.ts';
import { addSchedules, checkSlots } from '../support/faults/slots.ts';
import { makePayments } from '../support/faults/tasks.ts';
import { inForm } from '../support/property.ts';

const FACTOR = 60; // a minute in a second
const OUTAGES_SECONDS = inForm([1], [3, 8]);
const BETWEEN_MS = inForm(1_000, 5_000);
const DRAIN_MS = 90_000;

fault('slots under outages', async ({ random, report }) => {
  await using postgres = await ownPostgres();
  const { db } = postgres;
  await using history = await openHistory();
  await makePayments(db);
  const from = new Date(Math.ceil(Date.now() / 60_000) * 60_000 - 60_000);
  await addSchedules(db, from);
  await using workers = aFleet({ url: db.url, history });
  await using schedulers = aFleet({ url: db.url, history, scheduler: { from, factor: FACTOR } });
  await Promise.all([workers.keep(1), schedulers.keep(2)]);
  for (const seconds of OUTAGES_SECONDS) {
    await sleep(BETWEEN_MS);
    const victim = schedulers.members[Math.floor(random() * schedulers.members.length)];
    if (victim) await schedulers.kill(victim);
    history.add({ what: 'fault', kind: 'immediate stop' });
    await postgres.stop('immediate');
    await sleep(seconds * 1_000);
    await postgres.start();
    history.add({ what: 'healed', kind: 'immediate stop' });
    await schedulers.keep(2);
  }
  await sleep(BETWEEN_MS);
  for (const scheduler of [...schedulers.members]) await schedulers.stop(scheduler, 30_000);
  expect(await untilDrained(db, DRAIN_MS, { hurry: true })).toBe(0);
  const found = await checkSlots(db, history, from);
  const note = 'outages, each with a killed scheduler; jobs: slots, of which missed ones have no job';
  report(found, { injected: OUTAGES_SECONDS.length, note });
  expectNothingLost(found);
});

const JUMPS = ['24 hours', '-1 hour', '1 hour'];
const JUMP_MS = 5_000;
const NEXT_SLOT_MS_MAX = 120_000;

// The functions of a schema of the test stand before PostgreSQL's own, so its clock says what the test wants.
fault(
  'clock jumps',
  async ({ report }) => {
    await using db = await freshDb();
    await using history = await openHistory();
    await makePayments(db);
    await db.query('create schema fake');
    await db.query("create table fake.clock as select interval '0' as jump");
    for (const name of ['now', 'clock_timestamp'])
      await db.query(
        `create function fake.${name}() returns timestamptz language sql volatile as
         'select pg_catalog.${name}() + jump from fake.clock'`,
      );
    const url = new URL(db.url);
    url.searchParams.set('options', '-c search_path=fake,pg_catalog,public');
    const from = new Date(Date.now() - 120_000);
    await addSchedules(db, from);
    await using schedulers = aFleet({ url: url.href, history, scheduler: {} });
    await using workers = aFleet({ url: db.url, history });
    await Promise.all([workers.keep(1), schedulers.keep(2)]);
    await sleep(2_000);
    for (const jump of JUMPS) {
      await db.query('update fake.clock set jump = $1::interval', [jump]);
      await sleep(JUMP_MS);
      await db.query("update fake.clock set jump = '0'");
      await sleep(2_000);
    }
    const over = new Date();
    const since = 'select slot from ops.schedule_slots where slot > $1';
    for (let waited = 0; waited < NEXT_SLOT_MS_MAX; waited += 500) {
      if ((await db.column(since, [over])).length > 0) break; // it goes on, at the next minute
      await sleep(500);
    }
    expect(await db.column(since, [over])).not.toEqual([]);
    for (const scheduler of [...schedulers.members]) await schedulers.stop(scheduler, 30_000);
    expect(await untilDrained(db, DRAIN_MS, { hurry: true })).toBe(0);
    const found = await checkSlots(db, history, from);
    report(found, { injected: JUMPS.length, note: `by ${JUMPS.join(', ')} for ${JUMP_MS / 1_000} s each` });
    expectNothingLost(found);
    expect(found.jobs).toBeGreaterThan(0);
    expect(await db.column('select slot from ops.schedule_slots where slot > now()')).toEqual([]);
    expect(await db.column("select id from ops.schedules where decided_to > now() + interval '5 s'")).toEqual(
      [],
    );
  },
  { short: false },
);
