/** A scenario with an account at each provider, and connections to them, whose providers may be told where to deliver. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { addConnection } from '#sql/tenants/connections.ts';
import { startSandbox } from '../../../sandbox/server.ts';
import { nightshift, type Ran } from '../cli.ts';
import type { TestDb } from '../db/db.ts';
import { post } from '../providers/sandbox.ts';
import { aRetailer, TEST_KEYS, testKeyring } from '../rows/factory.ts';

export const SCOPES = ['read_orders', 'read_all_orders', 'read_customers', 'read_products', 'read_inventory'];
const SECRETS = {
  shopify: JSON.stringify({ client_id: 'app', client_secret: 'hush' }),
  stripe: 'rk_test_acme',
  sendgrid: 'SG.sandbox_acme.key',
  ayrshare: JSON.stringify({ api_key: 'acme-api-key', profile_key: 'ref-acme-key' }),
};
const ACCOUNTS = {
  shopify: { account: 'acme.myshopify.com', auth: 'client_credentials', path: 'shopify/acme' },
  stripe: { account: 'acct_acme', auth: 'key', path: 'stripe' },
  sendgrid: { account: 'acme', auth: 'key', path: 'sendgrid' },
  ayrshare: { account: 'ref-acme', auth: 'profile', path: 'ayrshare' },
};
export type Which = keyof typeof ACCOUNTS;
export const ALL = Object.keys(ACCOUNTS) as Which[];

/** By path below the scenario, without its extension. */
export type Files = Record<string, readonly object[]>;

const scenario = {
  shops: { acme: { clients: [{ id: 'app', secret: 'hush' }], scopes: SCOPES } },
  stripe: { acct_acme: { key: SECRETS.stripe } },
  sendgrid: { acme: {} },
  ayrshare: { 'ref-acme': { apiKey: 'acme-api-key' } },
};

export async function scenarioOf(files: Files, changed: object = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-webhooks-'));
  await writeFile(join(dir, 'scenario.json'), JSON.stringify({ ...scenario, ...changed }));
  await mkdir(join(dir, 'shopify/acme'), { recursive: true });
  for (const [file, rows] of Object.entries(files)) {
    const path = join(dir, `${file}.ndjson`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

export async function aWorld(db: TestDb, files: Files = {}, changed: object = {}) {
  await using opening = new AsyncDisposableStack();
  const data = opening.use(await scenarioOf(files, changed));
  const sandbox = opening.use(await startSandbox({ data: data.dir, pauseFactor: 0.02 }));
  const { brandId, id: retailerId } = await aRetailer(db, { slug: 'us' });
  const ids = {} as Record<Which, string>;
  for (const provider of ALL) {
    const { path, ...account } = ACCOUNTS[provider];
    const owner = provider === 'shopify' || provider === 'stripe' ? { retailerId } : {};
    const baseUrl = `${sandbox.url}/${path}`;
    const given = {
      ...account,
      ...owner,
      brandId,
      name: provider,
      provider,
      secret: SECRETS[provider],
      baseUrl,
    };
    const { id } = await db.transaction((tx) => addConnection(tx, testKeyring, given));
    ids[provider] = id;
  }
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const opened = opening.move();
  return {
    ...{ brandId, retailerId, sandbox, ids },
    place: (provider: Which) => ({ brandId, connectionId: ids[provider] }),
    run: (verb: string, provider: Which, ...more: string[]): Promise<Ran> =>
      nightshift(['connections', 'webhooks', verb, provider, '--json', ...more], { env }),
    /** Other data, as of now. */
    async serve(next: Files, other: object = {}): Promise<void> {
      const later = opened.use(await scenarioOf(next, { ...changed, ...other }));
      const answer = await post(sandbox, 'load', { dir: later.dir });
      if (!answer.ok) throw new Error(await answer.text());
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export type AWorld = Awaited<ReturnType<typeof aWorld>>;
