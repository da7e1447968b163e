/** What is estimated from a series of daily sales, and how it is judged: no database. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Expected } from '../../tasks/forecast/bounds.ts';
import { ahead, observe, stateOf } from '../../tasks/forecast/holt_winters.ts';
import { backtest, HISTORY_DAYS_MIN, outlookOf } from '../../tasks/forecast/outlook.ts';
import { giftwareYear, weeks } from '../support/forecast.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { randomFrom } from '../support/random.ts';

const WEEK = [120, 100, 90, 110, 150, 0, 60];
const rounded = (days: readonly Expected[]) =>
  days.map(({ predicted, lower, upper }) =>
    [lower, predicted, upper].map((amount) => Number(amount.toFixed(2))),
  );

// Quarterly tourists in Australia (fpp2::austourists) and what R's forecast::ets estimates and forecasts for them as
// ETS(A,Ad,A): github statsmodels/statsmodels @ 1e1c89c, statsmodels/tsa/tests/results/fit_ets_results_seasonal.json.
const TOURISTS = `
  30.05251 19.14850 25.31769 27.59144 32.07646 23.48796 28.47594 35.12375 36.83848 25.00702 30.72223 28.69376 36.64099
  23.82461 29.31168 31.77031 35.17788 19.77524 29.60175 34.53884 41.27360 26.65586 28.27986 35.19115 42.20566 24.64917
  32.66734 37.25735 45.24246 29.35048 36.34421 41.78208 49.27660 31.27540 37.85063 38.83704 51.23690 31.83855 41.32342
  42.79900 55.70836 33.40714 42.31664 45.15712 59.57608 34.83733 44.84168 46.97125 60.01903 38.37118 46.97586 50.73380
  61.64687 39.29957 52.67121 54.33232 66.83436 40.87119 51.82854 57.49191 65.25147 43.06121 54.76076 59.83447 73.25703
  47.69662 61.09777 66.05576`;

test('smoothing gives the states and forecasts that R gives', () => {
  const smoothing = { alpha: 0.35445427, beta: 0.03200749, gamma: 0.39993387, phi: 0.97999997 };
  const season = [5.34956637, -6.61171798, -0.50735902, 1.76951063];
  const state = { level: 24.01278357, trend: 0.97770147, season, at: 0 };
  for (const visitors of TOURISTS.trim().split(/\s+/)) observe(state, smoothing, Number(visitors));
  expect(state.level).toBeCloseTo(62.00340579, 5);
  expect(state.trend).toBeCloseTo(0.70652496, 5);
  const forecast = ahead(state, smoothing, 4);
  for (const [step, r] of [76.07768073, 51.61741109, 63.96457729, 68.27886241].entries())
    expect(forecast[step]).toBeCloseTo(r, 5);
});

test('a state starts with the means of whole seasons', () => {
  expect(stateOf([1, 5, 3, 7], 2)).toEqual({ level: 4, trend: 0, season: [-2, 2], at: 0 });
});

test('a week that repeats itself is forecast as it is, closed days with nothing', () => {
  const { days, error, naiveError, coverage } = outlookOf(weeks(WEEK, 30));
  expect(rounded(days)).toEqual(weeks(WEEK, 4).map((amount) => [amount, amount, amount]));
  expect([error?.toFixed(6), naiveError, coverage]).toEqual(['0.000000', 0, 1]);
});

test('noise is smoothed: a repeated last week is further off', () => {
  const random = randomFrom(1);
  const sales = weeks(WEEK, 60).map((amount) => amount * (0.5 + random()));
  const { days, error, naiveError, coverage, method } = outlookOf(sales);
  expect(error).toBeLessThan((naiveError ?? 0) * 0.85);
  expect(coverage).toBeGreaterThan(0.75);
  expect(coverage).toBeLessThan(0.85);
  expect(method).toBe('weekly_smoothing');
  for (const [step, day] of days.entries()) {
    expect(day.predicted).toBeGreaterThanOrEqual((weeks(WEEK, 4)[step] ?? 0) * 0.8);
    expect(day.predicted).toBeLessThanOrEqual((weeks(WEEK, 4)[step] ?? 0) * 1.2);
  }
});

test('one outlier moves the forecast little, and the naive one by all of it', () => {
  const sales = weeks(WEEK, 30);
  sales[sales.length - 3] = 15_000; // instead of 150, on the last Friday
  const [before, after] = [outlookOf(weeks(WEEK, 30)).days, outlookOf(sales).days];
  const friday = (days: readonly Expected[]) => days[4]?.predicted ?? 0;
  expect(friday(before)).toBeCloseTo(150, 6);
  expect(friday(after)).toBeLessThan(2 * 150);
});

test('the course of the same weeks of last year is followed once it was better', () => {
  // Four times as much in the last six weeks of each year of 52 weeks.
  const sales = weeks(WEEK, 52 * 3).map((amount, at) => (at % 364 >= 46 * 7 ? 4 * amount : amount));
  const untilThen = sales.slice(0, 364 * 2 + 46 * 7);
  const { method, days } = outlookOf(untilThen);
  expect(method).toBe('yearly_smoothing');
  const expected = days.reduce((sum, { predicted }) => sum + predicted, 0);
  expect(expected).toBeGreaterThan(2 * weeks(WEEK, 4).reduce((sum, amount) => sum + amount, 0));
});

test('days of more returns than sales are expected where there were some', () => {
  const sales = weeks([100, -40, 80, 0, 120, 0, 60], 40).map((amount, at) => (at % 3 ? amount : -amount / 4));
  const { days } = outlookOf(sales);
  expect(Math.min(...days.map(({ lower }) => lower))).toBeLessThan(0);
  expect(Math.min(...days.map(({ predicted }) => predicted))).toBeGreaterThanOrEqual(0);
});

test('sales that come back after years are forecast by what they are now', () => {
  const sales = [...weeks(WEEK, 20), ...new Array<number>(728).fill(0), ...weeks(WEEK, 10)];
  const { days } = outlookOf(sales);
  const monday = days[0];
  expect(monday?.predicted).toBeGreaterThan(60);
  expect(monday?.predicted).toBeLessThan(240);
  expect(monday?.upper).toBeLessThanOrEqual(120 * 100);
});

test('nothing sold is nothing expected, and no error that could be compared', () => {
  const { days, error, naiveError } = outlookOf(new Array<number>(200).fill(0));
  expect(rounded(days)).toEqual(new Array(28).fill([0, 0, 0]));
  expect([error, naiveError]).toEqual([null, null]);
});

test('the shortest history still has four origins', () => {
  const sales = weeks(WEEK, 40);
  expect(outlookOf(sales.slice(0, HISTORY_DAYS_MIN)).origins).toBe(4);
  expect(outlookOf(sales.slice(0, HISTORY_DAYS_MIN - 1)).origins).toBe(3);
  expect(outlookOf(sales.slice(0, 160)).origins).toBe(11);
  expect(outlookOf(weeks(WEEK, 200)).origins).toBe(26);
});

test('of the built-in year, each retailer is forecast better than by the last week, and the bounds hold', () => {
  const judged = [...giftwareYear()].map(([retailer, sales]) => {
    const { error, naiveError, coverage, origins } = outlookOf(sales);
    return { retailer, error, naiveError, coverage, origins };
  });
  expect(judged).toHaveLength(5);
  for (const { retailer, error, naiveError, coverage, origins } of judged) {
    expect(error, retailer).toBeLessThan((naiveError ?? 0) * 0.9);
    expect(coverage, retailer).toBeGreaterThanOrEqual(0.75);
    expect(coverage, retailer).toBeLessThanOrEqual(0.85);
    expect(origins).toBe(26);
  }
});

const amount = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 50_000 }).map((cents) => cents / 100) },
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -50_000, max: 1_000_000_000 }).map((cents) => cents / 100) },
);

test('whatever was sold, bounds are finite and hold what is predicted', () =>
  assertHolds(
    fc.property(fc.array(amount, { minLength: HISTORY_DAYS_MIN, maxLength: 420 }), (sales) => {
      const { days, error, coverage } = outlookOf(sales);
      expect(days).toHaveLength(28);
      for (const { predicted, lower, upper } of days) {
        expect([predicted, lower, upper].every(Number.isFinite)).toBe(true);
        expect(lower <= predicted && predicted <= upper).toBe(true);
      }
      expect(error === null || Number.isFinite(error)).toBe(true);
      expect(coverage).toBeGreaterThanOrEqual(0);
      expect(coverage).toBeLessThanOrEqual(1);
    }),
    inForm(8, 40),
  ));

test('what was expected at an origin depends on no later day, and on nothing else than the sales', () =>
  assertHolds(
    fc.property(
      fc.array(amount, { minLength: HISTORY_DAYS_MIN, maxLength: 300 }),
      fc.array(amount, { minLength: 7, maxLength: 7 }),
      fc.nat(9),
      (sales, other, weeksBack) => {
        const origin = sales.length - 1 - 7 * weeksBack;
        const changed = sales.map((sold, day) => (day > origin ? (other[day % 7] ?? 0) : sold));
        const upTo = (of: readonly number[]) => [...backtest(of).expected].filter(([at]) => at <= origin);
        expect(upTo(changed)).toEqual(upTo(sales));
        expect(outlookOf(sales)).toEqual(outlookOf([...sales]));
      },
    ),
    inForm(8, 40),
  ));
