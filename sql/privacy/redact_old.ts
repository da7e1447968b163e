/**
 * Redacts objects of persons that have not changed for as long as the brand keeps what they say (rule `persons`), as an
 * erasure does it with an object of a person whom it does not know: ids and digests stay, and so does every figure. What
 * comes of such an object later is redacted as it is loaded.
 */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { IS_ERASED } from '../load/redact/row.ts';
import { rootColumnOf } from '../load/statements.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import type { Table } from '../load/table.ts';
import type { PersonTable } from './person_tables.ts';
import { IS_LEFT, type Redacted, redactWhere } from './redact_stored.ts';
import type { Place } from './walk.ts';

const NOBODY: ReadonlyMap<string, string> = new Map();

/** Of a root that says anything. */
function isOld({ personal }: Table, cutoff: string): string {
  const said = ['payload', ...(personal?.empties ?? [])];
  return `(o.changed_at < ${cutoff} and num_nonnulls(${said.map((column) => `o.${column}`).join(', ')}) > 0)`;
}

/** Whether the connection has such objects of the root table. */
export async function hasOld(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
  root: Table,
  cutoff: Date,
): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(
    `select exists (select from ${root.name} o where o.brand_id = $1 and o.connection_id = $2
       and ${IS_LEFT} and ${isOld(root, '$3::timestamptz')}) as found`,
    [brandId, connectionId, cutoff],
  );
  return rows[0]?.found ?? false;
}

/** The next stretch of a table, behind those whose rows say which of its own are redacted. */
export function redactOld(
  tx: Tx,
  key: ConnectionKey,
  { table, root }: PersonTable,
  { cutoff, after }: { cutoff: Date; after: Place | null },
): Promise<Redacted> {
  const { through } = table.personal ?? {};
  const ofErased = (name: string, column: string, own: string) => `exists (
    select from ${name} p where p.brand_id = $1 and p.connection_id = $2 and p.${column} = o.${own} and p.payload ${IS_ERASED})`;
  const whose =
    table === root
      ? [
          isOld(table, '($3::text[])[1]::timestamptz'),
          ...(through?.tables ?? []).map((parent) => ofErased(parent, 'id', through?.column ?? '')),
        ]
      : [ofErased(root.name, rootColumnOf(root), rootColumnOf(table))];
  return redactWhere(
    tx,
    {
      ...{ ...key, table, names: NOBODY, values: [[cutoff.toISOString()]] },
      condition: `${IS_LEFT} and (${whose.join(' or ')})`,
    },
    after,
  );
}
