/**
 * Erases from scratch tables whom the brand has erased since the snapshot, by the same statements as an erasure and in the
 * transaction that fills them: nobody reads a row of theirs. The parts have proved before what was stored.
 */
import type { Provider } from '#connectors/kit/provider.ts';
import type { Tx } from '#sql/db/pool.ts';
import { redactionOf } from '#sql/load/redact/row.ts';
import { deleteMailIn } from '#sql/mail/persons.ts';
import { type NameOf, objectsIn, personTablesIn, textTableIn } from '#sql/privacy/copies.ts';
import { findTexts } from '#sql/privacy/find_texts.ts';
import { mayHold, objectKey, type PersonHere } from '#sql/privacy/person_tables.ts';
import { redactNext } from '#sql/privacy/redact_stored.ts';
import { type Erasure, erasuresSince, hasErasedSince } from '#sql/privacy/remembered.ts';
import { searchNext } from '#sql/privacy/search.ts';
import { isSwept, sweepRows } from '#sql/privacy/sweep.ts';
import { type TextTable, textTablesOf } from '#sql/privacy/text_tables.ts';
import { type Scratch, scratchName } from '#sql/snapshots/scratch.ts';
import type { SnapshotTable } from '#sql/snapshots/tables.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { hereOf, type Known, knownOf, type Place, placesOf } from '../../privacy/person_here.ts';

export type ErasingAgain = {
  brandId: string;
  sealer: Sealer;
  providers: readonly Provider[];
  signal?: AbortSignal | undefined;
};

/** Those that are applied; `isKnown` false: whom one of them erased is not known any more. */
export type Since = { erasures: readonly Erasure[]; isKnown: boolean };

export async function readErasures(
  tx: Tx,
  { brandId, sealer }: Pick<ErasingAgain, 'brandId' | 'sealer'>,
  at: Date,
): Promise<Since> {
  const found = await erasuresSince(tx, sealer, { brandId, at });
  const erasures = found.filter(({ person, purged }) => person !== undefined || purged !== null);
  const isExplained = erasures.some(({ person }) => person) || !(await hasErasedSince(tx, { brandId, at }));
  return { erasures, isKnown: erasures.length === found.length && isExplained };
}

/**
 * Whether an erasure may move rows of a table to another part: one where the names of persons are in keys. Such a table is
 * compared as a whole then.
 */
export function movesParts(table: SnapshotTable, providers: readonly Provider[]): boolean {
  if (table.datedBy === null) return true;
  const raw = providers
    .flatMap(({ streams }) => streams.flatMap((stream) => stream.tables))
    .find(({ name }) => name === table.name);
  if (raw === undefined) return table.key.some(({ isText }) => isText);
  return Boolean(raw.personal) && raw.key.some((column) => redactionOf(raw).columns.includes(column));
}

type Copies = ErasingAgain & {
  nameOf: NameOf;
  isCopied(live: string): boolean;
  places: readonly Place[];
  textTables: readonly TextTable[];
};

