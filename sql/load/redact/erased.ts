/** What is known of erased persons: identifiers, as keyed digests, and their pseudonyms. */
import { randomBytes } from 'node:crypto';
import type { Tx } from '../../db/pool.ts';
import type { Reader } from '../../db/reader.ts';
import type { IdentifierOf, PersonKey } from '../../tenants/persons.ts';

const PSEUDONYM_BYTES = 12;
/** A pseudonym begins with it. */
export const PSEUDONYM = 'erased:';

/** Identifiers beside what the caller knows them by. */
type Asked<Of> = readonly (readonly [known: Of, of: IdentifierOf])[];

/** The pseudonyms of those that are erased. */
export async function pseudonymsOf<Of>(
  db: Reader,
  { brandId, key }: { brandId: string; key: PersonKey },
  asked: Asked<Of>,
): Promise<Map<Of, string>> {
  if (asked.length === 0) return new Map();
  const identified = asked.map(([known, of]) => [known, key.identifierOf(of)] as const);
  const { rows } = await db.query<{ identifier: string; pseudonym: string }>(
    'select identifier, pseudonym from ops.erased_identifiers where brand_id = $1 and identifier = any ($2::text[])',
    [brandId, identified.map(([, identifier]) => identifier)],
  );
  const found = new Map(rows.map(({ identifier, pseudonym }) => [identifier, pseudonym]));
  return new Map(
    identified.flatMap(([known, identifier]): [Of, string][] => {
      const pseudonym = found.get(identifier);
      return pseudonym === undefined ? [] : [[known, pseudonym]];
    }),
  );
}

/**
 * From the commit on every load redacts what names one of them. The lock waits for loads that are under way, so that
 * what they store is there to be redacted afterwards; see `lockConnection`. One that is erased keeps its pseudonym.
 */
export async function rememberErased(
  tx: Tx,
  { brandId, key }: { brandId: string; key: PersonKey },
  identifiers: readonly IdentifierOf[],
): Promise<void> {
  await tx.query('select from app.brands where id = $1 for update', [brandId]);
  await tx.query('update app.brands set has_erased = true where id = $1 and not has_erased', [brandId]);
  await tx.query(
    `insert into ops.erased_identifiers (brand_id, identifier, known_to, pseudonym)
     select $1, identifier, known_to, pseudonym
     from unnest($2::text[], $3::uuid[], $4::text[]) as e (identifier, known_to, pseudonym)
     on conflict do nothing`,
    [
      brandId,
      identifiers.map((of) => key.identifierOf(of)),
      identifiers.map((of) => (of.kind === 'email' ? null : of.connectionId)),
      identifiers.map(() => `${PSEUDONYM}${randomBytes(PSEUDONYM_BYTES).toString('hex')}`),
    ],
  );
}

/** Whether anything of the brand may be redacted. */
export async function hasErased(db: Reader, brandId: string): Promise<boolean> {
  const { rows } = await db.query<{ erased: boolean }>(
    'select has_erased as erased from app.brands where id = $1',
    [brandId],
  );
  return rows[0]?.erased ?? false;
}

/** The pseudonyms of addresses that are erased by now. */
export async function erasedAddresses(db: Reader, brandId: string): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ pseudonym: string }>(
    'select pseudonym from ops.erased_identifiers where brand_id = $1 and known_to is null',
    [brandId],
  );
  return new Set(rows.map(({ pseudonym }) => pseudonym));
}

/** The pseudonym within a text. */
export function pseudonymIn(text: string): string | undefined {
  return /erased:[0-9a-f]+/.exec(text)?.[0];
}

/** Whether a text is the pseudonym of an erased person: no provider knows it. */
export function isPseudonym(id: string): boolean {
  return id.startsWith(PSEUDONYM);
}
