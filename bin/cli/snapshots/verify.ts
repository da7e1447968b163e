/** `snapshots verify` */
import type { Command } from 'commander';
import { findSnapshot, latestSnapshot, type Snapshot, SnapshotNotFound } from '#sql/snapshots/catalogue.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { findBrand, listBrands } from '#sql/tenants/brands.ts';
import { VERIFY_LEVEL_MAX } from '#tasks/snapshots/verify.ts';
import { verifyRecorded } from '#tasks/snapshots/verify_recorded.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import { wholeNumber } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { grouped } from '../ui/format.ts';
import { startProgress } from '../ui/progress.ts';

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
    .option('--latest', 'the latest snapshot of each brand')
    .option('--brand <brand>', 'with --latest: only of this brand')
    .option('--level <level>', 'how far to go', wholeNumber(0, VERIFY_LEVEL_MAX), LEVEL_USUAL)
    .action((id: string | undefined, options: Options) => verify(cli, id, options));
}

async function verify(cli: Cli, id: string | undefined, options: Options): Promise<void> {
  if ((id === undefined) !== (options.latest === true))
    throw new UsageError('Which snapshot?', 'give its id, or --latest');
  await using session = await openSession(cli);
  const { store, sealer, minutes } = await openSnapshots(cli, session);
  const { db } = session;
  const { level } = options;
  using progress = startProgress(cli.io.stderr);
  for (const snapshot of await chosen(session, id, options)) {
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

async function chosen({ db }: Session, id: string | undefined, { brand }: Options): Promise<Snapshot[]> {
  if (id !== undefined) return [await findSnapshot(db, id)];
  const brands = brand === undefined ? await listBrands(db) : [await findBrand(db, brand)];
  const found: Snapshot[] = [];
  for (const { id: brandId } of brands) found.push(...[(await latestSnapshot(db, brandId)) ?? []].flat());
  if (found.length === 0)
    throw new SnapshotNotFound(brand === undefined ? 'snapshot' : `snapshot of ${brand}`);
  return found;
}
