/**
 * Compares charges, refunds and payouts with the ledger, both ways. Stripe counts none of them, but each one that moved
 * money is booked, and the balance proves the ledger: so an object that no list and no event brought is found, and so
 * is a missing booking.
 */
import { counted } from '#runtime/wording.ts';
import { readStates } from '#sql/load/sync_state.ts';
import { FULL_DID_NOT_HELP } from '../../kit/errors.ts';
import type { Failing } from '../../kit/failing.ts';
import { compareNamed, compareNaming, type References } from '../../kit/stored/sums.ts';
import type { Check } from '../../kit/stream.ts';
import { emptyPage, parseState, withFailures } from '../../kit/sync_run.ts';
import { OVERLAP_MS } from '../sync/backfill.ts';
import type { Page } from '../sync/collection.ts';
import type { StripeRun } from '../sync/sync_run.ts';
import { positionSchema } from '../sync/sync_state.ts';

const DAYS = 35;

const LEDGER = 'raw.stripe_balance_transactions';

/** A payout is in the currency of the ledger, so that the amounts can be compared. */
export const SOURCES = [
  source('charges', 'charge', ['ch_', 'py_']),
  source('refunds', 'refund', ['re_', 'pyr_']),
  source('payouts', 'payout', ['po_'], { isNegated: true }),
] as const;

function source(
  kind: string,
  category: string,
  prefixes: readonly string[],
  more: { isNegated?: true } = {},
) {
  const table = `raw.stripe_${kind}`;
  const where = ['reporting_category', category] as const;
  return {
    kind,
    /** Sources that the ledger names. */
    named: { table: LEDGER, column: 'source_id', target: table, where, prefixes, ...more },
    /** Bookings that the objects name; all of them were booked before the ledger was listed. */
    naming: { table, column: 'balance_transaction_id', target: LEDGER },
  };
}

export async function sourceChecks(run: StripeRun, failing: Failing): Promise<Page> {
  const { context } = run;
  const { brandId, id: connectionId } = context.connection;
  const states = await readStates(context.db, { brandId, connectionId });
  const checks: Check[] = [];
  for (const { kind, named, naming } of SOURCES) {
    const name = `${kind} of ${DAYS} days`;
    const { changesTo } = parseState(positionSchema, states.get(`stripe.${kind}`)?.position);
    // What their own stream is not read up to yet is left out.
    const before = changesTo && new Date(changesTo.getTime() - OVERLAP_MS);
    const from = beginOf(name, run, failing);
    const stored = before ? await compareNamed(context, named, { from, before }) : NOTHING;
    const unlike = `not stored as the ledger says: ${counted(lacking(stored), kind)} of the last ${DAYS} days`;
    const again = `such as ${stored.missing}: sync ${kind} again with --full${context.full ? `, if that was not done; else ${FULL_DID_NOT_HELP}` : ''}`;
    checks.push(...checkOf(name, stored, `${unlike}, ${again}`, failing));
    const bookings = `bookings of ${name}`;
    const booked = await compareNaming(context, naming, beginOf(bookings, run, failing));
    const unbooked = `their balance transactions are not stored: ${counted(lacking(booked), kind)} of the last ${DAYS} days, such as ${booked.missing}`;
    checks.push(...checkOf(bookings, booked, unbooked, failing));
  }
  return withFailures({ ...emptyPage(run), checks });
}

const NOTHING: References = { expected: 0, found: 0, missing: null };

function lacking({ expected, found }: References): number {
  return expected - found;
}

/** A missing object is searched until it is found, however long that takes. */
function beginOf(name: string, { context }: StripeRun, failing: Failing): Date {
  const until = Math.min(context.now().getTime(), failing.get(name)?.getTime() ?? Number.POSITIVE_INFINITY);
  return new Date(until - DAYS * 24 * 60 * 60_000);
}

/**
 * No check if there is nothing to compare: before the objects were read, or if there are none. But a failed check ends
 * when its subject is gone.
 */
function checkOf(name: string, references: References, cause: string, failing: Failing): Check[] {
  const { expected, found } = references;
  if (expected === 0 && !failing.has(name)) return [];
  const check = { name, expected, found, ok: lacking(references) === 0 };
  return [check.ok ? check : { ...check, cause }];
}
