/** `jobs prune` */
import type { Command } from 'commander';
import { countExpired, KEPT_DAYS, recordNames } from '#sql/queue/retention.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { retention } from '#tasks/retention.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';

type Options = WaitOptions & { dryRun?: boolean; now?: string };

const kept = recordNames.map((name) => `${name} ${KEPT_DAYS[name]} days`).join(', ');

export function addPrune(command: Command, cli: Cli): void {
  const verb = command
    .command('prune')
    .description(`delete old records of the platform's own work; kept: ${kept}`)
    .option('--dry-run', 'show how many there are and delete nothing');
  waitOptions(verb)
    .addOption(nowOption('act as of this instant, or as of now if that is earlier'))
    .action((options: Options) => prune(cli, options));
}

async function prune(cli: Cli, { dryRun, wait, timeout, now }: Options): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  if (dryRun) {
    const at = now === undefined ? new Date() : new Date(now);
    const counts = [];
    for (const name of recordNames)
      counts.push({
        records: `ops.${name}`,
        kept_days: KEPT_DAYS[name],
        to_delete: await countExpired(db, name, at),
      });
    return cli.out.list(counts, ['records', 'kept_days', 'to_delete']);
  }
  const id = await db.transaction(async (tx) => {
    await recordAction(tx, { action: 'jobs.prune', target: retention.name, details: { now } });
    return enqueue(tx, retention, { now }, { keyMode: 'replace' }); // means now
  });
  const jobs = [{ id, label: 'retention' }];
  if (!wait) {
    await sayQueued(cli, session, jobs);
    return cli.out.record({ job_id: id }, () => [`job ${id}`]);
  }
  const [state] = await finish(cli, session, jobs, { timeout });
  const deleted = state?.tally ?? {};
  cli.out.record({ job_id: id, state: state?.state, ...deleted }, () =>
    recordNames.map((name) => `${deleted[name] ?? 0} of ops.${name} deleted`),
  );
}
