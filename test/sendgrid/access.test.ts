/** What keys may read, plans, regions, accounts and their zones. */
import { expect, test } from 'vitest';
import { newRequestStats } from '#connectors/kit/http/retry.ts';
import { checkConnection } from '#connectors/providers.ts';
import { acceptCheck } from '#sql/load/checks.ts';
import { setAccountZone } from '#sql/tenants/account_facts.ts';
import { openConnection, replaceSecret } from '#sql/tenants/connections.ts';
import { rollup } from '#tasks/rollup.ts';
import { openSendGrid } from '../../connectors/sendgrid/api/client.ts';
import { SCOPES } from '../../sandbox/sendgrid/sendgrid.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { fakeProvider, json } from '../support/providers/provider.ts';
import { setFaults } from '../support/providers/sandbox.ts';
import {
  ACCOUNT,
  aCount,
  asked,
  connectSendGrid,
  forget,
  NOW,
  sendgridSandbox,
  serve,
} from '../support/providers/sendgrid.ts';
import { testKeyring, testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { ask } from '../support/why.ts';

const NEXT_DAY = '2026-11-21T15:00:00Z';
const NO_MARKETING = SCOPES.filter((scope) => scope !== 'marketing.read');
const group = (id: number) => ({
  id,
  name: `Group ${id}`,
  description: '',
  is_default: false,
  unsubscribes: 0,
});
const aSend = {
  ...{
    id: 's1',
    name: 'First',
    status: 'triggered',
    categories: [],
    send_at: '2026-11-18T15:00:00Z',
    is_abtest: false,
  },
  ...{ created_at: '2026-11-17T15:00:00Z', updated_at: '2026-11-18T15:00:00Z' },
};

type Connected = { brandId: string; connectionId: string };

async function check(db: TestDb, place: Connected) {
  const connection = await openConnection(db, place, testKeyring);
  const signal = AbortSignal.timeout(30_000);
  return checkConnection({ connection, db, sealer: testSealer, signal }, new Date(NOW));
}

test('a missing permission fails its streams alone, says what it costs, and is tried again the next day', async () => {
  const accounts = { [ACCOUNT]: { zone: 'America/New_York', scopes: NO_MARKETING } };
  await using sandbox = await sendgridSandbox({ singlesends: [aSend] }, { accounts });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  const { missing } = await check(db, one);
  expect(missing).toEqual([
    {
      stream: 'sendgrid.single_sends',
      scopes: ['marketing.read'],
      costs: expect.stringContaining('campaigns'),
    },
    { stream: 'sendgrid.single_send_totals', scopes: ['marketing.read'], costs: expect.any(String) },
    { stream: 'sendgrid.single_send_days', scopes: ['marketing.read'], costs: expect.any(String) },
  ]);
  await one.load();
  expect(await one.faults()).toEqual([
    {
      stream: 'sendgrid.single_sends',
      cause: expect.stringMatching(/marketing\.read .*so there are not campaigns/),
    },
  ]);
  await forget(sandbox);
  await one.syncAll(); // not each hour
  expect(await asked(sandbox)).toHaveLength(1);
  expect(await one.faults()).toHaveLength(1);
  const denied = { ...one, connection: 'mail', stream: 'sendgrid.single_sends' };
  await db.transaction((tx) => acceptCheck(tx, denied, 'permission'));
  await one.sync('single_sends'); // denied again, for the same cause
  expect(await one.faults()).toEqual([]);
  await using granted = await sendgridSandbox({ singlesends: [aSend] }, { now: NEXT_DAY });
  await serve(sandbox, NEXT_DAY, granted.dir);
  await one.load(['single_sends'], { now: NEXT_DAY });
  expect(await one.faults()).toEqual([]);
  expect(await one.rows('single_sends', 'id')).toEqual([{ id: 's1' }]);
});

test('a permission that is taken away later fails its stream and leaves what is stored', async () => {
  await using sandbox = await sendgridSandbox({ asm_groups: [group(1)] });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics', 'unsubscribe_groups']);
  await serve(sandbox, NEXT_DAY);
  await setFaults(sandbox, { kind: 'revoked_scope', scope: 'asm.groups.read' });
  await one.syncAll({ now: NEXT_DAY });
  expect((await one.faults()).map(({ stream }) => stream)).toEqual(['sendgrid.unsubscribe_groups']);
  expect(await one.rows('unsubscribe_groups', 'id')).toEqual([{ id: '1' }]);
});

test('an account without a marketing plan is no success with nothing in it', async () => {
  const accounts = { [ACCOUNT]: { zone: 'America/New_York', marketing: false } };
  await using sandbox = await sendgridSandbox({ singlesends: [aSend] }, { accounts });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  expect(await one.sync('single_sends')).toMatchObject({
    incomplete: expect.stringContaining('no marketing plan'),
  });
  await one.sync('single_sends');
  expect(await one.faults()).toHaveLength(1);
  const which = { ...one, connection: 'mail', stream: 'sendgrid.single_sends' };
  expect(await db.transaction((tx) => acceptCheck(tx, which, 'no such check'))).toBe(false);
  expect(await db.transaction((tx) => acceptCheck(tx, which, 'marketing plan'))).toBe(true);
  await one.sync('single_sends');
  expect(await one.faults()).toEqual([]); // a person knows that there is nothing
  await using bought = await sendgridSandbox({ singlesends: [aSend] });
  await serve(sandbox, NOW, bought.dir);
  expect(await one.sync('single_sends')).toMatchObject({ read: 1 });
  expect(await one.faults()).toEqual([]);
});

test('the EU region is read at its own address, without marketing', async () => {
  await using sandbox = await sendgridSandbox(
    {},
    { accounts: { [ACCOUNT]: { region: 'eu', zone: 'America/New_York' } } },
  );
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox, { host: 'sendgrid-eu' });
  expect(await check(db, one)).toMatchObject({
    missing: [],
    warnings: expect.arrayContaining([expect.stringContaining('no marketing')]),
  });
  await one.load();
  expect(await one.faults()).toEqual([]);
  expect((await asked(sandbox)).filter((path) => path.includes('/marketing/'))).toEqual([]);
  const wrong = await connectSendGrid(db, sandbox);
  await expect(check(db, wrong)).rejects.toMatchObject({ code: 'NS_CREDENTIALS_REJECTED' });
});

