/** `connections map`, `connections unmap` and `connections parts` */
import type { Command } from 'commander';
import { builtIn } from '#connectors/providers.ts';
import { listParts, mapPart, type PartChange, PartUnfit, unmapPart } from '#sql/tenants/connection_parts.ts';
import type { Connection } from '#sql/tenants/connections.ts';
import { findRetailer } from '#sql/tenants/retailers.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { recompute } from '../shared/recompute.ts';
import { openSession, type Session } from '../shared/session.ts';
import { count } from '../ui/format.ts';

type Options = { brand?: string; dryRun?: boolean };
type MapOptions = Options & { retailer: string; move?: boolean };

export function addMap(command: Command, cli: Cli): void {
  whichConnection(command.command('map'))
    .description('assign a part of a connection of the whole brand to a retailer; recomputes what it touches')
    .argument('<part>', 'the part, as the provider calls it')
    .requiredOption('--retailer <retailer>', 'retailer that gets it')
    .option('--move', 'take it from the retailer that has it')
    .option('--dry-run', 'show what would be recomputed and change nothing')
    .action((name: string, part: string, options: MapOptions) => map(cli, name, part, options));
}

async function map(cli: Cli, name: string, typed: string, options: MapOptions): Promise<void> {
  await using session = await openSession(cli);
  const { connection } = await findTheConnection(session.db, name, options.brand);
  const part = partOf(cli, connection, typed);
  const { id: retailerId, slug } = await findRetailer(session.db, connection.brandId, options.retailer);
  await change(cli, session, { connection, part, retailer: slug, dryRun: options.dryRun }, (tx, which) =>
    mapPart(tx, { ...which, retailerId, takesAway: options.move === true }),
  );
}

export function addUnmap(command: Command, cli: Cli): void {
  whichConnection(command.command('unmap'))
    .description('take a part from its retailer, so that it belongs to the brand alone')
    .argument('<part>', 'the part, as the provider calls it')
    .option('--dry-run', 'show what would be recomputed and change nothing')
    .action(async (name: string, part: string, { brand, dryRun }: Options) => {
      await using session = await openSession(cli);
      const { connection } = await findTheConnection(session.db, name, brand);
      await change(cli, session, { connection, part, retailer: null, dryRun }, unmapPart);
    });
}

export function addParts(command: Command, cli: Cli): void {
  whichConnection(command.command('parts'))
    .description('list the parts of a connection that belong to retailers; others belong to the brand alone')
    .action(async (name: string, { brand }: Options) => {
      await using session = await openSession(cli);
      const { connection } = await findTheConnection(session.db, name, brand);
      const parts = await listParts(session.db, connection.brandId, connection.id);
      const rows = parts.map(({ part, retailer }) => ({ connection: connection.name, part, retailer }));
      cli.out.list(rows, ['connection', 'part', 'retailer']);
    });
}

type Changed = { connection: Connection; part: string; retailer: string | null; dryRun: boolean | undefined };

async function change(
  cli: Cli,
  session: Session,
  { connection, part, retailer, dryRun }: Changed,
  made: (tx: Parameters<typeof mapPart>[0], which: PartChange) => ReturnType<typeof mapPart>,
): Promise<void> {
  const { brandId, id: connectionId, name } = connection;
  const { streams } = cli.io.providers ?? builtIn;
  const { days } = await recompute(session, { brandId, dryRun, streams }, (tx, tables, now) =>
    made(tx, { brandId, connectionId, part, tables, now }),
  );
  const record = { connection: name, part, retailer, dry_run: dryRun === true, days };
  const tense = dryRun ? 'would be' : 'are';
  const whose = retailer === null ? 'the brand alone' : `retailer ${retailer}`;
  cli.out.record(record, () => [
    `${part} of ${name} ${dryRun ? 'would belong' : 'belongs'} to ${whose}: ${count(days, 'day')} ${tense} marked to be recomputed.`,
  ]);
}

/** A release that does not know the provider of a row takes any text. */
function partOf(cli: Cli, { provider }: Connection, typed: string): string {
  const form = (cli.io.providers ?? builtIn).providers.find(({ name }) => name === provider)?.part;
  if (form === undefined) return typed;
  const part = form.read(typed);
  if (part === undefined) throw new PartUnfit(typed, `${form.written}; ${form.found}`);
  return part;
}
