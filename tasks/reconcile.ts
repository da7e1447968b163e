/**
 * Finds the streams of a brand that were not reconciled for a week, and queues their reconciliation. It may run at any
 * time: streams that are not due are skipped.
 */
import { z } from 'zod';
import { isReconcilable } from '#connectors/providers.ts';
import type { Reader } from '#sql/db/reader.ts';
import { requestSync } from './request_sync.ts';
import { spread } from './spread.ts';
import { defineTask } from './task.ts';

/** A little less than a week, so that a weekly schedule never finds the last reconciliation slightly too recent. */
const DUE_AFTER_HOURS = 7 * 24 - 6;

export type Due = { connectionId: string; stream: string };

export const reconcile = defineTask({
  name: 'reconcile',
  payload: z.strictObject({
    brandId: z.uuid(),
    /** Only this one. */
    connectionId: z.uuid().optional(),
    now: z.iso.datetime({ offset: true }).optional(),
  }),
  key: ({ brandId, connectionId }) => [brandId, connectionId].filter(Boolean).join(':'),
  attempts: 8,
  timeoutSeconds: 600,
  schedules: [{ name: 'reconcile', of: 'brand', expression: (id) => `${spread(id, 60)} 5 * * 0` }],
  async run({ brandId, connectionId, now: instant }, { db, now }) {
    const due = await dueReconciliations(db, { brandId, connectionId, now: now() });
    for (const one of due) {
      const payload = { brandId, ...one, reconcile: true, ...(instant && { now: instant }) };
      await db.transaction((tx) => requestSync(tx, payload, { priority: 'bulk' }));
    }
    return { streams: due.length };
  },
});

/** Streams that were read to their end once, of connections that are not held. */
export async function dueReconciliations(
  db: Reader,
  { brandId, connectionId, now }: { brandId: string; connectionId?: string | undefined; now: Date },
): Promise<Due[]> {
  const { rows } = await db.query<Due>(
    `select p.connection_id as "connectionId", p.stream
     from ops.positions p
     join app.connections c on c.brand_id = p.brand_id and c.id = p.connection_id
     where p.brand_id = $1 and p.connection_id = coalesce($2::uuid, p.connection_id) and c.held_at is null
       and p.last_run_at is not null
       and coalesce(p.reconciled_at, '-infinity') <= $3::timestamptz - $4 * interval '1 hour'
     order by p.connection_id, p.stream`,
    [brandId, connectionId ?? null, now, DUE_AFTER_HOURS],
  );
  return rows.filter(({ stream }) => isReconcilable(stream));
}
