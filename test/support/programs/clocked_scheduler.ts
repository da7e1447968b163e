/**
 * A scheduler of the task `tick`: node clocked_scheduler.ts <url> [<from> <factor>]. From that instant on its time runs so
 * many times as fast as that of the database; without one, its time is that of the database.
 */
import { makeLog } from '#runtime/log.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { databaseTime } from '#sql/schedules/schedules.ts';
import { type SchedulerOptions, startScheduler } from '#workers/scheduler/scheduler.ts';
import { tick } from '../faults/tasks.ts';

const [, , url = '', from, factor = '1'] = process.argv;
const stop = stopSignal();
const start = Date.parse(from ?? '');
const clock: SchedulerOptions['clock'] = async (db) => {
  const now = await databaseTime(db);
  return new Date(start + (now.getTime() - start) * Number(factor));
};
await using _ = await startScheduler({
  url,
  log: makeLog('silent', 'scheduler'),
  tasks: [tick],
  ...(from === undefined ? {} : { clock }),
});
console.log('ready');
await stop;
