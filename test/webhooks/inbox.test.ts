/** How deliveries wait for each other: no connection keeps another waiting, and no fault of the database is repeated for each. */
import { expect, test } from 'vitest';
import type { Db } from '#sql/db/pool.ts';
import type { Taken } from '#tasks/webhooks/take_deliveries.ts';
import { makeInbox } from '#workers/web/inbox.ts';
import { testSealer } from '../support/rows/factory.ts';

const key = { brandId: 'b', connectionId: 'c' };
const delivery = (id: string): Taken => ({
  ...{ id, topic: 't', headers: {}, body: Buffer.from(''), rowsOf: undefined, isWanted: false, hints: [] },
});

/** A database whose transactions end as the test says; only their number counts here. */
function database() {
  const begun: PromiseWithResolvers<never>[] = [];
  const transaction = () => {
    const one = Promise.withResolvers<never>();
    begun.push(one);
    return one.promise;
  };
  return { begun, db: { transaction } as unknown as Pick<Db, 'transaction'> };
}

test('behind a transaction that hangs some of a connection wait, others are sent away, and all hear of it in time', async () => {
  const { begun, db } = database();
  const inbox = makeInbox(db, testSealer, 50);
  const all = Array.from({ length: 80 }, (_, n) => inbox.put(key, delivery(`d${n}`), []));
  const other = inbox.put({ ...key, connectionId: 'other' }, delivery('o'), []);
  expect(begun).toHaveLength(2);
  expect(new Set(await Promise.all([...all, other]))).toEqual(new Set(['busy']));
  begun[0]?.resolve(new Set(['d0']) as never);
  await Promise.resolve();
  const next = inbox.put(key, delivery('d1'), []); // those that were sent away are stored no more
  await new Promise((done) => setTimeout(done, 5));
  begun[2]?.resolve(new Set(['d1']) as never);
  expect(await next).toBe('stored');
});

test('a fault of the database ends a batch; one of its data is looked for one by one', async () => {
  const { begun, db } = database();
  const inbox = makeInbox(db, testSealer);
  const fault = (code: string) => Object.assign(new Error('no'), { code });
  const settle = (...all: Promise<unknown>[]) => Promise.allSettled(all);
  const first = inbox.put(key, delivery('a'), []);
  const batch = settle(inbox.put(key, delivery('b'), []), inbox.put(key, delivery('c'), []));
  begun[0]?.resolve(new Set(['a']) as never);
  expect(await first).toBe('stored');
  begun[1]?.reject(fault('57014'));
  expect((await batch).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(begun).toHaveLength(2);
  const again = inbox.put(key, delivery('d'), []);
  const halves = settle(inbox.put(key, delivery('e'), []), inbox.put(key, delivery('f'), []));
  begun[2]?.resolve(new Set(['d']) as never);
  await again;
  begun[3]?.reject(fault('22P05'));
  await new Promise((done) => setTimeout(done, 5));
  begun[4]?.reject(fault('22P05'));
  await new Promise((done) => setTimeout(done, 5));
  begun[5]?.resolve(new Set(['f']) as never);
  expect((await halves).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
});
