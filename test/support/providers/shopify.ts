/** A shop in the sandbox, connected to a brand and retailer of its own. */

import { syncConnection } from '#tasks/sync_connection.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import type { Tally } from '#tasks/task.ts';
import { type Sandbox, startSandbox } from '../../../sandbox/server.ts';
import { aroundTransactions } from '../db/around.ts';
import type { TestDb } from '../db/db.ts';
import { aConnection, testKeyring } from '../rows/factory.ts';
import { runTask } from '../run.ts';
import { NOW, post, SHOP, scenarioDir, setFaults, TOKEN } from './sandbox.ts';

export type Rows = Parameters<typeof scenarioDir>[0];
export type Payload = { full?: boolean; request?: string; since?: string; until?: string; now?: string };

export type ShopUnderTest = AsyncDisposable & {
  sandbox: Sandbox;
  brandId: string;
  connectionId: string;
  sync(
    stream: string,
    payload?: Payload,
    db?: TestDb,
  ): Promise<Omit<Tally, 'incomplete'> & { incomplete: string | null }>;
  /** All streams that were read once, in one job. */
  syncAll(payload?: { now?: string }, db?: TestDb): Promise<Tally>;
  faults(...faults: object[]): Promise<unknown>;
  /** Serves other data from now on. */
  serve(rows: Rows, options?: Parameters<typeof scenarioDir>[1]): Promise<void>;
  /** What was asked, by the name of the query. */
  asked(): Promise<string[]>;
};

export async function aShopOf(
  db: TestDb,
  rows: Rows,
  options?: Parameters<typeof scenarioDir>[1],
  brandId?: string,
): Promise<ShopUnderTest> {
  const scenarios = [await scenarioDir(rows, options)];
  const sandbox = await startSandbox({ data: scenarios[0]?.dir ?? '' });
  const baseUrl = `${sandbox.url}/shopify/${SHOP}`;
  // A brand has one connection to an account: beside another shop this one is written in another way.
  const others = await db.column('select id from app.connections where brand_id = $1', [brandId]);
  const domain = `${SHOP}.myshopify.com`;
  const account = others.length > 0 ? domain.toUpperCase() : domain;
  const place = brandId ? { brandId, account } : { account };
  const { brandId: brand, id: connectionId } = await aConnection(db, { baseUrl, secret: TOKEN, ...place });
  return {
    sandbox,
    brandId: brand,
    connectionId,
    async sync(stream, payload = {}, through = db) {
      const which = { brandId: brand, connectionId, stream, now: NOW, ...payload };
      const tally = await runTask(syncStream, which, through, { services: testKeyring });
      return { incomplete: null, ...tally };
    },
    syncAll: (payload = {}, through = db) =>
      runTask(syncConnection, { brandId: brand, connectionId, now: NOW, ...payload }, through, {
        services: testKeyring,
      }),
    faults: (...faults) => setFaults(sandbox, ...faults),
    async serve(next, nextOptions) {
      const scenario = await scenarioDir(next, nextOptions);
      scenarios.push(scenario);
      const answer = await post(sandbox, 'load', { dir: scenario.dir });
      if (!answer.ok) throw new Error(await answer.text());
    },
    async asked() {
      const answer = await fetch(`${sandbox.url}/_sandbox/requests?shop=${SHOP}`);
      const { requests } = (await answer.json()) as { requests: { path: string; query?: string }[] };
      return requests.map(({ path, query }) => /(?:query|mutation) (\w+)/.exec(query ?? '')?.[1] ?? path);
    },
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      for (const scenario of scenarios) await scenario[Symbol.asyncDispose]();
    },
  };
}

/** A database that dies before its commit number `commits` + 1, and stays dead. */
export function dyingAfter(db: TestDb, commits: number): TestDb {
  let left = commits;
  return aroundTransactions(db, (transaction) => {
    if (left-- > 0) return transaction();
    throw new Error('the machine is gone');
  });
}

/**
 * Rows of all tables of orders, as text, without what differs from database to database, or with how they were read: a bulk
 * result does not tell what was restocked, and the digest is of what was told.
 */
export async function ordersIn(db: TestDb): Promise<Record<string, unknown[]>> {
  const tables = ['orders', 'order_lines', 'agreements', 'sales', 'refunds', 'transactions'];
  const stored: Record<string, unknown[]> = {};
  for (const name of tables) {
    const text = `select (to_jsonb(t) - '{brand_id,connection_id,seen_at,restocked,digest}'::text[])::text as row from raw.shopify_${name} t order by length(id), id`;
    stored[name] = await db.column(text);
  }
  return stored;
}
