/** `sync status` */
import type { Command } from 'commander';
import { streamsOf } from '#connectors/index.ts';
import type { Db } from '#sql/pool.ts';
import type { Cli } from '../cli.ts';
import { everyConnection, type Found } from '../find_connection.ts';
import { span } from '../format.ts';
import type { Row } from '../output.ts';
import { openSession } from '../session.ts';

export function addStatus(command: Command, cli: Cli): void {
  command
    .command('status')
    .description('how far each stream is, and how its last run ended')
    .option('--brand <brand>', 'only of this brand')
    .action(async ({ brand }: { brand?: string }) => {
      await using session = await openSession(cli);
      const rows = [];
      for (const found of await everyConnection(session.db, brand))
        rows.push(...(await streamRows(session.db, found)));
      const columns = [
        'brand',
        'connection',
        'stream',
        'state',
        'last_success_at',
        'lag',
        'rejected',
        'cause',
      ];
      cli.out.list(cli.out.json ? rows.map(({ lag, ...row }) => row) : rows, columns);
    });
}

async function streamRows(db: Db, { brand, connection }: Found): Promise<Row[]> {
  const { rows } = await db.query(STREAMS, [connection.brandId, connection.id]);
  return streamsOf(connection.provider).map(({ name: stream }) => {
    const known = rows.find((row) => row.stream === stream);
    const base = { brand: brand.slug, connection: connection.name, provider: connection.provider, stream };
    if (!known)
      return { ...base, state: connection.heldAt === null ? 'never' : 'held', cause: connection.heldReason };
    const lag = known.lag_seconds === null ? null : span(known.lag_seconds * 1000);
    const held = connection.heldAt === null ? {} : { state: 'held', cause: connection.heldReason };
    return { ...base, ...known, lag, ...held };
  });
}

const STREAMS = `
  select p.stream, p.state, p.last_run_at, p.last_success_at,
         extract(epoch from now() - p.last_success_at)::float8 as lag_seconds,
         (select count(*) from ops.rejected_rows r
          where (r.brand_id, r.connection_id, r.stream) = (p.brand_id, p.connection_id, p.stream)) as rejected,
         p.cause, p.position
  from ops.positions p where p.brand_id = $1 and p.connection_id = $2`;
