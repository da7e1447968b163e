/** Options that say when a schedule fires and when it does not, alike for `add` and `edit`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NewSchedule } from '#sql/schedules/schedules.ts';
import { day, zone } from '../ui/arguments.ts';
import { wholeNumber } from './which.ts';

const EXCLUDED_DAYS_MAX = 366;

export type PolicyOptions = {
  expression?: string;
  timeZone?: string | null;
  catchUp?: NewSchedule['catchUp'];
  catchUpMax?: number;
  overlap?: NewSchedule['overlap'];
  except?: string[];
  pauseAfter?: number;
};

export function policyOptions(verb: Command): Command {
  return verb
    .option(
      '--time-zone <zone>',
      'IANA zone; `brand` for that of the brand, or UTC for the platform',
      zoneOrBrand,
    )
    .addOption(
      new Option('--catch-up <policy>', 'which of several missed slots fire').choices([
        'latest',
        'all',
        'skip',
      ]),
    )
    .option('--catch-up-max <n>', 'with --catch-up all, so many at most', wholeNumber(1, 100))
    .addOption(
      new Option('--overlap <policy>', 'when the job of the slot before is not over').choices([
        ...['skip', 'queue', 'cancel'],
      ]),
    )
    .option('--except <days>', 'days, separated by commas, on which nothing fires', days)
    .option('--pause-after <n>', 'pause it after so many failed slots in a row', wholeNumber(1, 100));
}

export function policyOf({
  expression,
  timeZone,
  catchUp,
  catchUpMax,
  overlap,
  except,
  pauseAfter,
}: PolicyOptions) {
  return {
    ...(expression !== undefined && { expression }),
    ...(timeZone !== undefined && { timeZone }),
    ...(catchUp !== undefined && { catchUp }),
    ...(catchUpMax !== undefined && { catchUpMax }),
    ...(overlap !== undefined && { overlap }),
    ...(except !== undefined && { excludedDays: except }),
    ...(pauseAfter !== undefined && { pauseAfterFailures: pauseAfter }),
  };
}

function zoneOrBrand(text: string): string | null {
  return text === 'brand' ? null : zone(text);
}

function days(text: string): string[] {
  const list = text === '' ? [] : text.split(',').map((one) => day(one.trim()));
  if (list.length > EXCLUDED_DAYS_MAX) throw new InvalidArgumentError(`At most ${EXCLUDED_DAYS_MAX} days`);
  return list;
}
