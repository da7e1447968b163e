/**
 * Takes a person out of what the platform notes of its own work: errors, payloads of runs, quarantined records, bodies of
 * deliveries, the audit log, and out of aggregates that name a customer. Rows of `raw` have declarations instead.
 */
import type { Tx } from '../db/pool.ts';
import { EVENTS, markSwept, OF_EVENTS, PAST_EXPOSURES } from '../events/marks.ts';
import { REASON_OF_ERASED } from '../load/redact/rejections.ts';
import { ERASED } from '../load/redact/row.ts';
import { rollups } from '../rollups/index.ts';
import { type Form, patternOf } from './forms.ts';
import type { TextColumn, TextTable } from './text_tables.ts';

export type Sweeping = { brandId: string; forms: readonly Form[]; table: TextTable };

/** Schemas whose rows are changed so. `app` is what people have entered: what is there is reported, not changed. */
const SWEPT: ReadonlySet<string> = new Set(['ops', 'agg']);

export function isSwept({ schema, name, live = name }: TextTable): boolean {
  return SWEPT.has(schema) || OF_EVENTS.has(live);
}

/** Under another name its letter would still be sent: one that is stored meanwhile is found by the proof, and deleted. */
const RECIPIENT = 'ops.mail.recipient_hash';

/** `keys` as `searchNext` gives them. */
export async function sweepRows(tx: Tx, sweeping: Sweeping, keys: readonly string[][]): Promise<void> {
  if (keys.length === 0) return;
  const { brandId, table, forms } = sweeping;
  const live = table.live ?? table.name;
  const which = whichRows(table);
  const values = [brandId, ...table.key.map((_, index) => keys.map((one) => one[index]))];
  if (live === REJECTED) return sweepRejected(tx, sweeping, values);
  const special = SPECIAL[live];
  if (special !== undefined) return void (await tx.query(special(table.name, which), values));
  const changed = table.texts.filter(
    ({ type, name }) => type !== 'bytea' && RECIPIENT !== `${table.name}.${name}`,
  );
  if (changed.length === 0) return;
  if (table.schema === 'agg' || live === PAST_EXPOSURES) await dropDoubles(tx, sweeping, values);
  const at = values.length + 1;
  const sets = changed.map(({ name, type }) => `${name} = ${replaced(`o.${name}`, type, forms, at)}`);
  const ofNumbers = [forms.map(numberOf), forms.map(({ by }) => `\\1"${by}"`)];
  const update = `update ${table.name} o set ${sets.join(', ')} ${which}`;
  await tx.query(markingSwept(table, update), [
    ...values,
    ...[forms.map(patternOf), forms.map(({ by }) => by)],
    ...(changed.some(isJson) ? ofNumbers : []),
  ]);
}

function markingSwept(table: TextTable, update: string): string {
  if (table.live !== undefined) return update;
  return table.name === EVENTS || table.name === PAST_EXPOSURES
    ? markSwept(update)
    : markingNamed(table, update);
}

type Values = readonly (string | (string | undefined)[])[];

/** Rows whose key names the person: under the pseudonym they may have come again, and then the older ones go. */
async function dropDoubles(tx: Tx, { table, forms }: Sweeping, values: Values): Promise<void> {
  const at = values.length + 1;
  if (!table.key.some(({ type }) => type === 'text')) return;
  const renamed = ({ name, type }: TextColumn) =>
    type === 'text' ? replaced(`o.${name}`, type, forms, at) : `o.${name}`;
  const same = table.key.map((column) => `p.${column.name} = ${renamed(column)}`);
  await tx.query(
    `delete from ${table.name} o ${whichRows(table).replace(' from ', ' using ')}
       and (${table.key.map(({ name }) => `o.${name}`).join(', ')}) <> (${table.key.map(renamed).join(', ')})
       and exists (select from ${table.name} p where p.brand_id = o.brand_id and ${same.join(' and ')})`,
    [...values, forms.map(patternOf), forms.map(({ by }) => by)],
  );
}

