/**
 * Makes the subscriptions of a connection as they should be. The provider's list says what is there, so it may break off
 * anywhere: the next run goes on from what it finds. A secret that comes with a subscription is sealed at once.
 */
import { randomBytes } from 'node:crypto';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import type { Provider, RequestContext } from '#connectors/kit/provider.ts';
import {
  compare,
  type Finding,
  hostOf,
  isHarmless,
  isOurs,
  type KnownSecret,
  type Situation,
  type Subscribing,
  type Subscription,
  type Wanted,
} from '#connectors/kit/subscriptions.ts';
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { OpenConnection } from '#sql/tenants/connections.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { addressOf, forgetAddress, rememberAddress, resolveUnrepaired } from '#sql/webhooks/addresses.ts';
import { addSecret, dropSecrets, openSecrets } from '#sql/webhooks/secrets.ts';
import { queueDeliveries } from '../alerts/deliver_alert.ts';

const SECRET_BYTES = 32;

export type Subscriber = {
  db: Db;
  sealer: Sealer;
  provider: Provider;
  webhooks: Subscribing;
  connection: OpenConnection;
  /** Where the provider reaches the web server. */
  baseUrl: string;
  signal: AbortSignal;
  /** Of the audit log; the account that a command runs as by default. */
  actor?: string;
};

export type Inspection = { situation: Situation; findings: Finding[]; warnings: string[] };

/** What is changed at the provider. */
export type Step = {
  does: 'remove' | 'register' | 'change' | 'replace' | 'store secret';
  subscription: Subscription | undefined;
  wanted: Wanted | undefined;
  because: string[];
};

export class SlotTaken extends coded('NS_WEBHOOK_SLOT_TAKEN') {
  constructor({ name, brand }: OpenConnection, { says }: Finding) {
    const label = `${name} --brand ${brand}`;
    super(`${says}.`, {
      hint: `Let Nightshift take the slot and forward all that comes: npx nightshift connections webhooks relay ${label} --to ADDRESS_OF_THAT_CONSUMER, then remove its subscription at the provider and run this again.`,
      context: { connection: name },
    });
  }
}

export class SecretNeeded extends coded('NS_WEBHOOK_SECRET_NEEDED') {
  constructor({ name, brand }: OpenConnection, others: readonly Subscription[]) {
    const hosts = [...new Set(others.map(({ url }) => hostOf(url)))].join(', ');
    super(`One secret signs all deliveries of ${name}, and ${hosts} verifies with it already.`, {
      hint: `Store it: npx nightshift connections webhooks secret ${name} --brand ${brand}`,
      context: { connection: name },
    });
  }
}

/** The path of a connection, at the end of each address of ours. */
export function pathOf({ provider, id }: Pick<OpenConnection, 'provider' | 'id'>): string {
  return `/webhooks/${provider}/${id}`;
}

export async function inspect(subscriber: Subscriber): Promise<Inspection> {
  const { webhooks, connection, baseUrl } = subscriber;
  const warnings: string[] = [];
  const listing = await webhooks.list(contextOf(subscriber, warnings));
  const path = pathOf(connection);
  const secrets = await secretsOf(subscriber);
  const situation = { listing, url: `${baseUrl}${path}`, path, source: webhooks.secrets, secrets };
  return { situation, findings: compare(situation), warnings };
}

/** What mends the findings: one step a subscription. What nothing here can mend has none. */
export function stepsOf({ findings }: Inspection, webhooks: Subscribing): Step[] {
  const steps = new Map<unknown, Step>();
  for (const { fault, subscription, wanted, says } of findings) {
    const does = cureOf(fault, wanted, webhooks);
    if (does === undefined) continue;
    const key = subscription ?? wanted;
    const step = steps.get(key) ?? { does, subscription, wanted, because: [] };
    step.because.push(says);
    if (does === 'replace' || (does === 'change' && step.does === 'store secret')) step.does = does;
    steps.set(key, step);
  }
  return [...steps.values()];
}

