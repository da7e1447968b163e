/** `… remove`: says what goes, asks for the name, and removes it in steps that can be interrupted. */
import type { Command } from 'commander';
import type { Brand } from '#sql/brands.ts';
import { listConnections } from '#sql/connections.ts';
import { markAllDays } from '#sql/dirty_days.ts';
import type { Db } from '#sql/pool.ts';
import type { Reader } from '#sql/reader.ts';
import { beginRemoval, endRemoval } from '#sql/removal.ts';
import { emptyTable, type Owner, rowsOf, tablesOf } from '#sql/removal_tables.ts';
import { rename } from '#sql/rename.ts';
import { listRetailers } from '#sql/retailers.ts';
import type { Table } from '#sql/table.ts';
import type { Cli } from './cli.ts';
import { confirmName } from './confirm.ts';
import { count } from './format.ts';
import { recompute } from './recompute.ts';
import { attempt } from './rehearse.ts';
import { openSession, type Session } from './session.ts';

export type RemoveOptions = { brand?: string; dryRun?: boolean; yes?: string };
/** What a person means by a name. */
export type Found = { brand: Brand; owner: Owner; name: string };

export function addRemoveOptions(command: Command): Command {
  return command
    .option('--dry-run', 'say what would go, and change nothing')
    .option('--yes <name>', 'do not ask: its name once more, for scripts');
}

export async function renameFound(cli: Cli, to: string, find: (db: Db) => Promise<Found>): Promise<void> {
  await using session = await openSession(cli);
  const { brand, owner, name } = await find(session.db);
  await session.db.transaction((tx) => rename(tx, owner, { from: name, to }));
  const slug = owner.kind === 'brand' ? to : brand.slug;
  cli.out.record({ brand: slug, [owner.kind]: to, was: name }, () => [`${name} is now called ${to}.`]);
}

export async function remove(
  cli: Cli,
  { dryRun, yes }: RemoveOptions,
  find: (db: Db) => Promise<Found>,
): Promise<void> {
  await using session = await openSession(cli);
  const found = await find(session.db);
  const { brand, owner, name } = found;
  const owners = await ownersOf(session.db, owner);
  const goes = await inventory(session.db, found, owners);
  const record = { brand: brand.slug, [owner.kind]: name, dry_run: dryRun === true, ...goes };
  if (dryRun) return cli.out.record({ ...record, removed: false }, () => linesOf(found, goes));
  if (yes === undefined) for (const line of linesOf(found, goes)) cli.out.say(line);
  await confirmName(`It cannot be undone. Type ${name} to remove it: `, name, yes);
  for (const one of owners) await removeOne(cli, session, one, owner.kind === 'connection');
  cli.out.record({ ...record, removed: true }, () => [`Removed ${owner.kind} ${name}.`]);
  if (goes.days > 0 && owner.kind === 'connection')
    cli.out.say(`Next, unless a worker does it: npx nightshift rollup run --brand ${brand.slug} --wait`);
}

/** Everything that goes, what belongs to others first. A removal that was interrupted is finished too. */
async function ownersOf(db: Db, owner: Owner): Promise<Owner[]> {
  const { kind, brandId, id } = owner;
  if (kind === 'connection') return [owner];
  const connections = await listConnections(db, brandId);
  const retailers = kind === 'brand' ? await listRetailers(db, brandId) : [];
  return [
    ...connections
      .filter((one) => kind === 'brand' || one.retailerId === id || one.removingAt !== null)
      .map((one): Owner => ({ kind: 'connection', brandId, id: one.id })),
    ...retailers.map((one): Owner => ({ kind: 'retailer', brandId, id: one.id })),
    owner,
  ];
}

