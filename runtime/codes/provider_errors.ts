/** What can go wrong between us and a provider. */
import type { Entry } from '../error_entry.ts';

export const providerErrors = {
  NS_ACCOUNT_DIFFERS: {
    verdict: 'hold',
    when: 'key and address belong to another account than the connection; nothing of it is stored',
    next: 'give it its own key or address, then `connections release`; the other account needs a connection of its own',
  },
  NS_ACCOUNT_NOT_FOUND: {
    verdict: 'hold',
    when: 'the provider knows no such account or shop',
    next: 'compare name and address with `connections list`; a renamed account needs a new connection',
  },
  NS_ACCOUNT_SUSPENDED: {
    verdict: ['retry', 'hold'],
    when: 'the account is frozen, unpaid or locked',
    next: 'its owner settles it with the provider; a frozen account is tried again each day; after a locked one, release the connection',
  },
  NS_ANSWER_NOT_UNDERSTOOD: {
    verdict: ['retry', 'give_up'],
    when: 'an answer breaks the known contract of the provider; nothing of it was stored',
    next: 'if it persists, the provider has changed: report it',
  },
  NS_ANSWER_TOO_LARGE: {
    when: 'an answer is larger than any page can be',
    next: 'check the address of the connection',
  },
  NS_BULK_DISTRUSTED: {
    verdict: 'retry',
    when: 'results of bulk operations repeatedly contradict themselves',
    next: 'nothing: the objects are read page by page instead',
  },
  NS_BULK_GIVEN_UP: {
    verdict: 'retry',
    when: 'the provider did not finish several bulk operations of one load',
    next: "the next attempt begins again; ask the provider's support if it persists",
  },
  NS_BULK_NOT_READY: {
    verdict: 'retry',
    when: 'a bulk operation still runs, or all slots are taken',
    next: 'nothing: the job checks again, without spending an attempt',
  },
  NS_BULK_RESULT_CONTRADICTORY: {
    verdict: 'retry',
    when: 'a bulk result has another number of objects than announced',
    next: 'nothing: the next attempt starts a new operation',
  },
  NS_BULK_RESULT_CUT: {
    verdict: 'retry',
    when: 'the download of a bulk result repeatedly ends early',
    next: 'nothing: the next attempt starts a new bulk operation',
  },
  NS_BULK_UNGROUPED: {
    verdict: 'retry',
    when: 'the children of a bulk result do not follow their parent',
    next: 'nothing: the objects are read page by page instead',
  },
  NS_CREDENTIALS_REJECTED: {
    verdict: 'hold',
    when: 'the provider refuses the key',
    next: '`connections key` stores a new one and releases the connection',
  },
  NS_FX_FEED_NOT_SERVED: {
    verdict: 'retry',
    when: 'the ECB does not serve its exchange rates, or redirects elsewhere',
    next: 'check `NIGHTSHIFT_ECB_URL`; or `fx import` a file',
  },
  NS_FX_NOT_UNDERSTOOD: {
    verdict: 'retry',
    when: 'an answer or file of exchange rates is broken; line and column are named, nothing of it was stored',
    next: 'download it from the ECB again, and do not open it in a spreadsheet',
  },
  NS_KEY_UNFIT: {
    verdict: 'hold',
    exit: 'usage',
    when: "the key belongs to another provider, or to a kind that reads nothing (publishable, a webhook's, an app's secret)",
    next: 'use the kind of key that the message names, then `connections key`',
  },
  NS_MODE_MIXED: {
    verdict: 'hold',
    when: "a key or an object is of the provider's live mode where test data are stored, or the other way round",
    next: 'store a key of the same mode, or add another connection',
  },
  NS_PAGE_TOO_HEAVY: {
    verdict: ['retry', 'give_up'],
    when: 'the provider cannot answer even a page of one object',
    next: 'report it',
  },
  NS_PROVIDER_UNAVAILABLE: {
    verdict: 'retry',
    when: 'the provider cannot be reached or answers with a server error',
    next: "nothing; if it persists, see the provider's status page",
  },
  NS_RATE_LIMITED: {
    verdict: 'retry',
    when: 'the provider limits our requests for longer than a job waits',
    next: 'nothing: it continues within a day, without spending an attempt; at once with `connections limits NAME --reset`',
  },
  NS_REDIRECT_REFUSED: {
    verdict: 'hold',
    when: "the provider's address redirects elsewhere, which could leak the key",
    next: "give the provider's own address",
  },
  NS_REQUEST_REFUSED: {
    when: 'the provider rejects our request as invalid',
    next: 'a fault of Nightshift or a change of the provider: report it',
  },
  NS_SCOPE_MISSING: {
    verdict: 'hold',
    when: 'the account denies the key everything, or what a command wants; a stream that lacks a permission fails by its check `permission` instead',
    next: 'grant what the message names, then `connections check` and, if it is held, `connections release`',
  },
  NS_STREAM_UNKNOWN: {
    exit: 'usage',
    when: 'there is no such stream',
    next: 'the message lists them',
  },
} as const satisfies Record<string, Entry>;
