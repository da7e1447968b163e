/** Profiles of Ayrshare in the sandbox, connected to brands. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ayrshare as provider } from '#connectors/ayrshare/provider.ts';
import { addConnection } from '#sql/tenants/connections.ts';
import { rollup } from '#tasks/rollup.ts';
import { syncConnection } from '#tasks/sync_connection.ts';
import { syncStream } from '#tasks/sync_stream.ts';
import type { Tally } from '#tasks/task.ts';
import { startSandbox } from '../../../sandbox/server.ts';
import type { TestDb } from '../db/db.ts';
import { aBrand, testKeyring } from '../rows/factory.ts';
import { runTask } from '../run.ts';
import { post, setFaults } from './sandbox.ts';

export const PROFILE = 'ref-acme';
export const API_KEY = 'acme-api-key';
export const NOW = '2026-11-20T06:00:00Z';
/** In reading order. */
export const STREAMS = provider.streams.map(({ name }) => name.replace('ayrshare.', ''));

/** Rows by file of the profile `ref-acme`; a path is taken as it is. */
export type Files = Record<string, readonly object[]>;

/** So many hours after `NOW`. */
export const later = (hours: number) =>
  new Date(Date.parse(NOW) + hours * 3_600_000).toISOString().replace('.000Z', 'Z');

export async function ayrshareDir(files: Files, profiles: Record<string, object> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-ayrshare-'));
  const ayrshare = { [PROFILE]: { apiKey: API_KEY, ...profiles[PROFILE] }, ...profiles };
  ayrshare[PROFILE] = { apiKey: API_KEY, ...profiles[PROFILE] };
  await writeFile(join(dir, 'scenario.json'), JSON.stringify({ now: NOW, ayrshare }));
  for (const [file, rows] of Object.entries(files)) {
    const path = join(dir, 'ayrshare', file.includes('/') ? `${file}.ndjson` : `${PROFILE}/${file}.ndjson`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

type Wanted = { auth?: string; profile?: string; secret?: string; timeZone?: string; brandId?: string };

export async function connectAyrshare(db: TestDb, { url }: { url: string }, wanted: Wanted = {}) {
  const { profile = PROFILE, auth = 'profile', timeZone = 'Europe/London' } = wanted;
  const brandId = wanted.brandId ?? (await aBrand(db, { timeZone })).id;
  const keys = { api_key: API_KEY, profile_key: `${profile}-key` };
  const secret = wanted.secret ?? (auth === 'primary' ? API_KEY : JSON.stringify(keys));
  const given = { brandId, name: profile, provider: 'ayrshare', account: profile, auth, secret };
  const { id: connectionId } = await db.transaction((tx) =>
    addConnection(tx, testKeyring, { ...given, baseUrl: `${url}/ayrshare` }),
  );
  const place = { brandId, connectionId };
  const sync = (stream: string, payload: object = {}, through: TestDb = db): Promise<Tally> =>
    runTask(syncStream, { ...place, stream: `ayrshare.${stream}`, now: NOW, ...payload }, through);
  return {
    ...place,
    sync,
    /** Each stream by a job of its own, as at first. */
    async syncEach(payload: object = {}): Promise<void> {
      for (const stream of STREAMS) await sync(stream, payload);
    },
    /** All streams that were read once, in one job. */
    syncAll: (payload: object = {}) => runTask(syncConnection, { ...place, now: NOW, ...payload }, db),
    roll: (now = NOW) => runTask(rollup, { brandId, retailerId: null, now }, db),
    /** Of this brand, in order of the columns. */
    rows: (columns: string, from: string, more = '') =>
      db.rows(`select ${columns} from ${from} where brand_id = $1 ${more} order by ${columns}`, [brandId]),
    /** What keeps its streams from being complete. */
    causes: () =>
      db.rows<{ stream: string; state: string; cause: string | null }>(
        `select stream, state, cause from ops.positions where brand_id = $1 and state <> 'ok' order by stream`,
        [brandId],
      ),
  };
}

export async function ayrshareSandbox(files: Files, profiles: Record<string, object> = {}) {
  const later: AsyncDisposable[] = [await ayrshareDir(files, profiles)];
  const [first] = later as [Awaited<ReturnType<typeof ayrshareDir>>];
  const sandbox = await startSandbox({ data: first.dir });
  let dir = first.dir;
  const load = async (body: object) => {
    const answer = await post(sandbox, 'load', body);
    if (!answer.ok) throw new Error(await answer.text());
  };
  return {
    url: sandbox.url,
    faults: (...faults: object[]) => setFaults(sandbox, ...faults),
    /** The same data as of another instant. */
    at: (now: string) => load({ dir, now }),
    /** Other data. */
    async serve(next: Files, now: string, more: Record<string, object> = profiles) {
      const data = await ayrshareDir(next, more);
      later.push(data);
      dir = data.dir;
      await load({ dir, now });
    },
    /** What was asked since the last call, method and path without query. */
    async asked(): Promise<string[]> {
      const answer = await fetch(`${sandbox.url}/_sandbox/requests`);
      const { requests } = (await answer.json()) as { requests: { method: string; path: string }[] };
      await post(sandbox, 'reset', {});
      return requests.map(({ method, path }) => `${method} ${path.replace(/\?.*$/, '')}`);
    },
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      for (const data of later) await data[Symbol.asyncDispose]();
    },
  };
}

/** A post of Facebook as a list shows it, with the numbers that only a single post has. */
export const aPost = (id: string, created: string, likes: number, more: object = {}) => ({
  ...{ platform: 'facebook', id, created, post: `Post ${id}`, statusType: 'photo' },
  ...{ likeCount: likes, commentsCount: 2, sharesCount: 1 },
  analytics: {
    ...{ mediaView: 10 * likes, likeCount: likes, reactions: { total: likes + 1 } },
    ...{ commentsCount: 2, sharesCount: 1 },
  },
  ...more,
});

export const anAccount = (platform: string, analytics: object, more: object = {}) => ({
  ...{ platform, displayName: `Acme on ${platform}`, analytics, ...more },
});
