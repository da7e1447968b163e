/** A full sync that fails behind its load and is tried again. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const created = NOW_SECONDS - 86_400;
const FILES = {
  customers: [{ id: 'cus_1', created }],
  balance_transactions: [{ id: 'txn_1', amount: 1_000, currency: 'usd', type: 'adjustment', created }],
};

test.each([
  ['customers', { match: '/v1/events' }],
  ['balance_transactions', { match: '/v1/balance', after: 1 }], // the first one is of the load
])(
  'of %s a full sync that fails after its load does not load again; another one does',
  async (name, behindTheLoad) => {
    await using db = await freshDb();
    await using account = await anAccountOf(db, FILES);
    await account.sync(name);
    const loads = async () =>
      (await account.asked()).filter(
        (path) =>
          path.startsWith(`/v1/${name}?`) && !(Number(/created%5Bgte%5D=(\d+)/.exec(path)?.[1]) > 1.4e9),
      ).length;
    const before = await loads();
    const same = { full: true, request: crypto.randomUUID() };
    await account.faults({ kind: 'status', status: 400, on: 'stripe', count: 0, ...behindTheLoad });
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(account.sync(name, same)).rejects.toMatchObject({ code: 'NS_REQUEST_REFUSED' });
    expect(await loads()).toBe(before + 1);
    await account.faults();
    expect(await account.sync(name, same)).not.toHaveProperty('incomplete');
    expect(await loads()).toBe(before + 1);
    await account.sync(name, { full: true, request: crypto.randomUUID() });
    expect(await loads()).toBe(before + 2);
    await account.sync(name, { now: new Date((NOW_SECONDS + 3_600) * 1000).toISOString() });
    expect(await db.column("select position ->> 'catchingUp' from ops.positions")).toEqual([null]);
  },
);
