/** Queues syncs: one job for all streams of an account, and a job for each stream that must be read completely. */
import { randomUUID } from 'node:crypto';
import { findStream, streamsOf } from '#connectors/providers.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Connection } from '#sql/tenants/connections.ts';
import { requestSync } from '#tasks/request_sync.ts';
import { requestSyncs } from '#tasks/request_syncs.ts';
import type { Followed } from '../shared/follow.ts';
import type { Cli } from '../shared/noun.ts';
import type { Row } from '../ui/output.ts';
import type { Choice } from './choose.ts';

/** What to read, if not what is new. */
export type Reading = {
  full?: boolean;
  reconcile?: boolean;
  since?: string;
  until?: string;
  now?: string;
};

/** A job, and the row of each stream that it is to bring up to date. */
export type QueuedSync = Followed & { connection: Connection; rows: { stream: string; row: Row }[] };

// A person means now, even if a job of this stream waits for tomorrow. A provider that still limits our requests
// gets none: its rate limit is in the database.
const NOW = { keyMode: 'replace' } as const;

export async function enqueueSyncs(
  db: Db,
  choices: readonly Choice[],
  reading: Reading,
): Promise<QueuedSync[]> {
  const queued: QueuedSync[] = [];
  for (const of of byConnection(choices))
    queued.push(
      ...(isAll(of, reading) ? await enqueueAll(db, of, reading) : await enqueueEach(db, of, reading)),
    );
  return queued;
}

function byConnection(choices: readonly Choice[]): Choice[][] {
  return [...Map.groupBy(choices, ({ connection }) => connection.id).values()];
}

/** Whether it reads the changes of the whole account. */
function isAll(choices: readonly Choice[], { full, reconcile, since, until }: Reading): boolean {
  const [first] = choices;
  if (first === undefined || full || reconcile || (since ?? until) !== undefined) return false;
  return streamsOf(first.connection.provider).every(({ name }) =>
    choices.some(({ stream }) => stream === name),
  );
}

async function enqueueAll(db: Db, choices: readonly Choice[], { now }: Reading): Promise<QueuedSync[]> {
  const [first] = choices;
  if (first === undefined) return [];
  const { brandId, id: connectionId } = first.connection;
  const streams = choices.map(({ stream }) => findStream(stream));
  const requested = await db.transaction(async (tx) => {
    await recordSync(tx, first.connection, { now });
    return requestSyncs(tx, { brandId, connectionId }, { streams, now }, NOW);
  });
  return requested.map(({ job, streams: of }) =>
    queuedAs(
      job,
      choices.filter(({ stream }) => of.some(({ name }) => name === stream)),
    ),
  );
}

async function enqueueEach(db: Db, choices: readonly Choice[], reading: Reading): Promise<QueuedSync[]> {
  const queued: QueuedSync[] = [];
  for (const choice of choices) {
    const { brandId, id: connectionId } = choice.connection;
    // If an earlier full sync still waits for a retry, this one makes it start over.
    const request = reading.full ? randomUUID() : undefined;
    const payload = { brandId, connectionId, stream: choice.stream, ...reading, request };
    const id = await db.transaction(async (tx) => {
      await recordSync(tx, choice.connection, { stream: choice.stream, ...reading });
      return requestSync(tx, payload, NOW);
    });
    queued.push(queuedAs(id, [choice]));
  }
  return queued;
}

/** Before the job, whose row may have to be waited for. */
function recordSync(tx: Tx, { brandId, name }: Connection, details: Reading & { stream?: string }) {
  const action = details.reconcile ? 'sync.reconcile' : 'sync.run';
  return recordAction(tx, { action, brandId, target: name, details });
}

function queuedAs(id: string, choices: readonly Choice[]): QueuedSync {
  const [first] = choices;
  if (first === undefined) throw new TypeError(`job ${id} is for no stream`);
  const { connection, stream } = first;
  const label = choices.length === 1 ? `${connection.name} ${stream}` : connection.name;
  const rows = choices.map((choice) => ({ stream: choice.stream, row: { job_id: id, ...choice.row } }));
  return { id, label, connection, rows };
}

export function listQueued({ out }: Cli, queued: readonly QueuedSync[]): void {
  const rows = queued.flatMap(({ rows }) => rows.map(({ row }) => row));
  out.list(rows, ['job_id', 'connection', 'stream']);
}
