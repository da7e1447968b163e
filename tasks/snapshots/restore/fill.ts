/** Brings parts of a snapshot into scratch tables, and proves that they are the rows that were read. */
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { messageOf } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import { addKey, addTable, fillStatement, type Scratch, sumOf } from '#sql/snapshots/scratch.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { SnapshotDamaged } from '../damage.ts';
import { type DataKey, dataKeys } from '../data_key.ts';
import { readPart } from '../part_file.ts';
import type { Store } from '../store.ts';
import type { Held } from './fitting.ts';

export type Filling = {
  store: Store;
  sealer: Sealer;
  brandId: string;
  signal?: AbortSignal | undefined;
  progress?: ((state: { parts: number; of: number }) => void) | undefined;
};

/** Throws NS_SNAPSHOT_DAMAGED for a part that is not whole: the transaction has to be rolled back then. */
export async function fill(tx: Tx, scratch: Scratch, held: readonly Held[], options: Filling): Promise<void> {
  const keyOf = dataKeys(options.store, options.sealer, options.brandId);
  const of = held.reduce((sum, { parts }) => sum + parts.length, 0);
  let parts = 0;
  for (const one of held) {
    await addTable(tx, scratch, one.table, options.brandId);
    await fillTable(tx, scratch, one, {
      ...options,
      keyOf,
      onPart: () => options.progress?.({ parts: ++parts, of }),
    });
  }
}

type FillingTable = Filling & { keyOf(id: string): Promise<DataKey>; onPart(): void };

async function fillTable(
  tx: Tx,
  scratch: Scratch,
  { table, columns, parts }: Held,
  { store, brandId, signal, keyOf, onPart }: FillingTable,
): Promise<void> {
  const statement = fillStatement(scratch, table, columns);
  for (const part of parts) {
    signal?.throwIfAborted();
    const rows = readPart(store, await keyOf(part.keyId), brandId, part);
    await pipeline(rows, tx.query(copyFrom(statement)), ...(signal ? [{ signal }] : [])).catch(
      unfit(`Part ${part.part} of ${table.name}`),
    );
    onPart();
  }
  await addKey(tx, scratch, table).catch(unfit(table.name));
  const found = await sumOf(tx, scratch, table);
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const rowHash = String(parts.reduce((sum, part) => sum + BigInt(part.rowHash), 0n));
  if (found.rows !== rows || found.rowHash !== rowHash)
    throw new SnapshotDamaged(
      `${table.name} has other rows once it is restored: ${found.rows} with hash ${found.rowHash} instead of ${rows} with ${rowHash}.`,
      { table: table.name },
    );
}

/** What a constraint or a type refuses is damage: it was read from a table that has them. */
export function unfit(what: string) {
  return (error: unknown): never => {
    if (!(error instanceof pg.DatabaseError) || !/^2[23]/.test(error.code ?? '')) throw error;
    throw new SnapshotDamaged(`${what} does not restore: ${messageOf(error)}`, {}, error);
  };
}
