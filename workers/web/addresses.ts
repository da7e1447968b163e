/**
 * The ids of all connections that may be addressed, in memory: whoever guesses one costs the database at most a look in
 * some seconds, and keeps no connection that is not remembered yet from it.
 */
import type { Db } from '#sql/db/pool.ts';
import { connectionsOf } from '#sql/webhooks/secrets.ts';

/** A new connection is known after this time. */
const LOOK_MS = 2_000;
const PAGE_MAX = 10_000;
const PAGES_MAX = 1_000;
const FIRST = '00000000-0000-0000-0000-000000000000';

export type Addresses = { has(connectionId: string): Promise<boolean> };

export function makeAddresses(db: Db, providers: readonly string[]): Addresses {
  let known: ReadonlySet<string> = new Set();
  let looking: Promise<void> | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  const look = async () => {
    const found = new Set<string>();
    let after = FIRST;
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const page = await connectionsOf(db, providers, { after, max: PAGE_MAX });
      for (const id of page) found.add(id);
      after = page.at(-1) ?? after;
      if (page.length < PAGE_MAX) break;
    }
    known = found;
    lookedAt = performance.now();
  };

  return {
    async has(connectionId) {
      if (known.has(connectionId)) return true;
      if (performance.now() - lookedAt < LOOK_MS) return false;
      looking ??= look().finally(() => {
        looking = undefined;
      });
      await looking;
      return known.has(connectionId);
    },
  };
}
