/** What providers dropped or switched off of what Nightshift added is there again a day later; nothing else is touched. */
import { expect, test } from 'vitest';
import { repairSubscriptions } from '#tasks/webhooks/repair_subscriptions.ts';
import { SCOPES } from '../../sandbox/sendgrid/sendgrid.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { post, setFaults } from '../support/providers/sandbox.ts';
import { client } from '../support/providers/stripe.ts';
import { runTask } from '../support/run.ts';
import { ALL, type AWorld, aWorld, type Which } from '../support/webhooks/world.ts';

const URL = 'https://hooks.example.com/in';
const at = ['--url', URL];

type Tally = Record<string, unknown>;
const repair = (db: TestDb, world: AWorld, provider: Which): Promise<Tally> =>
  runTask(repairSubscriptions, world.place(provider), db, { services: { url: db.url } });
type Listed = { id: string; topics: string[]; ours: boolean; enabled: boolean; to: string };
const listed = async (world: AWorld, provider: Which, ...more: string[]) =>
  (await world.run('list', provider, ...more)).json() as Listed[];
const topicsOf = (all: readonly Listed[]) => all.flatMap(({ topics }) => topics).sort();
const slugOf = async (db: TestDb, { brandId }: AWorld) =>
  String((await db.column('select slug from app.brands where id = $1', [brandId]))[0]);

async function asked({ sandbox }: AWorld): Promise<number> {
  const answer = await fetch(`${sandbox.url}/_sandbox/requests`);
  const { requests } = (await answer.json()) as { requests: unknown[] };
  await post(sandbox, 'reset', {});
  return requests.length;
}

const alerts = (db: TestDb) =>
  db.rows(
    `select b.slug, c.name as connection, a.cause, a.hint, a.resolved_at is not null as resolved from ops.alerts a
     join app.brands b on b.id = a.brand_id join app.connections c on (c.brand_id, c.id) = (a.brand_id, a.connection_id)
     where a.kind = 'webhooks' order by a.id`,
  );

/** As Shopify does after eight failures in a row. */
async function drop({ sandbox }: AWorld, id: string): Promise<void> {
  const send = async (path: string, body: object, headers: object = {}) => {
    const answer = await fetch(`${sandbox.url}/shopify/acme/${path}`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as { access_token: string; errors?: unknown };
  };
  const key = { client_id: 'app', client_secret: 'hush', grant_type: 'client_credentials' };
  const { access_token: token } = await send('admin/oauth/access_token', key);
  const query =
    'mutation ($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }';
  const { errors } = await send(
    'admin/api/2026-10/graphql.json',
    { query, variables: { id } },
    { 'x-shopify-access-token': token },
  );
  expect(errors).toBeUndefined();
}

test('without subscriptions of ours nothing is asked, and what was removed stays removed', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await asked(world);
  for (const provider of ALL)
    expect(await repair(db, world, provider)).toEqual({
      skipped: expect.stringContaining('no subscription'),
    });
  expect(await asked(world)).toBe(0);
  await world.run('add', 'stripe', ...at);
  await world.run('remove', 'stripe', '--yes');
  await asked(world);
  expect(await repair(db, world, 'stripe')).toHaveProperty('skipped');
  expect(await asked(world)).toBe(0);
});

test.each(ALL)('%s: what is as it should be is left alone', async (provider) => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await world.run('add', provider, ...at);
  const before = await listed(world, provider);
  const kept = await db.rows('select * from ops.audit_log order by id');
  expect(await repair(db, world, provider)).toEqual({
    ...{ subscriptions: before.length, differences: 0, repaired: 0 },
  });
  expect(await listed(world, provider)).toEqual(before);
  expect(await db.rows('select * from ops.audit_log order by id')).toEqual(kept);
  expect(await alerts(db)).toEqual([]);
});

test('Shopify: a subscription that was deleted is made again, for the brand whose job runs', async () => {
  await using db = await freshDb();
  await using acme = await aWorld(db);
  await using brio = await aWorld(db);
  const whole = new Map<AWorld, Listed[]>();
  for (const world of [acme, brio]) {
    const brand = ['--brand', await slugOf(db, world)];
    await world.run('add', 'shopify', ...at, ...brand);
    const all = await listed(world, 'shopify', ...brand);
    whole.set(world, all);
    for (const { id } of all.slice(0, 2)) await drop(world, id);
  }
  expect(await repair(db, acme, 'shopify')).toMatchObject({ differences: 2, repaired: 2 });
  const now = async (world: AWorld) =>
    topicsOf(await listed(world, 'shopify', '--brand', await slugOf(db, world)));
  expect(await now(acme)).toEqual(topicsOf(whole.get(acme) ?? []));
  expect(await now(brio)).toHaveLength((whole.get(brio)?.length ?? 0) - 2);
  expect(
    await db.rows(
      "select distinct brand_id, action from ops.audit_log where actor = 'repair_subscriptions' order by 1",
    ),
  ).toEqual([{ brand_id: acme.brandId, action: 'connections.webhooks_add' }]);
  expect(await alerts(db)).toEqual([]);
});