/**
 * What is made of the objects that a row names is made again under the pseudonym: while the rows of the person were redacted,
 * a rollup may have seen some under the one and some under the other.
 */
function markingNamed({ name }: TextTable, update: string): string {
  const names =
    rollups.find(({ writes }) => writes === name)?.names?.filter(({ of }) => of === 'retailer') ?? [];
  if (names.length === 0) return update;
  const marks = names.map(
    ({ column, as }) => `
    select distinct brand_id, retailer_id, '${as}', connection_id || ' ' || ${column}, now() from renamed where ${column} is not null`,
  );
  return `with renamed as (${update} returning o.*)
    insert into ops.marks (brand_id, retailer_id, subject, object, marked_at)${marks.join(' union all ')}`;
}

/**
 * A body that was forwarded, or that nobody reads, goes; one that waits for the consumer of a relay goes too, because a
 * part of it cannot be taken out of signed bytes. One that is not loaded yet stays: it is redacted as it is loaded.
 * A deletion of what was never stored, and a hint at what changed, are of no use without the id.
 */
const SPECIAL: Readonly<Record<string, (name: string, which: string) => string>> = {
  'ops.webhook_deliveries': (name, which) => `update ${name} o
    set body = '', relay = case when o.relay = 'waiting' then 'refused' else o.relay end,
        relay_error = case when o.relay = 'waiting' then 'a person in it was erased' else o.relay_error end ${which}
      and (o.rows_of is null or o.loaded_at is not null)`,
  'ops.webhook_hints': deleteRows,
  'ops.early_deletions': deleteRows,
};

function deleteRows(name: string, which: string): string {
  return `delete from ${name} o ${which.replace(' from ', ' using ')}`;
}

const REJECTED = 'ops.rejected_rows';

async function sweepRejected(tx: Tx, sweeping: Sweeping, values: Values): Promise<void> {
  const { table, forms } = sweeping;
  await dropDoubles(tx, sweeping, values);
  const at = values.length + 1;
  const which = whichRows(table);
  const key = replaced('o.row_key', 'text', forms, at);
  await tx.query(
    `update ${table.name} o set row_key = ${key}, payload = $${at + 2}, reason = $${at + 3} ${which}`,
    [
      ...values,
      ...[forms.map(patternOf), forms.map(({ by }) => by), JSON.stringify(ERASED), REASON_OF_ERASED],
    ],
  );
}

function whichRows({ key }: TextTable): string {
  if (key.length === 0) return 'where o.brand_id = $1';
  const names = key.map((_, index) => `k${index}`);
  const given = key.map((_, index) => `$${index + 2}::text[]`);
  const same = key.map(({ name, type }, index) => `o.${name} = v.k${index}::${type}`);
  return ` from unnest(${given.join(', ')}) as v (${names.join(', ')}) where o.brand_id = $1 and ${same.join(' and ')}`;
}

/** In JSON a number becomes a text first: a pseudonym is none. */
function numberOf({ text }: Form): string {
  return /^\d+$/.test(text) ? `([:,[] ?)${text}(?=[],}])` : '(?!)';
}

function isJson({ type }: Pick<TextColumn, 'type'>): boolean {
  return type === 'json' || type === 'jsonb';
}

/** `at`: the place of the patterns among the parameters, and what replaces them; then the same for numbers in JSON. */
function replaced(column: string, type: string, forms: readonly Form[], at: number): string {
  let text = `${column}::text`;
  const given = (place: number, index: number) => `($${place}::text[])[${index + 1}]`;
  for (const index of forms.keys()) {
    if (isJson({ type }))
      text = `regexp_replace(${text}, ${given(at + 2, index)}, ${given(at + 3, index)}, 'g')`;
    text = `regexp_replace(${text}, ${given(at, index)}, ${given(at + 1, index)}, 'gi')`;
  }
  return `(${text})::${type}`;
}