async function removeOne(cli: Cli, session: Session, owner: Owner, hasFigures: boolean): Promise<void> {
  const { kind, brandId, id: connectionId } = owner;
  const { db } = session;
  if (kind === 'connection') {
    await recompute(session, { brandId, dryRun: false }, (tx, tables, now) =>
      beginRemoval(tx, { brandId, connectionId, tables: hasFigures ? tables : [], now }),
    );
  }
  for (const table of await tablesOf(db, kind)) {
    const rows = await emptyTable(db, table, owner);
    if (rows > 0) cli.out.say(`${table}: ${count(rows, 'row')} removed`);
  }
  await endRemoval(db, owner);
}

type Inventory = {
  /** By table. */
  rows: Record<string, number>;
  /** Days of figures that go, or of a connection are computed again. */
  days: number;
  figures: number;
  jobs: number;
  positions: number;
  quarantined: number;
};

async function inventory(db: Db, { brand, owner }: Found, owners: readonly Owner[]): Promise<Inventory> {
  const rows = await rowsOf(db, owner.kind === 'brand' ? [owner] : owners);
  const jobs = await db.query<{ n: number }>(
    'select count(distinct j) as n from unnest($1::uuid[]) as o (id) cross join lateral ops.jobs_naming(o.id) j',
    [owners.map(({ id }) => id)],
  );
  return {
    rows,
    ...(await (owner.kind === 'connection' ? recomputed(db, brand, owner) : figuresOf(db, owner))),
    jobs: jobs.rows[0]?.n ?? 0,
    positions: rows['ops.positions'] ?? 0,
    quarantined: rows['ops.rejected_rows'] ?? 0,
  };
}

const DAILY = `
  select a.attrelid::regclass::text as name from pg_attribute a join pg_class t on t.oid = a.attrelid
  where t.relnamespace = 'agg'::regnamespace and t.relkind in ('r', 'p') and a.attname = 'day' and not a.attisdropped
  order by 1`;

/** The days that would be marked, and how many rows of figures they have: tried, and rolled back. */
async function recomputed(db: Db, { id: brandId, timeZone }: Brand, { id: connectionId }: Owner) {
  const { streams } = await import('#connectors/index.ts');
  const tables: Table[] = streams.flatMap((stream) => [...stream.tables]);
  const now = new Date();
  return attempt(db, true, async (tx) => {
    const days = await markAllDays(tx, { brandId, connectionId, timeZones: [timeZone], tables, now });
    return { days, figures: (await daily(tx, DAYS_MARKED, [brandId, connectionId, now])).figures };
  });
}

const DAYS_MARKED = `a.brand_id = $1 and (a.retailer_id, a.day) in (
  select m.retailer_id, m.day from ops.dirty_days m
  join app.connections c on c.brand_id = m.brand_id and c.retailer_id = m.retailer_id and c.id = $2
  where m.brand_id = $1 and m.marked_at = $3)`;

function figuresOf(db: Db, { kind, brandId, id }: Owner) {
  return daily(db, `a.brand_id = $1 and a.${kind}_id = $2`, [brandId, id]);
}

async function daily(db: Reader, where: string, values: unknown[]) {
  const tables = await db.query<{ name: string }>(DAILY);
  const each = tables.rows.map(({ name }) => `select a.retailer_id, a.day from ${name} a where ${where}`);
  const { rows } = await db.query<{ days: number; figures: number }>(
    `select count(*) as figures, count(distinct (retailer_id, day)) as days from (${each.join(' union all ')}) f`,
    values,
  );
  return rows[0] ?? { days: 0, figures: 0 };
}

function linesOf({ brand, owner, name }: Found, { rows, days, figures, jobs }: Inventory): string[] {
  const whose = owner.kind === 'brand' ? '' : ` of brand ${brand.slug}`;
  const becomes =
    owner.kind === 'connection' ? 'are computed again from what remains' : 'of figures go with it';
  return [
    `Everything of ${owner.kind} ${name}${whose}:`,
    ...Object.entries(rows).map(([table, n]) => `  ${table}: ${count(n, 'row')}`),
    `  ${count(days, 'day')} (${count(figures, 'row')}) ${becomes}`,
    `  ${count(jobs, 'job')} on the queue`,
  ];
}
