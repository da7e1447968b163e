/** Errors of schedules, nights, alerts and pings. */
import type { Entry } from '../error_entry.ts';

export const scheduleErrors = {
  NS_BACKFILL_TOO_LARGE: {
    exit: 'usage',
    when: 'a backfill would have more slots than one may have',
    next: 'plan it in parts, with `--since` and `--until`',
  },
  NS_SCHEDULE_EXPRESSION: {
    exit: 'usage',
    when: 'the expression of a schedule cannot be read, or has no slot',
    next: "write five fields, such as '0 2 * * *'; `schedules next` shows when it would fire",
  },
  NS_SCHEDULE_NOT_FOUND: {
    exit: 'notFound',
    when: 'there is no schedule, or no plan of a backfill, of that number or name',
    next: '`schedules list` shows them',
  },
  NS_SCHEDULE_AMBIGUOUS: {
    exit: 'usage',
    when: 'several schedules have that name',
    next: 'name one by its number, as the message lists them',
  },
  NS_SCHEDULE_STATE: {
    exit: 'conflict',
    when: 'the schedule is paused already, or not paused; the backfill was started already; or the name is taken',
    next: 'see `schedules show`',
  },
  NS_SCHEDULE_REFUSED: {
    exit: 'usage',
    when: 'the options of a schedule do not go together, or its task cannot be fired so',
    next: 'correct what the message names',
  },
  NS_DELIVERY_REFUSED: {
    verdict: 'retry',
    when: 'the receiver of alerts or pings did not take a delivery',
    next: 'see what it wants: `NIGHTSHIFT_ALERT_URL`, `NIGHTSHIFT_PING_…_URL`, `brands set-ping`',
  },
  NS_PING_REFUSED: {
    exit: 'usage',
    when: 'the address of a ping is neither https nor http of this machine, or has a password in it',
    next: 'store another one: `brands set-ping`',
  },
  NS_NIGHT_NOT_FOUND: {
    exit: 'notFound',
    when: 'there is no night of that brand and day',
    next: '`nights list`',
  },
  NS_PROMISE_BROKEN: {
    when: 'what was promised does not hold, such as figures by the deadline of a night',
    next: '`nights show`',
  },
} as const satisfies Record<string, Entry>;
