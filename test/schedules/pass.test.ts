import { expect, test } from 'vitest';
import { addBrand } from '#sql/tenants/brands.ts';
import { freshDb } from '../support/db/db.ts';
import { aSchedule, ledger, passAt } from '../support/schedules/schedule.ts';

const days = (db: Awaited<ReturnType<typeof freshDb>>) =>
  db.column(`select payload ->> 'day' from ops.jobs where task = 'chime' order by job_id`);

test('a slot, its job and the advance of the schedule are one transaction', async () => {
  await using db = await freshDb();
  const id = await aSchedule(db, { expression: '0 2 * * *', at: '2026-03-01T00:00:00Z' });
  await passAt(db, id, '2026-03-01T01:59:59Z');
  expect(await ledger(db, id)).toEqual([]);
  expect(await passAt(db, id, '2026-03-01T02:00:00Z')).toMatchObject({ fired: 1, skipped: 0 });
  await passAt(db, id, '2026-03-01T02:00:01Z');
  expect(await ledger(db, id)).toEqual(['2026-03-01T02:00Z queued']);
  expect(await days(db)).toEqual(['2026-03-01']);
  const [next] = await db.column('select next_slot from ops.schedules');
  expect(next).toEqual(new Date('2026-03-02T02:00:00Z'));
});

test('02:30 in New York fires once on the days on which the clock changes', async () => {
  await using db = await freshDb();
  const { id: brandId } = await db.transaction((tx) =>
    addBrand(tx, { slug: 'us', name: 'us', timeZone: 'America/New_York', reportingCurrency: 'USD' }),
  );
  const at = '2026-03-07T12:00:00Z';
  const id = await aSchedule(db, { expression: '30 2 * * *', timeZone: null, brandId, at });
  for (const hour of ['06', '07', '08', '09']) await passAt(db, id, `2026-03-08T${hour}:30:00Z`);
  expect(await ledger(db, id)).toEqual(['2026-03-08T07:00Z queued']);
  await passAt(db, id, '2026-10-31T12:00:00Z');
  for (const hour of ['05', '06', '07', '08']) await passAt(db, id, `2026-11-01T${hour}:30:00Z`);
  expect((await ledger(db, id)).slice(-2)).toEqual(['2026-10-31T06:30Z queued', '2026-11-01T07:30Z queued']);
  expect((await days(db)).slice(-2)).toEqual(['2026-10-31', '2026-11-01']);
});

test('the policy says which of several missed slots fire; each has an outcome', async () => {
  await using db = await freshDb();
  const given = { expression: '0 * * * *', at: '2026-03-01T00:30:00Z' };
  const latest = await aSchedule(db, { ...given, name: 'latest' });
  const two = await aSchedule(db, { ...given, name: 'two', catchUp: 'all', catchUpMax: 2 });
  const skip = await aSchedule(db, { ...given, name: 'skip', catchUp: 'skip' });
  for (const id of [latest, two, skip]) await passAt(db, id, '2026-03-01T04:30:00Z');
  const [one, second, third, fourth] = [1, 2, 3, 4].map((hour) => `2026-03-01T0${hour}:00Z`);
  expect(await ledger(db, latest)).toEqual([
    `${one} missed`,
    `${second} missed`,
    `${third} missed`,
    `${fourth} queued`,
  ]);
  expect(await ledger(db, two)).toEqual([
    `${one} missed`,
    `${second} missed`,
    `${third} queued`,
    `${fourth} queued`,
  ]);
  expect(await ledger(db, skip)).toEqual([1, 2, 3, 4].map((hour) => `2026-03-01T0${hour}:00Z missed`));
  await passAt(db, skip, '2026-03-01T05:04:00Z'); // a few minutes late is not missed
  expect((await ledger(db, skip)).at(-1)).toBe('2026-03-01T05:00Z queued');
});

test('an outage of weeks leaves a row for each slot, and one job', async () => {
  await using db = await freshDb();
  const id = await aSchedule(db, { expression: '*/5 * * * *', at: '2026-03-01T00:00:00Z' });
  await passAt(db, id, '2026-03-15T00:00:00Z');
  const outcomes = await db.column(
    'select outcome || count(*) from ops.schedule_slots group by outcome order by 1',
  );
  expect(outcomes).toEqual(['missed4031', 'queued1']);
  expect(await days(db)).toEqual(['2026-03-15']);
});

test('nothing fires on an excluded day of its zone', async () => {
  await using db = await freshDb();
  const id = await aSchedule(db, {
    ...{ expression: '30 23 * * *', timeZone: 'Asia/Tokyo', at: '2026-12-24T00:00:00Z' },
    excludedDays: ['2026-12-25'],
  });
  for (const day of ['24', '25', '26']) await passAt(db, id, `2026-12-${day}T14:30:00Z`);
  expect(await ledger(db, id)).toEqual([
    '2026-12-24T14:30Z queued',
    '2026-12-25T14:30Z excluded',
    '2026-12-26T14:30Z queued',
  ]);
});

