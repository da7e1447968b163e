/** Whatever an operator changes is kept: who, what, before and after. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { recordCheck } from '#sql/load/checks.ts';
import { rejectRows } from '#sql/load/quarantine.ts';
import { currentAccount } from '#sql/tenants/audit.ts';
import { nouns } from '../../bin/cli/program.ts';
import { makeOutput } from '../../bin/cli/ui/output.ts';
import { nightshift } from '../support/cli.ts';
import { emptyDb, freshDb, type TestDb } from '../support/db/db.ts';
import { aFile, anEvent, ndjson } from '../support/events.ts';
import { aShopToSync } from '../support/providers/cli_shop.ts';
import { fakeProvider, status } from '../support/providers/provider.ts';
import { aConnection, TEST_KEYS } from '../support/rows/factory.ts';
import { aStore } from '../support/snapshots/snapshots.ts';

/** Verbs that change nothing which an operator answers for. */
const READS = [
  ...['demo', 'sandbox', 'status', 'audit', 'doctor', 'why', 'explain'],
  ...[
    'brands list',
    'retailers list',
    'connections list',
    'connections parts',
    'sync status',
    'fx status',
    'fx list',
    'fx show',
  ],
  ...[
    'jobs list',
    'jobs show',
    'jobs why',
    'jobs pauses',
    'failures list',
    'failures show',
    'nights list',
    'nights show',
    'forecast show',
    'stock list',
    'privacy requests',
    'privacy show',
  ],
  ...['mail list', 'mail show', 'snapshots list', 'snapshots show', 'snapshots diff'],
  ...['periods list', 'periods show'],
  ...['campaigns list', 'campaigns show', 'restatements list', 'rankings list'],
  ...['schedules list', 'schedules show', 'schedules next', 'schedules history'],
];

