/** Selects the streams and connections of a sync command. */
import { streamNames, streamsOf } from '#connectors/providers.ts';
import type { Db } from '#sql/db/pool.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import { type Connection, findConnection, listConnections } from '#sql/tenants/connections.ts';
import { ConnectionBeingRemoved, removeCommand } from '#sql/tenants/removing.ts';
import { ConnectionHeld, UsageError } from '../ui/errors.ts';
import type { Row } from '../ui/output.ts';

export type Choice = { connection: Connection; stream: string; row: Row };

export type Wish = { connection?: string; stream?: string };

/**
 * In the order in which streams are read. Held connections are left out, each with a command to type; if all are held,
 * the command is refused.
 */
export async function choose(
  db: Db,
  brand: Brand,
  wish: Wish,
): Promise<{ chosen: Choice[]; leftOut: string[] }> {
  const { stream: wanted } = wish;
  if (wanted !== undefined && !streamNames.some((name) => name === wanted)) {
    throw new UsageError(`There is no stream ${wanted}.`, `take one of ${streamNames.join(', ')}`);
  }
  const connections = await wished(db, brand, wish);
  const free = connections.filter(({ heldAt }) => heldAt === null);
  const stuck = connections.filter(({ heldAt }) => heldAt !== null);
  if (free.length === 0) throw refusal(brand, stuck);
  const chosen = free.flatMap((connection) =>
    streamsOf(connection.provider)
      .filter(({ name }) => wanted === undefined || name === wanted)
      .map(({ name: stream }) => ({ connection, stream, row: rowOf(brand, connection, stream) })),
  );
  return { chosen, leftOut: stuck.map((one) => leftOut(brand, one)) };
}

/** Names one that a person can release, if any. */
function refusal({ slug }: Brand, stuck: readonly Connection[]): Error {
  const held = stuck.find(({ removingAt }) => removingAt === null);
  return held
    ? new ConnectionHeld(slug, held.name, held.heldReason)
    : new ConnectionBeingRemoved(stuck[0]?.name ?? '', slug);
}

function leftOut({ slug }: Brand, { name, removingAt }: Connection): string {
  return removingAt
    ? `Left out: ${name} is being removed. ${removeCommand('connection', name, slug)}`
    : `Left out: ${name} is held. npx nightshift connections check ${name} --brand ${slug}`;
}

async function wished(db: Db, { id, slug }: Brand, { connection }: Wish): Promise<Connection[]> {
  if (connection !== undefined) return [await findConnection(db, id, connection)];
  const all = await listConnections(db, id);
  if (all.length > 0) return all;
  throw new UsageError(`Brand ${slug} has no connection yet.`, 'npx nightshift connections add --help');
}

function rowOf({ slug: brand }: Brand, { name: connection, provider }: Connection, stream: string): Row {
  return { brand, connection, provider, stream };
}
