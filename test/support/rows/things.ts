/** A made-up provider's object for tests of the loader: a thing with parts and dated prices. */
import type { Db } from '#sql/db/pool.ts';
import type { Item, Row, Table } from '#sql/load/table.ts';
import { table } from '#sql/load/table.ts';

export const things: Table = table({
  name: 'raw.things',
  personal: null,
  key: ['id'],
  digested: true,
  columns: {
    id: 'text',
    name: 'text',
    tags: 'text[]',
    is_open: 'boolean',
    amount: 'numeric',
    placed_at: 'timestamptz',
    payload: 'jsonb',
  },
  marks: { placed_at: 'sales' },
});

export const parts: Table = table({
  name: 'raw.parts',
  personal: null,
  key: ['id'],
  columns: { id: 'text', thing_id: 'text', quantity: 'integer', booked_at: 'timestamptz' },
  rootColumn: 'thing_id',
  marks: { booked_at: 'sales' },
});

export const prices: Table = table({
  name: 'raw.prices',
  personal: null,
  key: ['id', 'valid_from'],
  columns: { id: 'text', valid_from: 'timestamptz', thing_id: 'text', price: 'numeric' },
  rootColumn: 'thing_id',
  keeps: 'history',
});

export const thingTables = [things, parts, prices] as const;

const STAMPS = 'changed_at timestamptz not null, seen_at timestamptz not null, deleted_at timestamptz';

/** The tables above, made from their definitions. */
export async function createThings(db: Db): Promise<void> {
  for (const { name, columns, key, rootColumn, digested } of thingTables) {
    const list = Object.entries(columns).map(([column, type]) => `${column} ${type}`);
    await db.query(`create table ${name} (brand_id uuid not null, connection_id uuid not null, ${list},
      ${STAMPS}, ${digested ? 'digest uuid,' : ''} primary key (brand_id, connection_id, ${key}))`);
    if (rootColumn) await db.query(`create index on ${name} (brand_id, connection_id, ${rootColumn})`);
  }
}

export type ThingParts = {
  id?: string;
  changedAt?: Date;
  thing?: Row;
  /** Absent: the parts were not read. */
  parts?: readonly Row[];
  prices?: readonly Row[];
};

export function aThing({
  id = '1',
  changedAt = at('2024-05-01T10:00:00Z'),
  thing,
  parts: own,
  prices: dated,
}: ThingParts = {}): Item {
  const root = {
    id,
    name: `thing ${id}`,
    tags: [],
    is_open: true,
    amount: '10.00',
    placed_at: at('2024-05-01T09:00:00Z'),
    payload: { id },
    ...thing,
  };
  return {
    id,
    changedAt,
    rows: {
      [things.name]: [root],
      ...(own && {
        [parts.name]: own.map((part) => ({ thing_id: id, quantity: 1, booked_at: root.placed_at, ...part })),
      }),
      ...(dated && { [prices.name]: dated.map((price) => ({ thing_id: id, ...price })) }),
    },
  };
}

export function at(instant: string): Date {
  return new Date(instant);
}