test('a subuser is read with the key of its parent, and a key of another account stores nothing', async () => {
  const accounts = { [ACCOUNT]: {}, sub: { parent: ACCOUNT }, other: { key: 'SG.other.key' } };
  await using sandbox = await sendgridSandbox(
    { 'sub/stats': [aCount('2026-11-19', { opens: 7 })] },
    { accounts },
  );
  await using db = await freshDb();
  const sub = await connectSendGrid(db, sandbox, { account: 'sub', auth: 'subuser' });
  await sub.sync('statistics');
  expect(await sub.rows('statistics', 'opens', 'opens desc limit 1')).toEqual([{ opens: 7 }]);
  const foreign = await connectSendGrid(db, sandbox, { secret: 'SG.other.key' });
  await expect(foreign.sync('statistics')).rejects.toMatchObject({ code: 'NS_ACCOUNT_DIFFERS' });
  expect(await foreign.rows('statistics', 'opens')).toEqual([]);
});

test('a key that may not read whose it is must find the stored groups', async () => {
  const scopes = SCOPES.filter((scope) => scope !== 'user.username.read');
  const accounts = { [ACCOUNT]: { scopes }, other: { scopes, key: 'SG.other.key' } };
  const files = { asm_groups: [group(1), group(2)], 'other/asm_groups': [group(3)] };
  await using sandbox = await sendgridSandbox(files, { accounts });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  expect(await check(db, one)).toMatchObject({
    warnings: [expect.stringContaining('whose key'), expect.any(String)],
  });
  await one.sync('unsubscribe_groups');
  await db.transaction((tx) => replaceSecret(tx, testSealer, one, 'SG.other.key'));
  await expect(one.sync('unsubscribe_groups')).rejects.toMatchObject({ code: 'NS_ACCOUNT_DIFFERS' });
});