/** Each verb that changes something, as a person would type it, and what is kept of it. */
const CHANGES: [line: string, action: string, kept: object][] = [
  [
    'brands add brio --zone Europe/Paris --currency EUR',
    'brands.add',
    { after: { timeZone: 'Europe/Paris' } },
  ],
  ['brands rename brio brie', 'brands.rename', { before: { name: 'brio' }, after: { name: 'brie' } }],
  [
    'brands set-zone acme UTC --yes',
    'brands.time_zone',
    { before: { timeZone: 'America/New_York' }, after: { timeZone: 'UTC' } },
  ],
  [
    'brands set-currency acme GBP --yes',
    'brands.reporting_currency',
    { before: { reportingCurrency: 'USD' } },
  ],
  [
    'brands set-ping acme --url-env PING',
    'brands.set_ping',
    { before: { ping: false }, after: { ping: true } },
  ],
  ['brands remove brie --yes brie', 'brands.remove', { before: { id: expect.any(String) }, after: null }],
  ['privacy export --brand acme --email a@example.com', 'privacy.export', { details: {} }],
  [
    'privacy erase --brand acme --email a@example.com --yes acme',
    'privacy.request',
    { after: { request: 1, kind: 'erase_person', due: expect.any(String) } },
  ],
  ['privacy done 1 --brand acme', 'privacy.done', { after: { request: 1, done: true } }],
  ['campaigns add sale --brand acme', 'campaigns.add', { before: null, after: { name: 'sale' } }],
  [
    'campaigns edit sale --brand acme --name Sale',
    'campaigns.edit',
    { before: { name: 'sale' }, after: { name: 'Sale' } },
  ],
  [
    'campaigns link sale hashtag Sun --brand acme',
    'campaigns.link',
    { after: { kind: 'hashtag', value: 'sun' } },
  ],
  [
    'campaigns spend sale --brand acme --day 2026-05-01 --amount 10 --currency EUR',
    'campaigns.spend',
    { details: { rows: 1, changed: 1 } },
  ],
  ['events import EVENTS --brand acme', 'events.import', { details: { stored: 1, known: 0 } }],
  [
    'periods close 2024-05 --brand acme --anyway books',
    'periods.close',
    { before: { closed: false }, after: { closed: true, rows: 0 }, details: { anyway: 'books' } },
  ],
  [
    'periods reopen 2024-05 --brand acme --reason error',
    'periods.reopen',
    { before: { closed: true }, after: { closed: false }, details: { reason: 'error' } },
  ],
  [
    'restatements alert 5 --brand acme',
    'restatements.alert',
    { before: { percent: null }, after: { percent: '5' } },
  ],
  ['events keys add web --brand acme', 'events.keys_add', { after: { key: true } }],
  ['events keys remove web --brand acme --yes', 'events.keys_remove', { before: { key: true } }],
  ['events codes add box --per-device 3 --brand acme', 'events.codes_add', { after: { perDevice: 3 } }],
  ['events codes remove box --brand acme', 'events.codes_remove', { before: { perDevice: 3 } }],
  ['campaigns window 24 --brand acme', 'campaigns.window', { before: { hours: 168 }, after: { hours: 24 } }],
  ['campaigns unlink sale hashtag sun --brand acme', 'campaigns.unlink', { before: { value: 'sun' } }],
  ['campaigns remove sale --brand acme --yes sale', 'campaigns.remove', { before: { name: 'Sale' } }],
  ['stock reorder set MUG 5 --brand acme', 'stock.reorder', { details: { rows: 1, changed: 1 } }],
  ['stock reorder remove MUG --brand acme', 'stock.unorder', { before: { quantity: 5 } }],
  [
    'rankings weights set growth=40 --brand acme',
    'rankings.weights',
    { before: { growth: '20' }, after: { growth: '40' } },
  ],
  ['retailers add de --brand acme', 'retailers.add', { before: null, after: { name: 'de' } }],
  [
    'retailers rename de fr --brand acme',
    'retailers.rename',
    { before: { name: 'de' }, after: { name: 'fr' } },
  ],
  [
    'connections add two --brand acme --retailer us --provider shopify --account two.myshopify.com --key-env KEY',
    'connections.add',
    { after: { account: 'two.myshopify.com' } },
  ],
  ['connections rename two three --brand acme', 'connections.rename', { after: { name: 'three' } }],
  [
    'connections check shop --brand acme',
    'connections.check',
    { before: { scopes: null }, after: { scopes: expect.any(Array) } },
  ],
  [
    'connections hold three --brand acme --reason moved',
    'connections.hold',
    { before: { held: null }, after: { held: { code: 'operator', reason: 'moved' } } },
  ],
  [
    'connections release three --brand acme',
    'connections.release',
    { before: { held: { reason: 'moved' } }, after: { held: null } },
  ],
  [
    'connections key three --brand acme --key-env KEY',
    'connections.key',
    { before: { keyChangedAt: null }, after: { keyChangedAt: expect.any(String) } },
  ],
  ['connections reseal', 'connections.reseal', { after: { keyId: 'test' } }],
  ['connections persons three on --brand acme', 'connections.persons', { after: { readsPersons: true } }],
  [
    'connections move three --brand acme --retailer fr --yes',
    'connections.move',
    { before: { retailerId: expect.any(String) } },
  ],
  [
    'connections set-url three http://127.0.0.1:1 --brand acme',
    'connections.set_url',
    { before: { baseUrl: 'https://two.myshopify.com' } },
  ],
  [
    'connections limits stripe --brand acme 50',
    'connections.limits',
    { before: { requestsPerSecond: null }, after: { requestsPerSecond: 50 } },
  ],
  [
    'connections zone shop Europe/Paris --brand acme',
    'connections.zone',
    { before: { accountZone: null }, after: { accountZone: 'Europe/Paris' } },
  ],
  ['connections limits shop --brand acme --reset', 'connections.limits_reset', { after: { buckets: 0 } }],
  [
    'connections remove three --brand acme --yes three',
    'connections.remove',
    { before: { id: expect.any(String) }, after: null },
  ],
  ['retailers remove fr --brand acme --yes fr', 'retailers.remove', { after: null }],
  ['sync run --brand acme --connection shop', 'sync.run', { target: 'shop' }],
  [
    'snapshots create --brand acme --scope aggregates',
    'snapshots.create',
    { target: 'acme', details: { scope: 'aggregates' } },
  ],
  ['snapshots expire --brand acme', 'snapshots.expire', { target: 'acme' }],
  [
    'brands keep acme snapshots_daily=30',
    'brands.keep',
    { before: { snapshots_daily: 90 }, after: { snapshots_daily: 30 } },
  ],
  ['snapshots rekey', 'snapshots.rekey', { after: { keyId: 'test' } }],
  [
    'sync run --brand acme --connection shop --stream shopify.orders --full',
    'sync.run',
    { details: { stream: 'shopify.orders', full: true } },
  ],
  [
    'sync reconcile --brand acme --connection stripe --stream stripe.charges',
    'sync.reconcile',
    { details: { stream: 'stripe.charges' } },
  ],
  [
    'sync dismiss shop 1 --stream shopify.orders --brand acme',
    'sync.dismiss',
    { before: { record: '1', reason: 'strange' }, after: null },
  ],
  [
    'sync accept shop count --stream shopify.orders --brand acme',
    'sync.accept',
    { details: { check: 'count', cause: 'two are missing' } },
  ],
  [
    'rollup run --brand acme --from 2026-01-01 --to 2026-01-02',
    'rollup.run',
    { details: { from: '2026-01-01', to: '2026-01-02' } },
  ],
  ['forecast run --brand acme --made-on 2026-01-02', 'forecast.run', { details: { madeOn: '2026-01-02' } }],
  ['fx sync', 'fx.sync', { target: 'fx_rates' }],
  ['fx import -', 'fx.import', { details: { added: 1 } }],
  ['jobs retry DEAD', 'jobs.retry', { before: { state: 'dead' }, after: { state: 'waiting' } }],
  ['jobs cancel DEAD', 'jobs.cancel', { before: { state: 'waiting' }, after: { state: 'cancelled' } }],
  ['jobs discard OLD', 'jobs.discard', { before: { state: 'dead' }, after: { state: 'cancelled' } }],
  ['jobs pause --brand acme --reason moved', 'jobs.pause', { before: null, after: { reason: 'moved' } }],
  ['jobs resume --brand acme', 'jobs.resume', { before: { reason: 'moved' }, after: null }],
  ['jobs prune', 'jobs.prune', {}],
  [
    'schedules add mine --task retention --expression 0_2_*_*_*',
    'schedules.add',
    { after: { expression: '0 2 * * *' } },
  ],
  [
    'schedules edit mine --expression 0_3_*_*_*',
    'schedules.edit',
    { before: { expression: '0 2 * * *' }, after: { expression: '0 3 * * *' } },
  ],
  [
    'schedules pause mine --reason why',
    'schedules.pause',
    { before: { paused: null }, after: { paused: { reason: 'why' } } },
  ],
  [
    'schedules resume mine',
    'schedules.resume',
    { before: { paused: { since: expect.any(String) } }, after: { paused: null } },
  ],
  ['schedules run mine', 'schedules.run', { details: { job: expect.any(String) } }],
  ['schedules backfill mine --since 2026-01-01T00:00:00Z', 'schedules.backfill', { details: { plan: 1 } }],
  ['schedules remove mine --yes', 'schedules.remove', { before: { expression: '0 3 * * *' }, after: null }],
];

