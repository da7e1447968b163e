/** Errors of periods that are closed and reopened. */
import type { Entry } from '../error_entry.ts';

export const periodErrors = {
  NS_PERIOD_BUSY: {
    exit: 'conflict',
    when: 'figures of the brand are being computed for longer than a closing waits',
    next: 'try again; `jobs list` shows what runs',
  },
  NS_PERIOD_NOT_CLOSED: {
    exit: 'notFound',
    when: 'the month is not closed',
    next: '`periods list` shows what is',
  },
  NS_PERIOD_NOT_FINAL: {
    exit: 'conflict',
    when: 'a month has days that are not final, so it would be closed without all that belongs to it',
    next: 'complete what the message names, or close it with `--anyway` and the reason',
  },
  NS_PERIOD_NOT_OVER: {
    exit: 'conflict',
    when: 'a month cannot be closed before it ends in the time zone of the brand',
    next: 'close it after the instant that the message names',
  },
  NS_PERIOD_ORDER: {
    exit: 'conflict',
    when: 'months are closed one after the other, and only the last closed one can be reopened',
    next: 'see which one is next: `periods list`',
  },
} as const satisfies Record<string, Entry>;
