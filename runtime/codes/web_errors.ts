/** Errors of what is delivered: over the web by providers, and letters by us. */
import type { Entry } from '../error_entry.ts';

export const webErrors = {
  NS_EVENT_KEY_TAKEN: {
    exit: 'conflict',
    when: 'the brand has a key of this name for its events, or too many',
    next: '`events keys remove` drops one',
  },
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
  NS_MAIL_PAUSED: {
    verdict: 'retry',
    when: 'the provider takes no mail of the account now: a permission, a verified sender or credits are missing',
    next: 'give it what the message says; letters wait, and are tried again each hour without spending an attempt',
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
  NS_RELAY_REFUSED: {
    exit: 'usage',
    when: 'deliveries are to be relayed to a host that is not allowed',
    next: 'list it in `NIGHTSHIFT_ALLOWED_HOSTS`; use https',
  },
  NS_WEBHOOK_SECRET_NEEDED: {
    exit: 'conflict',
    when: 'the provider signs all deliveries of the account with one secret, which another consumer has chosen',
    next: 'store it: `connections webhooks secret`, then `connections webhooks add` again',
  },
  NS_WEBHOOK_SLOT_TAKEN: {
    exit: 'conflict',
    when: 'the provider has no room for another subscription: another consumer has the slot',
    next: 'let ours take the slot and relay to that consumer: `connections webhooks relay`',
  },
  NS_WEBHOOK_SECRETS_FULL: {
    exit: 'conflict',
    when: 'a connection has so many webhook secrets that one more would only slow its deliveries down',
    next: 'drop those that are out of use: `connections webhooks secret … --only`',
  },
  NS_WEB_PORT_TAKEN: {
    when: 'the web server cannot listen: another process has the port, or the address is not of this machine',
    next: 'choose another one: `NIGHTSHIFT_WEB_PORT`, `NIGHTSHIFT_METRICS_PORT`',
  },
} as const satisfies Record<string, Entry>;
