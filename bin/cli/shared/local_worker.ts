/** A worker inside the process of a command: for `up`, `demo`, and `--wait` where no worker lives. */
import type { Task } from '#tasks/task.ts';
import type { Worker } from '#workers/queue/worker.ts';
import { keyringOf } from './keyring.ts';
import type { Cli } from './noun.ts';
import type { Session } from './session.ts';
import { snapshotServices } from './snapshots.ts';

export type LocalOptions = {
  concurrency?: number;
  drainSeconds?: number;
  report?: (error: unknown, tags?: Record<string, string>) => void;
};

/** Leaving the scope drains it. */
export async function startLocalWorker(
  cli: Cli,
  session: Session,
  options: LocalOptions = {},
): Promise<Worker> {
  const [{ tasks }, { deliverAlert }, { pingNights, sendPing }, { startWorker }] = await Promise.all([
    import('#tasks/index.ts'),
    import('#tasks/alerts/deliver_alert.ts'),
    import('#tasks/alerts/send_ping.ts'),
    import('#workers/queue/worker.ts'),
  ]);
  const { config, url, log } = session;
  const { concurrency, drainSeconds, stallSeconds } = config;
  const alerts = { webhook: config.alertWebhook, ...(options.report && { capture: options.report }) };
  const services = {
    ...(await keyringOf(cli, session)),
    ...{ ecbUrl: config.ecbUrl, alerts, pings: config.pings, url, snapshots: snapshotServices(config, url) },
  };
  // Who is told of promises, a command does not know: that is for the workers that stay.
  const told: readonly Task[] = [deliverAlert, sendPing, pingNights];
  const own = options.report ? tasks : tasks.filter((task) => !told.includes(task));
  const usual = { concurrency, drainSeconds, stallSeconds };
  return startWorker({ url, log, tasks: own, services, ...usual, ...options });
}