test('a slot whose predecessor is still on the queue is skipped, queued, or takes its place', async () => {
  await using db = await freshDb();
  const given = { expression: '0 * * * *', at: '2026-03-01T00:30:00Z' };
  const ids = [];
  for (const overlap of ['skip', 'queue', 'cancel'] as const)
    ids.push(await aSchedule(db, { ...given, name: overlap, overlap }));
  for (const hour of ['1', '2']) for (const id of ids) await passAt(db, id, `2026-03-01T0${hour}:00:00Z`);
  const second = [];
  for (const id of ids) second.push((await ledger(db, id))[1]?.split(' ')[1]);
  expect(second).toEqual(['overlap', 'queued', 'queued']);
  expect(await db.column('select count(*)::int from ops.jobs')).toEqual([4]);
  expect(await db.column('select outcome from ops.job_runs')).toEqual(['cancelled']);
  const [detail] = await db.column(`select detail from ops.schedule_slots where outcome = 'overlap'`);
  expect(detail).toMatch(/^job \d+ is waiting$/);
});

test('a slot of which no job can be made has failed; so many in a row pause the schedule', async () => {
  await using db = await freshDb();
  const id = await aSchedule(db, {
    ...{ expression: '0 * * * *', at: '2026-03-01T00:30:00Z', payload: { nonsense: 1 } },
    pauseAfterFailures: 2,
  });
  for (const hour of ['1', '2', '3']) await passAt(db, id, `2026-03-01T0${hour}:00:00Z`);
  expect(await ledger(db, id)).toEqual([
    '2026-03-01T01:00Z failed',
    '2026-03-01T02:00Z failed',
    '2026-03-01T03:00Z paused',
  ]);
  expect(await db.column('select paused_by || paused_reason from ops.schedules')).toEqual([
    'schedulerits last 2 slots failed',
  ]);
  expect(await db.column('select actor || action from ops.audit_log')).toEqual(['schedulerschedules.pause']);
});

test('a brand that moves to another zone has its slots there from then on', async () => {
  await using db = await freshDb();
  const { id: brandId } = await db.transaction((tx) =>
    addBrand(tx, { slug: 'a', name: 'a', timeZone: 'Europe/London', reportingCurrency: 'GBP' }),
  );
  const at = '2026-01-01T00:00:00Z';
  const id = await aSchedule(db, { expression: '0 2 * * *', timeZone: null, brandId, at });
  await passAt(db, id, '2026-01-01T02:00:00Z');
  await db.query(`update app.brands set time_zone = 'America/New_York'`);
  await passAt(db, id, '2026-01-02T03:00:00Z'); // decides the last slot of London, then goes over
  await passAt(db, id, '2026-01-02T07:00:00Z');
  expect(await ledger(db, id)).toEqual([
    '2026-01-01T02:00Z queued',
    '2026-01-02T02:00Z queued',
    '2026-01-02T07:00Z queued',
  ]);
  expect(await db.column('select version from ops.schedule_slots order by slot')).toEqual([1, 1, 2]);
});

test('a clock that was ahead has written nothing off: what it decided of slots to come is decided again', async () => {
  await using db = await freshDb();
  const id = await aSchedule(db, { expression: '0 2 * * *', at: '2026-03-01T00:00:00Z' });
  await passAt(db, id, '2027-03-01T00:00:00Z'); // a year that is not
  expect((await ledger(db, id)).length).toBe(365);
  await passAt(db, id, '2026-03-01T00:10:00Z');
  expect(await ledger(db, id)).toEqual(['2027-02-28T02:00Z queued']); // it has fired; nothing undoes that
  await passAt(db, id, '2026-03-01T02:00:00Z');
  expect((await ledger(db, id))[0]).toBe('2026-03-01T02:00Z queued');
});

test('a job that is not over says nothing of failures; one that several slots share counts once', async () => {
  await using db = await freshDb();
  const given = { expression: '0 * * * *', at: '2026-03-01T00:30:00Z', pauseAfterFailures: 2 };
  const id = await aSchedule(db, given);
  const end = (outcome: string) =>
    db.query(
      `insert into ops.job_runs (job_id, task, payload, attempt, pool_id, claimed_at, started_at, outcome)
       select job_id, 'chime', '{}', 1, '', now(), now(), $1 from ops.schedule_slots order by slot desc limit 1`,
      [outcome],
    );
  await passAt(db, id, '2026-03-01T01:00:00Z');
  await end('dead');
  await passAt(db, id, '2026-03-01T02:00:00Z'); // one failure
  await end('cancelled');
  await passAt(db, id, '2026-03-01T03:00:00Z'); // still one
  await passAt(db, id, '2026-03-01T04:00:00Z'); // that of 03:00 is not over
  expect(await db.column('select paused_at from ops.schedules')).toEqual([null]);
  await end('dead');
  await passAt(db, id, '2026-03-01T05:00:00Z');
  expect((await ledger(db, id)).at(-1)).toBe('2026-03-01T05:00Z paused');
});
