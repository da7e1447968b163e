import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeKeyring } from '#connectors/providers.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { findConnection, openConnection } from '#sql/tenants/connections.ts';
import { sealer } from '#sql/tenants/secrets.ts';
import { nightshift } from '../support/cli.ts';
import { emptyDb, freshDb, type TestDb } from '../support/db/db.ts';
import { aBrand, aConnection, aRetailer } from '../support/rows/factory.ts';

const SEALING_KEY = `test:${Buffer.alloc(32, 7).toString('base64')}`;
const KEY = 'shpat_key_of_the_cli_test';

/** The environment of a command that works on `db`, with the keys that the factory seals with. */
function on(db: TestDb): Record<string, string> {
  return { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: SEALING_KEY, SHOP_KEY: KEY };
}

const addShop = [
  'connections',
  'add',
  'acme-uk',
  '--brand',
  'acme',
  '--retailer',
  'uk',
  '--provider',
  'shopify',
];
const addWithAccount = [...addShop, '--account', 'acme-uk.myshopify.com'];

async function aBrandWithRetailer(db: TestDb) {
  const brand = await aBrand(db, { slug: 'acme' });
  await aRetailer(db, { brandId: brand.id, slug: 'uk' });
  return brand;
}

test('a brand is set up from nothing with the commands of the README', async () => {
  await using db = await emptyDb();
  const env = on(db);
  const migrated = await nightshift(['migrate', '--json'], { env });
  expect(migrated.json()[0]).toMatchObject({ applied: expect.arrayContaining(['0001_app_and_ops']) });
  const brand = ['brands', 'add', 'acme', '--name', 'Acme', '--zone', 'Europe/London', '--currency', 'GBP'];
  expect(await nightshift(brand, { env })).toMatchObject({ code: 0 });
  expect(await nightshift(['retailers', 'add', 'uk', '--brand', 'acme'], { env })).toMatchObject({ code: 0 });
  expect(await nightshift([...addWithAccount, '--key-env', 'SHOP_KEY'], { env })).toMatchObject({ code: 0 });

  const { code, stdout } = await nightshift(['connections', 'list', '--brand', 'acme'], { env });
  expect(code).toBe(0);
  expect(stdout.split('\n')[1]).toMatch(/^acme\tacme-uk\tshopify\tacme-uk\.myshopify\.com\tfree\t/);
  expect(await db.column('select action from ops.audit_log order by id')).toEqual([
    ...['platform.migrate', 'brands.add', 'retailers.add', 'connections.add'],
  ]);
});

test('a key from standard input or a variable is stored sealed, and never printed', async () => {
  await using db = await freshDb();
  const { id: brandId } = await aBrandWithRetailer(db);
  const piped = await nightshift([...addWithAccount, '--json'], { env: on(db), input: `${KEY}\n` });
  expect(piped).toMatchObject({ code: 0 });
  expect(piped.json()[0]).toMatchObject({
    connection: 'acme-uk',
    base_url: 'https://acme-uk.myshopify.com',
    added: true,
  });
  const listed = await nightshift(['connections', 'list', '--json'], { env: on(db) });
  expect(piped.stdout + piped.stderr + listed.stdout + listed.stderr).not.toContain(KEY);

  const { id } = await findConnection(db, brandId, 'acme-uk');
  const keyring = makeKeyring(sealer([{ id: 'test', key: Buffer.alloc(32, 7) }]), []);
  expect(await openConnection(db, { brandId, connectionId: id }, keyring)).toMatchObject({ secret: KEY });
  const newKey = await nightshift(['connections', 'key', 'acme-uk', '--brand', 'acme'], {
    env: on(db),
    input: 'another',
  });
  expect(newKey.code).toBe(0);
  expect(await openConnection(db, { brandId, connectionId: id }, keyring)).toMatchObject({
    secret: 'another',
  });
});

