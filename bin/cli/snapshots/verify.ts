/** `snapshots verify` */
import type { Command } from 'commander';
import { builtIn } from '#connectors/providers.ts';
import { findSnapshot, latestToRestore, type Snapshot, SnapshotNotFound } from '#sql/snapshots/catalogue.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { LEVEL_OF_FIGURES, LEVEL_OF_VERSIONS, majorOf, type Proved } from '#tasks/snapshots/drill/prove.ts';
import { VERIFY_LEVEL_MAX } from '#tasks/snapshots/verify.ts';
import { verifyRecorded } from '#tasks/snapshots/verify_recorded.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import { serverUrl, wholeNumber } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { count, grouped } from '../ui/format.ts';
import { startProgress } from '../ui/progress.ts';
import { brandsOf, whichSnapshot } from './which.ts';

type Options = { latest?: boolean; brand?: string; level: number; server?: string };

/** By the files alone. */
const LEVEL_USUAL = 2;

export function addVerify(command: Command, cli: Cli): void {
  command
    .command('verify')
    .description(
      'prove that a snapshot is whole: 0 files present, 1 hashes, 2 decrypted and parsed, 3 restored, 4 its figures computed again from its rows, 5 the same on another major version of PostgreSQL',
    )
    .argument('[id]', 'id of the snapshot, or the beginning of it')
    .option('--latest', 'the latest snapshot of each brand, of everything if there is one')
    .option('--brand <brand>', 'with --latest: only of this brand')
    .option('--level <level>', 'how far to go', wholeNumber(0, VERIFY_LEVEL_MAX), LEVEL_USUAL)
    .option(
      '--server <url>',
      'with level 4 or 5: make the database on this server (default: NIGHTSHIFT_DRILL_URL for level 5, else the live one)',
      serverUrl,
    )
    .action((id: string | undefined, options: Options) => verify(cli, id, options));
}

async function verify(cli: Cli, id: string | undefined, options: Options): Promise<void> {
  if ((id === undefined) !== (options.latest === true)) throw whichSnapshot(id);
  await using session = await openSession(cli);
  const { url, store, sealer, minutes, drillUrl } = await openSnapshots(cli, session);
  const { db } = session;
  const { level } = options;
  const server = serverOf(options, drillUrl);
  const { streams } = cli.io.providers ?? builtIn;
  const place = { db, url, server, streams, limitSeconds: minutes * 60 };
  using progress = startProgress(cli.io.stderr);
  for (const snapshot of await chosen(cli, session, id, options)) {
    const { brandId, id: found, brand } = snapshot;
    await db.transaction((tx) =>
      recordAction(tx, { action: 'snapshots.verify', brandId, target: found, details: { level } }),
    );
    const { parts, rows, proved } = await verifyRecorded({
      ...{ db, store, sealer, snapshot, level, place },
      progress: ({ parts: done, of }) => progress.show([`${brand} ${found}: ${done} of ${of} files`]),
    });
    progress.show([]);
    cli.out.record({ snapshot: found, brand, level, parts, rows, ...rowOf(proved) }, () => [
      `${found} of ${brand} is whole at level ${level}: ${grouped(rows)} rows in ${grouped(parts)} files`,
      ...saidOf(snapshot, proved),
    ]);
  }
}

function serverOf({ level, server }: Options, drillUrl: string | undefined): string | undefined {
  if (server !== undefined && level < LEVEL_OF_FIGURES)
    throw new UsageError('Only levels 4 and 5 make a database.', 'add --level 5, or leave out --server');
  if (level < LEVEL_OF_VERSIONS) return server;
  if ((server ?? drillUrl) === undefined)
    throw new UsageError(
      'Level 5 needs a server of another major version.',
      'name it with --server, or in NIGHTSHIFT_DRILL_URL',
    );
  return server ?? drillUrl;
}

function rowOf(proved: Proved | undefined) {
  if (proved === undefined) return {};
  const { recoverySeconds, serverVersion, figures } = proved;
  return {
    recovery_seconds: recoverySeconds,
    ...(figures && { server_version: serverVersion, figures: figures.tables, waiting: figures.waiting }),
  };
}

function saidOf({ serverVersion: from }: Snapshot, proved: Proved | undefined): string[] {
  if (proved === undefined) return [];
  const { recoverySeconds, serverVersion, figures } = proved;
  const where =
    serverVersion === undefined || from === null
      ? ''
      : ` on PostgreSQL ${majorOf(serverVersion)}, made with ${majorOf(from)}`;
  return [
    `  restored in ${recoverySeconds} s${where}`,
    ...(figures
      ? [
          `  ${figures.tables} tables of figures are what its rows give, to the last digit; forecasts are not computed`,
        ]
      : []),
    ...(figures && figures.waiting > 0
      ? [
          `  ${count(figures.waiting, 'day or object', 'days and objects')} waited to be computed then, and are not proved`,
        ]
      : []),
  ];
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
