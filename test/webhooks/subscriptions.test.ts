/** What a provider is told to deliver: made, mended, compared and taken away, at all four of them. */
import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { openSecrets } from '#sql/webhooks/secrets.ts';
import { SCOPES } from '../../sandbox/sendgrid/sendgrid.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { client } from '../support/providers/stripe.ts';
import { TEST_KEYS, testSealer } from '../support/rows/factory.ts';
import { giveSecret } from '../support/webhooks/door.ts';
import { ALL, type AWorld, aWorld, type Which } from '../support/webhooks/world.ts';

/** All that the streams read with. */
const SENDGRID_SCOPES = SCOPES.filter((scope) => !scope.includes('webhooks'));
const URL = 'https://hooks.example.com/in';
const OTHER = 'https://hooks.example.com';
const at = ['--url', URL];

type Told = { fit: boolean; faults: { fault: string; topics: string[] }[]; steps: { does: string }[] };
const told = (ran: { json(): unknown[] }) => ran.json()[0] as Told;
const does = (ran: { json(): unknown[] }) => told(ran).steps.map((step) => step.does);

const secrets = (db: TestDb, world: AWorld, provider: Which) =>
  openSecrets(db, testSealer, { ...world.place(provider), name: provider });

const audit = (db: TestDb) =>
  db.column("select action from ops.audit_log where action like 'connections.webhooks_%' order by id");

test.each(ALL)(
  '%s: add makes what check misses, a second time changes nothing, and remove takes it away',
  async (provider) => {
    await using db = await freshDb();
    await using world = await aWorld(db);
    const missing = await world.run('check', provider, ...at);
    expect(missing.code).toBe(1);
    expect(new Set(told(missing).faults.map(({ fault }) => fault))).toEqual(new Set(['missing']));
    const wanted = told(missing).faults.length;
    expect(does(await world.run('add', provider, ...at, '--dry-run'))).toHaveLength(wanted);
    expect(await world.run('list', provider)).toMatchObject({ stdout: '' });
    const made = await world.run('add', provider, ...at);
    expect(made).toMatchObject({ code: 0 });
    expect(new Set(does(made))).toEqual(new Set(['register']));
    expect(await world.run('check', provider, ...at)).toMatchObject({ code: 0 });
    const kept = await db.rows('select * from ops.audit_log order by id');
    expect(does(await world.run('add', provider, ...at))).toEqual([]);
    expect(await db.rows('select * from ops.audit_log order by id')).toEqual(kept);
    expect(await audit(db)).toEqual(Array.from({ length: wanted }, () => 'connections.webhooks_add'));
    expect(await world.run('remove', provider)).toMatchObject({ code: 2 }); // nobody to confirm it
    expect(await world.run('remove', provider, '--dry-run')).toMatchObject({ code: 0 });
    expect(await world.run('check', provider, ...at)).toMatchObject({ code: 0 });
    expect(await world.run('remove', provider, '--yes')).toMatchObject({ code: 0 });
    expect(await world.run('list', provider)).toMatchObject({ stdout: '' });
    expect((await secrets(db, world, provider)).filter(({ of }) => of !== null)).toEqual([]);
  },
);

test.each(ALL)(
  '%s: another public address is mended in place, and what others have stays',
  async (provider) => {
    await using db = await freshDb();
    await using world = await aWorld(db, {}, { sendgrid: { acme: { webhooks: 2 } } });
    await foreign(world, provider);
    if (provider === 'ayrshare') await giveSecret(db, world.place(provider), 'secret of the profile');
    await world.run('add', provider, ...at);
    const before = await world.run('list', provider);
    const wrong = await world.run('check', provider, '--url', OTHER);
    expect(wrong.code).toBe(1);
    expect(new Set(told(wrong).faults.map(({ fault }) => fault))).toEqual(new Set(['address']));
    expect(new Set(does(await world.run('add', provider, '--url', OTHER)))).toEqual(new Set(['change']));
    expect(await world.run('check', provider, '--url', OTHER)).toMatchObject({ code: 0 });
    const ids = (ran: { json(): unknown[] }) => ran.json().map((row) => (row as { id: string }).id);
    expect(ids(await world.run('list', provider))).toEqual(ids(before));
    await world.run('remove', provider, '--yes');
    const left = (await world.run('list', provider)).json();
    expect(left).toMatchObject(provider === 'shopify' ? [] : [{ ours: false, to: 'old.example.com' }]);
  },
);

