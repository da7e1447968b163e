/** Queues the syncs of an account: one job for its streams, and a job for each stream that must be read completely. */
import type { Stream } from '#connectors/kit/stream.ts';
import type { Tx } from '#sql/db/pool.ts';
import { noteFirstLoad } from '#sql/load/first_loads.ts';
import { keepConnection } from '#sql/load/load_lock.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { readStates } from '#sql/load/sync_state.ts';
import { type EnqueueOptions, enqueue } from './enqueue.ts';
import { requestSync } from './request_sync.ts';
import { splitRuns } from './stream_run.ts';
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
  const { apart, shared, paused } = splitRuns(streams, states, at);
  const together = [...shared, ...paused];
  const requested: Requested[] = [];
  if (together.length > 0) {
    const job = await enqueue(tx, syncConnection, { ...key, ...played }, options);
    for (const { stream, before } of together)
      if (before.state === 'never') await noteFirstLoad(tx, { ...key, stream: stream.name }, job);
    requested.push({ job, streams: together.map(({ stream }) => stream) });
  }
  for (const { stream } of apart) {
    const payload = { ...key, stream: stream.name, ...played };
    requested.push({
      job: await requestSync(tx, payload, { ...options, priority: 'bulk' }),
      streams: [stream],
    });
  }
  return requested;
}
