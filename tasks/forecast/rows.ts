/** The rows of a forecast, from the sales of a retailer in one currency. */
import { exponentOf } from '#runtime/currencies.ts';
import type { SalesHistory } from '#sql/rollups/forecast/sales_history.ts';
import { CONFIDENCE } from './bounds.ts';
import { HORIZON } from './candidates.ts';
import { HISTORY_DAYS_MIN, type Outlook, outlookOf } from './outlook.ts';

export type Cause = 'no_sales' | 'dormant' | 'short_history' | 'naive_is_better';

type QualityRow = {
  currency: string;
  state: 'forecast' | 'silent';
  cause: Cause | null;
  method: Outlook['method'] | null;
  history_days: number;
  origins: number;
  error: string | null;
  naive_error: string | null;
  coverage: string | null;
};

export type ForecastRows = { quality: QualityRow; days: object[] };

const RATIO_PLACES = 4;

export function forecastRows({ currency, sales }: SalesHistory): ForecastRows {
  if (sales.slice(-HORIZON).every((amount) => amount === 0)) return silent('dormant', currency, sales.length);
  if (sales.length < HISTORY_DAYS_MIN) return silent('short_history', currency, sales.length);
  const outlook = outlookOf(sales);
  const { method, origins, error, naiveError, coverage } = outlook;
  const isBetter = error !== null && naiveError !== null && error < naiveError;
  const quality: QualityRow = {
    currency,
    state: isBetter ? 'forecast' : 'silent',
    cause: isBetter ? null : 'naive_is_better',
    method,
    history_days: sales.length,
    origins,
    error: error?.toFixed(RATIO_PLACES) ?? null,
    naive_error: naiveError?.toFixed(RATIO_PLACES) ?? null,
    coverage: coverage.toFixed(RATIO_PLACES),
  };
  return { quality, days: isBetter ? dayRows(outlook, currency) : [] };
}

export function silent(cause: Cause, currency: string, historyDays: number): ForecastRows {
  const nothing = { method: null, origins: 0, error: null, naive_error: null, coverage: null };
  return {
    quality: { ...nothing, currency, state: 'silent', cause, history_days: historyDays },
    days: [],
  };
}

/** Amounts are rounded here, once. */
function dayRows({ method, days }: Outlook, currency: string): object[] {
  const places = exponentOf(currency);
  return days.map(({ predicted, lower, upper }, step) => ({
    currency,
    days_ahead: step,
    predicted: predicted.toFixed(places),
    lower: lower.toFixed(places),
    upper: upper.toFixed(places),
    confidence: String(CONFIDENCE),
    method,
  }));
}