function cureOf(
  fault: Finding['fault'],
  wanted: Wanted | undefined,
  { secrets, change }: Subscribing,
): Step['does'] | undefined {
  const changed = change === undefined ? 'replace' : 'change';
  switch (fault) {
    case 'missing':
      return 'register';
    case 'extra':
      return wanted === undefined ? 'remove' : changed;
    case 'taken':
      return undefined;
    case 'version':
      return secrets === 'once' ? 'replace' : undefined;
    case 'unverifiable':
      if (secrets === 'app') return undefined;
      return secrets === 'once' ? 'replace' : 'store secret';
    default:
      return changed;
  }
}

export type Mended = { inspection: Inspection; steps: Step[] };

/** Mends what differs, and from now on a job repairs it each day; throws if a slot is taken, after all else is done. */
export async function subscribe(subscriber: Subscriber): Promise<Mended> {
  await using _ = await alone(subscriber);
  const { connection, db, baseUrl, webhooks } = subscriber;
  const mended = await mend(subscriber);
  const taken = mended.inspection.findings.find(({ fault }) => fault === 'taken');
  if (taken) throw new SlotTaken(connection, taken);
  const isWhole = mended.inspection.findings.every(
    (one) => isHarmless(one) || cureOf(one.fault, one.wanted, webhooks) !== undefined,
  );
  await db.transaction(async (tx) => {
    const key = keyOf(subscriber);
    await rememberAddress(tx, key, baseUrl);
    const alert = isWhole ? await resolveUnrepaired(tx, key) : undefined;
    if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: true });
  });
  return mended;
}

/** Mends what was added for this address; undefined if an operator has removed it meanwhile, or said another one. */
export async function repair(subscriber: Subscriber): Promise<Mended | undefined> {
  await using _ = await alone(subscriber);
  const { db, baseUrl } = subscriber;
  if ((await addressOf(db, keyOf(subscriber))) !== baseUrl) return undefined;
  return await mend(subscriber); // or the lock is gone before it has begun
}

async function mend(subscriber: Subscriber): Promise<Mended> {
  const { webhooks } = subscriber;
  const inspection = await inspect(subscriber);
  const steps = stepsOf(inspection, webhooks);
  const secret =
    webhooks.secrets === 'chosen' ? await chosenSecret(subscriber, inspection, steps) : undefined;
  for (const step of steps) await carryOut(subscriber, inspection, step, secret);
  return { inspection, steps };
}

/** Removes all of ours; what others have stays. Returns which those are, or would be. */
export async function unsubscribe(subscriber: Subscriber, isDryRun: boolean): Promise<Subscription[]> {
  await using _ = await alone(subscriber);
  const { webhooks, connection } = subscriber;
  // First, so that what is removed does not come back should this break off.
  if (!isDryRun) await forget(subscriber);
  const context = contextOf(subscriber, []);
  const { subscriptions } = await webhooks.list(context);
  const ours = subscriptions.filter((one) => isOurs(one, pathOf(connection)));
  if (isDryRun) return ours;
  for (const one of ours) {
    await webhooks.remove(context, one);
    await store(subscriber, 'remove', one, (tx, key) => dropSecrets(tx, key, [one.id]));
  }
  return ours;
}

async function forget(subscriber: Subscriber): Promise<void> {
  await subscriber.db.transaction(async (tx) => {
    const alert = await forgetAddress(tx, keyOf(subscriber));
    if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved: true });
  });
}

/** Two at once would each make what is missing: one waits for the other, at most as long as a statement may take. */
async function alone({ db, connection }: Subscriber): Promise<AsyncDisposable> {
  const client = await db.pool.connect();
  const release = async () => client.release(true); // the session ends, and with it the lock
  try {
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [`webhooks ${connection.id}`]);
  } catch (error) {
    await release();
    throw error;
  }
  return { [Symbol.asyncDispose]: release };
}

