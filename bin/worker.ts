#!/usr/bin/env node
/** Runs jobs until it is stopped. Procfile: worker. Exits with 0 only if it holds no job any more. */
import { makeKeyring } from '#connectors/providers.ts';
import { openServer } from '#sql/embedded/open_server.ts';
import { sealer } from '#sql/tenants/secrets.ts';
import { tasks } from '#tasks/index.ts';
import { startWorker } from '#workers/queue/worker.ts';
import { secretKeysOf } from './cli/shared/secret_keys.ts';
import { snapshotServices } from './cli/shared/snapshots.ts';
import { runProcess } from './run_process.ts';

await runProcess('worker', async ({ config, log, stop, report }) => {
  const {
    databaseUrl,
    dataDir,
    concurrency,
    drainSeconds,
    stallSeconds,
    allowedHosts,
    ecbUrl,
    alertWebhook,
    pings,
  } = config;
  await using server = await openServer({ databaseUrl, dataDir, log });
  const keys = await secretKeysOf(config, (line) => log.info(line));
  const services = {
    ...makeKeyring(sealer(keys), allowedHosts),
    ecbUrl,
    alerts: { webhook: alertWebhook, capture: report },
    pings,
    url: server.url,
    snapshots: snapshotServices(config, server.url),
  };
  const options = { url: server.url, concurrency, drainSeconds, stallSeconds, log, tasks, services, report };
  await using worker = await startWorker(options);
  log.info({ tasks: tasks.map(({ name }) => name), concurrency }, 'worker ready');
  const signal = await Promise.race([stop, worker.stopped, server.lost]); // rejects when it cannot go on
  log.info({ signal, drainSeconds }, 'worker stops');
  await worker.stop();
});
