/** `connections hold` and `connections release` */
import type { Command } from 'commander';
import type { Db, Tx } from '#sql/db/pool.ts';
import { releaseJobs } from '#sql/queue/jobs.ts';
import { type Connection, holdConnection, releaseConnection } from '#sql/tenants/connections.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { title } from '../ui/arguments.ts';
import { count } from '../ui/format.ts';

const HELD_BY_A_PERSON = 'operator'; // beside the codes of errors that hold a connection by themselves

export function addHold(command: Command, cli: Cli): void {
  whichConnection(command.command('hold'))
    .description('keep jobs from using the connection until it is released; queued jobs wait')
    .option('--reason <text>', 'reason, which status shows', title, 'held by hand')
    .action(async (name: string, { brand, reason }: { brand?: string; reason: string }) => {
      await using session = await openSession(cli);
      const { connection } = await findTheConnection(session.db, name, brand);
      const which = { brandId: connection.brandId, connectionId: connection.id };
      const why = { code: HELD_BY_A_PERSON, reason, now: new Date() };
      await session.db.transaction((tx) => holdConnection(tx, which, why));
      const held = connection.heldAt === null;
      const said = held ? `${name} is held.` : `${name} is held already: ${connection.heldReason}`;
      cli.out.record({ connection: connection.name, state: 'held', changed: held }, () => [said]);
    });
}

export function addRelease(command: Command, cli: Cli): void {
  whichConnection(command.command('release'))
    .description('let jobs use the connection again, and put the waiting ones back on the queue')
    .action(async (name: string, { brand }: { brand?: string }) => {
      await using session = await openSession(cli);
      const { connection } = await findTheConnection(session.db, name, brand);
      const { released, jobs } = await release(session.db, connection);
      const said = released
        ? `${name} is released; ${count(jobs, 'job')} put back.`
        : `${name} was not held.`;
      cli.out.record({ connection: connection.name, state: 'free', changed: released, jobs }, () => [said]);
    });
}

export type Released = { released: boolean; jobs: number };

export function release(db: Db, connection: Connection): Promise<Released> {
  return db.transaction((tx) => releaseIn(tx, connection));
}

/** In the transaction of the change that allows it; requeueing jobs comes last. */
export async function releaseIn(tx: Tx, { brandId, id: connectionId }: Connection): Promise<Released> {
  const released = await releaseConnection(tx, { brandId, connectionId });
  return { released, jobs: released ? await releaseJobs(tx, { brandId, connectionId }) : 0 };
}