test('Stripe: events, a switched off endpoint and one that is gone are repaired; one of others stays', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  const { webhookEndpoints } = client(world.sandbox);
  const theirs = await webhookEndpoints.create({
    ...{ url: 'https://old.example.com/hook', enabled_events: ['charge.failed'] },
  });
  await webhookEndpoints.update(theirs.id, { disabled: true });
  await world.run('add', 'stripe', ...at);
  const ours = async () => (await listed(world, 'stripe')).filter((one) => one.ours);
  const [made] = await ours();
  if (!made) throw new Error('nothing was made');
  await webhookEndpoints.update(made.id, { enabled_events: ['charge.refunded', 'topup.created'] });
  expect(await repair(db, world, 'stripe')).toMatchObject({ differences: 1, repaired: 1 });
  expect(await ours()).toEqual([made]);
  await webhookEndpoints.update(made.id, { disabled: true });
  expect(await repair(db, world, 'stripe')).toMatchObject({ differences: 1, repaired: 1 });
  expect(await ours()).toEqual([made]);
  await webhookEndpoints.del(made.id);
  expect(await repair(db, world, 'stripe')).toMatchObject({ differences: 1, repaired: 1 });
  expect(await ours()).toMatchObject([{ topics: made.topics, enabled: true, to: 'hooks.example.com' }]);
  expect(await webhookEndpoints.retrieve(theirs.id)).toMatchObject({
    ...{ status: 'disabled', enabled_events: ['charge.failed'] },
  });
  expect(await world.run('check', 'stripe')).toMatchObject({ code: 0 }); // at the address of the last add
});

/** The rights of the streams alone, by a key that was changed after `add`. */
const LESS = {
  stripe: { acct_acme: { key: { key: 'rk_test_acme', permissions: ['rak_accounts_kyc_basic_read'] } } },
  sendgrid: { acme: { scopes: SCOPES.filter((scope) => !scope.includes('webhooks')) } },
};

test.each(['shopify', 'stripe', 'sendgrid'] as const)(
  '%s: a key that may not look is alerted once, and holds nothing',
  async (provider) => {
    await using db = await freshDb();
    await using world = await aWorld(db);
    const slug = await slugOf(db, world);
    await world.run('add', provider, ...at);
    if (provider === 'shopify')
      await setFaults(world.sandbox, { kind: 'status', on: 'graphql', status: 403, count: 0 });
    else await world.serve({}, { [provider]: LESS[provider] });
    for (let day = 0; day < 2; day++)
      expect(await repair(db, world, provider)).toEqual({ incomplete: expect.stringContaining('denies') });
    const hint = `npx nightshift connections webhooks check ${provider} --brand ${slug}`;
    const alert = { slug, connection: provider, cause: expect.stringContaining('denies'), hint };
    expect(await alerts(db)).toEqual([{ ...alert, resolved: false }]);
    expect(await db.column('select name from app.connections where held_at is not null')).toEqual([]);
    if (provider === 'shopify') await setFaults(world.sandbox);
    else await world.serve({});
    if (provider === 'stripe')
      expect(await world.run('add', provider, ...at)).toMatchObject({ code: 0 }); // by hand is as good
    else expect(await repair(db, world, provider)).toMatchObject({ differences: 0 });
    expect(await alerts(db)).toEqual([{ ...alert, resolved: true }]);
    const told = await db.column(
      `select payload ->> 'isResolved' from ops.jobs where task = 'deliver_alert' and payload ->> 'channel' = 'webhook'
       order by job_id`,
    );
    expect(told).toEqual(['false', 'true']);
  },
);

test('Ayrshare: a topic that somebody else took is alerted and not taken back, until ours are removed', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await world.run('add', 'ayrshare', ...at);
  await fetch(`${world.sandbox.url}/ayrshare/hook/webhook`, {
    method: 'POST',
    headers: { authorization: 'Bearer acme-api-key', 'profile-key': 'ref-acme-key' },
    body: JSON.stringify({ action: 'social', url: 'https://old.example.com/hook' }),
  });
  expect(await repair(db, world, 'ayrshare')).toMatchObject({
    ...{ subscriptions: 2, repaired: 0, incomplete: expect.stringContaining('old.example.com') },
  });
  expect(await alerts(db)).toMatchObject([{ connection: 'ayrshare', resolved: false }]);
  expect((await listed(world, 'ayrshare')).filter(({ ours }) => !ours)).toHaveLength(1);
  await world.run('remove', 'ayrshare', '--yes');
  expect(await alerts(db)).toMatchObject([{ connection: 'ayrshare', resolved: true }]);
});

test('a removal that breaks off does not come back', async () => {
  await using db = await freshDb();
  await using world = await aWorld(db);
  await world.run('add', 'shopify', ...at);
  const all = await listed(world, 'shopify');
  await setFaults(world.sandbox, {
    ...{ kind: 'status', on: 'graphql', match: 'WebhookDelete', after: 2, count: 1, status: 500 },
  });
  expect((await world.run('remove', 'shopify', '--yes')).code).toBe(1);
  expect(await repair(db, world, 'shopify')).toHaveProperty('skipped');
  expect(await listed(world, 'shopify')).toHaveLength(all.length - 2);
});
