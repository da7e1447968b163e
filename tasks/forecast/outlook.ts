/**
 * What daily sales let expect, and how far that can be trusted. At each origin, a day of each week, the candidate
 * that was best until then forecasts the next days, with bounds from what earlier forecasts missed. Neither the choice
 * nor the bounds know a later day: so the errors of the last half year, and the share of days that the bounds held, are
 * those that a reader would have met. The last day is one more origin.
 */
import { adapted, bounded, CONFIDENCE, type Expected, isHeld, metBy } from './bounds.ts';
import { type Forecasts, forecastAll, HORIZON, WEEK } from './candidates.ts';

/** Origins that the back-test judges. */
const JUDGED_MAX = 26;
const JUDGED_MIN = 4;
/** Earlier origins that bounds rest on. */
const EARLIER_MAX = 26;
const EARLIER_MIN = 4;
/** Those that the choice rests on: more than a year, so that it knows how the same weeks went. */
const CHOICE_MAX = 56;
/** What follows last year is chosen once it was judged by so many: of a few, luck decides. */
const YEARLY_MIN = 26;
/** Days that are known at the first origin. */
const FIRST_DAYS = 4 * WEEK;
/** The back-test of a shorter history says nothing. */
export const HISTORY_DAYS_MIN = FIRST_DAYS + (EARLIER_MIN + JUDGED_MIN - 1) * WEEK + HORIZON;
/** Origins whose days are not over: those of the last weeks, and the last day. */
const OPEN_ORIGINS = HORIZON / WEEK;

export type Outlook = {
  method: 'weekly_smoothing' | 'yearly_smoothing';
  days: readonly Expected[];
  /** Origins that the back-test has judged. */
  origins: number;
  /** Sum of absolute errors by sum of absolute sales, over all judged days; null without sales. */
  error: number | null;
  /** The same of the last week, repeated. */
  naiveError: number | null;
  /** The share of judged days within their bounds. */
  coverage: number;
};

/** From sales of consecutive days, at least HISTORY_DAYS_MIN of them. */
export function outlookOf(sales: readonly number[]): Outlook {
  const { expected, isYearly } = backtest(sales);
  const judged = [...expected].filter(([origin]) => origin + HORIZON < sales.length);
  return {
    method: isYearly ? 'yearly_smoothing' : 'weekly_smoothing',
    days: expected.get(sales.length - 1) ?? [],
    origins: judged.length,
    ...scoresOf(sales, judged),
  };
}

/** What was expected at each origin, the index of the last day that was known. */
export function backtest(sales: readonly number[]) {
  const origins = originsOf(sales.length);
  const all = forecastAll(sales, origins);
  const errors = all.map(({ at }) => errorsOf(sales, at, origins));
  const expected = new Map<number, readonly Expected[]>();
  let misses = 1 - CONFIDENCE;
  let best: Forecasts | undefined;
  const first = Math.max(EARLIER_MIN, origins.length - OPEN_ORIGINS - JUDGED_MAX);
  for (const [index, origin] of origins.slice(first).entries()) {
    const to = first + index;
    const from = Math.max(to - EARLIER_MAX, 0);
    best = bestOf(all, errors, { from: Math.max(to - CHOICE_MAX, 0), to });
    const over = expected.get(origin - HORIZON);
    if (over) misses = adapted(misses, 1 - heldBy(sales, origin - HORIZON, over) / HORIZON);
    const at = best?.at ?? [];
    expected.set(origin, bounded(at[to] ?? [], metBy(sales, at, { origins, from, to }), misses));
  }
  return { expected, isYearly: best?.candidate.isYearly ?? false };
}

/** A week apart, up to the last day. */
function originsOf(days: number): number[] {
  const most = CHOICE_MAX + JUDGED_MAX + OPEN_ORIGINS;
  const count = Math.min(Math.floor((days - FIRST_DAYS) / WEEK) + 1, most);
  return Array.from({ length: Math.max(count, 0) }, (_, index) => days - 1 - (count - 1 - index) * WEEK);
}

/** By origin: the sums of errors of the first week, of the first two, and so on. */
function errorsOf(sales: readonly number[], at: Forecasts['at'], origins: readonly number[]): number[][] {
  return origins.map((origin, place) => {
    const sums: number[] = [];
    let sum = 0;
    for (let step = 0; step < HORIZON; step++) {
      const came = sales[origin + 1 + step] ?? 0;
      sum += Math.abs(came - (at[place]?.[step] ?? 0));
      if (step % WEEK === WEEK - 1) sums.push(sum);
    }
    return sums;
  });
}

/** The first candidate with the smallest errors from origin `from` on, on days that were over at the origin `to`. */
function bestOf(
  all: readonly Forecasts[],
  errors: readonly number[][][],
  { from, to }: { from: number; to: number },
): Forecasts | undefined {
  let best: Forecasts | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [index, forecasts] of all.entries()) {
    if (forecasts.candidate.isYearly && to - forecasts.judgedFrom < YEARLY_MIN) continue;
    let sum = 0;
    for (let place = from; place < to; place++)
      sum += errors[index]?.[place]?.[Math.min(to - place, OPEN_ORIGINS) - 1] ?? 0;
    if (sum < least) [best, least] = [forecasts, sum];
  }
  return best;
}

function heldBy(sales: readonly number[], origin: number, expected: readonly Expected[]): number {
  return expected.filter((day, step) => isHeld(sales[origin + 1 + step] ?? 0, day)).length;
}

function scoresOf(sales: readonly number[], judged: readonly (readonly [number, readonly Expected[]])[]) {
  let [error, naive, sum, held] = [0, 0, 0, 0];
  for (const [origin, expected] of judged) {
    held += heldBy(sales, origin, expected);
    for (const [step, { predicted }] of expected.entries()) {
      const came = sales[origin + 1 + step] ?? 0;
      error += Math.abs(came - predicted);
      naive += Math.abs(came - (sales[origin + 1 - WEEK + (step % WEEK)] ?? 0));
      sum += Math.abs(came);
    }
  }
  return {
    error: sum > 0 ? error / sum : null,
    naiveError: sum > 0 ? naive / sum : null,
    coverage: judged.length > 0 ? held / (judged.length * HORIZON) : 0,
  };
}
