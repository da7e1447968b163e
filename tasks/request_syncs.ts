/** Queues the syncs of an account: one job for its streams, and a job for each stream that must be read completely. */
import { isBackfillDue, type Stream } from '#connectors/kit/stream.ts';
import type { Tx } from '#sql/db/pool.ts';
import { noteFirstLoad } from '#sql/load/first_loads.ts';
import { keepConnection } from '#sql/load/load_lock.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { readStates } from '#sql/load/sync_state.ts';
import { type EnqueueOptions, enqueue } from './enqueue.ts';
import { requestSync } from './request_sync.ts';
import { syncConnection } from './sync_connection.ts';

export type Requested = { job: string; streams: readonly Stream[] };

export async function requestSyncs(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  { streams, now }: { streams: readonly Stream[]; now?: string | undefined },
  options: EnqueueOptions = {},
): Promise<Requested[]> {
  const key = { brandId, connectionId };
  const played = now === undefined ? {} : { now };
  await keepConnection(tx, { brandId, connectionId });
  const states = await readStates(tx, key);
  const at = now === undefined ? new Date() : new Date(now);
  const apart = streams.filter((stream) =>
    isBackfillDue(stream, states.get(stream.name)?.position ?? null, at),
  );
  const shared = streams.filter((stream) => !apart.includes(stream));
  const requested: Requested[] = [];
  if (shared.length > 0) {
    const job = await enqueue(tx, syncConnection, { ...key, ...played }, options);
    for (const { name: stream } of shared)
      if (states.get(stream)?.state === 'never') await noteFirstLoad(tx, { ...key, stream }, job);
    requested.push({ job, streams: shared });
  }
  for (const stream of apart) {
    const payload = { ...key, stream: stream.name, ...played };
    requested.push({ job: await requestSync(tx, payload, options), streams: [stream] });
  }
  return requested;
}
