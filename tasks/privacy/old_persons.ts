/** Redacts what providers say of persons once it is older than the brand keeps it, a stretch of a table at a time. */
import type { Provider } from '#connectors/kit/provider.ts';
import type { Db } from '#sql/db/pool.ts';
import { hasErased, rememberErased } from '#sql/load/redact/erased.ts';
import { hasOld, redactOld } from '#sql/privacy/redact_old.ts';
import type { Redacted } from '#sql/privacy/redact_stored.ts';
import { cutoffOf } from '#sql/retention/brand_records.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { scopeOf } from './erase_steps.ts';
import { type Place, placesOf } from './person_here.ts';

export type OldPersons = {
  db: Pick<Db, 'query' | 'transaction'>;
  sealer: Sealer;
  providers: readonly Provider[];
  brandId: string;
  now: Date;
  signal: AbortSignal;
};

/** The number of rows. */
export async function redactOldPersons(options: OldPersons): Promise<number> {
  const { db, sealer, providers, brandId, now } = options;
  const cutoff = await cutoffOf(db, { brandId }, 'persons', now);
  const places = await placesOf(db, brandId, providers);
  // A run may have broken off between an object and its parts: where none was ever redacted, that is not so.
  if (!(await hasErased(db, brandId)) && !(await isAnyOld(options, places, cutoff))) return 0;
  // From here on each load looks whether what is stored of an object is redacted.
  await db.transaction(async (tx) =>
    rememberErased(tx, { brandId, key: await personKeyOf(tx, sealer, brandId) }, []),
  );
  let redacted = 0;
  for (const place of places) redacted += await redactPlace(options, place, cutoff);
  return redacted;
}

async function isAnyOld(
  { db, brandId }: OldPersons,
  places: readonly Place[],
  cutoff: Date,
): Promise<boolean> {
  for (const { connectionId, tables } of places)
    for (const { table, root } of tables.values())
      if (table === root && (await hasOld(db, { brandId, connectionId }, root, cutoff))) return true;
  return false;
}

async function redactPlace(
  { db, brandId, signal }: OldPersons,
  { connectionId, tables }: Place,
  cutoff: Date,
): Promise<number> {
  let sum = 0;
  for (const target of tables.values()) {
    let after: readonly string[] | null = null;
    do {
      signal.throwIfAborted();
      const from: readonly string[] | null = after;
      const { next, redacted }: Redacted = await db.transaction(
        async (tx): Promise<Redacted> =>
          (await scopeOf(tx, brandId, connectionId)) === undefined
            ? { next: null, redacted: 0 }
            : redactOld(tx, { brandId, connectionId }, target, { cutoff, after: from }),
      );
      sum += redacted;
      after = next;
    } while (after !== null);
  }
  return sum;
}