/** Verbs with a test of their own. */
const ELSEWHERE = [
  ...['send', 'sender', 'retry', 'discard', 'digest'].map((verb) => `mail ${verb}`),
  ...['migrate', 'up', 'connections map', 'connections unmap', 'connections webhooks'],
  ...['verify', 'sync', 'restore', 'pin', 'unpin'].map((verb) => `snapshots ${verb}`),
  ...['take', 'note', 'ack', 'reopen', 'retry', 'discard'].map((verb) => `failures ${verb}`),
];

test('each verb of the command line is known to change something or nothing', async () => {
  const changing = CHANGES.map(([line]) => line.split(' ').slice(0, 2).join(' ').replace(/ -.*/, ''));
  expect((await allVerbs()).sort()).toEqual([...new Set([...READS, ...changing, ...ELSEWHERE])].sort());
});

async function allVerbs(): Promise<string[]> {
  const io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
  const cli = { out: makeOutput(true), io, env: {}, exitCode: 0 } as const;
  const verbs: string[] = [];
  for (const [name, { load }] of Object.entries(nouns)) {
    const command = new Command(name);
    (await load()).noun(command, { ...cli });
    const own = command.commands.map((verb) => `${name} ${verb.name()}`);
    verbs.push(...(own.length > 0 ? own : [name]));
  }
  return verbs;
}

