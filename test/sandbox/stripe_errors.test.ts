import Stripe from 'stripe';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { setFaults } from '../support/providers/sandbox.ts';
import { charge, client, KEY, rawGet, stripeSandbox } from '../support/providers/stripe.ts';

const CONNECTED = 'acct_shop';

let sandbox: Awaited<ReturnType<typeof stripeSandbox>>;
let stripe: Stripe;
beforeAll(async () => {
  const keys = [
    KEY,
    'sk_live_acme',
    { key: 'rk_test_few', permissions: ['rak_charge_read'] },
    { key: 'rk_test_old', expired: true },
  ];
  sandbox = await stripeSandbox(
    {
      charges: [
        ...Array.from({ length: 6 }, (_, index) => charge(`ch_${index + 1}`)),
        charge('ch_live', { livemode: true }),
      ],
      customers: [{ id: 'cus_1' }, { id: 'cus_1', deleted: true }],
      [`stripe/${CONNECTED}/charges.ndjson`]: [charge('ch_1', { amount: 7 })],
    },
    {
      stripe: {
        acct_acme: { keys, connected: [CONNECTED] },
        [CONNECTED]: {},
        acct_other: { key: 'sk_test_other' },
      },
    },
  );
  stripe = client(sandbox);
});
afterAll(() => sandbox[Symbol.asyncDispose]());
afterEach(() => fetch(`${sandbox.url}/_sandbox/reset`, { method: 'POST' }));

const as = (key: string, options: object = {}) => client(sandbox, key, options);

test.each([
  [
    'an unknown key',
    'rk_test_nobody',
    'StripeAuthenticationError',
    401,
    'Invalid API Key provided: rk_test_********body',
  ],
  ['an expired key', 'rk_test_old', 'StripeAuthenticationError', 401, 'Expired API Key'],
  ['a publishable key', 'pk_test_acme', 'StripePermissionError', 403, 'publishable API key'],
])('%s is refused', async (_name, key, type, statusCode, message) => {
  const asked = as(key).charges.list();
  await expect(asked).rejects.toMatchObject({ type, statusCode, message: expect.stringContaining(message) });
});

test('no key at all is refused, and a key may come as the user name', async () => {
  expect(await rawGet(sandbox, 'charges', { authorization: '' })).toMatchObject({ status: 401 });
  const basic = `Basic ${Buffer.from(`${KEY}:`).toString('base64')}`;
  expect(await rawGet(sandbox, 'charges', { authorization: basic })).toMatchObject({ status: 200 });
});

test('a restricted key reads what it may, and is told which permission it lacks', async () => {
  const few = as('rk_test_few');
  expect((await few.charges.list()).data).toHaveLength(6);
  expect((await few.refunds.list()).data).toEqual([]);
  const lacking = { type: 'StripePermissionError', code: 'more_permissions_required' };
  await expect(few.payouts.list()).rejects.toMatchObject({
    ...lacking,
    message: expect.stringContaining("'rak_payout_read'"),
  });
  await expect(few.balance.retrieve()).rejects.toMatchObject(lacking);
  await expect(few.accounts.retrieveCurrent()).rejects.toMatchObject(lacking);
});

test('a key sees the objects of its mode only', async () => {
  const live = await as('sk_live_acme').charges.list();
  expect(live.data.map(({ id, livemode }) => [id, livemode])).toEqual([['ch_live', true]]);
  expect((await stripe.charges.list()).data.every(({ livemode }) => !livemode)).toBe(true);
  await expect(stripe.charges.retrieve('ch_live')).rejects.toThrow('a similar object exists in live mode');
});

