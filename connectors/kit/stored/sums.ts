/**
 * Compares stored sums with those of the provider, and rows of two tables that refer to each other, so that no stream
 * queries the database itself (see `stored.ts`). The statements follow indexes, regardless of statistics.
 */
import { lookUp } from '#sql/db/planner.ts';
import type { OwnerWith } from './stored.ts';

type Owner = OwnerWith<'transaction'>;

/** A table of bookings: `kind` and `amount` are columns of it, beside `currency` and `created_at`. */
export type Ledger = { table: string; kind: string; amount: string };

export type Sum = { kind: string; currency: string; amount: string };

export type ComparedSum = {
  kind: string;
  currency: string;
  expected: string;
  found: string;
  /** The provider gives sums of this kind. */
  isReported: boolean;
  isEqual: boolean;
  /** Something was booked since `uncertainFrom`. */
  isMoving: boolean;
  /** The difference may be of that. */
  isWithin: boolean;
};

/**
 * Compares sums by kind and currency with reported ones of some moment since `uncertainFrom`: the sum up to any second
 * since then counts as equal.
 */
export function compareSums(
  owner: Owner,
  ledger: Ledger,
  { reported, uncertainFrom }: { reported: readonly Sum[]; uncertainFrom: Date },
): Promise<ComparedSum[]> {
  return ask<ComparedSum>(owner, sumsText(ledger), [
    uncertainFrom,
    reported.map(({ kind }) => kind),
    reported.map(({ currency }) => currency),
    reported.map(({ amount }) => amount),
  ]);
}

// A currency that never had a row may be missing in the report. The whole sum comes from the index alone.
export function sumsText({ table, kind, amount }: Ledger): string {
  return `
  with booked as materialized (
    select kind, currency, sum(amount) filter (where created_at < $3) as settled,
           coalesce(sum(amount) filter (where created_at >= $3 and amount < 0), 0) as least,
           coalesce(sum(amount) filter (where created_at >= $3 and amount > 0), 0) as most
    from (
      select ${kind} as kind, currency, ${amount} as amount, created_at from ${table}
      where brand_id = $1 and connection_id = $2 and deleted_at is null
      order by created_at
    ) ledger
    group by kind, currency
  ), recent as (
    select kind, currency, sum(sum(amount)) over (partition by kind, currency order by created_at) as amount
    from (
      select ${kind} as kind, currency, ${amount} as amount, created_at from ${table}
      where brand_id = $1 and connection_id = $2 and created_at >= $3 and deleted_at is null
      order by created_at
    ) latest
    group by kind, currency, created_at
  ), reported as (
    select * from unnest($4::text[], $5::text[], $6::numeric[]) as t (kind, currency, amount)
  )
  select e.kind, e.currency, trim_scale(e.amount)::text as expected,
         trim_scale(coalesce(equal.amount, e.settled + e.least + e.most))::text as found,
         e.kind in (select kind from reported) as "isReported",
         equal.amount is not null as "isEqual", e.least <> 0 or e.most <> 0 as "isMoving",
         e.amount between e.settled + e.least and e.settled + e.most as "isWithin"
  from (
    select kind, currency, coalesce(amount, 0) as amount, coalesce(settled, 0) as settled,
           coalesce(least, 0) as least, coalesce(most, 0) as most
    from reported full join booked using (kind, currency)
  ) e
  left join lateral (
    select c.amount from (
      select e.settled as amount
      union all
      select e.settled + r.amount from recent r where (r.kind, r.currency) = (e.kind, e.currency)
    ) c where c.amount = e.amount limit 1
  ) equal on true
  order by e.kind, e.currency`;
}

/** How many rows another table is named by, how many of those are there, and one that is not. */
export type References = { expected: number; found: number; missing: string | null };

/** Rows of `table` that name one of `target` in `column`. */
export type Naming = { table: string; column: string; target: string };

export type NamingRows = Naming & {
  /** Only rows with this value in this column. */
  where: readonly [column: string, value: string];
  /** Only names that begin so. */
  prefixes: readonly string[];
  /** The `amount` of all rows with one name is that of what they name, with the other sign. */
  isNegated?: boolean;
};

/** Names in rows that were created in a time. */
export function compareNamed(
  owner: Owner,
  naming: NamingRows,
  { from, before }: { from: Date; before: Date },
): Promise<References> {
  return referencesOf(owner, namedText(naming), [from, before, naming.where[1], naming.prefixes]);
}

export function namedText({ table, column, target, where: [filtered], isNegated }: NamingRows): string {
  return `
    select count(*)::int as expected, count(o.id)::int as found, min(s.id) filter (where o.id is null) as missing
    from (
      select l.name as id, sum(l.amount) as amount
      from (
        select b.${column} as name, b.amount from ${table} b
        where b.brand_id = $1 and b.connection_id = $2 and b.deleted_at is null
          and b.created_at >= $3 and b.created_at < $4 and b.${filtered} = $5
          and exists (select from unnest($6::text[]) as w (prefix) where starts_with(b.${column}, w.prefix))
        order by b.created_at
      ) l
      group by l.name
    ) s
    left join lateral (
      select * from ${target}
      where brand_id = $1 and connection_id = $2 and id >= s.id and id <= s.id
      order by id
    ) o on ${isNegated ? 'o.amount = -s.amount' : 'true'}`;
}

/** Names in rows that are not deleted and were created since then; a deleted one of `target` is not there. */
export function compareNaming(owner: Owner, naming: Naming, from: Date): Promise<References> {
  return referencesOf(owner, namingText(naming), [from]);
}

export function namingText({ table, column, target }: Naming): string {
  return `
    select count(*)::int as expected, count(b.id)::int as found, min(o.id) filter (where b.id is null) as missing
    from (
      select id, ${column} as name from ${table}
      where brand_id = $1 and connection_id = $2 and deleted_at is null and created_at >= $3 and ${column} is not null
      order by created_at
    ) o
    left join lateral (
      select id from ${target}
      where brand_id = $1 and connection_id = $2 and id >= o.name and id <= o.name and deleted_at is null
      order by id
    ) b on true`;
}

async function referencesOf(owner: Owner, text: string, values: readonly unknown[]): Promise<References> {
  const [row] = await ask<References>(owner, text, values);
  return row ?? { expected: 0, found: 0, missing: null };
}

function ask<R extends Record<string, unknown>>(
  { connection, db }: Owner,
  text: string,
  values: readonly unknown[],
): Promise<R[]> {
  return lookUp<R>(db, text, [connection.brandId, connection.id, ...values]);
}