/** `names`: the tables that are in the scratch schema. */
export async function eraseAgain(
  tx: Tx,
  scratch: Scratch,
  names: readonly string[],
  { erasures, ...options }: ErasingAgain & Pick<Since, 'erasures'>,
): Promise<void> {
  if (erasures.length === 0) return;
  const { brandId, sealer, providers } = options;
  const copied = new Set(names);
  const isCopied = (live: string) => copied.has(live);
  const nameOf = (live: string) => (isCopied(live) ? scratchName(scratch, live) : live);
  const also = isCopied('app.connections') ? nameOf('app.connections') : undefined;
  const places = (await placesOf(tx, brandId, providers, also)).map(({ connectionId, tables }) => ({
    connectionId,
    tables: personTablesIn(tables, nameOf),
  }));
  const textTables = (await textTablesOf(tx))
    .filter((table) => isSwept(table) && isCopied(table.name))
    .map((table) => textTableIn(table, nameOf));
  const copies = { ...options, nameOf, isCopied, places, textTables };
  const key = await personKeyOf(tx, sealer, brandId);
  for (const erasure of erasures) {
    const { person: identity, connectionId, purged } = erasure;
    if (purged !== null) await deleteAccount(tx, scratch, copied, { brandId, purged });
    if (identity === undefined) continue;
    const known = await knownOf(tx, key, { brandId, connectionId, identity });
    // What is asked and not begun comes after the restore, and finds what it has brought.
    if (erasure.isDone || erasure.isBegun || known.names.size > 0)
      await erasePerson(tx, known, erasure, copies);
  }
  // `redactNext` sets them.
  for (const name of ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin'])
    await tx.query(`set local ${name} to default`);
}

async function erasePerson(tx: Tx, known: Known, erasure: Erasure, copies: Copies): Promise<void> {
  const { brandId, forms } = known;
  const { nameOf, isCopied, places, textTables, signal } = copies;
  for (const place of places) {
    const person = await personIn(tx, known, erasure, { ...copies, place });
    const { connectionId, tables } = place;
    for (const { table } of tables.values()) {
      if (!isCopy(table.name) || !mayHold(tables, table.name, person)) continue;
      const redacting = { brandId, connectionId, tables, table, person, names: known.names };
      await walked(signal, (after) => redactNext(tx, redacting, after));
    }
  }
  const hashes = [known.digest, known.names.get(known.digest ?? '')].filter((hash) => hash != null);
  const mail = ['ops.mail', 'app.mail_digests'].filter(isCopied).map(nameOf);
  await deleteMailIn(tx, brandId, { hashes, tables: mail });
  for (const table of forms.length === 0 ? [] : textTables)
    await walked(signal, async (after) => {
      const { hits, next } = await searchNext(tx, { brandId, forms }, table, after);
      await sweepRows(tx, { brandId, forms, table }, hits);
      return { next };
    });
  if (isCopied('ops.privacy_requests'))
    await tx.query(
      `update ${nameOf('ops.privacy_requests')}
       set person = null, person_key_id = null, subject = '{}', progress = progress - 'objects' - 'after'
       where brand_id = $1 and id = $2`,
      [brandId, erasure.request],
    );
}

/** Of tables that are no copies nothing is changed. */
function isCopy(name: string): boolean {
  return !name.startsWith('raw.');
}

/** With the objects that the erasure has found, and those that name the person in a text of then. */
async function personIn(
  tx: Tx,
  known: Known,
  { objects }: Erasure,
  { nameOf, place: { connectionId, tables }, signal }: Copies & { place: Place },
): Promise<PersonHere> {
  const { brandId, forms } = known;
  const here = hereOf(known, connectionId, objects[connectionId]);
  const person = { ...here, objects: objectsIn(here.objects, nameOf) };
  const found = new Set(person.objects);
  for (const { table, root } of forms.length === 0 ? [] : tables.values()) {
    if (!isCopy(table.name)) continue;
    await walked(signal, async (after) => {
      const finding = { brandId, connectionId, tables, table, forms, person };
      const { rows, next } = await findTexts(tx, finding, after);
      for (const id of rows) found.add(objectKey(root.name, id));
      return { next };
    });
  }
  return { ...person, objects: [...found] };
}

type Stretched = { next: readonly string[] | null };

async function walked(
  signal: AbortSignal | undefined,
  step: (after: readonly string[] | null) => Promise<Stretched>,
): Promise<void> {
  let after: readonly string[] | null = null;
  do {
    signal?.throwIfAborted();
    ({ next: after } = await step(after));
  } while (after !== null);
}

/** All rows of a connection, as its purge has deleted them. */
async function deleteAccount(
  tx: Tx,
  scratch: Scratch,
  copied: ReadonlySet<string>,
  { brandId, purged }: { brandId: string; purged: string },
): Promise<void> {
  const { rows } = await tx.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
     where c.relnamespace = $1::regnamespace and c.relkind = 'r' and a.attname = 'connection_id'
       and exists (select from pg_attribute b where b.attrelid = c.oid and b.attname = 'brand_id' and not b.attisdropped)
     order by 1`,
    [scratch.schema],
  );
  for (const { name } of rows)
    await tx.query(`delete from ${name} where brand_id = $1 and connection_id = $2`, [brandId, purged]);
  if (copied.has('app.connections'))
    await tx.query(`delete from ${scratchName(scratch, 'app.connections')} where brand_id = $1 and id = $2`, [
      brandId,
      purged,
    ]);
}