test('a platform acts for the accounts that are connected to it, and for no others', async () => {
  const shop = await stripe.charges.list({}, { stripeAccount: CONNECTED });
  expect(shop.data.map(({ id, amount }) => [id, amount])).toEqual([['ch_1', 7]]);
  expect(await stripe.charges.retrieve('ch_1')).toMatchObject({ amount: 1_000 });
  expect(await stripe.accounts.retrieveCurrent({}, { stripeAccount: CONNECTED })).toMatchObject({
    id: CONNECTED,
  });
  const denied = { type: 'StripePermissionError', code: 'account_invalid', statusCode: 403 };
  await expect(stripe.charges.list({}, { stripeAccount: 'acct_other' })).rejects.toMatchObject(denied);
  await expect(as('sk_test_other').charges.list({}, { stripeAccount: CONNECTED })).rejects.toMatchObject(
    denied,
  );
});

test.each([
  ['limit=101', 'less than or equal to 100', 'parameter_invalid_integer'],
  ['limit=0', 'greater than or equal to 1', 'parameter_invalid_integer'],
  ['limit=ten', 'Invalid integer: ten', 'parameter_invalid_integer'],
  ['starting_after=ch_none', "No such charge: 'ch_none'", 'resource_missing'],
  ['starting_after=ch_1&ending_before=ch_2', 'only provide one of', undefined],
  ['status=paid', 'Received unknown parameter: status', 'parameter_unknown'],
  ['created[since]=1', 'Received unknown parameter: created[since]', 'parameter_unknown'],
])('charges?%s is refused', async (query, message, code) => {
  const { status, body } = await rawGet(sandbox, `charges?${query}`);
  const error = body.error as { message: string; code?: string; type: string };
  expect([status, error.code, error.type]).toEqual([400, code, 'invalid_request_error']);
  expect(error.message).toContain(message);
});

test('at most twenty types of events, and not beside one type', async () => {
  const types = Array.from({ length: 21 }, (_, index) => `types[]=charge.x${index}`).join('&');
  expect(await rawGet(sandbox, `events?${types}`)).toMatchObject({ status: 400 });
  expect(await rawGet(sandbox, 'events?types[]=charge.succeeded&type=charge.failed')).toMatchObject({
    status: 400,
  });
});

test('what is not there is a 404, what was deleted says so', async () => {
  const missing = { type: 'StripeInvalidRequestError', statusCode: 404, code: 'resource_missing' };
  await expect(stripe.charges.retrieve('ch_none')).rejects.toMatchObject(missing);
  expect(await stripe.customers.retrieve('cus_1')).toEqual(
    expect.objectContaining({ id: 'cus_1', deleted: true }),
  );
  expect((await stripe.customers.list()).data).toEqual([]);
  const cursor = stripe.customers.list({ starting_after: 'cus_1' });
  await expect(cursor).rejects.toMatchObject({ statusCode: 400, code: 'resource_missing' });
  expect(await rawGet(sandbox, 'sources')).toMatchObject({ status: 404 });
});

test('429 comes with and without its reason, and the client leaves it to its caller', async () => {
  await setFaults(
    sandbox,
    { kind: 'status', on: 'stripe', status: 429, reason: 'endpoint-rate' },
    { kind: 'status', on: 'stripe', status: 429, code: 'lock_timeout' },
  );
  const limited = await stripe.charges.list().catch((error: unknown) => error);
  expect(limited).toBeInstanceOf(Stripe.errors.StripeRateLimitError);
  expect((limited as Stripe.errors.StripeError).headers?.['stripe-rate-limited-reason']).toBe(
    'endpoint-rate',
  );
  const locked = await rawGet(sandbox, 'charges');
  expect(locked).toMatchObject({ status: 429, body: { error: { code: 'lock_timeout' } } });
  expect([locked.headers.get('stripe-rate-limited-reason'), locked.headers.get('retry-after')]).toEqual([
    null,
    null,
  ]);
  expect((await stripe.charges.list()).data).toHaveLength(6);
});

