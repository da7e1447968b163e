/**
 * Marks what rests on the rows of a person. An erasure changes no figure in the end; but while it is under way a person
 * may be counted under an id and a pseudonym, and a rollup may see that. So all is computed again once it is through.
 */
import type { Tx } from '../db/pool.ts';
import { type Mark, markPartitions } from '../dirty/marks.ts';
import type { LoadScope } from '../load/load_lock.ts';
import { rootColumnOf, statementsOf } from '../load/statements.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import { isOfPerson, type PersonHere, type PersonTable, type PersonTables } from './person_tables.ts';
import { type Place, walkOn } from './walk.ts';

export type Marking = ConnectionKey & {
  tables: PersonTables;
  target: PersonTable;
  person: PersonHere;
  scope: LoadScope;
  now: Date;
};

export async function markNext(
  tx: Tx,
  { brandId, connectionId, tables, target, person, scope, now }: Marking,
  after: Place | null,
): Promise<{ next: Place | null; marked: number }> {
  const { root } = target;
  const { marks } = statementsOf(target.tables);
  if (marks === undefined) return { next: null, marked: 0 };
  const { rows, next } = await walkOn<string>(
    tx,
    {
      ...{ brandId, connectionId, table: root },
      condition: isOfPerson(tables, root.name),
      values: [person.customers, person.emails, person.objects],
      wanted: `to_jsonb(o.${rootColumnOf(root)})`,
    },
    after,
  );
  if (rows.length === 0) return { next, marked: 0 };
  const { timeZone, owners } = scope;
  const { rows: touched } = await tx.query<Mark>({
    ...marks,
    values: [brandId, connectionId, rows, timeZone],
  });
  return { next, marked: await markPartitions(tx, { brandId, owners, timeZone, now }, { marks: touched }) };
}
