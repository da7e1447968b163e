/** Puts syncs on the queue, a job for each stream. */
import { randomUUID } from 'node:crypto';
import type { Db } from '#sql/db/pool.ts';
import { requestSync } from '#tasks/request_sync.ts';
import type { Followed } from '../shared/follow.ts';
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

export type QueuedSync = Followed & { retailerId: string | null; row: Row };

export async function enqueueSyncs(
  db: Db,
  choices: readonly Choice[],
  reading: Reading,
): Promise<QueuedSync[]> {
  const queued: QueuedSync[] = [];
  for (const { connection, stream, row } of choices) {
    const { brandId, id: connectionId, retailerId, name } = connection;
    // Where an earlier full sync still waits to be tried again, this one makes it begin anew.
    const request = reading.full ? randomUUID() : undefined;
    const payload = { brandId, connectionId, stream, ...reading, request };
    // Who asks means now, also where a job of this stream waits for tomorrow. A provider that still limits
    // our calls is not asked: its budget is in the database.
    const id = await db.transaction((tx) => requestSync(tx, payload, { keyMode: 'replace' }));
    queued.push({ id, label: `${name} ${stream}`, retailerId, row: { job_id: id, ...row } });
  }
  return queued;
}
