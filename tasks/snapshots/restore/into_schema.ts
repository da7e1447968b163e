/** Restores a snapshot into a schema of its own, beside the live tables: to look at, or to prove that it restores. */
import { coded } from '#runtime/errors.ts';
import type { Db } from '#sql/db/pool.ts';
import { dropStatement, restoredComment } from '#sql/snapshots/holding.ts';
import { readAlike } from '#sql/snapshots/moment.ts';
import { makeScratch, schemaExists, withScratch } from '#sql/snapshots/scratch.ts';
import type { Manifest } from '../manifest.ts';
import { type ErasingAgain, eraseAgain, readErasures } from './erase_again.ts';
import { type Filling, fill } from './fill.ts';
import { fitting } from './fitting.ts';

export type Restoring = Filling & {
  db: Pick<Db, 'transaction'>;
  content: Manifest;
  /** How long its transaction may last. */
  limitSeconds: number;
};

export class RestoreRefused extends coded('NS_RESTORE_REFUSED') {
  constructor(why: string, hint: string, context: Record<string, unknown> = {}) {
    super(why, { hint, context });
  }
}

export function refuseErased({ id, brand, created_at }: Manifest): RestoreRefused {
  return new RestoreRefused(
    `Brand ${brand} has erased persons since ${created_at}, snapshot ${id} still has their rows, and what they were known by is forgotten.`,
    `Take a snapshot that was made after the erasures: npx nightshift snapshots list --brand ${brand}`,
    { snapshot: id },
  );
}

const ID_CHARS = 8;

export function restoredName({ id }: Pick<Manifest, 'id'>): string {
  return `restored_${id.slice(0, ID_CHARS)}`;
}

/** Of a snapshot that was restored once, its schema has to be dropped before it is restored again. */
export async function restoreIntoSchema(
  options: Restoring & ErasingAgain,
): Promise<{ schema: string; tables: number }> {
  const { db, content, limitSeconds, brandId } = options;
  const schema = restoredName(content);
  return db.transaction(async (tx) => {
    if (await schemaExists(tx, schema))
      throw new RestoreRefused(
        `There is a schema ${schema} already.`,
        `Look at it, or drop it and restore again: ${dropStatement({ kind: 'schema', name: schema })}`,
        { schema },
      );
    await readAlike(tx, limitSeconds);
    const scratch = { schema, isKept: true };
    const held = await fitting(tx, content);
    await makeScratch(tx, scratch);
    const said = restoredComment({ snapshot: content.id, brandId, at: new Date() });
    await tx.query(`comment on schema ${schema} is '${said}'`);
    await fill(tx, scratch, held, options);
    // An erasure that is registered from here on waits for the commit, and then finds the schema.
    await tx.query('select from app.brands where id = $1 for key share', [brandId]);
    const { erasures, isKnown } = await readErasures(tx, options, new Date(content.created_at));
    if (!isKnown) throw refuseErased(content);
    const names = held.map(({ table }) => table.name);
    await eraseAgain(tx, scratch, names, { ...options, erasures });
    return { schema, tables: held.length };
  });
}

/** Restores it where nobody sees it, with its keys built and its hashes compared, and drops it again. */
export function proveRestore(options: Restoring): Promise<void> {
  const { db, content, limitSeconds } = options;
  return withScratch(db, limitSeconds, async (tx, scratch) =>
    fill(tx, scratch, await fitting(tx, content), options),
  );
}
