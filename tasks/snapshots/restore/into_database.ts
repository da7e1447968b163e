/** Restores a snapshot into a database of its own, with all constraints on: to look at, or to compute its figures again. */

import { migrate } from '#sql/db/migrate.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { bare, dress } from '#sql/snapshots/bare.ts';
import { databaseExists, type Servers, withDatabase } from '#sql/snapshots/databases.ts';
import { dropStatement, restoredComment } from '#sql/snapshots/holding.ts';
import { readAlike } from '#sql/snapshots/moment.ts';
import { IN_PLACE } from '#sql/snapshots/scratch.ts';
import type { Manifest } from '../manifest.ts';
import { readErasures } from './erase_again.ts';
import { type Filling, fill, unfit } from './fill.ts';
import { fitting } from './fitting.ts';
import { RestoreRefused } from './into_schema.ts';

export type IntoDatabase = Filling & Servers & { db: Pick<Db, 'transaction'>; content: Manifest };

/** It gets its name once it is whole. */
export async function restoreIntoDatabase(
  options: IntoDatabase & { name: string },
): Promise<{ database: string; tables: number }> {
  const { db, content, name, url, server = url, brandId } = options;
  const at = await db.transaction(async (tx) => {
    await refuseIfErased(tx, options);
    return (await tx.query<{ at: Date }>('select now() as at')).rows[0]?.at;
  });
  if (at === undefined) throw new TypeError('a select without from gives a row');
  if (await databaseExists(server, name))
    throw new RestoreRefused(
      `There is a database ${name} already.`,
      `Choose another name with --name; or, once nobody needs it, in psql: ${dropStatement({ kind: 'database', name })}`,
      { database: name },
    );
  const tables = await withDatabase(options, async (made) => {
    const filled = await fillDatabase(made.db, options);
    const said = restoredComment({ snapshot: content.id, brandId, at });
    await made.db.query(`comment on database ${made.name} is '${said}'`);
    await db.transaction(async (tx) => {
      await refuseIfErased(tx, options);
      await made.keepAs(name);
    });
    return filled;
  });
  return { database: name, tables };
}

/** What an erasure needs is in the live database, so it is not done again in another one. */
async function refuseIfErased(tx: Tx, { content, ...options }: IntoDatabase): Promise<void> {
  // An erasure that is registered from here on waits for the end of the transaction.
  await tx.query('select from app.brands where id = $1 for key share', [options.brandId]);
  const { erasures, isKnown } = await readErasures(tx, options, new Date(content.created_at));
  if (isKnown && erasures.length === 0) return;
  const { id, brand, created_at } = content;
  throw new RestoreRefused(
    `Brand ${brand} has erased persons since ${created_at}, and a database of its own would have them again.`,
    `Restore it without them, beside the live tables: npx nightshift snapshots restore ${id} --brand ${brand} --into schema`,
    { snapshot: id },
  );
}

/** An empty one, which gets the schema of this version; says how many tables there are of the snapshot. */
export async function fillDatabase(
  made: Db,
  { content, limitSeconds, ...options }: Filling & { content: Manifest; limitSeconds: number },
): Promise<number> {
  await migrate(made);
  const tables = await made.transaction(async (tx) => {
    await readAlike(tx, limitSeconds);
    const held = await fitting(tx, content);
    const bared = await bare(tx);
    await fill(tx, IN_PLACE, held, options);
    await dress(tx, bared).catch(unfit('The rows of a table'));
    return held.length;
  });
  await made.query('analyze');
  return tables;
}
