/** `… remove`: lists what is deleted, asks for the name, and removes it in steps that can be interrupted. */
import type { Command } from 'commander';
import { builtIn } from '#connectors/providers.ts';
import type { Db } from '#sql/db/pool.ts';
import { partsToGiveBack, unmapPart } from '#sql/tenants/connection_parts.ts';
import { announceRemoval, beginRemoval, endRemoval, removeJobs } from '#sql/tenants/removal.ts';
import { type Part, partsOf } from '#sql/tenants/removal_parts.ts';
import { emptyTable, type Owner, tablesOf } from '#sql/tenants/removal_tables.ts';
import { keepBrand } from '#sql/tenants/removing.ts';
import { rename } from '#sql/tenants/rename.ts';
import { confirmName } from '../ui/confirm.ts';
import { count } from '../ui/format.ts';
import { sayLost } from './lost.ts';
import type { Cli } from './noun.ts';
import { recompute } from './recompute.ts';
import { type Found, inventory, linesOf, shownParts } from './removal_inventory.ts';
import { openSession, type Session } from './session.ts';

export type { Found } from './removal_inventory.ts';
export type RemoveOptions = { brand?: string; dryRun?: boolean; yes?: string };

export function addRemoveOptions(command: Command): Command {
  return command
    .option('--dry-run', 'show what would be removed and change nothing')
    .option('--yes <name>', 'confirm by repeating the name, for scripts');
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
  const { brand, owner, name, removing } = found;
  const parts = await partsOf(session.db, owner);
  const goes = await inventory(session.db, found, parts);
  const record = {
    ...{ brand: brand.slug, [owner.kind]: name, removing, dry_run: dryRun === true },
    ...(owner.kind !== 'connection' && shownParts(parts)),
    ...goes,
  };
  const lines = linesOf(found, parts, goes);
  if (dryRun) return cli.out.record({ ...record, removed: false }, () => lines);
  if (yes === undefined) for (const line of lines) cli.out.say(line);
  await confirmName(cli.io, `It cannot be undone. Type ${name} to remove it: `, { name, given: yes });
  await (owner.kind === 'connection' ? removeAlone(cli, session, found) : removeWhole(cli, session, found));
  cli.out.record({ ...record, removed: true }, () => [`Removed ${owner.kind} ${name}.`]);
  if (goes.days > 0 && owner.kind === 'connection')
    cli.out.say(`Next, unless a worker does it: npx nightshift rollup run --brand ${brand.slug} --wait`);
}

async function removeAlone(cli: Cli, session: Session, { owner }: Found): Promise<void> {
  await begin(session, owner);
  await empty(cli, session.db, owner);
  sayLost(cli, await endRemoval(session.db, owner));
}

/**
 * Removes it with all its parts, which are read again once nothing can be added. Each part is announced before
 * anything is deleted, figures are deleted before the rows that they are made of, and parts before their whole.
 */
async function removeWhole(cli: Cli, session: Session, { owner }: Found): Promise<void> {
  const { db } = session;
  const now = new Date();
  const announce = (one: Owner) => db.transaction((tx) => announceRemoval(tx, one, now));
  await announce(owner);
  const parts = await partsOf(db, owner);
  const [retailers, connections] = [ofKind(parts, 'retailer'), ofKind(parts, 'connection')];
  for (const one of retailers) await announce(one);
  for (const one of connections) await begin(session, one);
  if (owner.kind === 'retailer') await giveBackParts(cli, session, owner);
  for (const one of owner.kind === 'retailer' ? [owner] : retailers) await empty(cli, db, one);
  for (const one of [...connections, ...retailers]) {
    await empty(cli, db, one);
    sayLost(cli, await endRemoval(db, one));
    cli.out.say(`Removed ${one.kind} ${one.name}.`);
  }
  await empty(cli, db, owner);
  sayLost(cli, await endRemoval(db, owner));
  if (owner.kind === 'retailer') await recomputeBrand(session, owner.brandId);
}

/** Its parts of connections of the whole brand belong to the brand alone from here on, whose figures count them. */
async function giveBackParts(cli: Cli, session: Session, owner: Owner): Promise<void> {
  const { brandId } = owner;
  const { streams } = cli.io.providers ?? builtIn;
  for (const which of await partsToGiveBack(session.db, owner))
    await recompute(session, { brandId, dryRun: false, streams }, (tx, tables, now) =>
      unmapPart(tx, { brandId, ...which, tables, now }),
    );
}

/** Queues the rollup of the brand's own figures, if it has any that are made of those of the retailer. */
async function recomputeBrand({ db }: Session, brandId: string): Promise<void> {
  const [{ enqueue }, { rollup }] = await Promise.all([
    import('#tasks/enqueue.ts'),
    import('#tasks/rollup.ts'),
  ]);
  await db.transaction(async (tx) => {
    await keepBrand(tx, brandId);
    const { rows } = await tx.query(
      'select from ops.marks where brand_id = $1 and retailer_id is null limit 1',
      [brandId],
    );
    if (rows.length > 0) await enqueue(tx, rollup, { brandId, retailerId: null });
  });
}

function ofKind(parts: readonly Part[], kind: Part['kind']): Part[] {
  return parts.filter((one) => one.kind === kind);
}

/** From here on no figure counts the connection, and none of its jobs stores anything. */
async function begin(session: Session, { brandId, id: connectionId }: Owner): Promise<void> {
  await recompute(session, { brandId, dryRun: false }, (tx, tables, now) =>
    beginRemoval(tx, { brandId, connectionId, tables, now }),
  );
}

async function empty(cli: Cli, db: Db, owner: Owner): Promise<void> {
  await removeJobs(db, owner);
  for (const table of await tablesOf(db, owner.kind)) {
    const rows = await emptyTable(db, table, owner);
    if (rows > 0) cli.out.say(`${table}: ${count(rows, 'row')} removed`);
  }
}
