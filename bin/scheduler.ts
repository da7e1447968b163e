#!/usr/bin/env node
/** Fires schedules until it is stopped. Procfile: scheduler. Any number may run. */
import { type Config, readConfig } from '#runtime/config.ts';
import { makeLog } from '#runtime/log.ts';
import { type Sentry, startSentry } from '#runtime/sentry.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { endOnUncaught } from '#runtime/uncaught.ts';
import { openServer } from '#sql/embedded/open_server.ts';
import { tasks } from '#tasks/index.ts';
import { startScheduler } from '#workers/scheduler/scheduler.ts';
import { firstCause } from './cli/ui/errors.ts';
import { exitCodeOf } from './cli/ui/exit_codes.ts';

const stop = stopSignal(); // from here on, so that a signal during the start is not lost
const log = makeLog('info', 'scheduler');
endOnUncaught((error) => log.fatal({ err: error }, 'nobody caught this'));

await main().catch((thrown) => {
  const error = firstCause(thrown);
  log.fatal({ err: error }, 'the scheduler ends');
  process.exitCode = exitCodeOf(error);
});

async function main(): Promise<void> {
  const config = readConfig(process.env);
  log.level = config.logLevel;
  await using sentry = await startSentry(config.sentryDsn, 'scheduler');
  await schedule(config, sentry).catch((error) => {
    sentry.capture(firstCause(error));
    throw error;
  });
}

async function schedule({ databaseUrl, dataDir }: Config, { capture: report }: Sentry): Promise<void> {
  await using server = await openServer({ databaseUrl, dataDir, log });
  await using scheduler = await startScheduler({ url: server.url, log, tasks, report });
  log.info('scheduler ready');
  const signal = await Promise.race([stop, server.lost]); // rejects when it cannot go on
  log.info({ signal }, 'scheduler stops');
  await scheduler.stop();
}
