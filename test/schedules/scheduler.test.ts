import { expect, test } from 'vitest';
import { guardClock } from '#workers/scheduler/clock.ts';
import { startScheduler } from '#workers/scheduler/scheduler.ts';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { quiet } from '../support/run.ts';
import { aSchedule, ledger, tasks } from '../support/schedules/schedule.ts';

test('two schedulers that come back after an outage give each slot one outcome', async () => {
  await using db = await freshDb();
  const now = new Date('2026-03-01T06:30:00Z');
  const ids: number[] = [];
  for (let n = 0; n < 20; n++)
    ids.push(await aSchedule(db, { name: `n${n}`, expression: '0 * * * *', at: '2026-03-01T00:30:00Z' }));
  const options = { url: db.url, log: quiet, tasks, clock: async () => now };
  await using _one = await startScheduler(options);
  await using _other = await startScheduler(options);
  await eventually(async () => {
    for (const id of ids)
      expect(await ledger(db, id)).toEqual([
        ...[1, 2, 3, 4, 5].map((hour) => `2026-03-01T0${hour}:00Z missed`),
        '2026-03-01T06:00Z queued',
      ]);
  });
  expect(await db.column('select count(*)::int from ops.jobs')).toEqual([20]);
});

test('a schedule that cannot be decided keeps no other from its turn, and is reported', async () => {
  await using db = await freshDb();
  const at = '2026-03-01T00:30:00Z';
  const broken = await aSchedule(db, { name: 'broken', expression: '0 * * * *', at });
  const sound = await aSchedule(db, { name: 'sound', expression: '0 * * * *', at });
  await db.query(`update ops.schedules set expression = 'nonsense' where id = $1`, [broken]);
  const reported: string[] = [];
  const report = (error: unknown) => reported.push(String(error));
  const clock = async () => new Date('2026-03-01T01:30:00Z');
  await using _ = await startScheduler({ url: db.url, log: quiet, tasks, clock, report });
  await eventually(async () => expect(await ledger(db, sound)).toHaveLength(1));
  expect(await ledger(db, broken)).toEqual([]);
  await eventually(async () => expect(reported[0]).toContain('nonsense'));
});

test('a clock that jumps ahead is believed only once it has lasted', () => {
  let elapsed = 0;
  const { believes } = guardClock(() => elapsed);
  const at = (hours: number, seconds: number) => {
    elapsed = seconds * 1_000;
    return believes(new Date(Date.parse('2026-03-01T00:00:00Z') + hours * 3_600_000 + elapsed));
  };
  expect(at(0, 0)).toBe(true);
  expect(at(0, 10)).toBe(true);
  expect(at(24, 11)).toBe(false);
  expect(at(24, 20)).toBe(false);
  expect(at(0, 21)).toBe(true); // it was set back
  expect(at(24, 30)).toBe(false); // in doubt anew
  expect(at(24, 89)).toBe(false);
  expect(at(24, 90)).toBe(true); // the machine slept, or it was wrong before
  expect(at(23, 91)).toBe(true); // no slot comes due by a step back
});
