/** `sync status` */
import type { Command } from 'commander';
import { streamsOf } from '#connectors/providers.ts';
import { exitCodes } from '#runtime/exit_codes.ts';
import type { Db } from '#sql/db/pool.ts';
import { readWarnings } from '#sql/load/warnings.ts';
import { everyConnection, type Found } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { span } from '../ui/format.ts';
import { failedOf, lineOf, readChecks, type ShownCheck, summaryOf } from './checks.ts';
import { sayWarnings, type Warned } from './warnings.ts';

export function addStatus(command: Command, cli: Cli): void {
  command
    .command('status')
    .description('show how far each stream is and how its last run ended')
    .option('--brand <brand>', 'only connections of this brand')
    .option('--checks', 'show the latest result of each check against the provider’s figures, failures first')
    .action(async ({ brand, checks }: Options) => {
      await using session = await openSession(cli);
      const found = await everyConnection(session.db, brand);
      await (checks ? listChecks(cli, session.db, found) : listStreams(cli, session.db, found));
    });
}

type Options = { brand?: string; checks?: boolean };

const STREAM_COLUMNS = [
  ...['brand', 'connection', 'stream', 'state', 'last_success_at', 'lag', 'checks', 'rejected'],
  'cause',
];

async function listStreams(cli: Cli, db: Db, found: readonly Found[]): Promise<void> {
  const rows = [];
  for (const one of found) rows.push(...(await streamRows(db, one)));
  if (rows.some(({ state }) => state !== 'ok')) cli.exitCode = exitCodes.failed;
  if (cli.out.json)
    return cli.out.list(
      rows.map(({ lag, ...row }) => row),
      STREAM_COLUMNS,
    );
  cli.out.list(
    rows.map((row) => ({ ...row, checks: summaryOf(row.checks) })),
    STREAM_COLUMNS,
  );
  for (const { connection, stream, checks } of rows)
    for (const check of failedOf(checks)) cli.out.say(`${connection} ${stream}: ${lineOf(check)}`);
  sayWarnings(cli, rows);
}

const CHECK_COLUMNS = [
  ...['brand', 'connection', 'stream', 'check', 'result', 'expected', 'found', 'difference', 'since'],
  ...['checked_at', 'cause'],
];

async function listChecks(cli: Cli, db: Db, found: readonly Found[]): Promise<void> {
  const rows = [];
  for (const { brand, connection } of found)
    for (const check of await readChecks(db, connection))
      rows.push({ brand: brand.slug, connection: connection.name, ...check });
  cli.out.list(rows, CHECK_COLUMNS);
}

type StreamRow = Warned & { checks: ShownCheck[] };

async function streamRows(db: Db, { brand, connection }: Found): Promise<StreamRow[]> {
  const { rows } = await db.query(STREAMS, [connection.brandId, connection.id]);
  const all = await readChecks(db, connection);
  const warned = await readWarnings(db, { brandId: connection.brandId, connectionId: connection.id });
  return streamsOf(connection.provider).map(({ name: stream }) => {
    const known = rows.find((row) => row.stream === stream);
    const checks = all.filter((check) => check.stream === stream);
    if (!known) throw new TypeError(`ops.streams does not list ${stream}`);
    const lag = known.lag_seconds === null ? null : span(known.lag_seconds * 1000);
    const warnings = warned.get(stream) ?? [];
    return { brand: brand.slug, connection: connection.name, stream, ...known, lag, checks, warnings };
  });
}

// What BI sees of it, and its number of quarantined records.
const STREAMS = `
  select s.provider, s.stream, s.state, s.last_run_at, s.last_success_at, s.lag_seconds, s.late_after_seconds, s.late_by_seconds,
         (select count(*) from ops.rejected_rows r
          where (r.brand_id, r.connection_id, r.stream) = (s.brand_id, s.connection_id, s.stream)) as rejected,
         s.error as cause, s.position, s.complete_to, s.reconciled_at
  from bi.sync_status s where s.brand_id = $1 and s.connection_id = $2`;
