import { z } from 'zod';
import { pseudoRandom } from './random.ts';

const whole = z.int().nonnegative();
const common = {
  /** Only for this shop (name before `.myshopify.com`). */
  shop: z.string().optional(),
  /** Only for this account of another provider. */
  account: z.string().optional(),
  /** Only for requests whose body or path holds this text. */
  match: z.string().optional(),
  /** So many fitting requests pass first. */
  after: whole.default(0),
  /** So often it strikes; 0 = without end. */
  count: whole.default(1),
  probability: z.number().min(0).max(1).default(1),
};
/** Providers out of tables: it strikes once what was asked for is done, so that only the answer is lost. */
const done = z.boolean().default(false);
const place = z
  .enum(['graphql', 'download', 'token', 'stripe', 'ecb', 'sendgrid', 'ayrshare'])
  .default('graphql');
const ids = z.array(z.string()).min(1);

const faultShape = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('status'),
    ...common,
    on: place,
    status: z.int().min(400).max(799),
    retryAfter: z.number().nonnegative().optional(),
    /** Providers out of tables: what their headers say of the time until the limit ends. */
    resetSeconds: z.number().nonnegative().optional(),
    done,
    /** Stripe: the error's code, such as `lock_timeout`, and the header `Stripe-Rate-Limited-Reason`. */
    code: z.string().optional(),
    reason: z.string().optional(),
    /** Stripe: the header `Stripe-Should-Retry`. */
    shouldRetry: z.boolean().optional(),
  }),
  z.strictObject({ kind: z.literal('reset'), ...common, on: place, done }),
  z.strictObject({ kind: z.literal('cut'), ...common, on: place, bytes: whole }),
  z.strictObject({ kind: z.literal('slow'), ...common, on: place, ms: whole }),
  z.strictObject({ kind: z.literal('revoked_key'), ...common }),
  z.strictObject({ kind: z.literal('revoked_scope'), ...common, scope: z.string() }),
  z.strictObject({ kind: z.literal('throttled'), ...common }),
  z.strictObject({ kind: z.literal('expired_cursor'), ...common }),
  z.strictObject({ kind: z.literal('repeat_page'), ...common }),
  z.strictObject({ kind: z.literal('reorder_page'), ...common }),
  z.strictObject({
    kind: z.literal('late_rows'),
    ...common,
    ids,
    requests: whole.default(0),
    seconds: whole.default(0),
    /** Shopify: its counts have them already. */
    counted: z.boolean().default(false),
  }),
  /** SendGrid: its log does not list yet what was sent through the sandbox. */
  z.strictObject({ kind: z.literal('late_logs'), ...common }),
  z.strictObject({ kind: z.literal('late_events'), ...common, seconds: whole }),
  z.strictObject({ kind: z.literal('balance_off'), ...common, currency: z.string(), amount: z.int() }),
  z.strictObject({ kind: z.literal('older_version'), ...common, ids: ids.optional() }),
  z.strictObject({ kind: z.literal('bulk_canceled'), ...common, lines: whole.default(0) }),
  z.strictObject({
    kind: z.literal('bulk_failed'),
    ...common,
    lines: whole.default(0),
    errorCode: z.enum(['ACCESS_DENIED', 'INTERNAL_SERVER_ERROR', 'TIMEOUT']).default('INTERNAL_SERVER_ERROR'),
  }),
  z.strictObject({ kind: z.literal('bulk_expired_url'), ...common }),
  z.strictObject({ kind: z.literal('bulk_ungrouped'), ...common }),
  z.strictObject({ kind: z.literal('bulk_count'), ...common, difference: z.int() }),
  z.strictObject({ kind: z.literal('bulk_slow'), ...common, ms: whole }),
  z.strictObject({ kind: z.literal('no_range'), ...common }),
  z.strictObject({
    kind: z.literal('webhook'),
    ...common,
    /** What is wrong with a delivery that a provider sends. */
    how: z.enum(['repeated', 'shuffled', 'altered', 'unsigned', 'stale', 'lost']),
    /** Of `repeated`: so often besides. */
    times: whole.default(1),
  }),
]);
const requestShape = z.strictObject({ seed: z.int().default(1), faults: z.array(faultShape) });

