/** Nothing can be added to what is being removed: whoever adds to a brand or a retailer locks it and checks first. */
import { coded } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';
import { type Kind, NameNotFound } from './names.ts';

/** The command that begins a removal or continues it. */
export function removeCommand(kind: Kind, name: string, brand: string): string {
  return `npx nightshift ${kind}s remove ${name}${kind === 'brand' ? '' : ` --brand ${brand}`}`;
}

export class RemovalBegun extends coded('NS_REMOVAL_BEGUN') {
  constructor(kind: 'retailer' | 'brand', name: string, brand: string) {
    super(`The ${kind} ${name} is being removed: this cannot be undone, and nothing can be added to it.`, {
      hint: `Finish the removal, then the name is free: ${removeCommand(kind, name, brand)}`,
      context: { kind, name, brand },
    });
  }
}

export class ConnectionBeingRemoved extends coded('NS_CONNECTION_REMOVING') {
  constructor(name: string, brand: string) {
    super(`Connection ${name} is being removed, and this cannot be undone.`, {
      hint: `Continue the removal, which sends nothing to the provider: ${removeCommand('connection', name, brand)}`,
      context: { name, brand },
    });
  }
}

type Row = { slug: string; removing: boolean };

/** Keeps the brand until the transaction ends, and refuses one that is being removed. Returns its slug. */
export async function keepBrand(tx: Tx, brandId: string): Promise<string> {
  const { rows } = await tx.query<Row>(
    'select slug, removing_at is not null as removing from app.brands where id = $1 for key share',
    [brandId],
  );
  const [row] = rows;
  if (row === undefined) throw new NameNotFound('brand', brandId, []);
  if (row.removing) throw new RemovalBegun('brand', row.slug, row.slug);
  return row.slug;
}

/** The same for a retailer and its brand: for new parts of a retailer, such as a connection or a job. */
export async function keepRetailer(tx: Tx, brandId: string, retailerId: string): Promise<void> {
  const brand = await keepBrand(tx, brandId);
  const { rows } = await tx.query<Row>(
    `select slug, removing_at is not null as removing from app.retailers
     where brand_id = $1 and id = $2 for key share`,
    [brandId, retailerId],
  );
  const [row] = rows;
  if (row === undefined) throw new NameNotFound('retailer', retailerId, []);
  if (row.removing) throw new RemovalBegun('retailer', row.slug, brand);
}
