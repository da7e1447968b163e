import { expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/server.ts';
import { post, setFaults } from '../support/providers/sandbox.ts';
import {
  assertValid,
  charge,
  client,
  NOW,
  NOW_SECONDS,
  rawGet,
  stripeDir,
  stripeSandbox,
} from '../support/providers/stripe.ts';

const HOUR = 3_600;
const DAY = 24 * HOUR;

async function events(sandbox: { port: number }, query: object = {}): Promise<string[][]> {
  const found: string[][] = [];
  for await (const { type, data, created } of client(sandbox).events.list(query)) {
    found.push([type, String((data.object as { id?: string }).id), String(created - NOW_SECONDS)]);
  }
  return found;
}

test('an object has the state of the instant, and every state that it took on is an event', async () => {
  const created = NOW_SECONDS - DAY;
  await using sandbox = await stripeSandbox({
    charges: [
      charge('ch_1', { created }),
      charge('ch_1', { created, amount_refunded: 400, _at: NOW_SECONDS - 60 }),
      charge('ch_1', { created, amount_refunded: 1_000, refunded: true, _at: NOW_SECONDS + 60 }),
      charge('ch_2', { created: NOW_SECONDS + 30 }),
    ],
    payouts: [
      { id: 'po_1', amount: 5, currency: 'usd', created, status: 'paid' },
      { id: 'po_1', amount: 5, currency: 'usd', created, status: 'failed', _at: NOW_SECONDS - 30 },
    ],
    products: [
      { id: 'prod_1', name: 'Box', created },
      { id: 'prod_1', deleted: true, _at: NOW_SECONDS - 10 },
    ],
  });
  const stripe = client(sandbox);
  expect(await stripe.charges.retrieve('ch_1')).toMatchObject({ amount_refunded: 400, refunded: false });
  await expect(stripe.charges.retrieve('ch_2')).rejects.toMatchObject({ statusCode: 404 });
  expect(await events(sandbox)).toEqual([
    ['product.deleted', 'prod_1', '-10'],
    ['payout.failed', 'po_1', '-30'],
    ['charge.refunded', 'ch_1', '-60'],
    ['payout.created', 'po_1', `${-DAY}`],
    ['product.created', 'prod_1', `${-DAY}`],
    ['charge.succeeded', 'ch_1', `${-DAY}`],
  ]);
  for (const event of (await rawGet(sandbox, 'events')).body.data as object[])
    await assertValid('event', event);

  const later = new Date((NOW_SECONDS + 120) * 1000).toISOString();
  expect((await post(sandbox, 'load', { dir: sandbox.dir, now: later })).status).toBe(200);
  expect(await stripe.charges.retrieve('ch_1')).toMatchObject({ amount_refunded: 1_000, refunded: true });
  expect((await stripe.charges.list()).data.map(({ id }) => id)).toEqual(['ch_2', 'ch_1']);
  expect((await events(sandbox, { type: 'charge.*' })).map(([type]) => type)).toEqual([
    'charge.refunded',
    'charge.succeeded',
    'charge.refunded',
    'charge.succeeded',
  ]);
});

test('events of one second are all there, and those of more than 30 days ago are gone', async () => {
  const second = NOW_SECONDS - HOUR;
  await using sandbox = await stripeSandbox({
    charges: [
      ...Array.from({ length: 7 }, (_, index) => charge(`ch_${index}`, { created: second })),
      charge('ch_old', { created: NOW_SECONDS - 31 * DAY }),
    ],
  });
  const found = await events(sandbox, { limit: 3, created: { gte: second, lt: second + 1 } });
  expect(found.map(([, id]) => id)).toEqual(['ch_6', 'ch_5', 'ch_4', 'ch_3', 'ch_2', 'ch_1', 'ch_0']);
  expect(await events(sandbox)).toHaveLength(7);
  expect((await client(sandbox).charges.list()).data).toHaveLength(8);
  await expect(client(sandbox).events.retrieve('evt_ch_old_1')).rejects.toThrow(
    'aged out of the retention policy',
  );
});

test('events lag when they are told to, and one of them comes later than newer ones', async () => {
  const at = (ago: number) => ({ created: NOW_SECONDS - ago });
  const event = (id: string, ago: number, more = {}) => {
    return {
      id,
      type: 'charge.updated',
      ...at(ago),
      data: { object: { id: 'ch_1', object: 'charge' } },
      ...more,
    };
  };
  await using sandbox = await stripeSandbox({
    charges: [charge('ch_1')],
    events: [event('evt_1', 90), event('evt_2', 80, { _at: NOW_SECONDS + 45 }), event('evt_3', 10)],
  });
  const stripe = client(sandbox);
  const ids = async () => (await stripe.events.list()).data.map(({ id }) => id);
  expect(await ids()).toEqual(['evt_3', 'evt_1']);
  await setFaults(sandbox, { kind: 'late_events', seconds: 45 });
  expect(await ids()).toEqual(['evt_1']);
  await setFaults(sandbox, { kind: 'late_rows', ids: ['evt_3'], requests: 1 });
  expect([await ids(), await ids()]).toEqual([['evt_1'], ['evt_3', 'evt_1']]);
  await setFaults(sandbox, { kind: 'late_rows', ids: ['evt_3'], seconds: 3_600 });
  expect(await ids()).toEqual(['evt_1']);
  const later = new Date((NOW_SECONDS + 45) * 1000).toISOString();
  await post(sandbox, 'faults', { faults: [] });
  await post(sandbox, 'load', { dir: sandbox.dir, now: later });
  expect(await ids()).toEqual(['evt_3', 'evt_2', 'evt_1']);
});

test('the older state of an object is served when it is asked for', async () => {
  await using sandbox = await stripeSandbox({
    customers: [
      { id: 'cus_1', name: 'Before' },
      { id: 'cus_1', name: 'After' },
    ],
  });
  const stripe = client(sandbox);
  const name = async () => (await stripe.customers.list()).data.map((customer) => customer.name);
  await setFaults(sandbox, { kind: 'older_version', ids: ['cus_1'] });
  expect([await name(), await name()]).toEqual([['Before'], ['After']]);
});

test('money turns from pending to available, and the balance is the sum of all transactions', async () => {
  const transaction = (id: string, amount: number, currency: string, more: object) => {
    return { id, amount, currency, created: NOW_SECONDS - DAY, type: 'charge', source: null, ...more };
  };
  await using sandbox = await stripeSandbox({
    balance_transactions: [
      transaction('txn_1', 10_000, 'usd', { fee: 320, available_on: NOW_SECONDS + HOUR }),
      transaction('txn_2', 500, 'jpy', { available_on: NOW_SECONDS - HOUR }),
      transaction('txn_3', -1_500, 'usd', { type: 'refund' }),
      transaction('txn_4', 12_340, 'kwd', { status: 'pending' }),
    ],
  });
  const read = async () => {
    const { available, pending } = await client(sandbox).balance.retrieve();
    const amounts = (list: { currency: string; amount: number }[]) => {
      return Object.fromEntries(list.map(({ currency, amount }) => [currency, amount]));
    };
    return [amounts(available), amounts(pending)];
  };
  expect(await read()).toEqual([
    { usd: -1_500, jpy: 500, kwd: 0 },
    { usd: 9_680, jpy: 0, kwd: 12_340 },
  ]);
  await post(sandbox, 'load', { dir: sandbox.dir, now: new Date((NOW_SECONDS + HOUR) * 1000).toISOString() });
  expect((await read())[0]).toEqual({ usd: 8_180, jpy: 500, kwd: 0 });
  expect(await client(sandbox).balanceTransactions.retrieve('txn_1')).toMatchObject({ status: 'available' });
  await setFaults(sandbox, { kind: 'balance_off', currency: 'jpy', amount: 7 });
  expect((await read())[0]).toMatchObject({ jpy: 507 });
});

test('a row of synthetic transactions of any length is walked and adds up', async () => {
  await using data = await stripeDir(
    {},
    {
      now: NOW,
      stripe: {
        acct_bench: { synthetic: { balanceTransactions: 1_050 } },
        acct_big: { synthetic: { balanceTransactions: 1_000_000 } },
      },
    },
  );
  await using sandbox = await startSandbox({ data: data.dir });
  const stripe = client(sandbox, 'rk_test_sandbox_bench');
  const seen = new Set<string>();
  let net = 0;
  for await (const transaction of stripe.balanceTransactions.list({ limit: 100 })) {
    seen.add(transaction.id);
    net += transaction.net;
    if (seen.size === 1) await assertValid('balance_transaction', JSON.parse(JSON.stringify(transaction)));
  }
  expect(seen.size).toBe(1_050);
  expect((await stripe.balance.retrieve()).available).toMatchObject([{ currency: 'usd', amount: net }]);
  const big = client(sandbox, 'rk_test_sandbox_big');
  const oldest = await big.balanceTransactions.list({ created: { lt: 1_735_689_600 + 95 }, limit: 100 });
  expect([oldest.data.length, oldest.has_more, oldest.data.at(-1)?.id]).toEqual([
    4,
    false,
    'txn_synthetic000000000',
  ]);
});
