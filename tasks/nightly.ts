/**
 * The nightly run of a brand: reads all its connections, computes what is left, and judges the day before. A
 * step ends with rows of what is waited for (`ops.night_jobs`); whoever finds them done queues the task again,
 * and it goes on with what the night needs next. So a run that comes twice, or after a crash, does no harm.
 */
import { z } from 'zod';
import { beginNight, lockNight, type Night } from '#sql/nights/nights.ts';
import { judge } from './night/judge.ts';
import { requestFigures, requestReading } from './night/request.ts';
import { defineTask, type Tally, type TaskContext } from './task.ts';

const payload = z.strictObject({
  brandId: z.uuid(),
  /** The day of the brand on which the night is; it completes the day before. */
  localDay: z.iso.date(),
  now: z.iso.datetime({ offset: true }).optional(),
});

export const nightly = defineTask({
  name: 'nightly',
  payload,
  lane: ({ brandId }) => `nightly:${brandId}`,
  key: ({ brandId, localDay }) => `${brandId}:${localDay}`,
  attempts: 8,
  timeoutSeconds: 900,
  schedules: [{ name: 'nightly', of: 'brand', expression: '0 2 * * *', overlap: 'queue' }],
  atSlot: (given, { localDay }) => ({ ...given, localDay }),
  async run({ brandId, localDay, now: played }, context) {
    const { db, now } = context;
    const day = await dayBefore(context, localDay);
    const night = await db.transaction(async (tx) => {
      return (await beginNight(tx, { brandId, localDay, now: now() })) ?? lockNight(tx, { brandId, day });
    });
    if (night === undefined) return { skipped: 'the brand is gone' };
    return advance(context, night, played);
  },
});

async function advance(context: TaskContext, night: Night, played: string | undefined): Promise<Tally> {
  const { now } = context;
  const isPatient = now() < night.patienceUntil;
  if (night.state === 'syncing') {
    const waitsFor = await requestReading(context, night, played);
    if (waitsFor > 0 && isPatient) return { step: 'syncing', waits_for: waitsFor };
    const rollups = await requestFigures(context, night, played);
    return { step: 'computing', waits_for: rollups };
  }
  return judge(context, night);
}

async function dayBefore({ db }: TaskContext, localDay: string): Promise<string> {
  const { rows } = await db.query<{ day: string }>('select $1::date - 1 as day', [localDay]);
  return rows[0]?.day ?? localDay;
}
