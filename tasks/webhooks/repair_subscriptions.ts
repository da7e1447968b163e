/**
 * Looks each day whether the provider of a connection still delivers what Nightshift told it to, and repairs that: one
 * deletes a subscription after some failures in a row, others switch it off. Only where `connections webhooks add` was
 * run, at the address that it was run for; nothing is asked elsewhere. What it cannot repair is alerted, and neither holds
 * the connection nor stops its syncs.
 */
import { z } from 'zod';
import { type Finding, isHarmless, isOurs } from '#connectors/kit/subscriptions.ts';
import { messageOf, NightshiftError, verdictOf } from '#runtime/errors.ts';
import { count } from '#runtime/wording.ts';
import { openDb, type Tx } from '#sql/db/pool.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { addressOf, raiseUnrepaired, resolveUnrepaired } from '#sql/webhooks/addresses.ts';
import { queueDeliveries } from '../alerts/deliver_alert.ts';
import { spread } from '../spread.ts';
import { defineTask, type Tally, type TaskContext } from '../task.ts';
import { inspect, repair, type Subscriber } from './subscriptions.ts';

const TIMEOUT_SECONDS = 600;
const NAME = 'repair_subscriptions';
/** One holds the lock of the connection, one works. */
const SESSIONS = 2;

export const repairSubscriptions = defineTask({
  name: NAME,
  payload: z.strictObject({ brandId: z.uuid(), connectionId: z.uuid() }),
  lane: ({ connectionId }) => `connection:${connectionId}`, // providers limit requests per account
  key: ({ brandId, connectionId }) => `${brandId}:${connectionId}`,
  attempts: 5,
  timeoutSeconds: TIMEOUT_SECONDS,
  schedules: [
    {
      ...{ name: 'webhooks', of: 'connection' },
      expression: (id) => `${spread(id, 60)} ${spread(`hour of ${id}`, 24)} * * *`,
    },
  ],
  async run(which, context): Promise<Tally> {
    const { db, services, signal } = context;
    const baseUrl = await addressOf(db, which);
    if (baseUrl === undefined) return { skipped: 'Nightshift has added no subscription' };
    const connection = await openConnection(db, which, services);
    const provider = services.providers.providerOf(connection.provider);
    const { webhooks } = provider;
    if (webhooks === undefined || services.url === undefined)
      throw new TypeError('subscriptions need a provider that lists them, and the address of the database');
    await using own = openDb(services.url, { applicationName: 'nightshift webhooks', max: SESSIONS });
    const { sealer } = services;
    const repairing = { db: own, sealer, provider, webhooks, connection, baseUrl, signal, actor: NAME };
    return finish(context, which, await repaired(repairing));
  },
});

/** `broken`: why not all is repaired. */
type Repaired = { tally: Tally; broken?: string };

async function repaired(subscriber: Subscriber): Promise<Repaired> {
  try {
    const mended = await repair(subscriber);
    if (mended === undefined) return { tally: { skipped: 'an operator has changed it meanwhile' } };
    const { inspection, steps } = mended;
    const { situation, findings } = steps.length > 0 ? await inspect(subscriber) : inspection;
    const subscriptions = situation.listing.subscriptions.filter((one) => isOurs(one, situation.path)).length;
    const left = findings.filter((finding) => !isHarmless(finding));
    return {
      tally: { subscriptions, differences: inspection.findings.length, repaired: steps.length },
      ...(left.length > 0 && { broken: saidOf(left) }),
    };
  } catch (error) {
    if (!isForAPerson(error)) throw error;
    return { tally: {}, broken: messageOf(error) };
  }
}

/** The key works for what it reads: that it may not subscribe is no reason to hold the connection. */
function isForAPerson(error: unknown): boolean {
  if (verdictOf(error) === 'give_up') return true;
  return error instanceof NightshiftError && error.code === 'NS_SCOPE_MISSING';
}

function saidOf([first, ...others]: readonly Finding[]): string {
  const more = others.length > 0 ? `, and ${count(others.length, 'other')}` : '';
  return `${first?.says}${more}`;
}

function finish({ db }: TaskContext, key: ConnectionKey, { tally, broken }: Repaired): Promise<Tally> {
  return db.finish(async (tx: Tx) => {
    const isResolved = broken === undefined;
    const alert = isResolved ? await resolveUnrepaired(tx, key) : await raiseUnrepaired(tx, key, broken);
    if (alert !== undefined) await queueDeliveries(tx, alert, { isResolved });
    return { ...tally, ...(broken !== undefined && { incomplete: broken }) };
  });
}
