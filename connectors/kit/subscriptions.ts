/**
 * What a provider is told to deliver, and where. A *subscription* is ours if its address ends in the path of the
 * connection. All others belong to other consumers of the account: they are shown, and never touched.
 */
import type { RequestContext } from './request_context.ts';

export type Subscription = {
  /** That of the provider. */
  id: string;
  /** As the provider writes them. */
  topics: readonly string[];
  url: string;
  isEnabled: boolean;
  /** Of the API, in whose form it delivers. */
  version?: string;
  /** What verifies its deliveries, if the provider shows it at any time. */
  secret?: string;
  /** It says of itself that Nightshift made it. */
  isMarked?: boolean;
};

/** One that should be there. */
export type Wanted = { topics: readonly string[]; version?: string };

export type Listing = {
  subscriptions: readonly Subscription[];
  wanted: readonly Wanted[];
  /** How many may be there: of the whole account, or for each topic. Absent: enough. */
  slots?: { of: 'account' | 'topic'; count: number };
  /** What a person should know of it. */
  notes: readonly string[];
};

/** How one is made or changed. */
export type Order = Wanted & {
  url: string;
  /** To sign with, where we choose it. */
  secret: string | undefined;
};

/**
 * Where the secret comes from: `app`, stored already with the key or by a person; `once`, in the answer that makes a
 * subscription and never again; `shown`, listed at any time; `chosen`, by us, one for the account.
 */
export type SecretSource = 'app' | 'once' | 'shown' | 'chosen';

export type Subscribing = {
  secrets: SecretSource;
  list(context: RequestContext): Promise<Listing>;
  /** Makes one. Returns its secret if it is told only now. Sent once: a lost answer is settled by the next list. */
  register(context: RequestContext, order: Order): Promise<{ id: string; secret?: string }>;
  /** Brings one to the topics and the address of the order, and enables it. Absent: it is made anew. */
  change?(context: RequestContext, id: string, order: Order): Promise<void>;
  remove(context: RequestContext, subscription: Subscription): Promise<void>;
};

/** Stored already; `of`: the subscription that it came with, null for one that a person stored. */
export type KnownSecret = { secret: string; of: string | null };

export type Faults =
  | 'missing'
  | 'extra'
  | 'address'
  | 'disabled'
  | 'topics'
  | 'version'
  | 'unverifiable'
  | 'taken';

export type Finding = {
  fault: Faults;
  /** Undefined for one that is missing. */
  subscription: Subscription | undefined;
  wanted: Wanted | undefined;
  says: string;
};

export type Situation = {
  listing: Listing;
  url: string;
  /** That of the connection, the end of each address of ours. */
  path: string;
  source: SecretSource;
  secrets: readonly KnownSecret[];
};

/** Faults with which everything that is wanted is delivered all the same. */
const HARMLESS: ReadonlySet<Faults> = new Set(['extra', 'version']);

export function isHarmless({ fault }: Finding): boolean {
  return HARMLESS.has(fault);
}

export function isOurs({ url }: Subscription, path: string): boolean {
  return URL.canParse(url) && new URL(url).pathname.endsWith(path);
}

/** What differs from what should be, in the order in which it can be mended: what is too much makes room. */
export function compare(situation: Situation): Finding[] {
  const { listing, path } = situation;
  const left = listing.subscriptions.filter((one) => isOurs(one, path));
  const found: Finding[] = [];
  const missing: Finding[] = [];
  for (const wanted of listing.wanted) {
    const fitting = left.filter(({ topics }) => topics.some((topic) => wanted.topics.includes(topic)));
    const [subscription] = fitting.sort((one, other) => rank(other, situation) - rank(one, situation));
    if (subscription === undefined) {
      missing.push(missingOf(wanted, situation));
      continue;
    }
    left.splice(left.indexOf(subscription), 1);
    found.push(...faultsOf(subscription, wanted, situation));
  }
  const extra = left.map((subscription): Finding => {
    const says = `${listed(subscription.topics)}: delivered without need (${subscription.id})`;
    return { fault: 'extra', subscription, wanted: undefined, says };
  });
  return [...extra, ...found, ...missing];
}

/** Of two that fit, the one with less to mend stays. */
function rank(subscription: Subscription, situation: Situation): number {
  const { url, isEnabled } = subscription;
  return (
    Number(isVerified(subscription, situation)) * 4 + Number(url === situation.url) * 2 + Number(isEnabled)
  );
}

function missingOf(wanted: Wanted, { listing, path }: Situation): Finding {
  const { slots, subscriptions } = listing;
  const says = `${listed(wanted.topics)}: not delivered`;
  if (slots === undefined) return { fault: 'missing', subscription: undefined, wanted, says };
  const rivals = subscriptions.filter(
    (one) =>
      !isOurs(one, path) &&
      one.isEnabled &&
      (slots.of === 'account' || one.topics.some((topic) => wanted.topics.includes(topic))),
  );
  if (rivals.length < slots.count) return { fault: 'missing', subscription: undefined, wanted, says };
  const by = rivals.map(({ url }) => hostOf(url)).join(', ');
  const taken = `${says}, ${slots.count === 1 ? 'the only slot is' : `all ${slots.count} slots are`} taken by ${by}`;
  return { fault: 'taken', subscription: undefined, wanted, says: taken };
}

function faultsOf(subscription: Subscription, wanted: Wanted, situation: Situation): Finding[] {
  const { id, topics, url, isEnabled, version } = subscription;
  const lacking = wanted.topics.filter((topic) => !topics.includes(topic));
  const needless = topics.filter((topic) => !wanted.topics.includes(topic));
  const of = listed(wanted.topics);
  const faults: [Faults, boolean, string][] = [
    [
      'address',
      url !== situation.url,
      `${of}: goes to ${hostOf(url)}, not to ${hostOf(situation.url)} (${id})`,
    ],
    ['disabled', !isEnabled, `${of}: switched off (${id})`],
    ['topics', lacking.length > 0, `${listed(lacking)}: not delivered (${id})`],
    [
      'extra',
      lacking.length === 0 && needless.length > 0,
      `${listed(needless)}: delivered without need (${id})`,
    ],
    [
      'unverifiable',
      !isVerified(subscription, situation),
      `${of}: nothing that is stored verifies it (${id})`,
    ],
    [
      'version',
      wanted.version !== undefined && version !== undefined && version !== wanted.version,
      `${of}: in the form of API version ${version}, not ${wanted.version} (${id})`,
    ],
  ];
  return faults.flatMap(([fault, is, says]) => (is ? [{ fault, subscription, wanted, says }] : []));
}

function isVerified({ id, secret, isMarked = false }: Subscription, { source, secrets }: Situation): boolean {
  if (source === 'shown') return secret !== undefined && secrets.some((known) => known.secret === secret);
  if (source !== 'once') return secrets.length > 0;
  // What a person stored verifies what a person made: of one that Nightshift made, the secret came with it.
  return secrets.some(({ of }) => of === id || (of === null && !isMarked));
}

const LISTED_MAX = 4;

/** In few words. */
export function listed(topics: readonly string[]): string {
  const more = topics.length - LISTED_MAX;
  return more > 1 ? `${topics.slice(0, LISTED_MAX).join(', ')} and ${more} more` : topics.join(', ');
}

/** A path may be a secret. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an address that is none';
}
