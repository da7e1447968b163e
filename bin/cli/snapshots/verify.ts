/** `snapshots verify` */
import type { Command } from 'commander';
import { findSnapshot, latestToRestore, type Snapshot, SnapshotNotFound } from '#sql/snapshots/catalogue.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { VERIFY_LEVEL_MAX } from '#tasks/snapshots/verify.ts';
import { verifyRecorded } from '#tasks/snapshots/verify_recorded.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import { wholeNumber } from '../ui/arguments.ts';
import { grouped } from '../ui/format.ts';
import { startProgress } from '../ui/progress.ts';
import { brandsOf, whichSnapshot } from './which.ts';

type Options = { latest?: boolean; brand?: string; level: number };

/** By the files alone. */
const LEVEL_USUAL = 2;

export function addVerify(command: Command, cli: Cli): void {
  command
    .command('verify')
    .description(
      'prove that a snapshot is whole: 0 files present, 1 hashes, 2 decrypted and parsed, 3 restored',
    )
    .argument('[id]', 'id of the snapshot, or the beginning of it')
    .option('--latest', 'the latest snapshot of each brand, of everything if there is one')
    .option('--brand <brand>', 'with --latest: only of this brand')
    .option('--level <level>', 'how far to go', wholeNumber(0, VERIFY_LEVEL_MAX), LEVEL_USUAL)
    .action((id: string | undefined, options: Options) => verify(cli, id, options));
}

async function verify(cli: Cli, id: string | undefined, options: Options): Promise<void> {
  if ((id === undefined) !== (options.latest === true)) throw whichSnapshot(id);
  await using session = await openSession(cli);
  const { store, sealer, minutes } = await openSnapshots(cli, session);
  const { db } = session;
  const { level } = options;
  using progress = startProgress(cli.io.stderr);
  for (const snapshot of await chosen(cli, session, id, options)) {
    const { brandId, id: found, brand } = snapshot;
    await db.transaction((tx) =>
      recordAction(tx, { action: 'snapshots.verify', brandId, target: found, details: { level } }),
    );
    const { parts, rows } = await verifyRecorded({
      ...{ db, store, sealer, snapshot, level, limitSeconds: minutes * 60 },
      progress: ({ parts: done, of }) => progress.show([`${brand} ${found}: ${done} of ${of} files`]),
    });
    progress.show([]);
    cli.out.record({ snapshot: found, brand, level, parts, rows }, () => [
      `${found} of ${brand} is whole at level ${level}: ${grouped(rows)} rows in ${grouped(parts)} files`,
    ]);
  }
}

async function chosen(
  cli: Cli,
  session: Session,
  id: string | undefined,
  { brand }: Options,
): Promise<Snapshot[]> {
  if (id !== undefined) return [await findSnapshot(session.db, id)];
  const found: Snapshot[] = [];
  const without: string[] = [];
  for (const { id: brandId, slug } of await brandsOf(session, brand)) {
    const latest = await latestToRestore(session.db, brandId);
    if (latest === undefined) without.push(slug);
    else found.push(latest);
  }
  if (found.length === 0)
    throw new SnapshotNotFound(brand === undefined ? 'snapshot' : `snapshot of ${brand}`);
  for (const slug of without)
    cli.out.say(`${slug} has no snapshot. Next: npx nightshift snapshots create --brand ${slug} --wait`);
  return found;
}
