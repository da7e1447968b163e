import { expect, test } from 'vitest';
import { AUDIT_READ_MAX } from '#sql/tenants/audit_log.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { aBrand } from '../support/rows/factory.ts';

test('the log is searched by brand, actor, action, time and text, latest first', async () => {
  await using db = await freshDb();
  const env = { DATABASE_URL: db.url };
  const brand = (slug: string) =>
    nightshift(['brands', 'add', slug, '--zone', 'UTC', '--currency', 'EUR'], { env });
  for (const slug of ['acme', 'brio']) expect(await brand(slug)).toMatchObject({ code: 0 });
  await db.query("update ops.audit_log set at = '2026-03-01' where target = 'acme'");
  await db.query("update ops.audit_log set at = '2026-03-02', actor = 'ann' where target = 'brio'");
  const found = async (...options: string[]) => {
    const { code, json } = await nightshift(['audit', '--json', ...options], { env });
    expect(code).toBe(0);
    return (json() as { target: string }[]).map(({ target }) => target);
  };
  expect(await found()).toEqual(['brio', 'acme']);
  expect(await found('--brand', 'acme')).toEqual(['acme']);
  expect(await found('--actor', 'ann')).toEqual(['brio']);
  expect(await found('--action', 'brands')).toEqual(['brio', 'acme']);
  expect(await found('--action', 'brands.add', '--text', 'BRIO')).toEqual(['brio']);
  expect(await nightshift(['audit', '--action', 'brand'], { env })).toMatchObject({ code: 2 });
  expect(await found('--text', '%')).toEqual([]);
  expect(await found('--since', '2026-03-02T00:00:00Z')).toEqual(['brio']);
  expect(await found('--until', '2026-03-02T00:00:00Z')).toEqual(['acme']);
  expect(await nightshift(['audit', '--brand', 'nobody'], { env })).toMatchObject({ code: 3 });
  expect(await nightshift(['brands', 'remove', 'acme', '--yes', 'acme'], { env })).toMatchObject({ code: 0 });
  expect((await found('--brand', 'acme')).length).toBe(3);
});

test('more than a page is said, with what shows the earlier ones', async () => {
  await using db = await freshDb();
  await db.query(
    `insert into ops.audit_log (at, actor, action, target)
     select '2026-03-01'::timestamptz + make_interval(secs => n), 'ann', 'a.b', n::text from generate_series(1, 201) n`,
  );
  const ran = await nightshift(['audit', '--json'], { env: { DATABASE_URL: db.url } });
  expect(ran.json()).toHaveLength(200);
  expect(ran.stderr).toContain('--until 2026-03-01T00:00:02.000Z');
});

test('pages of the log leave no row out, not where one transaction wrote several, nor by microseconds', async () => {
  await using db = await freshDb();
  await db.query(
    `insert into ops.audit_log (at, actor, action, target)
     select '2026-03-01T00:00:00.0005Z'::timestamptz + make_interval(secs => n / 3), 'ann', 'a.b', n::text
     from generate_series(1, 500) n`,
  );
  const seen = new Set<string>();
  let until: string[] = [];
  for (let page = 0; page < 3; page++) {
    const ran = await nightshift(['audit', '--json', ...until], { env: { DATABASE_URL: db.url } });
    for (const { target } of ran.json() as { target: string }[]) seen.add(target);
    until = ran.stderr.match(/(--until) (\S+)/)?.slice(1) ?? until;
  }
  expect(seen.size).toBe(500);
});

test('a search of the log reads so many rows, those of the brand if one is named, and says where it stopped', async () => {
  await using db = await freshDb();
  const { id, slug } = await aBrand(db);
  await db.query(
    `insert into ops.audit_log (at, actor, action, target)
     select '2026-03-01'::timestamptz + make_interval(secs => n), 'ann', 'a.b', n::text from generate_series(1, $1) n`,
    [AUDIT_READ_MAX - 1], // the brand has a row too
  );
  await db.query(
    `insert into ops.audit_log (at, actor, action, brand_id, target) values ('2026-02-01', 'bob', 'a.b', $1, 'early')`,
    [id],
  );
  const find = async (...options: string[]) => {
    const ran = await nightshift(['audit', '--json', ...options], { env: { DATABASE_URL: db.url } });
    return { found: (ran.json() as { target: string }[]).map(({ target }) => target), said: ran.stderr };
  };
  const stopped = { found: [], said: expect.stringContaining('--until 2026-02-01T00:00:00.000001Z') };
  expect(await find('--actor', 'bob')).toEqual(stopped);
  expect(await find('--text', 'early')).toEqual(stopped);
  const further = ['--until', '2026-02-01T00:00:00.000001Z'];
  expect(await find('--actor', 'bob', ...further)).toEqual({ found: ['early'], said: '' });
  expect(await find('--actor', 'bob', '--brand', slug)).toEqual({ found: ['early'], said: '' });
});

test('a page for a person names ten of many jobs, JSON all', async () => {
  await using db = await freshDb();
  await db.query(
    `insert into ops.audit_log (actor, action, target, details)
     select 'ann', 'jobs.retry', '12 jobs', jsonb_build_object('ids', jsonb_agg(n::text)) from generate_series(1, 12) n`,
  );
  const env = { DATABASE_URL: db.url };
  expect((await nightshift(['audit'], { env })).stdout).toContain('"10","and 2 more"]');
  expect((await nightshift(['audit', '--json'], { env })).json()).toMatchObject([
    { details: { ids: expect.arrayContaining(['11', '12']) } },
  ]);
});