test('each verb that changes something is kept with who did it, before and after', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db);
  await using store = await aStore(); // that of the checkout may have snapshots of the demo
  await using stripe = await fakeProvider(status(503));
  const { brandId, id: connectionId } = shop.connection;
  const account = { brandId, name: 'stripe', provider: 'stripe', account: 'acct_1', auth: 'key' };
  await aConnection(db, { ...account, retailerId: shop.connection.retailerId, baseUrl: stripe.url });
  const stream = { brandId, connectionId, stream: 'shopify.orders' };
  await db.transaction((tx) => rejectRows(tx, stream, [{ key: '1', reason: 'strange', payload: {} }]));
  const failed = { name: 'count', expected: 3, found: 1, ok: false, cause: 'two are missing' };
  await db.transaction((tx) => recordCheck(tx, stream, failed, new Date()));
  const [dead, old] = [await deadJob(db), await deadJob(db)];
  const env = {
    ...shop.env,
    NIGHTSHIFT_SECRET_KEYS: TEST_KEYS,
    NIGHTSHIFT_SNAPSHOT_DIR: store.dir,
    KEY: 'shpat_secret_of_the_walk',
    PING: 'https://watch.example/secret_of_the_walk',
  };
  await using file = await aFile(
    'events.ndjson',
    ndjson([anEvent('scan', { happened_at: new Date().toISOString() })]),
  );
  for (const [line, action, kept] of CHANGES) {
    const words = line
      .replace('EVENTS', file.path)
      .replace('DEAD', dead)
      .replace('OLD', old)
      .split(' ')
      .map((word) => word.replaceAll('_', word.startsWith('0_') ? ' ' : '_'));
    const [last] = await db.column('select coalesce(max(id), 0) from ops.audit_log');
    const ran = await nightshift(words, { env, input: 'Date,AED,\n2026-04-10,4.29,\n' });
    expect(ran, line).toMatchObject({ code: 0 });
    const rows = await db.rows('select * from ops.audit_log where id > $1', [last]);
    expect(rows, line).toContainEqual(expect.objectContaining({ action, actor: currentAccount() }));
    expect(
      rows.find((row) => row.action === action),
      line,
    ).toMatchObject(kept);
  }
  const [all] = await db.column('select string_agg(a::text, chr(10)) from ops.audit_log a');
  expect(all).not.toContain('shpat_');
  expect(all).not.toContain('secret_of_the_walk');
});

async function deadJob(db: TestDb): Promise<string> {
  const [id] = await db.column("select (graphile_worker.add_job('retention', '{}')).id::text");
  await db.query('select graphile_worker.permanently_fail_jobs(array[$1]::bigint[], $2)', [
    id,
    'it is broken',
  ]);
  return String(id);
}

test('a migration is kept, and is not when there was nothing to migrate', async () => {
  await using db = await emptyDb();
  const env = { DATABASE_URL: db.url };
  const actions = () => db.column("select action from ops.audit_log where action = 'platform.migrate'");
  expect(await nightshift(['migrate'], { env })).toMatchObject({ code: 0 });
  expect(await nightshift(['migrate'], { env })).toMatchObject({ code: 0 });
  expect(await actions()).toEqual(['platform.migrate']);
});
