/** A person as each connection of the brand knows it. */
import type { Provider } from '#connectors/kit/provider.ts';
import type { Reader } from '#sql/db/reader.ts';
import { pseudonymsOf } from '#sql/load/redact/erased.ts';
import { type Form, formsOf } from '#sql/privacy/forms.ts';
import type { Identity } from '#sql/privacy/identity.ts';
import { objectKey, type PersonHere, type PersonTables, personTablesOf } from '#sql/privacy/person_tables.ts';
import type { IdentifierOf, PersonKey } from '#sql/tenants/persons.ts';

export type Known = {
  brandId: string;
  /** The connection whose ids the request names. */
  connectionId: string | null;
  identity: Identity;
  digest: string | null;
  /** Pseudonyms of the id and of the digest, of those that are erased. */
  names: ReadonlyMap<string, string>;
  forms: readonly Form[];
};

export type Place = { connectionId: string; tables: PersonTables };

export async function knownOf(
  db: Reader,
  key: PersonKey,
  { brandId, connectionId, identity }: Pick<Known, 'brandId' | 'connectionId' | 'identity'>,
): Promise<Known> {
  const digest = identity.email === undefined ? null : key.digestOf(identity.email);
  const asked = identifiersOf({ connectionId, identity, digest }).flatMap((of): [string, IdentifierOf][] =>
    of.kind === 'object' ? [] : [[of.kind === 'email' ? of.digest : of.id, of]],
  );
  const names = await pseudonymsOf(db, { brandId, key }, asked);
  return { brandId, connectionId, identity, digest, names, forms: formsOf(identity, { digest, names }) };
}

/** What the loader is to know the person by. */
export function identifiersOf({
  connectionId,
  identity: { customer, objects = {} },
  digest,
}: Pick<Known, 'connectionId' | 'identity' | 'digest'>): IdentifierOf[] {
  const own = (connectionId === null ? [] : Object.entries(objects)).flatMap(([table, ids]) =>
    ids.map((id): IdentifierOf => ({ kind: 'object', connectionId: connectionId ?? '', table, id })),
  );
  return [
    ...(customer !== undefined && connectionId !== null
      ? [{ kind: 'customer', connectionId, id: customer } as const]
      : []),
    ...(digest === null ? [] : [{ kind: 'email', digest } as const]),
    ...own,
  ];
}

/** `more`: objects of this connection that were found to name the person. */
export function hereOf(known: Known, connectionId: string, more: readonly string[] = []): PersonHere {
  const { identity, digest, names } = known;
  const isOwn = connectionId === known.connectionId;
  const both = (name: string | null | undefined) =>
    name == null ? [] : [name, ...(names.get(name) === undefined ? [] : [names.get(name) as string])];
  const own = Object.entries(identity.objects ?? {}).flatMap(([table, ids]) =>
    ids.map((id) => objectKey(table, id)),
  );
  return {
    customers: isOwn ? both(identity.customer) : [],
    emails: both(digest),
    objects: [...(isOwn ? own : []), ...more],
  };
}

/** The connections of the brand, each with the tables of its provider that name persons; `also`: those of a copy of the table. */
export async function placesOf(
  db: Reader,
  brandId: string,
  providers: readonly Provider[],
  also?: string,
): Promise<Place[]> {
  const more = also === undefined ? '' : ` union select id, provider from ${also} where brand_id = $1`;
  const { rows } = await db.query<{ id: string; provider: string }>(
    `select id, provider from app.connections where brand_id = $1 and removing_at is null${more} order by id`,
    [brandId],
  );
  const tables = new Map(providers.map(({ name, streams }) => [name, personTablesOf(streams)]));
  return rows.flatMap(({ id, provider }) => {
    const own = tables.get(provider);
    return own === undefined || own.size === 0 ? [] : [{ connectionId: id, tables: own }];
  });
}
