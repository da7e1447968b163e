/** What a sync warns of although it succeeds reaches those who have to act, and ends by itself. */
import { expect, test } from 'vitest';
import { cleaned, saveWarnings, WARNINGS_MAX } from '#sql/load/warnings.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import {
  anAccount,
  ayrshareSandbox,
  connectAyrshare,
  type Files,
  later,
  NOW,
} from '../support/providers/ayrshare.ts';
import { aBrand, TEST_KEYS } from '../support/rows/factory.ts';

const linked = (refreshDaysRemaining: number): Files => ({
  accounts: [
    anAccount('facebook', { followersCount: 600 }),
    anAccount('linkedin', { followers: { totalFollowerCount: 2310 } }, { refreshDaysRemaining }),
  ],
});
const SAID = 'the link to linkedin expires in 10 days: link it again in Ayrshare';
const HINT = 'npx nightshift connections check ref-acme --brand';

const alertsOf = (db: TestDb) =>
  db.rows(
    `select b.slug, c.name as connection, a.cause, a.hint, a.resolved_at is not null as resolved
     from ops.alerts a join app.brands b on b.id = a.brand_id
     join app.connections c on (c.brand_id, c.id) = (a.brand_id, a.connection_id)
     where a.kind = 'warnings' order by b.slug, a.id`,
  );
const deliveries = (db: TestDb) =>
  db.column(
    `select payload ->> 'isResolved' from ops.jobs where task = 'deliver_alert' and payload ->> 'channel' = 'webhook'
     order by job_id`,
  );

test('a link that expires is told by every command and by one alert of each connection, until it is renewed', async () => {
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox(linked(10));
  const { id: acme } = await aBrand(db, { slug: 'acme' });
  const { id: brio } = await aBrand(db, { slug: 'brio' });
  const ours = await connectAyrshare(db, sandbox, { brandId: acme });
  const theirs = await connectAyrshare(db, sandbox, { brandId: brio });
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const run = (...words: string[]) => nightshift(words, { env });

  const ran = await run('sync', 'run', '--brand', 'acme', '--wait', '--now', NOW, '--json');
  const rows = ran.json() as { stream: string; warnings: string[] }[];
  expect(rows.filter(({ warnings }) => warnings.length > 0)).toMatchObject([
    { stream: 'ayrshare.user', warnings: [SAID] },
  ]);
  expect(ran.stderr).toContain(`ref-acme warns: ${SAID}`);
  expect(ran.stderr).toContain(`Next: ${HINT} acme`);
  expect(await alertsOf(db)).toEqual([
    { slug: 'acme', connection: 'ref-acme', cause: SAID, hint: `${HINT} acme`, resolved: false },
  ]);

  // The rest of the day does not look at links: what was said of them stands.
  await theirs.syncEach();
  for (let hour = 1; hour <= 2; hour++) {
    await sandbox.at(later(hour));
    for (const one of [ours, theirs]) await one.syncAll({ now: later(hour) });
  }
  expect((await alertsOf(db)).map(({ slug, resolved }) => [slug, resolved])).toEqual([
    ['acme', false],
    ['brio', false],
  ]);

  const status = await run('sync', 'status', '--brand', 'acme');
  expect(status.stderr).toContain(`ref-acme warns: ${SAID}`);
  const shown = (await run('sync', 'status', '--brand', 'acme', '--json')).json() as typeof rows;
  expect(shown.find(({ stream }) => stream === 'ayrshare.user')).toMatchObject({ warnings: [SAID] });
  const whole = (await run('status', '--json')).json()[0] as { warnings: string[] };
  expect(whole).toMatchObject({
    provider_warnings: [
      { brand: 'acme', connection: 'ref-acme', warnings: [SAID] },
      { brand: 'brio', connection: 'ref-acme', warnings: [SAID] },
    ],
  });
  expect(whole.warnings).toContain(`Syncs of ref-acme warn: ${SAID}. Next: ${HINT} acme`);
  const { checks } = (await run('doctor', '--json')).json()[0] as { checks: { check: string }[] };
  expect(checks.filter(({ check }) => check === 'warnings of providers')).toMatchObject([
    { severity: 'warning', evidence: expect.stringContaining(SAID), mend: `${HINT} acme` },
    { severity: 'warning', evidence: expect.stringContaining(SAID), mend: `${HINT} brio` },
  ]);
  expect(checks.filter(({ check }) => check === 'open alerts')).toMatchObject([{ severity: 'ok' }]);

  await sandbox.serve(linked(9), later(24));
  for (const one of [ours, theirs]) await one.syncAll({ now: later(24) });
  expect(await alertsOf(db)).toMatchObject([
    { cause: expect.stringContaining('in 9 days'), resolved: false },
    { cause: expect.stringContaining('in 9 days'), resolved: false },
  ]);
  expect(new Set(await deliveries(db))).toEqual(new Set(['false']));

  await sandbox.serve(linked(365), later(48));
  await ours.syncAll({ now: later(48) });
  expect((await alertsOf(db)).map(({ slug, resolved }) => [slug, resolved])).toEqual([
    ['acme', true],
    ['brio', false],
  ]);
  expect((await deliveries(db)).filter((isResolved) => isResolved === 'true')).toHaveLength(1);
  expect((await run('sync', 'status', '--brand', 'acme')).stderr).not.toContain('warns');
});

test('warnings are bounded in number and length, and scrubbed', async () => {
  const many = Array.from({ length: 50 }, (_, n) => `${n} sk_live_4242424242424242 ${'x'.repeat(5_000)}`);
  const clean = cleaned(many);
  expect(clean).toHaveLength(WARNINGS_MAX);
  for (const one of clean) expect(one.length).toBeLessThanOrEqual(500);
  expect(clean.join()).not.toContain('sk_live_4242');
  expect(cleaned([...clean, ...clean])).toEqual(clean);
  await using db = await freshDb();
  await using sandbox = await ayrshareSandbox({});
  const { brandId, connectionId } = await connectAyrshare(db, sandbox);
  const save = (warnings: string[]) =>
    db.transaction((tx) =>
      saveWarnings(tx, { brandId, connectionId }, [{ stream: 'ayrshare.user', warnings }]),
    );
  const stored = () => db.column('select cardinality(warnings) from ops.stream_warnings');
  await save(clean);
  expect(await stored()).toEqual([WARNINGS_MAX]);
  await save([]);
  expect(await stored()).toEqual([]);
});
