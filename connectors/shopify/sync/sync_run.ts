/** The state of one run of a stream of Shopify. */
import { verdictOf } from '#runtime/errors.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { isAlone } from '../../kit/account_run.ts';
import { ScopeMissing } from '../../kit/errors.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { newRun, type SyncRun } from '../../kit/sync_run.ts';
import { type Access, assertScopes, assertShop, readAccess } from '../api/access.ts';
import { PageTooHeavy } from '../api/answers.ts';
import { openShopify, type Shopify } from '../api/client.ts';
import { type Look, lookAt } from './look.ts';
import { floorSecond, type Position, positionSchema } from './sync_state.ts';

/** Before anything that Shopify holds. */
export const BEGINNING = new Date('2000-01-01T00:00:00Z');
/** Recent changes may not be in the lists yet. */
export const LAG_MS = 60_000;

/** `look`: the common request of all streams of the run. */
export type ShopifyRun = SyncRun<Position> & Opened & { look?: Look | undefined };

export type StreamNeeds = { name: string; scopes: readonly string[] };

type Opened = { shopify: Shopify; access: Access };

const SHOP = Symbol('shop and access');
const LOOK = Symbol('look at the shop');

/** Refuses another shop, and a key that may not read what the stream needs. */
export async function openRun(context: StreamContext, { scopes }: StreamNeeds): Promise<ShopifyRun> {
  const { account, connection } = context;
  const opened = await account.once(SHOP, () => open(context));
  assertScopes(opened.access, connection, scopes);
  const look = isAlone(account) ? undefined : await account.once(LOOK, () => lookOnce(context, opened));
  return { ...newRun(context, positionSchema), ...opened, look };
}

async function open(context: StreamContext): Promise<Opened> {
  const shopify = openShopify(context);
  const access = await readAccess(shopify);
  const { connection, db, sealer } = context;
  await assertShop(access, connection, db);
  if (!connection.readsPersons) return { shopify, access };
  return { shopify, access: { ...access, personOf: await personsOf(db, sealer, connection.brandId) } };
}

/** Undefined if Shopify refuses the common request: then each stream sends its own, and can fail separately. */
async function lookOnce(context: StreamContext, opened: Opened): Promise<Look | undefined> {
  const now = context.now();
  const end = floorSecond(new Date(now.getTime() - LAG_MS));
  try {
    return await lookAt(opened, context.account.streams, { end, now });
  } catch (error) {
    const isOfOneStream = error instanceof PageTooHeavy || error instanceof ScopeMissing;
    if (verdictOf(error) !== 'give_up' && !isOfOneStream) throw error;
    context.log.info({ err: error }, 'the streams of the shop are read one by one');
    return undefined;
  }
}