async function carryOut(
  subscriber: Subscriber,
  { situation }: Inspection,
  { does, subscription, wanted }: Step,
  secret: string | undefined,
): Promise<void> {
  const { webhooks } = subscriber;
  const context = contextOf(subscriber, []);
  const order = { topics: [], ...wanted, url: situation.url, secret };
  if (does === 'change' && subscription) {
    await webhooks.change?.(context, subscription.id, order);
    await settle(subscriber, { ...subscription, topics: order.topics, url: order.url });
  }
  if (does === 'store secret' && subscription) await settle(subscriber, subscription, order);
  if (does === 'register' || does === 'replace') {
    const { id, secret: told } = await webhooks.register(context, order);
    await settle(subscriber, { id, topics: order.topics, url: order.url, isEnabled: true }, undefined, told);
  }
  if ((does === 'remove' || does === 'replace') && subscription) {
    await webhooks.remove(context, subscription);
    await store(subscriber, 'remove', subscription, (tx, key) => dropSecrets(tx, key, [subscription.id]));
  }
}

/** Stores what was made or changed, with its secret if it has one of its own. `again`: it must first be made to sign. */
async function settle(
  subscriber: Subscriber,
  subscription: Subscription,
  again?: Parameters<NonNullable<Subscribing['change']>>[2],
  told?: string,
): Promise<void> {
  const { webhooks, sealer, connection } = subscriber;
  const context = contextOf(subscriber, []);
  if (again) await webhooks.change?.(context, subscription.id, again);
  const isShown = webhooks.secrets === 'shown';
  const shown = isShown ? (await webhooks.list(context)).subscriptions : [];
  const secret = told ?? shown.find(({ id }) => id === subscription.id)?.secret;
  await store(subscriber, 'add', subscription, async (tx, key) => {
    if (secret === undefined) return;
    const made = { ...key, name: connection.name, secret, only: false, of: subscription.id };
    await addSecret(tx, sealer, made);
  });
}

/** Ours from earlier; else a new one, sealed before anything is signed with it. */
async function chosenSecret(
  subscriber: Subscriber,
  { situation }: Inspection,
  steps: readonly Step[],
): Promise<string | undefined> {
  const { connection, db, sealer } = subscriber;
  const [known] = situation.secrets;
  if (known || steps.every(({ does }) => does === 'remove')) return known?.secret;
  const others = situation.listing.subscriptions.filter((one) => !isOurs(one, situation.path));
  if (others.length > 0) throw new SecretNeeded(connection, others);
  const secret = randomBytes(SECRET_BYTES).toString('hex');
  const { brandId, id: connectionId, name } = connection;
  await db.transaction((tx) => addSecret(tx, sealer, { brandId, connectionId, name, secret, only: false }));
  return secret;
}

/** An audit row, and what belongs to it, in one transaction. */
async function store(
  subscriber: Subscriber,
  verb: 'add' | 'remove',
  { topics, url }: Subscription,
  also: (tx: Tx, key: ConnectionKey) => Promise<unknown>,
): Promise<void> {
  const { db, connection, baseUrl, actor } = subscriber;
  const key = keyOf(subscriber);
  const values = { topics, to: hostOf(url) };
  await db.transaction(async (tx) => {
    if (verb === 'add') await rememberAddress(tx, key, baseUrl);
    await also(tx, key);
    const what = verb === 'add' ? { after: values } : { before: values };
    const whose = { brandId: key.brandId, target: connection.name, ...(actor !== undefined && { actor }) };
    await recordAction(tx, { action: `connections.webhooks_${verb}`, ...whose, ...what });
  });
}

function keyOf({ connection: { brandId, id } }: Subscriber): ConnectionKey {
  return { brandId, connectionId: id };
}

async function secretsOf({ db, sealer, provider, connection }: Subscriber): Promise<KnownSecret[]> {
  const { brandId, id: connectionId, name, auth, secret } = connection;
  const own = provider.webhook?.ownSecrets?.({ auth, secret }) ?? [];
  const stored = await openSecrets(db, sealer, { brandId, connectionId, name });
  return [...stored, ...own.map((one) => ({ secret: one, of: null }))];
}

function contextOf({ connection, db, sealer, signal }: Subscriber, warnings: string[]): RequestContext {
  return {
    ...{ connection, db, sealer, signal, stats: newRequestStats(), now: () => new Date() },
    warn: (warning) => warnings.push(warning),
  };
}
