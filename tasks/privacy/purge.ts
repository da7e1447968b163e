/**
 * Purges an account that was closed: its connection goes with all its rows, as `connections remove` does it, and figures
 * do not count it any more, because a figure whose rows are gone could be neither explained nor computed again. The
 * request and its proof stay with the brand. A run that breaks off goes on behind the removal that it began.
 */
import { z } from 'zod';
import type { Reader } from '#sql/db/reader.ts';
import { lostText } from '#sql/periods/lost.ts';
import { finishRequest, lastSuccessOf, readRequest, saveProgress, saveProof } from '#sql/privacy/requests.ts';
import { beginRemoval, endRemoval, removeJobs } from '#sql/tenants/removal.ts';
import { emptyTable, type Owner, rowsOf, tablesOf } from '#sql/tenants/removal_tables.ts';
import { enqueueRollups } from '../store_page.ts';
import { defineTask, type Tally, type TaskContext } from '../task.ts';

const TIMEOUT_SECONDS = 4 * 60 * 60;
const ACTOR = 'privacy_purge';
/** An account that was closed answers nobody for two days before it is to be purged. */
const SILENT_MS_MIN = 24 * 60 * 60_000;

export const privacyPurge = defineTask({
  name: 'privacy_purge',
  // Without the connection: the jobs that name it are removed with it.
  payload: z.strictObject({ brandId: z.uuid(), request: z.int() }),
  lane: ({ brandId }) => `privacy:${brandId}`,
  key: ({ brandId, request }) => `${brandId}:${request}`,
  attempts: 20,
  timeoutSeconds: TIMEOUT_SECONDS,
  async run({ brandId, request: id }, context): Promise<Tally> {
    const { db, log } = context;
    const request = await readRequest(db, { brandId, id });
    if (request === undefined || request.doneAt !== null || request.kind !== 'erase_account')
      return { skipped: 'there is no such open request' };
    const connectionId = request.progress?.purging ?? request.connectionId;
    if (connectionId === null || request.progress?.foreign !== undefined)
      return { skipped: 'the account is of no connection' };
    if (request.progress?.purging === undefined) {
      const lastAt = await lastSuccessOf(db, { brandId, connectionId });
      if (lastAt !== null && lastAt.getTime() > request.requestedAt.getTime() - SILENT_MS_MIN)
        return { incomplete: 'the account still answers, so it is not purged: an operator decides' };
    }
    const owner: Owner = { kind: 'connection', brandId, id: connectionId };
    // What was begun is not begun again: the connection may be gone, and the account be there again.
    if (request.progress?.purging === undefined) await begin(context, { brandId, id }, connectionId);
    const isThere = await isBeingRemoved(db, owner);
    const purged = isThere ? await empty(context, owner) : {};
    const lost = isThere ? await endRemoval(db, owner, ACTOR) : [];
    for (const one of lost) log.error({ brandId, ...one }, `nothing is booked: ${lostText(one)}`);
    const found = isThere ? await rowsOf(db, [owner]) : {};
    return db.finish(async (tx) => {
      await saveProof(tx, { brandId, id }, { searchedAt: new Date().toISOString(), searched: purged, found });
      await finishRequest(tx, { brandId, id, by: ACTOR, details: { purged } });
      return { purged: Object.values(purged).reduce((sum, rows) => sum + rows, 0) };
    });
  },
});

/** From here on no figure counts the connection. Other requests of it are done with it. */
async function begin(
  { db, services, now }: TaskContext,
  which: { brandId: string; id: number },
  connectionId: string,
): Promise<void> {
  const { brandId } = which;
  const tables = services.providers.providers.flatMap(({ streams }) =>
    streams.flatMap((stream) => [...stream.tables]),
  );
  await db.transaction(async (tx) => {
    const removal = { brandId, connectionId, tables, now: now(), actor: ACTOR };
    await saveProgress(tx, which, { purging: connectionId });
    const { retailerIds } = await beginRemoval(tx, removal);
    await enqueueRollups(tx, brandId, retailerIds, undefined, {});
  });
}

async function isBeingRemoved(db: Reader, { brandId, id }: Owner): Promise<boolean> {
  const { rows } = await db.query(
    'select from app.connections where brand_id = $1 and id = $2 and removing_at is not null',
    [brandId, id],
  );
  return rows.length > 0;
}

async function empty({ db, signal, progress }: TaskContext, owner: Owner): Promise<Record<string, number>> {
  await removeJobs(db, owner);
  const purged: Record<string, number> = {};
  for (const table of await tablesOf(db, owner.kind)) {
    signal.throwIfAborted();
    progress({ table });
    const rows = await emptyTable(db, table, owner);
    if (rows > 0) purged[table] = rows;
  }
  return purged;
}
