/**
 * Parts of a connection of a whole brand (a list, an audience, a profile) that belong to one retailer. What is in no
 * such part belongs to the brand alone.
 */
import { coded } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { markAllDays, type Owner } from '../dirty/marks.ts';
import type { Table } from '../load/table.ts';
import { recordAction } from './audit.ts';
import type { Marked } from './brands.ts';
import { type Changing, lockForChange, type Which } from './connections.ts';
import { keepRetailer } from './removing.ts';

const PART_CHARS_MAX = 200;

export type Part = {
  part: string;
  retailerId: string;
  retailer: string;
  /** Whether the retailer is being removed. */
  retailerGoes: boolean;
};

export type PartChange = Which & {
  part: string;
  /** Every table that marks anything. */
  tables: readonly Table[];
  now: Date;
};

export class PartUnfit extends coded('NS_PART_UNFIT') {
  constructor(part: string, written: string) {
    super(`'${part}' cannot name a part of the connection.`, {
      hint: `Write it as ${written}.`,
      context: { part },
    });
  }
}

export class PartTaken extends coded('NS_PART_TAKEN') {
  constructor(part: string, { name, brand }: Pick<Before, 'name' | 'brand'>, retailer: string) {
    super(`Part ${part} of connection ${name} belongs to retailer ${retailer} already.`, {
      hint: `Take it from that one: npx nightshift connections map ${name} ${part} --brand ${brand} --retailer RETAILER --move`,
      context: { part, connection: name, retailer },
    });
  }
}

export class NoPart extends coded('NS_PART_NOT_FOUND') {
  constructor(part: string, { name, brand }: Pick<Before, 'name' | 'brand'>) {
    super(`No retailer has part ${part} of connection ${name}.`, {
      hint: `See those that are assigned: npx nightshift connections parts ${name} --brand ${brand}`,
      context: { part, connection: name },
    });
  }
}

export class NoParts extends coded('NS_CONNECTION_HAS_NO_PARTS') {
  constructor({ name, brand }: Pick<Before, 'name' | 'brand'>) {
    super(`Connection ${name} belongs to one retailer, with everything in it.`, {
      hint: `Give it to another one: npx nightshift connections move ${name} --brand ${brand} --retailer RETAILER`,
      context: { connection: name },
    });
  }
}

/** Throws NS_PART_UNFIT for what the database cannot hold as the name of one. */
export function assertPart(part: string): void {
  if (part.length === 0 || part.length > PART_CHARS_MAX || part !== part.trim() || /\p{Cc}/u.test(part))
    throw new PartUnfit(
      part,
      `1 to ${PART_CHARS_MAX} characters without control characters and outer blanks`,
    );
}

export async function listParts(db: Reader, brandId: string, connectionId: string): Promise<Part[]> {
  const { rows } = await db.query<Part>(
    `select p.part, p.retailer_id as "retailerId", r.slug as retailer, r.removing_at is not null as "retailerGoes"
     from app.connection_parts p join app.retailers r on r.brand_id = p.brand_id and r.id = p.retailer_id
     where p.brand_id = $1 and p.connection_id = $2 order by p.part`,
    [brandId, connectionId],
  );
  return rows;
}

/** What a retailer that is being removed has to give back to the brand; a connection that goes too takes its parts along. */
export async function partsToGiveBack(
  db: Reader,
  { brandId, id }: { brandId: string; id: string },
): Promise<{ connectionId: string; part: string }[]> {
  const { rows } = await db.query<{ connectionId: string; part: string }>(
    `select p.connection_id as "connectionId", p.part
     from app.connection_parts p join app.connections c on c.brand_id = p.brand_id and c.id = p.connection_id
     where p.brand_id = $1 and p.retailer_id = $2 and c.removing_at is null order by 1, 2`,
    [brandId, id],
  );
  return rows;
}

/**
 * Gives a part to a retailer, and marks what its rows touch for whoever had it, whoever has it now, and the brand.
 * Loads wait for it. NS_PART_TAKEN if another retailer has it, unless it is to be taken away from that one.
 */
export async function mapPart(
  tx: Tx,
  change: PartChange & { retailerId: string; takesAway?: boolean },
): Promise<Marked> {
  const { brandId, connectionId, part, retailerId, takesAway = false } = change;
  assertPart(part);
  const before = await lockParts(tx, change);
  await keepRetailer(tx, brandId, retailerId);
  if (before.retailer_id === retailerId) return { days: 0, retailerIds: [] };
  if (before.retailer_id !== null && !takesAway) throw new PartTaken(part, before, before.retailer ?? '');
  await tx.query(
    `insert into app.connection_parts (brand_id, connection_id, part, retailer_id) values ($1, $2, $3, $4)
     on conflict (brand_id, connection_id, part) do update set retailer_id = excluded.retailer_id`,
    [brandId, connectionId, part, retailerId],
  );
  return markPart(tx, change, before, retailerId);
}

/** Takes a part away from its retailer, in the same way: it belongs to the brand alone then. */
export async function unmapPart(tx: Tx, change: PartChange): Promise<Marked> {
  const { brandId, connectionId, part } = change;
  const before = await lockParts(tx, change);
  if (before.retailer_id === null) throw new NoPart(part, before);
  await tx.query(
    'delete from app.connection_parts where brand_id = $1 and connection_id = $2 and part = $3',
    [brandId, connectionId, part],
  );
  return markPart(tx, change, before, null);
}

/** With whose the part is. */
type Before = Changing & { retailer: string | null; retailerGoes: boolean };

async function lockParts(tx: Tx, { brandId, connectionId, part }: PartChange): Promise<Before> {
  const connection = await lockForChange(tx, brandId, connectionId);
  if (connection.level !== 'brand') throw new NoParts(connection);
  const parts = await listParts(tx, brandId, connectionId); // by a later statement: it sees what the lock waited for
  const found = parts.find((one) => one.part === part);
  return {
    ...connection,
    retailer_id: found?.retailerId ?? null,
    retailer: found?.retailer ?? null,
    retailerGoes: found?.retailerGoes ?? false,
  };
}

async function markPart(
  tx: Tx,
  { brandId, connectionId, part, tables, now, actor }: PartChange,
  { name, time_zone, retailer_id: from, retailerGoes }: Before,
  to: string | null,
): Promise<Marked> {
  const owners: Owner[] = [...new Set([retailerGoes ? null : from, to, null])];
  const all = { brandId, connectionId, part, owners, timeZones: [time_zone], tables, now };
  const days = await markAllDays(tx, { ...all, cause: 'mapping' });
  await recordAction(tx, {
    action: to === null ? 'connections.unmap' : 'connections.map',
    ...{ brandId, target: name, details: { part }, actor },
    ...{ before: { retailerId: from }, after: { retailerId: to } },
  });
  return { days, retailerIds: owners };
}
