/** The figures of MRR, and the made-up club watched from one instant to another. */
import { rollup } from '#tasks/rollup.ts';
import { clubFiles } from '../../../sandbox/stripe/club/club.ts';
import { mrrTruth } from '../../../sandbox/stripe/club/truth.ts';
import type { TestDb } from '../db/db.ts';
import { post } from '../providers/sandbox.ts';
import { ACCOUNT, KEY, stripeSandbox } from '../providers/stripe.ts';
import { connectStripe } from '../providers/stripe_sync.ts';
import { runTask } from '../run.ts';

export type TruthRow = {
  day: string;
  currency: string;
  plan: string;
  active_subscriptions: number;
  trialing: number;
  paused: number;
  mrr: string;
};
export type MrrRow = Omit<TruthRow, 'paused'> & {
  paused: number | null;
  is_reconstructed: boolean;
  mrr_cause: string | null;
  new_mrr: string;
  expansion_mrr: string;
  reactivated_mrr: string;
  contraction_mrr: string;
  churned_mrr: string;
  churned_subscriptions: number;
};

export function mrrRows(db: TestDb, brandId: string): Promise<MrrRow[]> {
  return db.rows<MrrRow>('select * from agg.daily_mrr where brand_id = $1 order by day, plan, currency', [
    brandId,
  ]);
}

/** What truth and figures can both say of a row; amounts as numbers of pence. */
export function known({
  day,
  currency,
  plan,
  active_subscriptions,
  trialing,
  mrr,
}: TruthRow | MrrRow): string {
  return `${day} ${currency} ${plan}: ${active_subscriptions} active, ${trialing} trialing, ${Math.round(Number(mrr) * 100)}`;
}

export async function rollUp(db: TestDb, brandId: string, now?: string): Promise<void> {
  const retailers = await db.column('select id from app.retailers where brand_id = $1', [brandId]);
  for (const retailerId of retailers)
    await runTask(rollup, { brandId, retailerId: String(retailerId), ...(now && { now }) }, db);
}

/** The club's year in a sandbox that can be taken to any instant of it. */
export async function aWatchedClub(db: TestDb, end: string) {
  const { files, lives } = clubFiles(Date.parse(end) / 1000);
  const stripe = { [ACCOUNT]: { key: KEY, currency: 'gbp' } };
  const sandbox = await stripeSandbox(files, { now: end, stripe });
  const account = await connectStripe(db, sandbox);
  return {
    ...account,
    /** Reads what there is at an instant, and rolls it up. */
    async watch(now: string, { full = false } = {}): Promise<void> {
      const answer = await post(sandbox, 'load', { dir: sandbox.dir, now });
      if (!answer.ok) throw new Error(await answer.text());
      for (const stream of ['prices', 'subscriptions', 'invoices'])
        await account.sync(stream, { now, ...(full && { full }) });
      await rollUp(db, account.brandId, now);
    },
    truth(now = end): TruthRow[] {
      const { days } = mrrTruth(lives, 'Europe/London', Date.parse(now) / 1000) as { days: TruthRow[] };
      return days;
    },
    [Symbol.asyncDispose]: sandbox[Symbol.asyncDispose],
  };
}

/** Each row is the one of the day before plus what moved, to the digit, and nothing moves backwards. */
export function assertAddsUp(rows: readonly MrrRow[]): void {
  const before = new Map<string, { day: string; mrr: bigint | null }>();
  for (const row of rows.toSorted((one, other) => (one.day < other.day ? -1 : 1))) {
    const plan = `${row.currency} ${row.plan}`;
    const last = before.get(plan);
    const follows = last && Date.parse(row.day) - Date.parse(last.day) === 86_400_000;
    if (last && !follows && last.mrr !== 0n) throw new Error(`${plan} has no row after ${last.day}`);
    before.set(plan, { day: row.day, mrr: row.mrr === null ? null : thousandths(row.mrr) });
    if (row.mrr_cause !== null) continue;
    const rises = [row.new_mrr, row.expansion_mrr, row.reactivated_mrr].map(thousandths);
    const falls = [row.contraction_mrr, row.churned_mrr].map(thousandths);
    if ([...rises, ...falls].some((amount) => amount < 0n))
      throw new Error(`${row.day} ${plan} moves backwards`);
    const sum = (amounts: bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
    const start = follows ? last.mrr : 0n;
    if (start === null || start + sum(rises) - sum(falls) !== thousandths(row.mrr))
      throw new Error(`${row.day} ${plan} does not add up: ${JSON.stringify(row)}`);
  }
}

function thousandths(amount: string): bigint {
  const [whole = '', places = ''] = amount.split('.');
  if (places.length > 3) throw new Error(`${amount} is not rounded`);
  return BigInt(whole + places.padEnd(3, '0'));
}
