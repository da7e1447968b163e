/** `snapshots expire` */
import type { Command } from 'commander';
import { planSnapshots } from '#sql/snapshots/retention.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { snapshotExpiry } from '#tasks/snapshots/expiry/snapshot_expiry.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession, type Session } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';
import { brandsOf } from './which.ts';

type Options = WaitOptions & { brand?: string; dryRun?: boolean; now?: string };

export function addExpire(command: Command, cli: Cli): void {
  const verb = command
    .command('expire')
    .description('delete the snapshots that no rule keeps, and the files that no snapshot needs')
    .option('--brand <brand>', 'only this brand (default: all brands)')
    .option('--dry-run', 'list each snapshot with what becomes of it and why, and delete nothing');
  waitOptions(verb)
    .addOption(nowOption('act as of this instant, or as of now if that is earlier'))
    .action((options: Options) => expire(cli, options));
}

async function expire(cli: Cli, { brand, dryRun, now, wait, timeout }: Options): Promise<void> {
  await using session = await openSession(cli);
  const brands = await brandsOf(session, brand);
  if (dryRun)
    return await showPlan(cli, session, { brands, now: now === undefined ? new Date() : new Date(now) });
  const jobs = [];
  for (const { id: brandId, slug } of brands) {
    const id = await session.db.transaction(async (tx) => {
      await recordAction(tx, { action: 'snapshots.expire', brandId, target: slug, details: { now } });
      return enqueue(tx, snapshotExpiry, { brandId, now }, { keyMode: 'replace' }); // means now
    });
    jobs.push({ id, label: `expired snapshots of ${slug}`, brand: slug });
  }
  if (!wait) {
    await sayQueued(cli, session, jobs);
    return cli.out.list(
      jobs.map((job) => ({ job_id: job.id, brand: job.brand })),
      ['job_id', 'brand'],
    );
  }
  const states = await finish(cli, session, jobs, { timeout });
  const done = jobs.map(({ id, brand: of }, at) => ({
    ...{ job_id: id, brand: of, state: states[at]?.state },
    ...states[at]?.tally,
    error: states[at]?.error_message,
  }));
  cli.out.list(done, ['brand', 'state', 'expired', 'kept', 'files', 'bytes', 'error']);
}

async function showPlan(
  cli: Cli,
  { db }: Session,
  { brands, now }: { brands: readonly { id: string; slug: string }[]; now: Date },
): Promise<void> {
  const rows = [];
  for (const { id: brandId, slug } of brands)
    for (const { id, scope, createdAt, expires, expiresAt, rules } of await planSnapshots(db, {
      brandId,
      now,
    }))
      rows.push({
        ...{ snapshot: id, brand: slug, scope, created_at: createdAt, plan: expires ? 'expires' : 'kept' },
        ...{ expires_at: expiresAt, reason: reasonOf(rules, expires) },
      });
  cli.out.list(rows, ['snapshot', 'brand', 'scope', 'created_at', 'plan', 'reason', 'expires_at']);
}

function reasonOf(rules: readonly string[], expires: boolean): string {
  if (!expires) return rules.join(', ');
  return rules.length === 0 ? 'no rule keeps it' : `over: ${rules.join(', ')}`;
}
