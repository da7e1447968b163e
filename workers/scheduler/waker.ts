/**
 * Calls a function each second, never twice at a time. node-cron wakes it; it goes by the clock of the host, and after
 * that was set back it waits for the time that it had. A timer that no setting of a clock moves starts it anew.
 */
import { createTask, type ScheduledTask } from 'node-cron';
import type { Log } from '#runtime/log.ts';

const EACH_SECOND = '* * * * * *';
const SILENT_MS_MAX = 5_000;

export type Waker = { stop(): Promise<void> };

export function wake(look: () => Promise<void>, log: Log): Waker {
  let looking: Promise<void> = Promise.resolve();
  let isLooking = false;
  let lastAt = performance.now();
  const beat = () => {
    lastAt = performance.now();
    if (isLooking) return;
    isLooking = true;
    looking = look().finally(() => {
      isLooking = false;
    });
  };
  // Its own messages go to the terminal past every log.
  const logger = {
    info: (message: string) => log.debug(message),
    warn: (message: string) => log.debug(message),
    debug: () => {},
    error: (message: string | Error) => log.warn({ reason: String(message) }, 'the waker failed'),
  };
  const start = (): ScheduledTask => {
    const task = createTask(EACH_SECOND, beat, { suppressMissedWarning: true, logger });
    void task.start();
    return task;
  };
  let task = start();
  const watch = setInterval(() => {
    if (performance.now() - lastAt < SILENT_MS_MAX) return;
    log.warn('the clock of this host was set: the scheduler wakes anew');
    lastAt = performance.now();
    void task.destroy();
    task = start();
  }, SILENT_MS_MAX);
  return {
    async stop() {
      clearInterval(watch);
      await task.destroy();
      await looking;
    },
  };
}
