/**
 * Charges, refunds and payouts against the ledger, both ways. Stripe counts none of them, but each that
 * moved money has booked it, and the ledger is held to the balance: so an object that no list and no event
 * ever brought is found, and so is a booking that is missing.
 */
import { counted } from '#runtime/wording.ts';
import { lookUp } from '#sql/db/planner.ts';
import { FULL_DID_NOT_HELP } from '../../kit/errors.ts';
import type { Check } from '../../kit/stream.ts';
import { emptyPage, withFailures } from '../../kit/sync_run.ts';
import { OVERLAP_MS } from '../sync/backfill.ts';
import type { Page } from '../sync/collection.ts';
import type { StripeRun } from '../sync/sync_run.ts';

const DAYS = 35;

type Kind = (typeof SOURCES)[number]['kind'];

/** `isSame`: a payout is in the currency of the ledger, so that the amounts can be held together. */
export const SOURCES = [
  { kind: 'charges', category: 'charge', prefixes: ['ch_', 'py_'], isSame: 'true' },
  { kind: 'refunds', category: 'refund', prefixes: ['re_', 'pyr_'], isSame: 'true' },
  { kind: 'payouts', category: 'payout', prefixes: ['po_'], isSame: 'o.amount = -s.amount' },
] as const;

export async function sourceChecks(run: StripeRun, failing: Failing): Promise<Page> {
  const checks: Check[] = [];
  for (const source of SOURCES) {
    const { kind, category, prefixes } = source;
    const name = `${kind} of ${DAYS} days`;
    const stored = await compare(run, storedText(source), [
      ...[beginOf(name, run, failing), `stripe.${kind}`, OVERLAP_MS],
      ...[category, prefixes],
    ]);
    const unlike = `not stored as the ledger says: ${counted(stored.lacking, kind)} of the last ${DAYS} days`;
    const again = `such as ${stored.missing}: sync ${kind} again with --full${run.context.full ? `, if that was not done; else ${FULL_DID_NOT_HELP}` : ''}`;
    checks.push(...checkOf(name, stored, `${unlike}, ${again}`, failing));
    const bookings = `bookings of ${name}`;
    const booked = await compare(run, bookedText(kind), [beginOf(bookings, run, failing)]);
    const unbooked = `their balance transactions are not stored: ${counted(booked.lacking, kind)} of the last ${DAYS} days, such as ${booked.missing}`;
    checks.push(...checkOf(bookings, booked, unbooked, failing));
  }
  return withFailures({ ...emptyPage(run), checks });
}

/** When each check that fails was all right for the last time, or made first. */
export type Failing = ReadonlyMap<string, Date>;

export async function failingSince({ context }: StripeRun): Promise<Failing> {
  const { brandId, id } = context.connection;
  const { rows } = await context.db.query<{ name: string; since: Date }>(
    `select check_name as name, coalesce(ok_at, result_since) as since from ops.completeness
     where brand_id = $1 and connection_id = $2 and stream = 'stripe.balance_transactions' and not ok`,
    [brandId, id],
  );
  return new Map(rows.map(({ name, since }) => [name, since]));
}

/** What was missing once is looked for until it is there, however long that takes. */
function beginOf(name: string, { context }: StripeRun, failing: Failing): Date {
  const until = Math.min(context.now().getTime(), failing.get(name)?.getTime() ?? Number.POSITIVE_INFINITY);
  return new Date(until - DAYS * 24 * 60 * 60_000);
}

type Compared = { expected: number; found: number; lacking: number; missing: string | null };

/**
 * None where there is nothing to compare: before the objects were read, or if there are none. But one that
 * failed ends with what it was about.
 */
function checkOf(
  name: string,
  { expected, found, lacking }: Compared,
  cause: string,
  failing: Failing,
): Check[] {
  if (expected === 0 && !failing.has(name)) return [];
  const check = { name, expected, found, ok: lacking === 0 };
  return [check.ok ? check : { ...check, cause }];
}

async function compare(
  { context }: StripeRun,
  text: string,
  values: readonly (string | number | Date | readonly string[])[],
): Promise<Compared> {
  const { brandId, id } = context.connection;
  const rows = await lookUp<Omit<Compared, 'lacking'>>(context.db, text, [brandId, id, ...values]);
  const { expected = 0, found = 0, missing = null } = rows[0] ?? {};
  return { expected, found, lacking: expected - found, missing };
}

/** Sources that the ledger names. What their own stream is not read up to yet is left out. */
export function storedText({ kind, isSame }: { kind: Kind; isSame: string }): string {
  return `
    select count(*)::int as expected, count(*) filter (where o.id is not null)::int as found,
           min(s.id) filter (where o.id is null) as missing
    from ops.positions p
    cross join lateral (
      select l.source_id as id, sum(l.amount) as amount
      from (
        select b.source_id, b.amount from raw.stripe_balance_transactions b
        where b.brand_id = $1 and b.connection_id = $2 and b.deleted_at is null
          and b.created_at >= $3 and b.created_at < (p.position->>'changesTo')::timestamptz - $5 * interval '1 ms'
          and b.reporting_category = $6
          and exists (select from unnest($7::text[]) as w (prefix) where starts_with(b.source_id, w.prefix))
        order by b.created_at
      ) l
      group by l.source_id
    ) s
    left join lateral (
      select * from raw.stripe_${kind}
      where brand_id = $1 and connection_id = $2 and id >= s.id and id <= s.id
      order by id
    ) o on ${isSame}
    where p.brand_id = $1 and p.connection_id = $2 and p.stream = $4
      and p.position->>'changesTo' is not null`;
}

/** Bookings that the objects name; whatever they name had been booked before the ledger was listed. */
export function bookedText(kind: Kind): string {
  return `
    select count(*)::int as expected, count(b.id)::int as found, min(o.id) filter (where b.id is null) as missing
    from (
      select id, balance_transaction_id from raw.stripe_${kind}
      where brand_id = $1 and connection_id = $2 and deleted_at is null and created_at >= $3
        and balance_transaction_id is not null
      order by created_at
    ) o
    left join lateral (
      select id from raw.stripe_balance_transactions
      where brand_id = $1 and connection_id = $2 and id >= o.balance_transaction_id and id <= o.balance_transaction_id
        and deleted_at is null
      order by id
    ) b on true`;
}
