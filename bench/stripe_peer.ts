/**
 * The published sync engine of Stripe's, as its README has it used: its migrations, its pool of ten
 * sessions, and `syncCharges`, which takes what the list gives and upserts it in batches of 250. The
 * list comes from memory instead of the network, and nothing is asked for besides it: neither missing
 * customers nor the rest of embedded lists.
 */
import { createRequire } from 'node:module';
import type { BenchDb } from './support/server.ts';

// Its CommonJS half: the other one looks for its migrations by a name that modules do not have.
const { runMigrations, StripeSync }: typeof import('@supabase/stripe-sync-engine') = createRequire(
  import.meta.url,
)('@supabase/stripe-sync-engine');

export const PEER = '@supabase/stripe-sync-engine 0.48.5';
/** Its migrations name this schema, so no other can be chosen. */
const SCHEMA = 'stripe';
const SESSIONS_MAX = 10; // as its README has it

export const PEER_TABLE = `${SCHEMA}.charges`;

export type Peer = AsyncDisposable & { load(pages: readonly string[]): Promise<void> };

export async function openPeer(db: BenchDb): Promise<Peer> {
  await makeOwner(db);
  await runMigrations({ databaseUrl: db.url, schema: SCHEMA });
  await db.query(`select last_synced_at from ${PEER_TABLE}`); // a migration that failed is only logged there
  const sync = new StripeSync({
    ...{ schema: SCHEMA, stripeSecretKey: 'rk_test_bench', stripeWebhookSecret: '' },
    ...{ autoExpandLists: false, backfillRelatedEntities: false },
    poolConfig: { connectionString: db.url, max: SESSIONS_MAX },
  });
  return {
    async load(pages) {
      Object.assign(sync.stripe.charges, { list: () => objectsOf(pages) });
      await sync.syncCharges();
    },
    [Symbol.asyncDispose]: () => sync.close(),
  };
}

/** A migration gives a function to the role `postgres`, which the embedded server does not have. */
async function makeOwner(db: BenchDb): Promise<void> {
  const { rows } = await db.query("select from pg_roles where rolname = 'postgres'");
  if (rows.length === 0) await db.query('create role postgres nologin');
}

async function* objectsOf(pages: readonly string[]): AsyncGenerator<object> {
  for (const page of pages) yield* (JSON.parse(page) as { data: object[] }).data;
}