/** A subscription of another consumer of the account; at Shopify there are none, because each app has its own. */
async function foreign(world: AWorld, provider: Which): Promise<void> {
  const url = 'https://old.example.com/hook';
  const { sandbox } = world;
  const send = (path: string, headers: object, body: object) =>
    fetch(`${sandbox.url}/${path}`, { method: 'POST', headers: { ...headers }, body: JSON.stringify(body) });
  if (provider === 'stripe')
    await client(sandbox).webhookEndpoints.create({ url, enabled_events: ['charge.failed'] });
  if (provider === 'sendgrid')
    await send(
      'sendgrid/v3/user/webhooks/event/settings',
      { authorization: 'Bearer SG.sandbox_acme.key' },
      { enabled: true, url, open: true },
    );
  if (provider === 'ayrshare')
    await send(
      'ayrshare/hook/webhook',
      { authorization: 'Bearer acme-api-key', 'profile-key': 'ref-acme-key' },
      { action: 'feed', url },
    );
}

test('Stripe: the secret of the answer verifies, and one that was lost on the way is made anew', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await world.run('add', 'stripe', ...at);
  const [first] = await secrets(db, world, 'stripe');
  expect(first?.secret).toMatch(/^whsec_/);
  const made = (await world.run('list', 'stripe')).json() as { id: string }[];
  expect(first?.of).toBe(made[0]?.id);
  // The process died between the answer and its commit.
  await db.query('delete from app.webhook_secrets');
  const lost = await world.run('check', 'stripe', ...at);
  expect(lost.code).toBe(1);
  expect(told(lost).faults.map(({ fault }) => fault)).toEqual(['unverifiable']);
  expect(does(await world.run('add', 'stripe', ...at))).toEqual(['replace']);
  const [second] = await secrets(db, world, 'stripe');
  expect(second?.secret).not.toBe(first?.secret);
  expect(await world.run('check', 'stripe', ...at)).toMatchObject({ code: 0 });
  expect((await world.run('list', 'stripe')).json()).toHaveLength(1);
});

test('Stripe: events that are lacking, a switched off endpoint and another version are found and mended', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await world.run('add', 'stripe', ...at);
  const { webhookEndpoints } = client(world.sandbox);
  const only = async () => (await webhookEndpoints.list()).data[0] as Stripe.WebhookEndpoint;
  const { id, enabled_events: wanted, url } = await only();
  await webhookEndpoints.update(id, { enabled_events: ['charge.refunded', 'topup.created'], disabled: true });
  const wrong = await world.run('check', 'stripe', ...at);
  expect(told(wrong).faults.map(({ fault }) => fault)).toEqual(['disabled', 'topics']);
  expect(does(await world.run('add', 'stripe', ...at))).toEqual(['change']);
  expect(await only()).toMatchObject({ id, enabled_events: wanted, status: 'enabled' });
  await webhookEndpoints.update(id, { enabled_events: [...wanted, 'topup.created'] as never });
  const needless = await world.run('check', 'stripe', ...at);
  expect([needless.code, told(needless).faults.map(({ fault }) => fault)]).toEqual([6, ['extra']]);
  await webhookEndpoints.del(id);
  await webhookEndpoints.create({ url, enabled_events: wanted as never, api_version: '2025-01-27.acacia' });
  const old = await world.run('check', 'stripe', ...at);
  expect(told(old).faults.map(({ fault }) => fault)).toEqual(['unverifiable', 'version']);
  expect(does(await world.run('add', 'stripe', ...at))).toEqual(['replace']);
  expect((await only()).api_version).toBe('2026-10-28.endive');
});

test('Shopify: only topics that the scopes allow are wanted, and those of the law are named', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  const made = (await world.run('add', 'shopify', ...at)).json()[0] as { notes: string[] };
  expect(made.notes.join('\n')).toMatch(/customers\/redact.*configuration/);
  expect(made.notes.join('\n')).toContain('CUSTOMERS_MERGE needs read_customer_merge');
  const listed = (await world.run('list', 'shopify')).json() as { topics: string[] }[];
  const topics = listed.flatMap((row) => row.topics);
  expect(topics).toContain('APP_UNINSTALLED');
  expect(topics).not.toContain('CUSTOMERS_MERGE');
});

