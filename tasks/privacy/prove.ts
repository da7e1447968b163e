/** The proof that nothing of a person is left: every text of the brand is searched, and every column that names persons. */
import type { Reader } from '#sql/db/reader.ts';
import { countMailOf } from '#sql/mail/persons.ts';
import { patternOf } from '#sql/privacy/forms.ts';
import { isOfPerson } from '#sql/privacy/person_tables.ts';
import type { Proof } from '#sql/privacy/requests.ts';
import { searchNext } from '#sql/privacy/search.ts';
import type { TextTable } from '#sql/privacy/text_tables.ts';
import { type Stretch, walkOn } from '#sql/privacy/walk.ts';
import type { Known, Place } from './person_here.ts';

const QUEUE = 'jobs on the queue';

export type Proving = {
  known: Known;
  places: readonly Place[];
  textTables: readonly TextTable[];
  signal: AbortSignal;
};

export async function prove(db: Reader, { known, places, textTables, signal }: Proving): Promise<Proof> {
  const searched: Record<string, number> = {};
  const found: Record<string, number> = {};
  const add = (to: Record<string, number>, name: string, count: number) => {
    if (count > 0 || to === searched) to[name] = (to[name] ?? 0) + count;
  };
  for (const table of textTables) {
    for (let after: readonly string[] | null = null, isFirst = true; isFirst || after; isFirst = false) {
      signal.throwIfAborted();
      const { scanned, hits, next } = await searchNext(db, known, table, after);
      add(searched, table.name, scanned);
      add(found, table.name, hits.length);
      after = next;
    }
  }
  for (const place of places) {
    for (const [name, count] of await namedInColumns(db, known, place, signal)) add(found, name, count);
  }
  // By the digest they are found above; these were stored while the erasure was under way.
  const pseudonym = known.names.get(known.digest ?? '');
  for (const [name, count] of pseudonym ? await countMailOf(db, known.brandId, pseudonym) : [])
    add(found, name, count);
  add(found, QUEUE, await namedOnQueue(db, known));
  return { searchedAt: new Date().toISOString(), searched, found };
}

/** Rows that name the person by the plain id or digest. Short ids are in no search of texts. */
async function namedInColumns(
  db: Reader,
  { brandId, connectionId, identity, digest }: Known,
  { tables, ...place }: Place,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const customers =
    identity.customer !== undefined && place.connectionId === connectionId ? [identity.customer] : [];
  const emails = digest === null ? [] : [digest];
  const counts = new Map<string, number>();
  for (const { table } of tables.values()) {
    const of = table.personal?.of ?? [];
    if (!of.some(({ as }) => (as === 'customer' ? customers : emails).length > 0)) continue;
    for (let after: readonly string[] | null = null, isFirst = true; isFirst || after; isFirst = false) {
      signal.throwIfAborted();
      const stretch: Stretch<number> = await walkOn(
        db,
        {
          ...{ brandId, connectionId: place.connectionId, table, wanted: 'to_jsonb(1)' },
          condition: isOfPerson(tables, table.name),
          values: [customers, emails, []],
        },
        after,
      );
      const { length } = stretch.rows;
      if (length > 0) counts.set(table.name, (counts.get(table.name) ?? 0) + length);
      after = stretch.next;
    }
  }
  return counts;
}

async function namedOnQueue(db: Reader, { brandId, forms }: Known): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    `select count(*)::int as n from ops.jobs
     where brand_id = $1
       and exists (select from unnest($2::text[]) p where concat_ws(' ', payload::text, last_error) ~* p)`,
    [brandId, forms.map(patternOf)],
  );
  return rows[0]?.n ?? 0;
}
