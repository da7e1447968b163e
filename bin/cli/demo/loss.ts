/**
 * The loss of the demo: a snapshot is made, then the best month of a retailer, orders and figures, is deleted by SQL, as a
 * person may by mistake. A restore brings back exactly that; it is computed again, and must come out as it was.
 */
import { providers, streams } from '#connectors/providers.ts';
import { latestSnapshot } from '#sql/snapshots/catalogue.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { snapshot as snapshotTask } from '#tasks/snapshot.ts';
import { bringBack } from '#tasks/snapshots/restore/bring_back.ts';
import { compareLive } from '#tasks/snapshots/restore/compare.ts';
import { readWhole } from '#tasks/snapshots/verify.ts';
import type { Cli } from '../shared/noun.ts';
import { pendingRollups } from '../shared/rollups_pending.ts';
import type { Session } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import { DemoFailed } from '../ui/errors.ts';
import { count, grouped, span } from '../ui/format.ts';
import { bold, green, red } from '../ui/output.ts';
import { BRAND } from './accounts.ts';
import type { Steps } from './steps.ts';
import { type Place, untilDone } from './work.ts';

export type Loss = {
  retailer: string;
  month: string;
  snapshot: string;
  command: string;
  rows_deleted: number;
  rows_brought_back: number;
  restored_ms: number;
  /** Tables of the brand that differ from the snapshot once all is back and computed again. */
  differing_tables: string[];
};

const RETAILER = 'eire';
const MONTH = '2011-11';
const OF_ORDERS = ['order_lines', 'agreements', 'sales', 'refunds', 'transactions'];

export async function loseAndRestore(
  cli: Cli,
  session: Session,
  { steps, place }: { steps: Steps; place: Place },
): Promise<Loss> {
  const { db, giftware } = place;
  const brandId = giftware.brand.id;
  await steps.run('snapshot: all of the brand', async () => {
    const id = await db.transaction((tx) => enqueue(tx, snapshotTask, { brandId }, { keyMode: 'replace' }));
    await untilDone(place, [{ id, label: 'snapshot' }]);
  });
  const snapshot = await latestSnapshot(db, brandId);
  if (snapshot === undefined) throw new DemoFailed(['no snapshot was made']);
  const { url, store, sealer, minutes } = await openSnapshots(cli, session);
  const content = await readWhole({ db, store, sealer, snapshot }); // before anything is deleted
  const comparing = { db, store, sealer, brandId, content, providers, limitSeconds: minutes * 60 };
  const restore = (which: string) => `npx nightshift snapshots restore ${which} --brand ${BRAND} --into live`;
  cli.out.say(`  If the next step is killed, this brings back what it deletes: ${restore(snapshot.id)}`);
  steps.signal.throwIfAborted();
  const rowsDeleted = await lose(place);
  const begun = performance.now();
  const { tables } = await steps.run(
    `restore: ${count(rowsDeleted, 'row')} of ${RETAILER} were deleted`,
    () =>
      bringBack({
        ...{ ...comparing, url, minutes, snapshot, streams, now: new Date(), signal: steps.signal },
        brand: { id: brandId, slug: BRAND },
      }),
    {
      left: `What was deleted of ${RETAILER} may not be back.`,
      hint: `Bring it back: ${restore(snapshot.id)}`,
    },
  );
  const restoredMs = Math.round(performance.now() - begun);
  const differing = await steps.run('rebuild: what was restored, computed again', async () => {
    for (;;) {
      const pending = await pendingRollups(db, brandId, giftware.retailers);
      if (pending.length === 0) break;
      await untilDone(place, pending);
    }
    return compareLive({ ...comparing, isWanted: (name) => /^(raw|agg)\./.test(name) });
  });
  return {
    ...{
      retailer: RETAILER,
      month: MONTH,
      snapshot: snapshot.id,
      rows_deleted: rowsDeleted,
      restored_ms: restoredMs,
    },
    command: restore('--latest'),
    rows_brought_back: Object.values(tables).reduce((sum, { inserted }) => sum + inserted, 0),
    differing_tables: differing.map(({ compared }) => compared.table.name),
  };
}

/** Its orders of the month and all that hangs on them, and its figures of the days. */
async function lose({ db, giftware: { brand, retailers } }: Place): Promise<number> {
  const retailerId = retailers.find(({ slug }) => slug === RETAILER)?.id;
  const { rows: figures } = await db.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c
     where c.relnamespace = 'agg'::regnamespace and c.relkind = 'r'
       and (select count(*) from pg_attribute a where a.attrelid = c.oid and a.attname in ('retailer_id', 'day')) = 2
     order by 1`,
  );
  const lost = `select o.connection_id, o.id from raw.shopify_orders o
    join app.connections c on c.brand_id = o.brand_id and c.id = o.connection_id and c.retailer_id = $2
    where o.brand_id = $1 and o.processed_at >= $3::date and o.processed_at < $3::date + interval '1 month'`;
  const statements = [
    ...OF_ORDERS.map(
      (name) =>
        `delete from raw.shopify_${name} where brand_id = $1 and (connection_id, order_id) in (${lost})`,
    ),
    `delete from raw.shopify_orders where brand_id = $1 and (connection_id, id) in (${lost})`,
    ...figures.map(
      ({ name }) => `delete from ${name} where brand_id = $1 and retailer_id = $2
        and day >= $3::date and day < $3::date + interval '1 month'`,
    ),
  ];
  return db.transaction(async (tx) => {
    let deleted = 0;
    for (const statement of statements)
      deleted += (await tx.query(statement, [brand.id, retailerId, `${MONTH}-01`])).rowCount ?? 0;
    return deleted;
  });
}

/** What is wrong with it: not all is back, or something comes out differently. */
export function wrongLoss({ rows_deleted, rows_brought_back, differing_tables }: Loss): string[] {
  return [
    ...(rows_brought_back === rows_deleted
      ? []
      : [`${grouped(rows_deleted)} rows were deleted and ${grouped(rows_brought_back)} restored`]),
    ...differing_tables.map((name) => `${name} is not what it was before the loss`),
  ];
}

export function lossLines(loss: Loss): string[] {
  const wrong = wrongLoss(loss);
  return [
    '',
    bold(`Orders and figures of ${loss.retailer} in ${loss.month} deleted by SQL, and brought back`),
    `  ${grouped(loss.rows_deleted)} rows deleted, ${grouped(loss.rows_brought_back)} restored in ${span(loss.restored_ms)} from ${loss.snapshot}`,
    `  ${wrong.length === 0 ? green('each row and figure as before, also when computed again') : red(wrong.join('; '))}`,
    `  ${loss.command}`,
  ];
}