test('SendGrid: a slot that is taken is told with what to do, and nothing is changed', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await foreign(world, 'sendgrid');
  const taken = await world.run('check', 'sendgrid', ...at);
  expect([taken.code, told(taken).faults.map(({ fault }) => fault)]).toEqual([1, ['taken']]);
  const refused = await world.run('add', 'sendgrid', ...at);
  expect(refused.code).toBe(4);
  expect(refused.stderr).toMatch(/old\.example\.com[\s\S]*webhooks relay/);
  expect((await world.run('list', 'sendgrid')).json()).toMatchObject([{ ours: false }]);
});

test('SendGrid: what was made and does not sign yet is made to, and a new pair of keys is stored', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await world.run('add', 'sendgrid', ...at);
  const [first] = await secrets(db, world, 'sendgrid');
  const [made] = (await world.run('list', 'sendgrid')).json() as { id: string }[];
  await fetch(`${world.sandbox.url}/sendgrid/v3/user/webhooks/event/settings/signed/${made?.id}`, {
    method: 'PATCH',
    headers: { authorization: 'Bearer SG.sandbox_acme.key' },
    body: JSON.stringify({ enabled: false }),
  });
  expect(told(await world.run('check', 'sendgrid', ...at)).faults.map(({ fault }) => fault)).toEqual([
    'unverifiable',
  ]);
  expect(does(await world.run('add', 'sendgrid', ...at))).toEqual(['store secret']);
  const all = await secrets(db, world, 'sendgrid');
  expect(all).toHaveLength(1);
  expect(all[0]?.secret).not.toBe(first?.secret);
  expect(await world.run('check', 'sendgrid', ...at)).toMatchObject({ code: 0 });
});

test('Ayrshare: a secret that another consumer verifies with is not replaced behind its back', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await foreign(world, 'ayrshare');
  const refused = await world.run('add', 'ayrshare', ...at);
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain('webhooks secret');
  expect((await world.run('list', 'ayrshare')).json()).toMatchObject([{ id: 'feed', ours: false }]);
});

test('two at once make one of each', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  const both = await Promise.all([world.run('add', 'stripe', ...at), world.run('add', 'stripe', ...at)]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(both.flatMap(does)).toEqual(['register']);
  expect((await client(world.sandbox).webhookEndpoints.list()).data).toHaveLength(1);
});

test('a broken off add goes on where it stopped', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await fetch(`${world.sandbox.url}/_sandbox/faults`, {
    method: 'POST',
    body: JSON.stringify({
      faults: [{ kind: 'status', on: 'graphql', match: 'WebhookCreate', after: 4, count: 1, status: 500 }],
    }),
  });
  expect((await world.run('add', 'shopify', ...at)).code).toBe(1);
  expect((await world.run('list', 'shopify')).json()).toHaveLength(4);
  const rest = does(await world.run('add', 'shopify', ...at));
  expect(rest.length).toBeGreaterThan(4);
  expect(await world.run('check', 'shopify', ...at)).toMatchObject({ code: 0 });
  expect(await audit(db)).toHaveLength(rest.length + 4);
});

test('without an address, or with one that nobody may be sent to, nothing is asked', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  expect(await world.run('add', 'stripe')).toMatchObject({ code: 2 });
  for (const wrong of [
    'http://hooks.example.com',
    'https://u:p@hooks.example.com',
    'https://h.example.com/?x',
    'x',
  ])
    expect(await world.run('add', 'stripe', '--url', wrong), wrong).toMatchObject({ code: 2 });
  expect((await client(world.sandbox).webhookEndpoints.list()).data).toEqual([]);
});

test('doctor --connections says what is not delivered, where it is known how providers reach us', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const examine = async (more: Record<string, string>) => {
    const ran = await nightshift(['doctor', '--connections', '--json'], { env: { ...env, ...more } });
    const [{ checks }] = ran.json() as [{ checks: { check: string; evidence: string; mend?: string }[] }];
    return checks.filter(({ evidence }) => evidence.includes('is delivered')).map(({ mend }) => mend);
  };
  expect(await examine({})).toEqual([]);
  await world.run('add', 'stripe', ...at);
  const mends = await examine({ NIGHTSHIFT_PUBLIC_URL: URL });
  expect(mends).toHaveLength(3);
  expect(mends.join('\n')).not.toContain('webhooks add stripe');
  expect(mends.join('\n')).toContain('webhooks add shopify');
  await world.serve({}, { sendgrid: { acme: { scopes: SENDGRID_SCOPES } } }); // its key does not read them
  expect((await examine({ NIGHTSHIFT_PUBLIC_URL: URL })).join('\n')).toContain('webhooks check sendgrid');
});
