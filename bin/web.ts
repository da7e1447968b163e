#!/usr/bin/env node
/** Takes deliveries of providers, and tells of health and metrics, until told to stop. Procfile: web. */
import { makeKeyring } from '#connectors/providers.ts';
import { openServer } from '#sql/embedded/open_server.ts';
import { sealer } from '#sql/tenants/secrets.ts';
import { startWeb } from '#workers/web/web.ts';
import { secretKeysOf } from './cli/shared/secret_keys.ts';
import { runProcess } from './run_process.ts';

await runProcess('web', async ({ config, log, stop }) => {
  const { databaseUrl, dataDir, allowedHosts, web } = config;
  await using server = await openServer({ databaseUrl, dataDir, log });
  const services = makeKeyring(sealer(await secretKeysOf(config, (line) => log.info(line))), allowedHosts);
  await using running = await startWeb({ url: server.url, log, services, ...web });
  log.info({ url: running.url, metrics: running.metricsUrl }, 'web ready');
  const signal = await Promise.race([stop, server.lost]); // rejects when it cannot go on
  log.info({ signal }, 'web stops');
});
