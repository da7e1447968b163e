/** Queues the run of a stream. If the stream was never read, its row names the job, so that rollups can wait for it. */
import type { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { noteFirstLoad } from '#sql/load/first_loads.ts';
import { keepConnection } from '#sql/load/load_lock.ts';
import { type EnqueueOptions, enqueue } from './enqueue.ts';
import { isPart } from './sync_job.ts';
import { syncStream } from './sync_stream.ts';

export async function requestSync(
  tx: Tx,
  payload: z.input<typeof syncStream.payload>,
  options: EnqueueOptions = {},
): Promise<string> {
  const { brandId, connectionId, stream } = payload;
  await keepConnection(tx, { brandId, connectionId });
  const job = await enqueue(tx, syncStream, payload, options);
  if (!isPart(payload)) await noteFirstLoad(tx, { brandId, connectionId, stream }, job);
  return job;
}