export type Fault = z.infer<typeof faultShape>;
export type FaultKind = Fault['kind'];
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { kind: Kind }>;
export type Place = z.infer<typeof place>;
/** What a request is about, for `shop` or `account`, `on` and `match`. */
export type Target = { shop: string; text: string; on: Place };

type Live = { fault: Fault; seen: number; struck: number };

/** The faults that are set, and how often each has struck. */
export class Faults {
  #live: Live[] = [];
  #random = pseudoRandom(1);
  #setAt = 0;
  /** By provider and shop or account: how often it had been asked before the faults were set. */
  #askedBefore = new Map<string, number>();

  /** Replaces all faults; throws when they are not as documented, or `assert` does. */
  set(input: unknown, assert: (fault: Fault, place: string) => void): void {
    const { seed, faults } = requestShape.parse(input);
    for (const [index, fault] of faults.entries()) assert(fault, `faults[${index}]`);
    this.#random = pseudoRandom(seed);
    this.#setAt = Date.now();
    this.#askedBefore.clear();
    this.#live = faults.map((fault) => ({ fault, seen: 0, struck: 0 }));
  }

  clear(): void {
    this.#live = [];
  }

  list(): object[] {
    return this.#live.map(({ fault, seen, struck }) => ({ ...fault, seen, struck }));
  }

  /** The first fault of a kind that strikes this request; asking counts. */
  take<Kind extends FaultKind>(
    kind: Kind,
    target: Target,
    isMeant: (fault: FaultOf<Kind>) => boolean = () => true,
  ): FaultOf<Kind> | undefined {
    for (const live of this.#live) {
      if (live.fault.kind !== kind || !fits(live.fault, target) || !isMeant(live.fault as FaultOf<Kind>))
        continue;
      live.seen++;
      if (this.#strikes(live)) return live.fault as FaultOf<Kind>;
    }
    return undefined;
  }

  /** Faults of a kind that concern this request, without counting: for those that last. */
  lasting<Kind extends FaultKind>(kind: Kind, target: Target): FaultOf<Kind>[] {
    return this.#live.flatMap(({ fault }) =>
      fault.kind === kind && fits(fault, target) ? [fault as FaultOf<Kind>] : [],
    );
  }

  /** Rows that are late for who asks for the `asked`th time; what was asked before the fault was set does not count. */
  lateRows(target: Target, asked: number, { inCount = false } = {}): Set<string> {
    const secondsAgo = (Date.now() - this.#setAt) / 1000;
    const who = `${target.on} ${target.shop}`;
    const before = this.#askedBefore.get(who) ?? asked - 1;
    this.#askedBefore.set(who, before);
    const late = this.lasting('late_rows', target);
    return new Set(
      late.flatMap(({ ids, requests, seconds, counted }) =>
        !(inCount && counted) && (asked - before <= requests || secondsAgo < seconds) ? ids : [],
      ),
    );
  }

  /** Whether an object is to be shown in its state before. The fault counts once a request, and `onStrike` hears of it. */
  olderVersions(target: Target, onStrike: () => void): (id: string) => boolean {
    const [fault] = this.lasting('older_version', target);
    let strikes: boolean | undefined;
    return (id) => {
      if (!fault || fault.ids?.includes(id) === false) return false;
      if (strikes === undefined) {
        strikes = this.take('older_version', target) !== undefined;
        if (strikes) onStrike();
      }
      return strikes;
    };
  }

  #strikes(live: Live): boolean {
    const { after, count, probability } = live.fault;
    if (live.seen <= after || (count > 0 && live.struck >= count)) return false;
    if (probability < 1 && this.#random() >= probability) return false;
    live.struck++;
    return true;
  }
}

function fits(fault: Fault, { shop, text, on }: Target): boolean {
  if (fault.shop !== undefined && fault.shop !== shop) return false;
  if (fault.account !== undefined && fault.account !== shop) return false;
  if ('on' in fault && fault.on !== on) return false;
  return fault.match === undefined || text.includes(fault.match);
}
