#!/usr/bin/env node
/** Fires schedules until told to stop. Procfile: scheduler. Any number may run. */
import { openServer } from '#sql/embedded/open_server.ts';
import { tasks } from '#tasks/index.ts';
import { startScheduler } from '#workers/scheduler/scheduler.ts';
import { runProcess } from './run_process.ts';

await runProcess('scheduler', async ({ config, log, stop, report }) => {
  const { databaseUrl, dataDir, pings } = config;
  await using server = await openServer({ databaseUrl, dataDir, log });
  await using scheduler = await startScheduler({
    url: server.url,
    log,
    tasks,
    report,
    ping: pings.scheduler,
  });
  log.info('scheduler ready');
  const signal = await Promise.race([stop, server.lost]); // rejects when it cannot go on
  log.info({ signal }, 'scheduler stops');
  await scheduler.stop();
});
