/** Rows of bi.daily_mrr from what changed on each day, and as they are stored. */
import type { TestDb } from '../db/db.ts';
import type { Change } from './lives.ts';

export type MrrRow = Record<string, string | number | boolean | null>;

const SCALE = 1_000n; // the dinar has thousandths

function units(text = '0'): bigint {
  const [whole = '0', part = ''] = text.split('.');
  return BigInt(whole) * SCALE + BigInt(part.padEnd(3, '0'));
}

function text(sum: bigint): string {
  const part = (sum % SCALE).toString().padStart(3, '0').replace(/0+$/, '');
  return `${sum / SCALE}${part && `.${part}`}`;
}

const MOVES = ['new', 'expansion', 'contraction', 'churned', 'reactivated'] as const;
const SIGNS = { new: 1n, expansion: 1n, reactivated: 1n, contraction: -1n, churned: -1n };

/** Every day from the first change to the last day, with what was carried on from the day before. */
export function dailyMrr(changes: readonly Change[], lastDay: string, isReconstructed = false): MrrRow[] {
  const plans = new Map<string, { active: number; trialing: number; paused: number; mrr: bigint }>();
  const days = daysFrom(changes.map(({ day }) => `2026-${day}`).toSorted()[0] ?? lastDay, lastDay);
  return days.flatMap((day) => {
    const moved = changes.filter((change) => `2026-${change.day}` === day);
    const keyOf = ({ plan, currency = 'GBP' }: Change) => `${currency} ${plan}`;
    for (const change of moved) {
      const plan = plans.get(keyOf(change)) ?? { active: 0, trialing: 0, paused: 0, mrr: 0n };
      for (const field of ['active', 'trialing', 'paused'] as const) plan[field] += change[field] ?? 0;
      for (const move of MOVES) plan.mrr += SIGNS[move] * units(change[move]);
      plans.set(keyOf(change), plan);
    }
    return [...plans.keys()].toSorted().flatMap((key) => {
      const { active, trialing, paused, mrr } = plans.get(key) ?? {
        active: 0,
        trialing: 0,
        paused: 0,
        mrr: 0n,
      };
      const own = moved.filter((change) => keyOf(change) === key);
      if (active + trialing === 0 && own.length === 0) return [];
      const sum = (move: (typeof MOVES)[number]) =>
        text(own.reduce((all, change) => all + units(change[move]), 0n));
      const [currency = '', plan = ''] = key.split(' ');
      return {
        ...{ day, currency, plan, is_reconstructed: isReconstructed, active_subscriptions: active, trialing },
        ...{ paused: isReconstructed && active + trialing > 0 ? null : paused, mrr: text(mrr) },
        ...Object.fromEntries(MOVES.map((move) => [`${move}_mrr`, sum(move)])),
        churned_subscriptions: own.reduce((all, { lost = 0 }) => all + lost, 0),
      };
    });
  });
}

function daysFrom(first: string, last: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(`${first}T12:00:00Z`); at <= Date.parse(`${last}T12:00:00Z`); at += 86_400_000)
    days.push(new Date(at).toISOString().slice(0, 10)); // noon in UTC, where days are days
  return days;
}

export function mrrRows(db: TestDb, brandId: string): Promise<MrrRow[]> {
  const moves = MOVES.map((move) => `trim_scale(${move}_mrr)::text as ${move}_mrr`).join(', ');
  return db.rows(
    `select to_char(day, 'YYYY-MM-DD') as day, currency, plan, is_reconstructed,
            active_subscriptions::int as active_subscriptions, trialing::int as trialing, paused::int as paused,
            trim_scale(mrr)::text as mrr, ${moves}, churned_subscriptions::int as churned_subscriptions
     from bi.daily_mrr where brand_id = $1 order by day, currency, plan collate "C"`,
    [brandId],
  );
}
