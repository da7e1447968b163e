/** Errors of letters. */
import type { Entry } from './error_entry.ts';

export const mailErrors = {
  NS_MAIL_BUSY: {
    exit: 'conflict',
    when: 'a letter is in a state in which this cannot be done with it',
    next: '`mail show` says what state it is in, and what can be done',
  },
  NS_MAIL_NOT_FOUND: {
    exit: 'notFound',
    when: 'there is no such letter',
    next: '`mail list` shows the letters',
  },
  NS_MAIL_SENDER_MISSING: {
    exit: 'usage',
    when: 'it is not said as whom letters of the connection are sent',
    next: '`mail sender` says it',
  },
  NS_MAIL_UNFIT: {
    exit: 'usage',
    when: 'a template, its variables, a language, a campaign or an address cannot be used',
    next: 'the message says what is expected',
  },
  NS_MAIL_UNSETTLED: {
    verdict: 'retry',
    when: 'an attempt to send a letter was interrupted, and the provider cannot say yet whether it has the letter',
    next: 'nothing: it is looked up again, without spending an attempt; it is not sent twice',
  },
} as const satisfies Record<string, Entry>;
