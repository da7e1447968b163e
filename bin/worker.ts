#!/usr/bin/env node
import { makeKeyring } from '#connectors/providers.ts';
/** Runs jobs until it is stopped. Procfile: worker. Exits with 0 only if it holds no job any more. */
import { type Config, readConfig } from '#runtime/config.ts';
import { makeLog } from '#runtime/log.ts';
import { type Sentry, startSentry } from '#runtime/sentry.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { endOnUncaught } from '#runtime/uncaught.ts';
import { openServer } from '#sql/embedded/open_server.ts';
import { sealer } from '#sql/tenants/secrets.ts';
import { tasks } from '#tasks/index.ts';
import { startWorker } from '#workers/queue/worker.ts';
import { secretKeysOf } from './cli/shared/secret_keys.ts';
import { firstCause } from './cli/ui/errors.ts';
import { exitCodeOf } from './cli/ui/exit_codes.ts';

const stop = stopSignal(); // from here on, so that a signal during the start is not lost
const log = makeLog('info', 'worker');
endOnUncaught((error) => log.fatal({ err: error }, 'uncaught error'));

await main().catch((thrown) => {
  const error = firstCause(thrown);
  log.fatal({ err: error }, 'the worker ends');
  process.exitCode = exitCodeOf(error);
});

async function main(): Promise<void> {
  const config = readConfig(process.env);
  log.level = config.logLevel;
  await using sentry = await startSentry(config.sentryDsn, 'worker');
  await work(config, sentry).catch((error) => {
    sentry.capture(firstCause(error));
    throw error;
  });
}

async function work(config: Config, { capture: report }: Sentry): Promise<void> {
  const {
    databaseUrl,
    dataDir,
    concurrency,
    drainSeconds,
    stallSeconds,
    allowedHosts,
    ecbUrl,
    alertWebhook,
  } = config;
  await using server = await openServer({ databaseUrl, dataDir, log });
  const keys = await secretKeysOf(config, (line) => log.info(line));
  const services = {
    ...makeKeyring(sealer(keys), allowedHosts),
    ecbUrl,
    alerts: { webhook: alertWebhook, capture: report },
  };
  const options = { url: server.url, concurrency, drainSeconds, stallSeconds, log, tasks, services, report };
  await using worker = await startWorker(options);
  log.info({ tasks: tasks.map(({ name }) => name), concurrency }, 'worker ready');
  const signal = await Promise.race([stop, worker.stopped, server.lost]); // rejects when it cannot go on
  log.info({ signal, drainSeconds }, 'worker stops');
  await worker.stop();
}
