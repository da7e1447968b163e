/** Tasks that get into trouble, or make it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Db } from '#sql/db/pool.ts';
import { defineTask } from '#tasks/task.ts';

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
  payload: z.strictObject({ label: z.string(), order: z.array(z.int()), serializable: z.boolean() }),
  attempts: 2,
  timeoutSeconds: 120,
  async run({ label, order, serializable }, { db }) {
    await db.transaction(async (tx) => {
      if (serializable) await tx.query("select set_config('transaction_isolation', 'serializable', true)");
      for (const [hop, id] of order.slice(0, HOPS).entries()) {
        const amount = hop % 2 === 0 ? 1 : -1;
        await tx.query('update public.accounts set balance = balance + $2 where id = $1', [id, amount]);
        await sleep(2);
      }
      await tx.query('insert into public.effects (label) values ($1)', [label]);
    });
    return {};
  },
});

export const POISONS = ['throw', 'spin', 'devour', 'exit', 'garbage'] as const;

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
    for (;;) if (how === 'devour') hoard.push(Array.from({ length: 1_000 }, (_, n) => ({ n })));
  },
});