test('client credentials are typed as id:secret and stored as the connector reads them', async () => {
  await using db = await freshDb();
  const { id: brandId } = await aBrandWithRetailer(db);
  const add = [...addWithAccount, '--auth', 'client_credentials'];
  const wrong = await nightshift(add, { env: on(db), input: 'onlyonepart' });
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).not.toContain('onlyonepart');
  expect(await nightshift(add, { env: on(db), input: 'app:s3:cret' })).toMatchObject({ code: 0 });
  const { id } = await findConnection(db, brandId, 'acme-uk');
  const keyring = makeKeyring(sealer([{ id: 'test', key: Buffer.alloc(32, 7) }]), []);
  const { secret } = await openConnection(db, { brandId, connectionId: id }, keyring);
  expect(JSON.parse(secret)).toEqual({ client_id: 'app', client_secret: 's3:cret' });
});

test('without NIGHTSHIFT_SECRET_KEYS a key file is made once, for its owner only, and said so', async () => {
  await using db = await freshDb();
  await aBrandWithRetailer(db);
  const dataDir = await mkdtemp(join(tmpdir(), 'nightshift-cli-'));
  try {
    const env = { DATABASE_URL: db.url, NIGHTSHIFT_DATA_DIR: dataDir };
    const first = await nightshift(addWithAccount, { env, input: KEY });
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining(join(dataDir, 'secret_keys')) });
    const file = await readFile(join(dataDir, 'secret_keys'), 'utf8');
    expect((await stat(join(dataDir, 'secret_keys'))).mode & 0o777).toBe(0o600);
    const second = await nightshift(['connections', 'key', 'acme-uk'], { env, input: 'another' });
    expect(second.code).toBe(0);
    expect(second.stderr).not.toContain('secret_keys');
    expect(await readFile(join(dataDir, 'secret_keys'), 'utf8')).toBe(file);
  } finally {
    await rm(dataDir, { recursive: true });
  }
});

test('adding what is there is a conflict, and with --if-missing it is fine and changes nothing', async () => {
  await using db = await freshDb();
  const env = on(db);
  await aBrand(db, { slug: 'acme', timeZone: 'Europe/London' });
  const add = ['brands', 'add', 'acme', '--zone', 'Asia/Tokyo', '--currency', 'JPY'];
  const conflict = await nightshift(add, { env });
  expect(conflict).toMatchObject({ code: 4, stdout: '' });
  expect(conflict.stderr).toContain('There is a brand acme already.');
  const fine = await nightshift([...add, '--if-missing', '--json'], { env });
  expect(fine.code).toBe(0);
  expect(fine.json()).toMatchObject([{ brand: 'acme', time_zone: 'Europe/London', added: false }]);
  const said = await nightshift([...add, '--if-missing'], { env });
  expect(said.stdout).toContain('with Europe/London and '); // and not with what was asked for
});

test('a second connection to one account is a conflict: it would count every sale twice', async () => {
  await using db = await freshDb();
  const { id: brandId } = await aBrandWithRetailer(db);
  const add = ['connections', 'add', '--brand', 'acme', '--retailer', 'uk', '--provider', 'shopify'];
  const key = { env: on(db), input: 'shpat_0123456789abcdef' };
  expect(await nightshift([...add, 'one', '--account', 'acme'], key)).toMatchObject({ code: 0 });
  const second = await nightshift([...add, 'two', '--account', 'acme'], key);
  expect(second).toMatchObject({ code: 4, stdout: '' });
  expect(second.stderr).toContain('twice');
  const again = await nightshift([...add, 'one', '--account', 'acme', '--if-missing'], key);
  expect(again).toMatchObject({ code: 0 });
  const names = 'select name from app.connections where brand_id = $1';
  expect(await db.column(names, [brandId])).toEqual(['one']);
});

test('what is not there is not found, with the names that there are', async () => {
  await using db = await freshDb();
  await aBrandWithRetailer(db);
  const cases = [
    ['retailers', 'add', 'x', '--brand', 'acmee'],
    ['connections', 'hold', 'nothing', '--brand', 'acme'],
    ['rollup', 'run', '--brand', 'acme', '--retailer', 'germany'],
    ['jobs', 'show', '12345'],
  ];
  for (const args of cases) {
    const { code, stdout, stderr } = await nightshift(args, { env: on(db) });
    expect({ args, code, stdout }).toEqual({ args, code: 3, stdout: '' });
    expect(stderr).toMatch(/\n {2}next: npx nightshift /);
  }
});

