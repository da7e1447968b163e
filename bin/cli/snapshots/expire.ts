/** `snapshots expire` */
import { type Command, Option } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import { openDb } from '#sql/db/pool.ts';
import { type Planned, planSnapshots } from '#sql/snapshots/retention.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { elsewhereSaid, expireSnapshots } from '#tasks/snapshots/expiry/expire.ts';
import { removeRemoved } from '#tasks/snapshots/expiry/removed.ts';
import { snapshotExpiry } from '#tasks/snapshots/expiry/snapshot_expiry.ts';
import { graceFor } from '#tasks/snapshots/expiry/sweep.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession, type Session } from '../shared/session.ts';
import { openSnapshots, snapshotServices } from '../shared/snapshots.ts';
import { endJobs } from './jobs.ts';
import { brandsOf } from './which.ts';

type Options = WaitOptions & { brand?: string; dryRun?: boolean; here?: boolean; now?: string };

export function addExpire(command: Command, cli: Cli): void {
  const verb = command
    .command('expire')
    .description('delete the snapshots that no rule keeps, and the files that no snapshot needs')
    .option('--brand <brand>', 'only this brand (default: all brands)')
    .addOption(
      new Option('--here', 'in this process, whose key may list, read and delete in the store').conflicts(
        'wait',
      ),
    )
    .option('--dry-run', 'list each snapshot with what becomes of it and why, and delete nothing');
  waitOptions(verb)
    .addOption(nowOption('act as of this instant, or as of now if that is earlier'))
    .action((options: Options) => expire(cli, options));
}

async function expire(cli: Cli, { brand, dryRun, here, now, wait, timeout }: Options): Promise<void> {
  await using session = await openSession(cli);
  const brands = await brandsOf(session, brand);
  if (dryRun)
    return await showPlan(cli, session, { brands, now: now === undefined ? new Date() : new Date(now) });
  if (here) return await expireHere(cli, session, { brands, areAll: brand === undefined, now });
  const jobs = [];
  for (const { id: brandId, slug } of brands) {
    const id = await session.db.transaction(async (tx) => {
      await recordAction(tx, { action: 'snapshots.expire', brandId, target: slug, details: { now } });
      return enqueue(tx, snapshotExpiry, { brandId, now }, { keyMode: 'replace' }); // means now
    });
    jobs.push({ id, label: `expired snapshots of ${slug}`, brand: slug });
  }
  await endJobs(cli, session, jobs, { wait, timeout, columns: ['expired', 'kept', 'files', 'bytes'] });
}

/** As long as the job may take. */
const HERE_MS_MAX = 6 * 3_600_000;

type Here = { brands: readonly Brand[]; areAll: boolean; now: string | undefined };

/** Where the key of the workers may only put. */
async function expireHere(cli: Cli, session: Session, { brands, areAll, now: given }: Here): Promise<void> {
  const { db } = session;
  const { url, store, sealer, minutes } = await openSnapshots(cli, session);
  await using locking = openDb(url, { applicationName: 'nightshift snapshot', max: 1 });
  const work = { db, locking, store, signal: AbortSignal.timeout(HERE_MS_MAX) };
  const now = given === undefined ? new Date() : new Date(given);
  const rows = [];
  for (const { id: brandId, slug } of brands) {
    await db.transaction((tx) =>
      recordAction(tx, { action: 'snapshots.expire', brandId, target: slug, details: { now: given } }),
    );
    const done = await expireSnapshots({ ...work, sealer, brandId, graceSeconds: graceFor(minutes), now });
    if (done.incomplete !== undefined) cli.exitCode = exitCodes.partial;
    rows.push({ brand: slug, ...done });
  }
  if (areAll) rows.push({ brand: 'removed brands', expired: 0, kept: 0, ...(await removeRemoved(work)) });
  cli.out.list(rows, ['brand', 'expired', 'kept', 'files', 'bytes', 'incomplete']);
}

/** A store is only named here, not asked. */
async function showPlan(
  cli: Cli,
  { db, config, url }: Session,
  { brands, now }: { brands: readonly { id: string; slug: string }[]; now: Date },
): Promise<void> {
  const { place } = snapshotServices(config, url).store;
  const rows = [];
  for (const { id: brandId, slug } of brands)
    for (const planned of await planSnapshots(db, { brandId, now })) {
      const { id, scope, createdAt, expiresAt, store } = planned;
      rows.push({
        ...{ snapshot: id, brand: slug, scope, created_at: createdAt, store, ...planOf(planned, place) },
        expires_at: expiresAt,
      });
    }
  cli.out.list(rows, ['snapshot', 'brand', 'scope', 'created_at', 'plan', 'reason', 'expires_at']);
}

function planOf({ rules, expires, store }: Planned, place: string): { plan: string; reason: string } {
  if (!expires) return { plan: 'kept', reason: rules.join(', ') };
  const over = rules.length === 0 ? 'no rule keeps it' : `over: ${rules.join(', ')}`;
  if (store === place) return { plan: 'expires', reason: over };
  return { plan: 'elsewhere', reason: `${over}; it ${elsewhereSaid(store)}` };
}
