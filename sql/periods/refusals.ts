/** Why a period is not closed, or not reopened. Periods are shown as months, such as 2026-10. */
import { coded } from '#runtime/errors.ts';

type Which = { brand: string; period: string };

export const monthOf = (period: string): string => period.slice(0, 7);

export class PeriodBusy extends coded('NS_PERIOD_BUSY') {
  constructor(period: string) {
    super(`Figures are being computed, and have not come to an end: ${monthOf(period)} stays as it is.`, {
      hint: 'See what runs, and try again: npx nightshift jobs list',
      context: { period },
    });
  }
}

export class PeriodNotOver extends coded('NS_PERIOD_NOT_OVER') {
  constructor({ brand, period }: Which, timeZone: string, endsAt: Date) {
    const until = endsAt.toISOString().replace('.000', '');
    super(`${monthOf(period)} is not over for ${brand}: in ${timeZone} it ends at ${until}.`, {
      hint: 'Close it after that.',
      context: { brand, period },
    });
  }
}

/** A source of figures with days of the period that are not final. */
export type NotFinal = { source: string; day: string; days: number; state: string; cause: string | null };

export class PeriodNotFinal extends coded('NS_PERIOD_NOT_FINAL') {
  constructor({ brand, period }: Which, all: readonly NotFinal[]) {
    const sources = all.map(
      ({ source, day, days, state, cause }) =>
        `${source} (${days} ${days === 1 ? 'day' : 'days'} from ${day}, ${state}${cause === null ? '' : `: ${cause}`})`,
    );
    super(`Not all of ${monthOf(period)} is final for ${brand}: ${sources.join('; ')}.`, {
      hint: `See what is missing: npx nightshift why ${all[0]?.source} --brand ${brand} --day ${all[0]?.day}; or close it with --anyway 'the reason'`,
      context: { brand, period, not_final: all },
    });
  }
}

export class PeriodOutOfOrder extends coded('NS_PERIOD_ORDER') {
  constructor(message: string, hint: string, which: Which) {
    super(message, { hint, context: which });
  }
}

export class PeriodNotClosed extends coded('NS_PERIOD_NOT_CLOSED') {
  constructor({ brand, period }: Which) {
    super(`${monthOf(period)} of ${brand} is not closed.`, {
      hint: `npx nightshift periods list --brand ${brand} shows what is`,
      context: { brand, period },
    });
  }
}