test('wrong input is refused before anything is written', async () => {
  await using db = await freshDb();
  await aBrandWithRetailer(db);
  const before = await db.rows('select * from ops.audit_log');
  const cases = [
    ['brands', 'add', 'New Brand', '--zone', 'Europe/London', '--currency', 'GBP'],
    ['brands', 'add', 'b', '--zone', 'Mars/Olympus', '--currency', 'GBP'],
    ['brands', 'add', 'b', '--zone', '+01:00', '--currency', 'GBP'],
    ['brands', 'add', 'b', '--zone', 'Europe/London', '--currency', 'Pounds'],
    [...addShop, '--account', 'www.acme.com', '--key-env', 'SHOP_KEY'],
    [...addWithAccount, '--key-env', 'NO_SUCH_VARIABLE'],
    [...addWithAccount, '--key-env', 'SHOP_KEY', '--base-url', 'https://evil.example'],
    ['brands', 'set-zone', 'acme', 'Asia/Tokyo'], // nobody there to ask
    ['sync', 'run', '--brand', 'acme', '--until', '2026-01-01T00:00:00Z'],
    ['sync', 'run', '--brand', 'acme', '--since', '2026-01-01'],
    ['rollup', 'run', '--brand', 'acme', '--from', '2026-02-01', '--to', '2026-01-01'],
  ];
  for (const args of cases) {
    const { code, stdout } = await nightshift(args, { env: on(db) });
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
  }
  expect(await db.rows('select * from ops.audit_log')).toEqual(before);
});

test('a zone that is only tried stays as it was; confirmed, it changes and queues its rollups', async () => {
  await using db = await freshDb();
  await aBrandWithRetailer(db);
  const change = ['brands', 'set-zone', 'acme', 'Asia/Tokyo', '--json'];
  const tried = await nightshift([...change, '--dry-run'], { env: on(db) });
  expect(tried.json()).toMatchObject([{ dry_run: true, days: 0, retailers: 1 }]);
  expect(await findBrand(db, 'acme')).toMatchObject({ timeZone: 'Europe/London' });
  expect(await db.column('select key from graphile_worker.jobs')).toEqual([]);
  const done = await nightshift([...change, '--yes'], { env: on(db) });
  expect(done).toMatchObject({ code: 0 });
  expect(await findBrand(db, 'acme')).toMatchObject({ timeZone: 'Asia/Tokyo' });
  expect(await db.column('select task_identifier from graphile_worker.jobs')).toEqual(['rollup']);
});

test('hints of errors name connections by id, and verbs take one', async () => {
  await using db = await freshDb();
  const [one, other] = [await aConnection(db, { name: 'shop' }), await aConnection(db, { name: 'shop' })];
  const ambiguous = await nightshift(['connections', 'hold', 'shop'], { env: on(db) });
  expect(ambiguous).toMatchObject({ code: 2, stderr: expect.stringContaining('add --brand') });
  expect(
    await nightshift(['connections', 'hold', other.id, '--reason', 'moving'], { env: on(db) }),
  ).toMatchObject({ code: 0 });
  expect(await db.rows('select id, held_reason from app.connections where held_at is not null')).toEqual([
    { id: other.id, held_reason: 'moving' },
  ]);
  const released = await nightshift(['connections', 'release', other.id, '--json'], { env: on(db) });
  expect(released.json()).toEqual([{ connection: 'shop', state: 'free', changed: true, jobs: 0 }]);
  expect(await findConnection(db, one.brandId, 'shop')).toMatchObject({ heldAt: null });
});

test('a database without our schema is refused with the command that makes it', async () => {
  await using db = await emptyDb();
  const { code, stderr } = await nightshift(['brands', 'list'], { env: on(db) });
  expect(code).toBe(1);
  expect(stderr).toContain('next: Migrate it: npx nightshift migrate');
});
