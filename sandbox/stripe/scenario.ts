/** The Stripe accounts of a scenario: their part of `scenario.json`, and their folders. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ScenarioError } from '../scenario_error.ts';
import { KINDS } from './kinds.ts';
import { loadBooks } from './load_account.ts';
import { type Book, isLive, type Key, type StripeAccount, type StripeWorld } from './objects.ts';
import { syntheticBook } from './synthetic.ts';

const CREATED = 1_577_836_800; // 2020-01-01
const PERMISSIONS = [
  ...new Set([...KINDS.values()].map(({ permission }) => permission)),
  'rak_balance_read',
  'rak_accounts_kyc_basic_read',
];

/** A key alone means `{"key": …}`. */
const keyShape = z.preprocess(
  (given) => (typeof given === 'string' ? { key: given } : given),
  z.strictObject({
    key: z.string().regex(/^(sk|rk)_(live|test)_\S+$/, 'is not a key such as "rk_test_acme"'),
    permissions: z.array(z.enum(PERMISSIONS)).optional(),
    expired: z.boolean().default(false),
  }),
);
const accountShape = z.strictObject({
  key: keyShape.optional(),
  keys: z.array(keyShape).default([]),
  connected: z.array(z.string()).default([]),
  name: z.string().default(''),
  country: z.string().length(2).default('US'),
  currency: z
    .string()
    .regex(/^[a-z]{3}$/, 'is not a currency code such as "usd"')
    .default('usd'),
  limits: z
    .strictObject({
      seconds: z.int().positive().default(1),
      global: z.int().positive().optional(),
      endpoint: z.int().positive().optional(),
    })
    .optional(),
  synthetic: z
    .strictObject({
      balanceTransactions: z.int().positive(),
      from: z.iso.datetime({ offset: true }).default('2025-01-01T00:00:00Z'),
      to: z.iso.datetime({ offset: true }).default('2026-01-01T00:00:00Z'),
    })
    .optional(),
});

export const stripeShape = z
  .record(z.string(), accountShape)
  .superRefine((accounts, context) => {
    for (const id of Object.keys(accounts)) {
      if (/^acct_[A-Za-z0-9_]+$/.test(id)) continue;
      context.addIssue({ code: 'custom', path: [id], message: 'is not an account such as "acct_acme"' });
    }
  })
  .default({});
type Settings = z.infer<typeof accountShape>;

export async function loadStripe(
  root: string,
  accounts: z.infer<typeof stripeShape>,
  warnings: string[],
): Promise<StripeWorld> {
  const entries = Object.entries(accounts);
  const keysOf = new Map(entries.map(([id, settings]) => [id, readKeys(id, settings, accounts)]));
  const world = new Map<string, StripeAccount>();
  for (const [id, settings] of entries) {
    for (const other of settings.connected) {
      if (accounts[other]) continue;
      throw new ScenarioError(
        'scenario.json',
        `stripe.${id} is connected to ${other}, which is not an account of it`,
      );
    }
    const keys = keysOf.get(id) ?? [];
    const [first = platformKey(id, accounts, keysOf)] = keys;
    const livemode = first !== undefined && isLive(first.text);
    const book = await booksOf(root, id, settings, livemode, warnings);
    const { connected, name, country, currency, limits } = settings;
    world.set(id, {
      id,
      keys,
      connected,
      name: name || id,
      country,
      currency,
      limits,
      created: CREATED,
      book,
    });
  }
  return world;
}

/** An account that nobody else has a key for gets one that is easy to guess. */
function readKeys(id: string, { key, keys }: Settings, accounts: z.infer<typeof stripeShape>): Key[] {
  const given = key === undefined ? keys : [key, ...keys];
  const isConnected = Object.values(accounts).some(({ connected }) => connected.includes(id));
  if (given.length === 0 && !isConnected)
    return [readKey({ key: `rk_test_sandbox_${id.replace('acct_', '')}`, expired: false })];
  return given.map(readKey);
}

function readKey({ key, permissions, expired }: z.infer<typeof keyShape>): Key {
  return { text: key, permissions: permissions && new Set(permissions), expired };
}

function platformKey(
  id: string,
  accounts: z.infer<typeof stripeShape>,
  keysOf: ReadonlyMap<string, Key[]>,
): Key | undefined {
  const platform = Object.entries(accounts).find(([, { connected }]) => connected.includes(id));
  return platform && keysOf.get(platform[0])?.[0];
}

async function booksOf(
  root: string,
  id: string,
  { synthetic, currency }: Settings,
  livemode: boolean,
  warnings: string[],
): Promise<(livemode: boolean) => Book> {
  const folder = join(root, 'stripe', id);
  const hasFolder = await isFolder(folder);
  if (synthetic && hasFolder) {
    throw new ScenarioError(`stripe/${id}`, 'a synthetic account has no files');
  }
  if (synthetic) {
    const count = synthetic.balanceTransactions;
    const span = { from: Date.parse(synthetic.from) / 1000, to: Date.parse(synthetic.to) / 1000 };
    return (live) => syntheticBook({ count, currency, ...span }, live);
  }
  const none = { root, folder: '', livemode, currency, warnings };
  const { live, test } = await loadBooks(hasFolder ? { ...none, folder } : none);
  return (wanted) => (wanted ? live : test);
}

async function isFolder(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    () => false,
  );
}