test.each([
  ['a server error', { kind: 'status', on: 'stripe', status: 503 }],
  ['a reset connection', { kind: 'reset', on: 'stripe' }],
  ['a 429 that says so', { kind: 'status', on: 'stripe', status: 429, shouldRetry: true }],
])('after %s the client tries again', async (_name, fault) => {
  await setFaults(sandbox, fault);
  expect((await as(KEY, { maxNetworkRetries: 1 }).charges.list()).data).toHaveLength(6);
  const { requests } = (await (await fetch(`${sandbox.url}/_sandbox/requests?shop=acct_acme`)).json()) as {
    requests: { faults: string[]; path: string }[];
  };
  expect(requests.map(({ faults }) => faults)).toEqual([[fault.kind], []]);
  expect(JSON.stringify(requests)).not.toContain(KEY);
});

test('a body that is cut off is an error of the connection', async () => {
  await setFaults(sandbox, { kind: 'cut', on: 'stripe', bytes: 100 });
  await expect(stripe.charges.list()).rejects.toBeInstanceOf(Stripe.errors.StripeConnectionError);
});

test('an account with limits refuses what is too much, by endpoint and in all', async () => {
  const limits = { seconds: 86_400, endpoint: 2, global: 5 };
  await using limited = await stripeSandbox(
    { charges: [charge('ch_1'), charge('ch_2')] },
    { stripe: { acct_acme: { key: KEY, limits } } },
  );
  const answers: [string, number, string | null][] = [];
  for (const path of ['charges/ch_1', 'charges/ch_2', 'charges', 'charges/ch_1', 'refunds', 'payouts']) {
    const { status, headers } = await rawGet(limited, path);
    answers.push([path, status, headers.get('stripe-rate-limited-reason')]);
  }
  expect(answers).toEqual([
    ['charges/ch_1', 200, null],
    ['charges/ch_2', 200, null],
    ['charges', 200, null],
    ['charges/ch_1', 429, 'endpoint-rate'],
    ['refunds', 200, null],
    ['payouts', 429, 'global-rate'],
  ]);
});

test('faults strike the account that they name', async () => {
  await setFaults(sandbox, { kind: 'status', on: 'stripe', status: 500, account: CONNECTED, count: 0 });
  expect((await stripe.charges.list()).data).toHaveLength(6);
  await expect(stripe.charges.list({}, { stripeAccount: CONNECTED })).rejects.toMatchObject({
    statusCode: 500,
  });
  await setFaults(sandbox, { kind: 'revoked_key', account: 'acct_acme' });
  await expect(stripe.charges.list()).rejects.toMatchObject({ statusCode: 401, code: 'api_key_expired' });
  expect((await stripe.charges.list()).data).toHaveLength(6);
});

test('pages: repeated, shuffled, late, and a cursor that is over', async () => {
  const page = async (after?: string) => {
    const { data } = await stripe.charges.list({ limit: 3, ...(after ? { starting_after: after } : {}) });
    return data.map(({ id }) => id);
  };
  expect([await page(), await page('ch_4')]).toEqual([
    ['ch_6', 'ch_5', 'ch_4'],
    ['ch_3', 'ch_2', 'ch_1'],
  ]);
  await setFaults(sandbox, { kind: 'repeat_page' });
  expect([await page('ch_4'), await page('ch_4')]).toEqual([
    ['ch_6', 'ch_5', 'ch_4'],
    ['ch_3', 'ch_2', 'ch_1'],
  ]);
  await setFaults(sandbox, { kind: 'reorder_page' });
  const shuffled = await page();
  expect([shuffled.toSorted(), shuffled]).not.toEqual([shuffled, ['ch_6', 'ch_5', 'ch_4']]);
  expect(shuffled.toSorted()).toEqual(['ch_4', 'ch_5', 'ch_6']);
  await setFaults(sandbox, { kind: 'late_rows', ids: ['ch_5'], requests: 10_000 });
  expect(await page()).toEqual(['ch_6', 'ch_4', 'ch_3']);
  await setFaults(sandbox, { kind: 'expired_cursor' });
  await expect(page('ch_4')).rejects.toMatchObject({ statusCode: 400, code: 'resource_missing' });
  expect(await page('ch_4')).toEqual(['ch_3', 'ch_2', 'ch_1']);
});
