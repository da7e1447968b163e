/** What each candidate, a set of parameters, would have forecast at each origin, from the days up to it alone. */
import { ahead, observe, type Smoothing, stateOf } from './holt_winters.ts';

export const WEEK = 7;
export const HORIZON = 28;
/** The first days, which only start the state. */
const START_DAYS = 2 * WEEK;
const YEAR = 52 * WEEK; // the same weekday of last year

/** A weekday on which so many weeks brought nothing is closed. */
const CLOSED_WEEKS = 8;
/** Other days are expected to bring at least this share of the mean, so that what came can be measured by it. */
const SHARE_MIN = 0.05;
/** The growth of the same weeks of last year counts within these bounds. */
const [GROWTH_MIN, GROWTH_MAX] = [0.25, 4];

const LEVELS = [0.01, 0.03, 0.08, 0.2];
const SEASONS = [0.02, 0.06, 0.15];
const TRENDS = [
  { beta: 0, phi: 0 },
  { beta: 0.005, phi: 0.98 },
];

export type Candidate = Smoothing & {
  /** Follows the course that the same weeks took last year. */
  isYearly: boolean;
};

/** Those of a week first: of equal errors the first one counts. */
const candidates: readonly Candidate[] = [false, true].flatMap((isYearly) =>
  TRENDS.flatMap((trend) =>
    LEVELS.flatMap((alpha) => SEASONS.map((gamma) => ({ ...trend, alpha, gamma, isYearly }))),
  ),
);

export type Forecasts = {
  candidate: Candidate;
  /** In the order of the origins, each the index of the last day that is known. */
  at: readonly (readonly number[])[];
  /** The place of the first origin from which it can be judged: last year's sales are known there. */
  judgedFrom: number;
};

/**
 * All candidates, at these origins in ascending order. Sales are smoothed as square roots, with their sign: that tames
 * spikes and lets the spread grow with the level.
 */
export function forecastAll(sales: readonly number[], origins: readonly number[]): Forecasts[] {
  const roots = sales.map((amount) => Math.sign(amount) * Math.sqrt(Math.abs(amount)));
  const open = origins.map((origin) => openDays(sales, origin));
  const growth = origins.map((origin) => growthAfter(sales, origin));
  const firstYear = growth.findIndex((factors) => factors !== undefined);
  return candidates
    .filter(({ isYearly }) => firstYear >= 0 || !isYearly)
    .map((candidate) => {
      const smoothed = smoothedAt(roots, candidate, origins);
      const at = smoothed.map((ahead, place) =>
        sold(ahead, open[place] ?? [], candidate.isYearly ? growth[place] : undefined),
      );
      return { candidate, at, judgedFrom: candidate.isYearly ? firstYear : 0 };
    });
}

function smoothedAt(
  roots: readonly number[],
  candidate: Candidate,
  origins: readonly number[],
): (readonly number[])[] {
  const state = stateOf(roots.slice(0, START_DAYS), WEEK);
  let next = START_DAYS;
  return origins.map((origin) => {
    for (; next <= origin; next++) observe(state, candidate, roots[next] ?? 0);
    return ahead(state, candidate, HORIZON);
  });
}

/** What roots stand for, on open days. */
function sold(roots: readonly number[], open: readonly boolean[], growth?: readonly number[]): number[] {
  const amounts = new Array<number>(roots.length);
  let sum = 0;
  for (let step = 0; step < roots.length; step++) {
    const root = Math.max(roots[step] ?? 0, 0);
    const amount = root * root * (growth?.[step] ?? 1);
    amounts[step] = amount;
    sum += amount;
  }
  const floor = (SHARE_MIN * sum) / roots.length;
  for (let step = 0; step < roots.length; step++)
    amounts[step] = open[step % WEEK] ? Math.max(amounts[step] ?? 0, floor) : 0;
  return amounts;
}

/** Whether the next seven days are of weekdays with sales. */
function openDays(sales: readonly number[], origin: number): boolean[] {
  return Array.from({ length: WEEK }, (_, step) => {
    const weeks = Array.from(
      { length: CLOSED_WEEKS },
      (_, week) => sales[origin + 1 + step - WEEK * (week + 1)],
    );
    return weeks.some((amount) => amount !== undefined && amount !== 0);
  });
}

/**
 * How the weeks around each of the next days compare, a year ago, with the four weeks before this day of last year;
 * undefined without these.
 */
function growthAfter(sales: readonly number[], origin: number): number[] | undefined {
  const then = origin - YEAR;
  const before = sumOf(sales, then - HORIZON + 1, HORIZON) / HORIZON;
  if (then - HORIZON + 1 < 0 || !(before > 0)) return undefined;
  return Array.from({ length: HORIZON }, (_, step) => {
    const around = sumOf(sales, then + 1 + step - WEEK, 2 * WEEK + 1) / (2 * WEEK + 1);
    return Math.min(Math.max(around / before, GROWTH_MIN), GROWTH_MAX);
  });
}

function sumOf(sales: readonly number[], from: number, count: number): number {
  let sum = 0;
  for (let at = from; at < from + count; at++) sum += sales[at] ?? 0;
  return sum;
}
