/** Options that say when a schedule fires and when it does not, alike for `add` and `edit`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NewSchedule } from '#sql/schedules/schedules.ts';
import { FIRED_AT_ONCE_MAX } from '#workers/scheduler/actions.ts';
import { day, wholeNumber, zone } from '../ui/arguments.ts';

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
      'IANA time zone; `brand` for the zone of the brand, or UTC for the platform',
      zoneOrBrand,
    )
    .addOption(
      new Option('--catch-up <policy>', 'which missed slots fire; a new schedule has latest').choices([
        'latest',
        'all',
        'skip',
      ]),
    )
    .option(
      '--catch-up-max <n>',
      `how many slots --catch-up all fires at most; ${FIRED_AT_ONCE_MAX} if nothing is said`,
      wholeNumber(1, FIRED_AT_ONCE_MAX),
    )
    .addOption(
      new Option(
        '--overlap <policy>',
        'what to do if the job of the previous slot has not ended; a new schedule has skip',
      ).choices([...['skip', 'queue', 'cancel']]),
    )
    .option('--except <days>', 'days on which nothing fires, separated by commas', days)
    .option(
      '--pause-after <n>',
      'pause the schedule after this many failed slots in a row',
      wholeNumber(1, 100),
    );
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
