/** `fx status` and `fx list`: which rates are stored, and whether the newest publication is in. */
import type { Command } from 'commander';
import { addDays, lastPublication, publicationDays } from '#connectors/ecb/calendar.ts';
import { exitCodes } from '#runtime/exit_codes.ts';
import { type CurrencySpan, currencySpans, daysWithRates, feedStates } from '#sql/fx/feeds.ts';
import { RATE_DAYS_MAX } from '#sql/fx/rates.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';
import { count } from '../ui/format.ts';
import { instant } from '../ui/output.ts';

type Options = { now?: string };

const COLUMNS = ['currency', 'first_day', 'last_day', 'days', 'units_per_euro', 'state', 'doubtful'];

export function addStatus(command: Command, cli: Cli): void {
  command
    .command('status')
    .description('show whether the newest rates are stored and which days are missing')
    .addOption(nowOption())
    .action((options: Options) => status(cli, options));
}

export function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('list all currencies with their first and last day')
    .action(async () => {
      await using session = await openSession(cli);
      const spans = await currencySpans(session.db);
      const newest = newestOf(spans);
      const rows = spans.map((span) => ({ ...span, state: stateOf(span, newest) }));
      cli.out.list(rows, COLUMNS);
    });
}

async function status(cli: Cli, { now: given }: Options): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  const [spans, days, feeds] = [await currencySpans(db), await daysWithRates(db), await feedStates(db)];
  const newest = newestOf(spans);
  const expected = lastPublication(given ? new Date(given) : new Date());
  const oldest = [...days].sort()[0];
  const missing = publicationDays(oldest ?? expected, expected).filter((day) => !days.has(day));
  const record = {
    ...{ newest_day: newest ?? null, expected_day: expected, is_current: !missing.includes(expected) },
    ...{ oldest_day: oldest ?? null, days: days.size, missing_days: missing.length },
    currencies: spans.filter((span) => stateOf(span, newest) === 'current').length,
    ended: spans.filter((span) => stateOf(span, newest) === 'ended').map(({ currency }) => currency),
    ...{ doubtful: spans.reduce((sum, { doubtful }) => sum + doubtful, 0), feeds },
  };
  cli.out.record(record, () => [
    newest === undefined
      ? 'There are no rates yet.'
      : `Rates of ${count(days.size, 'day')}, ${oldest} to ${newest}.`,
    record.is_current ? 'The newest publication is in.' : `The publication of ${expected} is missing.`,
    ...(missing.length > 0
      ? [`Days of publication without rates: ${missing.length}, last ${missing.at(-1)}.`]
      : []),
    `${count(record.currencies, 'currency', 'currencies')} now; ended: ${record.ended.join(', ') || 'none'}.`,
    ...(record.doubtful > 0
      ? [`${count(record.doubtful, 'rate')} to look at: app.fx_rates, column doubts.`]
      : []),
    ...feeds.map(
      (feed) => `${feed.url}  read ${instant(feed.changed_at)}, looked at ${instant(feed.checked_at)}`,
    ),
    'Source: ECB statistics',
  ]);
  if (record.is_current) return;
  cli.exitCode = exitCodes.partial;
  cli.out.say('Next: npx nightshift fx sync --wait, or fx import FILE');
}

function newestOf(spans: readonly CurrencySpan[]): string | undefined {
  return spans
    .map(({ last_day }) => last_day)
    .sort()
    .at(-1);
}

/** A currency whose last rate is too old on the newest day has ended, or pauses. */
function stateOf({ last_day }: CurrencySpan, newest = last_day): 'current' | 'ended' {
  return last_day < addDays(newest, -RATE_DAYS_MAX) ? 'ended' : 'current';
}
