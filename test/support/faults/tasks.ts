/** Tasks that get into trouble, or make it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Db } from '#sql/db/pool.ts';
import { defineTask, type Tally } from '#tasks/task.ts';
import { makeEffects } from '../queue_tasks.ts';

/** Where payments are counted. Nothing in it keeps one from being counted twice. */
export async function makePayments(db: Pick<Db, 'query'>): Promise<void> {
  await makeEffects(db);
  await db.query('create index on public.effects (label)');
  await db.query('create table public.ballast (line text)');
}

export const PAY =
  'insert into public.effects (label) select $1 where not exists (select from public.effects where label = $1)';

// Not to be compressed.
const BALLAST =
  "insert into public.ballast select string_agg(md5(random()::text), '') from generate_series(1, $1::int)";

/** What every task of the product is like: it looks what is done, and commits what it does in one transaction. */
export const payment = defineTask({
  name: 'payment',
  payload: z.strictObject({
    ...{ label: z.string(), ms: z.int(), lane: z.string().optional(), brandId: z.string().optional() },
    /** What else it writes. */
    kilobytes: z.int().optional(),
  }),
  lane: ({ lane }) => lane,
  attempts: 5,
  timeoutSeconds: 120,
  async run({ label, ms, kilobytes = 0 }, { db, signal }) {
    await sleep(ms / 2, undefined, { signal });
    await db.transaction(async (tx) => {
      await tx.query(PAY, [label]);
      if (kilobytes > 0) await tx.query(BALLAST, [kilobytes * 32]);
    });
    await sleep(ms / 2, undefined, { signal });
    return {};
  },
});

/** A payment that a schedule asks for: each slot one of its own. */
export const tick = defineTask({
  name: 'tick',
  payload: z.strictObject({ name: z.string(), ms: z.int(), label: z.string().optional() }),
  attempts: 5,
  timeoutSeconds: 60,
  async run({ label = 'no slot', ms }, { db, signal }) {
    await sleep(ms, undefined, { signal });
    await db.transaction((tx) => tx.query(PAY, [label]));
    return {};
  },
  atSlot: (payload, { at }) => ({ ...payload, label: `${payload.name} ${at.toISOString()}` }),
});

export const ACCOUNTS = 20;
const HOPS = 4;

/** Where `entangled` moves money from account to account: its sum never changes. */
export async function makeAccounts(db: Pick<Db, 'query'>): Promise<void> {
  await db.query('create table public.accounts (id integer primary key, balance integer not null)');
  await db.query('insert into public.accounts select n, 1000 from generate_series(1, $1) n', [ACCOUNTS]);
}

/** Updates rows that all of its kind update, in an order of its own, so that they meet in deadlocks. */
export const entangled = defineTask({
  name: 'entangled',
  payload: z.strictObject({ label: z.string(), order: z.array(z.int()) }),
  attempts: 25, // the driver lets no job rest after a conflict, so some meet many in a row
  timeoutSeconds: 120,
  async run({ label, order }, { db }) {
    await db.transaction(async (tx) => {
      for (const [hop, id] of order.slice(0, HOPS).entries()) {
        const amount = hop % 2 === 0 ? 1 : -1;
        await tx.query('update public.accounts set balance = balance + $2 where id = $1', [id, amount]);
        await sleep(5);
      }
      await tx.query('insert into public.effects (label) values ($1)', [label]);
    });
    return {};
  },
});

export const POISONS = ['throw', 'garbage', 'nonsense', 'exit', 'spin', 'devour'] as const;

/** Never ends well: each kind in its own way. */
export const poison = defineTask({
  name: 'poison',
  payload: z.strictObject({ label: z.string(), how: z.enum(POISONS) }),
  attempts: 2,
  timeoutSeconds: 60,
  async run({ how }) {
    if (how === 'throw') throw new Error('It always breaks.');
    if (how === 'exit') process.exit(1);
    if (how === 'garbage') throw Object.create(null);
    const hoard: unknown[] = [];
    const circle: Tally = {};
    if (how === 'nonsense') return Object.assign(circle, { circle: { circle } });
    for (;;) if (how === 'devour') hoard.push(Array.from({ length: 1_000 }, (_, n) => ({ n })));
  },
});
