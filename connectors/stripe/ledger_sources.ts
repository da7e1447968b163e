/**
 * Charges and refunds against the ledger. Stripe counts neither, but each that moved money has booked it,
 * and the ledger is held to the balance: so an object that no list and no event ever brought is found.
 */
import type { Check, Page } from '../stream.ts';
import { withFailures } from './balance.ts';
import { OVERLAP_MS } from './first_load.ts';
import { emptyPage, type Reading } from './reading.ts';

const DAYS = 35;

const SOURCES = [
  { kind: 'charges', prefixes: ['ch_', 'py_'] },
  { kind: 'refunds', prefixes: ['re_', 'pyr_'] },
] as const;

export async function sourceChecks(reading: Reading): Promise<Page> {
  const checks: Check[] = [];
  for (const { kind, prefixes } of SOURCES) {
    const check = await sourceCheck(reading, kind, prefixes);
    if (check) checks.push(check);
  }
  return withFailures({ ...emptyPage(reading), checks });
}

/** Undefined before the objects themselves were read. What they are not read up to yet is left out. */
async function sourceCheck(
  { context }: Reading,
  kind: 'charges' | 'refunds',
  prefixes: readonly string[],
): Promise<Check | undefined> {
  const { brandId, id } = context.connection;
  const since = new Date(context.now().getTime() - DAYS * 24 * 60 * 60_000);
  const { rows } = await context.db.query<{ expected: number; found: number; missing: string | null }>(
    `select count(*)::int as expected, count(o.id)::int as found, min(s.id) filter (where o.id is null) as missing
     from ops.positions p
     cross join lateral (
       select distinct b.source_id as id from raw.stripe_balance_transactions b
       where b.brand_id = $1 and b.connection_id = $2 and b.deleted_at is null
         and b.created_at >= $4 and b.created_at < (p.position->>'changesTo')::timestamptz - $5 * interval '1 ms'
         and b.reporting_category in ('charge', 'refund')
         and exists (select from unnest($6::text[]) as w (prefix) where starts_with(b.source_id, w.prefix))
     ) s
     left join raw.stripe_${kind} o on o.brand_id = $1 and o.connection_id = $2 and o.id = s.id
     where p.brand_id = $1 and p.connection_id = $2 and p.stream = $3
       and p.position->>'changesTo' is not null`,
    [brandId, id, `stripe.${kind}`, since, OVERLAP_MS, prefixes],
  );
  const { expected = 0, found = 0, missing } = rows[0] ?? {};
  if (expected === 0) return undefined;
  const check = { name: `${kind} of ${DAYS} days`, expected, found, ok: found === expected };
  if (check.ok) return check;
  const cause = `the ledger names ${expected - found} ${kind} of the last ${DAYS} days that are not stored, such as ${missing}: sync them again with --full`;
  return { ...check, cause };
}
