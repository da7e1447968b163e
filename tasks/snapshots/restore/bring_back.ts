/**
 * A restore in place of what is live, as a whole: the jobs of the brand come to rest, a snapshot keeps what is there, one
 * transaction makes its rows those of the snapshot. Recorded, whatever came of it.
 */
import type { Stream } from '#connectors/kit/stream.ts';
import type { Snapshot } from '#sql/snapshots/catalogue.ts';
import { atRest, keepPresent } from './before.ts';
import { type LiveOptions, type RestoredLive, restoreIntoLive } from './into_live.ts';
import { restoreRecorded } from './recorded.ts';

export type BringBackOptions = Omit<LiveOptions, 'before' | 'tables' | 'onceOnly' | 'db'> &
  Pick<Parameters<typeof keepPresent>[0], 'db' | 'url' | 'store' | 'minutes' | 'brand'> & {
    snapshot: Snapshot;
    streams: readonly Stream[];
  };

/** `before` is the snapshot that undoes it. The signal ends it as long as nothing is committed, and then nothing is changed. */
export function bringBack(options: BringBackOptions): Promise<RestoredLive & { before: string }> {
  const { db, snapshot, signal } = options;
  return restoreRecorded(db, snapshot, () =>
    work(options).catch((error) => {
      signal?.throwIfAborted(); // what it breaks off has errors of its own
      throw error;
    }),
  );
}

async function work(options: BringBackOptions): Promise<RestoredLive & { before: string }> {
  const { db, url, store, sealer, minutes, brand, content, limitSeconds, streams, signal } = options;
  const limit = AbortSignal.timeout(limitSeconds * 1_000);
  const ending = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  await using _ = await atRest(db, brand, { limitSeconds, signal: ending });
  const before = await keepPresent({
    ...{ db, url, store, sealer, minutes, brand, scope: content.scope, signal: ending },
  });
  const restored = await restoreIntoLive({
    ...{ ...options, before },
    tables: streams.flatMap((stream) => [...stream.tables]),
    onceOnly: new Set(
      streams.flatMap(({ deliver, tables }) =>
        tables.filter(({ keeps }) => deliver !== undefined || keeps !== undefined).map(({ name }) => name),
      ),
    ),
  });
  return { before: before.id, ...restored };
}
