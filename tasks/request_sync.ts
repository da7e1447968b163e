/** Queues the run of a stream, and notes that it is wanted: what waits for first loads knows of it from now on. */
import type { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { noteWanted } from '#sql/load/first_loads.ts';
import { keepConnection } from '#sql/load/load_lock.ts';
import { type EnqueueOptions, enqueue } from './enqueue.ts';
import { syncStream } from './sync_stream.ts';

export async function requestSync(
  tx: Tx,
  payload: z.input<typeof syncStream.payload>,
  options: EnqueueOptions = {},
): Promise<string> {
  const { brandId, connectionId, since, until, ids } = payload;
  await keepConnection(tx, brandId, connectionId);
  if ((since ?? until ?? ids) === undefined) await noteWanted(tx, payload);
  return enqueue(tx, syncStream, payload, options);
}
