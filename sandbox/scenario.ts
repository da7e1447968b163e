/** A directory with `scenario.json` and a folder per provider and account. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { builtInRates, readRates } from './ecb/rates.ts';
import { ScenarioError } from './scenario_error.ts';
import { loadShop } from './shopify/load_shop.ts';
import { ALL_SCOPES, type Shop, type ShopSettings, type World } from './shopify/shop.ts';
import { loadStripe, stripeShape } from './stripe/scenario.ts';
import { declarations } from './tables/declarations.ts';
import { loadAccounts } from './tables/load.ts';
import { isZone } from './zone.ts';

const MAIN_FILE = 'scenario.json';
const RATES_FILE = 'eurofxref-hist.csv';
const DAY_SECONDS = 86_399;
// The bucket of Shopify's standard plan.
const BUCKET = { size: 2_000, restoreRate: 100 };

const CURRENCIES = new Set(Intl.supportedValuesOf('currency'));
const shopShape = z.strictObject({
  token: z.string().min(1).optional(),
  tokens: z.array(z.string().min(1)).optional(),
  clients: z
    .array(
      z.strictObject({
        id: z.string(),
        secret: z.string(),
        lifeSeconds: z.number().positive().default(DAY_SECONDS),
        refreshToken: z.string().min(1).optional(),
      }),
    )
    .default([]),
  scopes: z.array(z.string()).default(ALL_SCOPES),
  currency: z
    .string()
    .refine((code) => CURRENCIES.has(code), 'is not a currency code such as "USD"')
    .default('USD'),
  zone: z.string().refine(isZone, 'is not an IANA time zone').default('UTC'),
  taxesIncluded: z.boolean().default(false),
  bucket: z
    .strictObject({
      size: z.number().positive().default(BUCKET.size),
      restoreRate: z.number().positive().default(BUCKET.restoreRate),
    })
    .default(BUCKET),
});
const tableShapes: Record<string, z.ZodType<Record<string, unknown>>> = Object.fromEntries(
  declarations.map(({ name, shape }) => [name, shape]),
);
const scenarioShape = z.strictObject({
  now: z.iso.datetime({ offset: true }).optional(),
  shops: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9-]*(\.myshopify\.com)?$/, 'is not a shop name such as "my-shop"'),
      shopShape,
    )
    .default({}),
  stripe: stripeShape,
  ...tableShapes,
});

export async function loadScenario(dir: string, instant?: string): Promise<World> {
  const root = resolve(dir);
  const scenario = await readScenario(root);
  const named: Record<string, Record<string, unknown>> = Object.fromEntries(
    declarations.map(({ name }) => [name, (scenario as Record<string, unknown>)[name] ?? {}]),
  ) as Record<string, Record<string, unknown>>;
  const given = instant ?? scenario.now;
  const now = given === undefined ? undefined : Date.parse(given);
  const settings = Object.entries(scenario.shops).map(([name, shop]) => settingsOf(name, shop));
  await assertKnownFolders(root, {
    shopify: new Set(settings.map(({ name }) => name)),
    stripe: new Set(Object.keys(scenario.stripe)),
    ecb: new Set<string>(),
    ...Object.fromEntries(declarations.map(({ name }) => [name, new Set(Object.keys(named[name] ?? {}))])),
  });
  const warnings: string[] = [];
  const shops = new Map<string, Shop>();
  for (const shop of settings) {
    const folder = join(root, 'shopify', shop.name);
    if (!(await isFolder(folder))) {
      throw new ScenarioError(MAIN_FILE, `shop "${shop.name}" has no folder shopify/${shop.name}`);
    }
    shops.set(shop.name, await loadShop({ root, folder, settings: shop, now, warnings }));
  }
  const rates = await ratesOf(root);
  const stripe = await loadStripe(root, scenario.stripe, warnings);
  const tables: World['tables'] = new Map();
  for (const declaration of declarations)
    tables.set(declaration.name, await loadAccounts(root, declaration, named[declaration.name] ?? {}));
  return { source: root, now, shops, stripe, tables, rates, warnings };
}

/** The scenario's own rates, checked at once; the ECB's real ones when it has none. */
async function ratesOf(root: string): Promise<World['rates']> {
  const folder = join(root, 'ecb');
  if (!(await isFolder(folder))) return builtInRates;
  for (const file of await readdir(folder)) {
    if (file !== RATES_FILE)
      throw new ScenarioError(`ecb/${file}`, `is not a file of the ECB; known is ${RATES_FILE}`);
  }
  const rates = await readRates(root, join(folder, RATES_FILE));
  return async () => rates;
}

async function readScenario(root: string): Promise<z.infer<typeof scenarioShape>> {
  let text: string;
  try {
    text = await readFile(join(root, MAIN_FILE), 'utf8');
  } catch (error) {
    throw new ScenarioError(
      join(root, MAIN_FILE),
      `cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ScenarioError(
      MAIN_FILE,
      `is not JSON (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  const checked = scenarioShape.safeParse(value);
  if (!checked.success) throw new ScenarioError(MAIN_FILE, `\n${z.prettifyError(checked.error)}`);
  return checked.data;
}

function settingsOf(given: string, shop: z.infer<typeof shopShape>): ShopSettings {
  const name = given.replace(/\.myshopify\.com$/, '');
  const { token, tokens = [], ...rest } = shop;
  const own = token === undefined ? tokens : [token, ...tokens];
  const hasOther = own.length > 0 || rest.clients.length > 0;
  return { name, tokens: hasOther ? own : [`shpat_sandbox_${name.replaceAll('-', '_')}`], ...rest };
}

/** A folder that nothing speaks for is a slip of the pen, and would silently serve nothing. */
async function assertKnownFolders(root: string, accounts: Record<string, Set<string>>): Promise<void> {
  const providers = Object.keys(accounts);
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (entry.isDirectory() && !providers.includes(entry.name)) {
      const known = providers.join(', ');
      throw new ScenarioError(entry.name, `is not a provider that the sandbox plays; known: ${known}`);
    }
  }
  for (const [provider, known] of Object.entries(accounts)) {
    const folder = join(root, provider);
    if (!(await isFolder(folder))) continue;
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isDirectory() || known.has(entry.name)) continue;
      const what = provider === 'shopify' ? 'shop' : 'account';
      const names = [...known].join(', ') || 'none';
      const problem = `${MAIN_FILE} names no such ${what} (it has: ${names})`;
      throw new ScenarioError(`${provider}/${entry.name}`, problem);
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
