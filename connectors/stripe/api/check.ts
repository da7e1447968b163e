/** Checks the key of a connection and its permissions before anything is synced. */
import { AccountDiffers, ScopeMissing } from '../../kit/errors.ts';
import type { Fields } from '../../kit/fields.ts';
import type { ConnectionCheck, RequestContext } from '../../kit/provider.ts';
import type { Stream } from '../../kit/stream.ts';
import { PROVIDER } from './answers.ts';
import { API_VERSION, openStripe, type Stripe, type StripeContext } from './client.ts';
import { below, textIfAny } from './coerce.ts';

/** A list that needs the permission: only a request shows whether the key has it. */
const LISTS: Readonly<Record<string, string>> = {
  rak_balance_read: '/v1/balance',
  rak_balance_transaction_source_read: '/v1/balance_transactions',
  rak_charge_read: '/v1/charges',
  rak_coupon_read: '/v1/coupons',
  rak_customer_read: '/v1/customers',
  rak_dispute_read: '/v1/disputes',
  rak_event_read: '/v1/events',
  rak_invoice_read: '/v1/invoices',
  rak_payment_intent_read: '/v1/payment_intents',
  rak_payout_read: '/v1/payouts',
  rak_plan_read: '/v1/prices',
  rak_product_read: '/v1/products',
  rak_promotion_code_read: '/v1/promotion_codes',
  rak_subscription_read: '/v1/subscriptions',
};

export async function checkStripe(
  context: Omit<RequestContext, 'warn'>,
  streams: readonly Stream[],
): Promise<ConnectionCheck> {
  const warnings: string[] = [];
  const stripe = openStripe({ ...context, warn: (warning) => warnings.push(warning) });
  const { connection } = context;
  const account = await assertOwnAccount(stripe, connection);
  const used = new Set(streams.flatMap(({ scopes, scopesOptional = [] }) => [...scopes, ...scopesOptional]));
  const denied = await deniedOf(stripe, [...used]);
  const missing = streams
    .map(({ name, scopes }) => ({ stream: name, scopes: scopes.filter((scope) => denied.has(scope)) }))
    .filter(({ scopes }) => scopes.length > 0);
  for (const { name, scopesOptional = [] } of streams) {
    const lacking = scopesOptional.filter((scope) => denied.has(scope));
    if (lacking.length > 0) warnings.push(`${name} omits what needs ${lacking.join(', ')}`);
  }
  return {
    account: described(account ?? {}, connection.account),
    apiVersion: API_VERSION,
    scopes: [...used].filter((scope) => !denied.has(scope)),
    missing,
    warnings,
  };
}

function described(account: Fields, id: string): ConnectionCheck['account'] {
  const dashboard = below(below(account, 'settings'), 'dashboard');
  return {
    name: textIfAny(dashboard, 'display_name') ?? id,
    domain: id,
    currency: (textIfAny(account, 'default_currency') ?? 'unknown').toUpperCase(),
    timeZone: textIfAny(dashboard, 'timezone') ?? 'unknown',
    createdAt: new Date(Number(account.created ?? 0) * 1000),
  };
}

/**
 * Throws NS_ACCOUNT_DIFFERS for the key of another account. Undefined if that is unknown: a restricted key may lack the
 * permission to read its own account, which nothing else here needs.
 */
export async function assertOwnAccount(
  stripe: Stripe,
  connection: StripeContext['connection'],
): Promise<Fields | undefined> {
  const { account } = connection;
  const answer = await answerIfAllowed(() => stripe.get('/v1/account', [], (body) => body));
  const named = answer && textIfAny(answer, 'id');
  if (named && named !== account) throw new AccountDiffers(PROVIDER, account, named, connection);
  return answer;
}

async function deniedOf(stripe: Stripe, scopes: readonly string[]): Promise<ReadonlySet<string>> {
  const denied = new Set<string>();
  for (const scope of scopes) {
    const path = LISTS[scope];
    if (path === undefined) throw new TypeError(`no list needs ${scope}`);
    const params = path === '/v1/balance' ? [] : ([['limit', '1']] as const);
    const answer = await answerIfAllowed(() => stripe.get(path, params, (body) => body));
    if (answer === undefined) denied.add(scope);
  }
  return denied;
}

/** The answer, or undefined if a permission is missing. */
async function answerIfAllowed(ask: () => Promise<Fields>): Promise<Fields | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ScopeMissing) return undefined;
    throw error;
  }
}
