/**
 * The nightly run of a brand: reads all its connections, computes what is left, and judges the day before. A
 * step ends with rows of what is waited for (`ops.night_jobs`); whoever finds them done queues the task again,
 * and it goes on with what the night needs next. So a run that comes twice, or after a crash, does no harm.
 */
import { z } from 'zod';
import { messageOf } from '#runtime/errors.ts';
import { beginNight, busyJobs, lockNight, type Night, noteStep } from '#sql/nights/nights.ts';
import { databaseTime } from '#sql/schedules/schedules.ts';
import { countFrozen } from './night/count_frozen.ts';
import { judge } from './night/judge.ts';
import { alertIfDue } from './night/promise.ts';
import { requestFigures, requestReading } from './night/request.ts';
import { defineTask, type Tally, type TaskContext } from './task.ts';

const payload = z.strictObject({
  brandId: z.uuid(),
  /** The day of the brand on which the night is; it completes the day before. */
  localDay: z.iso.date(),
});

/** Nights of an outage that are made good, each with its own day. */
const NIGHTS_MADE_GOOD_MAX = 7;

export const nightly = defineTask({
  name: 'nightly',
  payload,
  lane: ({ brandId }) => `nightly:${brandId}`,
  key: ({ brandId, localDay }) => `${brandId}:${localDay}`,
  attempts: 8,
  timeoutSeconds: 900,
  priority: 'urgent',
  schedules: [
    {
      ...{ name: 'nightly', of: 'brand', expression: '0 2 * * *' },
      ...{ catchUp: 'all', catchUpMax: NIGHTS_MADE_GOOD_MAX, overlap: 'queue' },
    },
  ],
  atSlot: (given, { localDay }) => ({ ...given, localDay }),
  async run({ brandId, localDay }, context) {
    const { db, job } = context;
    const now = await databaseTime(db);
    const night = await db.transaction(async (tx) => {
      const found =
        (await beginNight(tx, { brandId, localDay, now })) ?? (await lockNight(tx, { brandId, localDay }));
      if (found) await noteStep(tx, found, job);
      return found;
    });
    if (night === undefined) return { skipped: 'the brand is gone, or going' };
    if (night.state === 'complete') return { step: 'complete', day: night.day };
    let tally: Tally;
    try {
      tally = await advance(context, night, now);
    } catch (error) {
      // Whoever relies on the deadline must hear of it although nobody can judge the day.
      await db.transaction((tx) => alertIfDue(tx, night, { cause: messageOf(error), now })).catch(() => {});
      throw error;
    }
    // The verdict does not wait for it, nor fall with it.
    return tally.step === 'judged' ? { ...tally, ...(await countFrozen(context, night, now)) } : tally;
  },
});

async function advance(context: TaskContext, night: Night, now: Date): Promise<Tally> {
  const { state, day, patienceUntil } = night;
  if (state === 'provisional') return judge(context, night, now);
  // Counted before it is looked what they have left, too: one that ends in between may leave a job.
  const before = await busyJobs(context.db, night);
  if (state === 'syncing') await requestReading(context, night);
  const waits = Math.max(before, await busyJobs(context.db, night));
  if (waits > 0 && now < patienceUntil) return { step: state, day, waits_for: waits };
  if (state === 'computing') return judge(context, night, now);
  return { step: 'computing', day, waits_for: await requestFigures(context, night, now) };
}
