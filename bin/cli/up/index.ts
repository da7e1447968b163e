import { startSentry } from '#runtime/sentry.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { placeOf } from '#sql/db/pool.ts';
import { keepPlatformCurrency } from '#sql/tenants/platform.ts';
import { tasks } from '#tasks/index.ts';
import { startScheduler } from '#workers/scheduler/scheduler.ts';
import { startWeb } from '#workers/web/web.ts';
import { keyringOf } from '../shared/keyring.ts';
import { startLocalWorker } from '../shared/local_worker.ts';
import { migrateRecorded } from '../shared/migrate_recorded.ts';
import type { Noun } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';

export const noun: Noun = (command, cli) => {
  command
    .description(
      'run server (unless DATABASE_URL names one), migrations, worker, scheduler and web server in one process, until stopped',
    )
    .action(async () => {
      const stop = stopSignal(); // registered first, so that a signal during the start is not lost
      await using session = await openSession(cli, { anySchema: true, longRunning: true });
      const { say } = cli.out;
      for (const name of await migrateRecorded(session.db)) say(`applied ${name}`);
      await keepPlatformCurrency(session.db, session.config.platformCurrency, new Date());
      await using sentry = await startSentry(session.config.sentryDsn, 'up');
      await using worker = await startLocalWorker(cli, session, { report: sentry.capture });
      const { log, url, config } = session;
      await using scheduler = await startScheduler({
        ...{ url, log, tasks, report: sentry.capture, ping: config.pings.scheduler },
        ...(cli.io.clock && { clock: cli.io.clock }),
      });
      const services = await keyringOf(cli, session);
      await using web = await startWeb({ url, log, services, ...config.web });
      const { concurrency, drainSeconds } = config;
      say(`Up. PostgreSQL at ${placeOf(session.url)}${session.embedded ? ' (embedded)' : ''}.`);
      say(`A worker runs ${concurrency} jobs at a time. Another terminal: npx nightshift status`);
      say('A scheduler fires what is due by the clock: npx nightshift schedules list');
      say(`Webhooks of providers: ${web.url}/webhooks/…; metrics: ${web.metricsUrl}/metrics`);
      // A failed worker or a lost server ends this process, with an exit code that says so.
      const signal = await Promise.race([stop, worker.stopped, session.lost]);
      if (signal) say(`${signal}: running jobs have ${drainSeconds} s to finish; then they are handed back.`);
      await Promise.all([scheduler.stop(), worker.stop()]);
    });
};
