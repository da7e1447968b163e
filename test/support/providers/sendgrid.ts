/** An account of SendGrid in the sandbox. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { streamsOf } from '#connectors/providers.ts';
import { addConnection, type NewConnection } from '#sql/tenants/connections.ts';
import { syncConnection } from '#tasks/sync_connection.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import type { Tally } from '#tasks/task.ts';
import { startSandbox } from '../../../sandbox/server.ts';
import type { TestDb } from '../db/db.ts';
import { aBrand, testKeyring } from '../rows/factory.ts';
import { runTask } from '../run.ts';
import { post } from './sandbox.ts';

export const ACCOUNT = 'acme';
export const KEY = 'SG.sandbox_acme.key';
export const NOW = '2026-11-20T15:00:00Z';

/** By file, such as `events` or `other/events` for another account. */
export type Files = Record<string, readonly object[]>;
export type Scenario = { now?: string; accounts?: Record<string, object> };

const secondsOf = (at: string) => Date.parse(at) / 1000;

/** An event of a letter, as the webhook would bring it. */
export function anEvent(
  event: string,
  at: string,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  const message = String(more.sg_message_id ?? 'm1.filter.1.0');
  return {
    ...{ email: 'reader@example.com', timestamp: secondsOf(at), event, category: ['autumn'] },
    ...{ sg_event_id: `${message} ${event} ${at}`, sg_message_id: message },
    ...more,
  };
}

/** Counts of a day, as the statistics would show them. */
export function aCount(date: string, metrics: Record<string, number>, more: object = {}): object {
  return { date, ...metrics, ...more };
}

export async function sendgridDir(files: Files, { now = NOW, accounts = {} }: Scenario = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-sendgrid-'));
  const sendgrid = { [ACCOUNT]: { zone: 'America/New_York' }, ...accounts };
  await writeFile(join(dir, 'scenario.json'), JSON.stringify({ now, sendgrid }));
  for (const [file, rows] of Object.entries(files)) {
    const path = join(dir, 'sendgrid', file.includes('/') ? file : join(ACCOUNT, file));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.ndjson`, rows.map((row) => JSON.stringify(row)).join('\n'));
  }
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

export async function sendgridSandbox(files: Files = {}, scenario: Scenario = {}) {
  const data = await sendgridDir(files, scenario);
  const sandbox = await startSandbox({ data: data.dir });
  return {
    ...sandbox,
    dir: data.dir,
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      await data[Symbol.asyncDispose]();
    },
  };
}

/** Two brands with equal ids at SendGrid, or one, connected to accounts of one sandbox. */
export async function connectSendGrid(
  db: TestDb,
  { url }: { url: string },
  wanted: Partial<NewConnection> & { host?: string; timeZone?: string } = {},
) {
  const { host = 'sendgrid', timeZone = 'America/New_York', ...connection } = wanted;
  const brandId = connection.brandId ?? (await aBrand(db, { timeZone })).id;
  const { id: connectionId } = await db.transaction((tx) =>
    addConnection(tx, testKeyring, {
      ...{ name: 'mail', provider: 'sendgrid', account: ACCOUNT, auth: 'key', secret: KEY },
      ...{ baseUrl: `${url}/${host}`, actor: 'test', ...connection, brandId },
    }),
  );
  const place = { brandId, connectionId };
  const at = (now: string) => ({ ...place, now });
  return {
    ...place,
    sync: (stream: string, more: object = {}): Promise<Tally> =>
      runTask(syncStream, { ...at(NOW), stream: `sendgrid.${stream}`, ...more }, db),
    /** All streams once, as their first loads would; those named if some are. */
    async load(streams: readonly string[] = streamNames, more: object = {}): Promise<void> {
      for (const stream of streams) await this.sync(stream, more);
    },
    syncAll: (more: object = {}): Promise<Tally> => runTask(syncConnection, { ...at(NOW), ...more }, db),
    rows: (table: string, columns: string, order = 'id') =>
      db.rows(
        `select ${columns} from raw.sendgrid_${table}
         where brand_id = $1 and connection_id = $2 and deleted_at is null order by ${order}`,
        [brandId, connectionId],
      ),
    /** Why streams are not whole, by stream. */
    faults: () =>
      db.rows(
        `select stream, cause from ops.positions
         where brand_id = $1 and connection_id = $2 and state in ('partial', 'failing') order by stream`,
        [brandId, connectionId],
      ),
  };
}

export const streamNames = streamsOf('sendgrid').map(({ name }) => name.slice('sendgrid.'.length));

/** What a sandbox was asked since it was told to forget. */
export async function asked({ url }: { url: string }): Promise<string[]> {
  const answer = await fetch(`${url}/_sandbox/requests`);
  const { requests } = (await answer.json()) as { requests: { method: string; path: string }[] };
  return requests.map(({ method, path }) => `${method} ${path}`);
}

export async function forget({ url }: { url: string }): Promise<void> {
  await fetch(`${url}/_sandbox/reset`, { method: 'POST' });
}

/** Serves the same files as of another instant, or others. */
export async function serve(
  sandbox: { url: string; dir: string },
  now: string,
  dir = sandbox.dir,
): Promise<void> {
  const answer = await post(sandbox, 'load', { dir, now });
  if (!answer.ok) throw new Error(await answer.text());
}