test('days are those of the account, and a zone that cannot be its own is noticed', async () => {
  const tokyo = { [ACCOUNT]: { zone: 'Asia/Tokyo' } }; // there it is the 21st already
  await using sandbox = await sendgridSandbox(
    { stats: [aCount('2026-11-21', { opens: 3 })] },
    { accounts: tokyo },
  );
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics', 'templates']);
  expect(await one.rows('statistics', 'day', 'day desc limit 1')).toEqual([{ day: '2026-11-20' }]);
  expect(await one.syncAll()).toMatchObject({
    incomplete: expect.stringMatching(/2026-11-21 at SendGrid.*connections zone/),
  });
  await db.transaction((tx) => setAccountZone(tx, one, 'Asia/Tokyo'));
  await one.syncAll();
  await one.sync('statistics');
  expect(await one.faults()).toEqual([]);
  expect(await one.rows('statistics', 'day, opens, time_zone', 'day desc limit 1')).toEqual([
    { day: '2026-11-21', opens: 3, time_zone: 'Asia/Tokyo' },
  ]);
  await expect(db.transaction((tx) => setAccountZone(tx, one, 'Mars/Olympus'))).rejects.toMatchObject({
    code: 'NS_TIME_ZONE_UNKNOWN',
  });
});

test('a key without counts reads its lists by night all the same', async () => {
  const scopes = SCOPES.filter((scope) => !scope.startsWith('stats.'));
  await using sandbox = await sendgridSandbox(
    {},
    { accounts: { [ACCOUNT]: { zone: 'America/New_York', scopes } } },
  );
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  await one.load(['statistics', 'bounces', 'blocks']);
  await one.syncAll();
  expect((await one.faults()).map(({ stream }) => stream)).toEqual(['sendgrid.statistics']);
});

test('what a key is not to read holds no final day back once that is accepted, and counts alone settle for a week', async () => {
  const now = new Date().toISOString();
  const scopes = SCOPES.filter((scope) => !scope.startsWith('subusers.'));
  const accounts = { [ACCOUNT]: { zone: 'America/New_York', scopes } };
  await using sandbox = await sendgridSandbox({}, { accounts, now });
  await using db = await freshDb();
  const one = await connectSendGrid(db, sandbox);
  const streams = ['statistics', 'category_statistics', 'subuser_statistics', 'events'];
  await one.load(streams, { now });
  await runTask(rollup, { brandId: one.brandId, retailerId: null }, db);
  const states = (days: string) =>
    db.column(
      `select state from bi.completeness
       where source = 'email' and day = (now() at time zone 'America/New_York')::date - ${days} - 1`,
    );
  expect(await states('0')).not.toEqual(['settling']);
  const denied = { ...one, connection: 'mail', stream: 'sendgrid.subuser_statistics' };
  await db.transaction((tx) => acceptCheck(tx, denied, 'permission'));
  expect(await states('0')).toEqual(['settling']);
  const [brand] = await db.column('select slug from app.brands where id = $1', [one.brandId]);
  const [day] = await db.column("select ((now() at time zone 'America/New_York')::date - 1)::text");
  const why = await ask(db, 'why', 'email', '--brand', String(brand), '--day', String(day));
  expect(why.page).toMatchObject({
    state: 'settling',
    reasons: [{ because: expect.stringContaining('nothing is wrong') }],
  });
  expect(await states('7')).toEqual(['final']);
});

test('a change that was made is not taken for failed because its limit cannot be written down', async () => {
  await using db = await freshDb();
  const limits = { 'x-ratelimit-limit': '600', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' };
  await using provider = await fakeProvider(async (response, request) => {
    await db.query('alter table ops.rate_budgets rename to rate_budgets_elsewhere');
    json({ id: 'made' }, { headers: limits })(response, request);
  });
  const connection = await openConnection(db, await connectSendGrid(db, provider), testKeyring);
  const signal = AbortSignal.timeout(30_000);
  const context = { connection, db, signal, stats: newRequestStats(), now: () => new Date(NOW) };
  const sendgrid = openSendGrid(context);
  for (const method of ['POST', 'PATCH', 'DELETE'] as const) {
    expect(await sendgrid.change(method, `/v3/${method}`, {})).toEqual({ id: 'made' });
    await db.query('alter table ops.rate_budgets_elsewhere rename to rate_budgets');
  }
  await expect(sendgrid.get('/v3/scopes', [], (body) => body)).rejects.toMatchObject({ code: '42P01' });
});
