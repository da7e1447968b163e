/**
 * Bounds from what earlier forecasts missed: conformal prediction. What came is counted as a multiple of what was
 * forecast, so the bounds widen with the level, and many days without sales make a lower bound of exactly 0.
 */
import { type Forecasts, HORIZON } from './candidates.ts';

/** The share of days that the bounds are to hold. */
export const CONFIDENCE = 0.8;

/** How fast the share of misses that is aimed at follows the one that was met, and how far. */
const MISSES_STEP = 0.2;
const [MISSES_MIN, MISSES_MAX] = [0.05, 0.4];
/** Closed days are held for nothing: of the others at least this part of the confidence is held too. */
const OPEN_PART_MIN = 0.75 / CONFIDENCE;
/** Limits of the correction of forecasts that are always too low, as those of square roots are, or too high. */
const [CORRECTION_MIN, CORRECTION_MAX] = [0.5, 2];
/** What comes back after a long pause is any multiple of what was forecast by then: more than this is no spread. */
const RATIO_MAX = 100;
/** Less than the smallest unit of any currency; sums of floats differ by less. */
const NOTHING = 1e-6;

export type Expected = { predicted: number; lower: number; upper: number };

/** What came of what was forecast, over all days that are known. */
export type Met = {
  /** Multiples of what was forecast, in ascending order. */
  ratios: Float64Array;
  /** Days of which nothing was expected, and nothing came. */
  closed: number;
  /** What came of all that was forecast. */
  correction: number;
};

type Earlier = { origins: readonly number[]; from: number; to: number };

/** Up to the origin `to`. */
export function metBy(sales: readonly number[], at: Forecasts['at'], { origins, from, to }: Earlier): Met {
  const ratios: number[] = [];
  let [closed, sold, forecast] = [0, 0, 0];
  for (let place = from; place < to; place++) {
    const origin = origins[place] ?? 0;
    const steps = Math.min(HORIZON, (origins[to] ?? 0) - origin);
    for (let step = 0; step < steps; step++) {
      const came = sales[origin + 1 + step] ?? 0;
      const wanted = at[place]?.[step] ?? 0;
      sold += came;
      forecast += wanted;
      if (wanted > 0) ratios.push(Math.min(Math.max(came / wanted, -RATIO_MAX), RATIO_MAX));
      else if (came === 0) closed += 1;
    }
  }
  const correction = forecast > 0 ? sold / forecast : 1;
  return {
    ratios: Float64Array.from(ratios).sort(),
    closed,
    correction: Math.min(Math.max(correction, CORRECTION_MIN), CORRECTION_MAX),
  };
}

/**
 * Half of the misses may lie below, and the upper bound holds as many days as make up for what does not: where the
 * lower one is 0, hardly a day lies below it.
 */
export function bounded(
  forecast: readonly number[],
  { ratios, closed, correction }: Met,
  misses: number,
): Expected[] {
  const lowest = ratios[Math.floor((misses / 2) * ratios.length)] ?? 0;
  const held = Math.max(
    (1 - misses) * (ratios.length + closed) - closed,
    (1 - misses) * OPEN_PART_MIN * ratios.length,
  );
  const highest = ratios[Math.min(ratios.indexOf(lowest) + Math.ceil(held), ratios.length - 1)] ?? 0;
  return forecast.map((amount) => {
    const [lower, upper] = [amount * lowest, amount * highest];
    return { predicted: Math.min(Math.max(amount * correction, lower), upper), lower, upper };
  });
}

export function isHeld(came: number, { lower, upper }: Expected): boolean {
  return came >= lower - NOTHING && came <= upper + NOTHING;
}

/** Adaptive conformal inference (Gibbs & Candès, 2021): what is missed too often is aimed at less often. */
export function adapted(misses: number, met: number): number {
  return Math.min(Math.max(misses + MISSES_STEP * (1 - CONFIDENCE - met), MISSES_MIN), MISSES_MAX);
}
