/** An account of Stripe in the sandbox, connected to a brand and retailer of its own. */
import { syncConnection } from '#tasks/sync_connection.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import type { Tally } from '#tasks/task.ts';
import type { TestDb } from '../db/db.ts';
import { aConnection, testKeyring } from '../rows/factory.ts';
import { runTask } from '../run.ts';
import { post, setFaults } from './sandbox.ts';
import { ACCOUNT, type Files, KEY, NOW, stripeDir, stripeSandbox } from './stripe.ts';

export type Wanted = { account?: string; auth?: string; secret?: string; brandId?: string };

export async function connectStripe(db: TestDb, { url }: { url: string }, wanted: Wanted = {}) {
  const { brandId, id: connectionId } = await aConnection(db, {
    ...{ provider: 'stripe', account: ACCOUNT, auth: 'key', secret: KEY, baseUrl: `${url}/stripe` },
    ...wanted,
  });
  return {
    brandId,
    connectionId,
    async sync(stream: string, payload: object = {}, through: TestDb = db): Promise<Tally> {
      const which = { brandId, connectionId, stream: `stripe.${stream}`, now: NOW, ...payload };
      return runTask(syncStream, which, through, { services: testKeyring });
    },
    /** All streams that were read once, in one job. */
    async syncAll(payload: object = {}, through: TestDb = db): Promise<Tally> {
      const which = { brandId, connectionId, now: NOW, ...payload };
      return runTask(syncConnection, which, through, { services: testKeyring });
    },
    /** The stored rows of a table of this connection, the oldest id first. */
    rows(table: string, columns: string): Promise<Record<string, unknown>[]> {
      return db.rows(
        `select ${columns} from raw.stripe_${table} where brand_id = $1 and connection_id = $2 order by id`,
        [brandId, connectionId],
      );
    },
  };
}

export async function anAccountOf(db: TestDb, files: Files, scenario: object = {}, wanted: Wanted = {}) {
  const sandbox = await stripeSandbox(files, scenario);
  const later: AsyncDisposable[] = [];
  return {
    sandbox,
    ...(await connectStripe(db, sandbox, wanted)),
    faults: (...faults: object[]) => setFaults(sandbox, ...faults),
    /** Serves other data from now on. */
    async serve(next: Files, nextScenario: object = {}) {
      const data = await stripeDir(next, nextScenario);
      later.push(data);
      const answer = await post(sandbox, 'load', { dir: data.dir });
      if (!answer.ok) throw new Error(await answer.text());
    },
    /** Paths that were asked, with their query. */
    async asked(): Promise<string[]> {
      const answer = await fetch(`${sandbox.url}/_sandbox/requests`);
      const { requests } = (await answer.json()) as { requests: { path: string }[] };
      return requests.map(({ path }) => path);
    },
    /** How many answers a fault has struck. */
    async struck(): Promise<number> {
      const answer = await fetch(`${sandbox.url}/_sandbox/requests`);
      const { requests } = (await answer.json()) as { requests: { faults: unknown[] }[] };
      return requests.filter(({ faults }) => faults.length > 0).length;
    },
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      for (const data of later) await data[Symbol.asyncDispose]();
    },
  };
}
