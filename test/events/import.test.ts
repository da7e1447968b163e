/** `events import`: a file is stored whole or not at all, and every fault is named with its line. */
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { BATCH_MAX } from '#sql/events/store.ts';
import { storeLines } from '../../bin/cli/events/store_lines.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aFile, anEvent, aSender, type Given, NOW, ndjson } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { TEST_KEYS, testSealer } from '../support/rows/factory.ts';

const AT = ['--now', NOW.toISOString()];

async function aLoader(db: TestDb, name: string, text: string) {
  const file = await aFile(name, text);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const load = (...args: string[]) =>
    nightshift(['events', 'import', file.path, ...args, ...AT, '--json'], { env });
  return { ...file, env, load };
}

test('a file is stored, the same file again changes nothing, and its job computes the figures', async () => {
  await using db = await freshDb();
  const { brand } = await aSender(db);
  const events = [anEvent('page_view', { id: '1' }), anEvent('cart_add', { id: '2', retailer: 'ie' })];
  await using file = await aLoader(db, 'events.ndjson', `\n${ndjson(events)}`);
  const args = ['--brand', brand.slug, '--retailer', 'uk'];
  const dry = await file.load(...args, '--dry-run');
  expect([dry.code, dry.json()]).toEqual([0, [expect.objectContaining({ dry_run: true, stored: 2 })]]);
  expect(await db.column('select count(*) from raw.events')).toEqual([0]);
  const first = await file.load(...args);
  expect([first.code, first.json()]).toEqual([
    0,
    [expect.objectContaining({ events: 2, stored: 2, known: 0 })],
  ]);
  expect(await db.column("select payload ->> 'retailerId' from ops.jobs where task = 'rollup'")).toEqual([
    null,
  ]);
  const again = await file.load(...args);
  expect([again.code, again.json()]).toEqual([
    0,
    [expect.objectContaining({ stored: 0, known: 2, conflicts: 0 })],
  ]);
  expect(
    await db.column(
      'select r.slug from raw.events e join app.retailers r on r.id = e.retailer_id order by e.id',
    ),
  ).toEqual(['uk', 'ie']);
  expect(
    await db.column("select details ->> 'stored' from ops.audit_log where action = 'events.import'"),
  ).toEqual(['2']);

  const other = await nightshift(['events', 'import', '-', '--brand', brand.slug, ...AT, '--json'], {
    env: file.env,
    input: ndjson([{ ...events[0], visitor: 'another' }]),
  });
  expect(other.json()).toMatchObject([{ stored: 0, known: 1, conflicts: 1 }]);
  expect(other.stderr).toContain('line 1, event 1: is stored with other content, which stays');
});

test('every fault is named with its line and field, and then nothing is stored', async () => {
  await using db = await freshDb();
  const { brand } = await aSender(db);
  const bad: Given[] = [
    { ...anEvent('page_view'), kind: 'view' },
    anEvent('conversion', { stage: 'Check Out', amount: '1,50', currency: 'GBP' }),
    anEvent('scan', { code: undefined, latitude: 91, longitude: 0 }),
    anEvent('download', { happened_at: '2026-06-01 12:00', asset: 'call anna@example.com' }),
    anEvent('cart_add', { happened_at: '2024-01-01T00:00:00Z', retailer: 'fr', colour: 'red' }),
    anEvent('cart_add', { happened_at: '2024-01-01T00:00:00Z', retailer: 'fr' }),
    anEvent('cart_add', { happened_at: '2026-07-02T00:00:00Z' }),
  ];
  const good = anEvent('page_view');
  await using file = await aLoader(
    db,
    'events.ndjson',
    `${ndjson([good, ...bad])}{"id": "x", "kind" "scan"}\n`,
  );
  const refused = await file.load('--brand', brand.slug);
  expect(refused.code).toBe(2);
  const said = [
    'line 2, kind view: is none of page_view, cart_add, conversion',
    'line 3, stage Check Out: is not a name like checkout',
    'line 3, amount 1,50: is not a decimal amount',
    'line 4, code: is needed',
    'line 4, latitude 91: is not a number of degrees from -90 to 90',
    'line 5, happened_at 2026-06-01 12:00: is not an instant with its offset',
    'line 5, asset call [e-mail]: looks like personal data or a key',
    'line 6, colour: is no field of this kind',
    'line 7, happened_at 2024-01-01T00:00:00.000Z: is older than the 400 days for which events are kept',
    'line 7, retailer fr: there is no such retailer',
    'line 8, happened_at 2026-07-02T00:00:00.000Z: lies more than a day ahead',
    'line 9, column 20: is not JSON',
  ];
  for (const one of said) expect(refused.stderr).toContain(one);
  expect(await db.column('select count(*) from raw.events')).toEqual([0]);

  const partly = await file.load('--brand', brand.slug, '--skip-invalid');
  expect([partly.code, partly.json()]).toEqual([6, [expect.objectContaining({ stored: 1, invalid: 8 })]]);
  expect(partly.stderr).toContain(said[0]);
  expect(await db.column('select id from raw.events')).toEqual([good.id]);

  const unknown = await file.load('--brand', brand.slug, '--retailer', 'fr');
  expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('fr')]);
});

test('a CSV file has a column for each field, and empty cells are absent', async () => {
  await using db = await freshDb();
  const { brand } = await aSender(db);
  const text = [
    'kind,id,happened_at,visitor,stage,amount,currency,code,latitude,longitude,properties,retailer',
    'conversion,1,2026-06-01T12:00:00+02:00,v1,purchase,12.50,GBP,,,,"{""a"": 1}",uk',
    'scan,2,2026-06-01T12:00:00Z,,,,,box-1,52.52001,13.40499,,',
  ].join('\n');
  await using file = await aLoader(db, 'events.csv', text);
  expect((await file.load('--brand', brand.slug)).json()).toMatchObject([{ stored: 2 }]);
  expect(
    await db.rows(
      'select id, happened_at, stage, amount, currency, code, latitude, longitude, properties from raw.events order by id',
    ),
  ).toEqual([
    {
      ...{
        id: '1',
        happened_at: new Date('2026-06-01T10:00:00Z'),
        stage: 'purchase',
        amount: '12.50',
        currency: 'GBP',
      },
      ...{ code: null, latitude: null, longitude: null, properties: { a: 1 } },
    },
    {
      ...{
        id: '2',
        happened_at: new Date('2026-06-01T12:00:00Z'),
        stage: null,
        amount: null,
        currency: null,
      },
      ...{ code: 'box-1', latitude: '52.520', longitude: '13.405', properties: null },
    },
  ]);
  await using strange = await aLoader(db, 'strange.csv', 'kind,id,when\nscan,1,2026');
  expect(await strange.load('--brand', brand.slug)).toMatchObject({
    stderr: expect.stringContaining('line 1: these columns are not known, or twice: when'),
  });
});

test('an import that dies leaves nothing, and the next one stores all, in several batches', async () => {
  await using db = await freshDb();
  const { brand } = await aSender(db);
  const views = (count: number) =>
    Array.from({ length: count }, (_, n) => anEvent('page_view', { id: `p${n}`, visitor: `v${n % 9}` }));
  const events = views(2 * BATCH_MAX + 5);
  await using file = await aLoader(db, 'events.ndjson', ndjson([...events, { ...events[0] }]));
  const undone = new Error('undone');
  const died = db.transaction(async (tx) => {
    // An event of the last batch waits for somebody else, who has it too.
    const last = events.at(-1)?.id;
    await tx.query('insert into raw.event_ids (brand_id, id, happened_at) values ($1, $2, now())', [
      brand.id,
      last,
    ]);
    const importing = file.load('--brand', brand.slug);
    await eventually(async () => {
      const { rows } = await db.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'nightshift cli' and wait_event_type = 'Lock'`,
      );
      expect(rows).toHaveLength(1);
    });
    expect((await importing).code).not.toBe(0);
    throw undone;
  });
  await expect(died).rejects.toBe(undone);
  expect(
    await db.column('select (select count(*) from raw.event_ids) + (select count(*) from raw.events)'),
  ).toEqual([0]);
  const stored = { stored: events.length, known: 1, conflicts: 0 };
  expect((await file.load('--brand', brand.slug)).json()).toMatchObject([stored]);
  expect(await db.column('select count(*) from raw.events')).toEqual([events.length]);
});

test('a file that breaks off while a batch is stored leaves nothing behind its transaction', async () => {
  await using db = await freshDb();
  const { brandId } = await aSender(db);
  const broken = new Error('the disk is gone');
  const undone = new Error('undone');
  const other = db.transaction(async (tx) => {
    // The copy of the batch waits for somebody else until the file is broken.
    await tx.query("insert into raw.event_ids (brand_id, id, happened_at) values ($1, 'p0', now())", [
      brandId,
    ]);
    const read = Promise.withResolvers<void>();
    async function* pages() {
      yield Array.from({ length: BATCH_MAX }, (_, n) => ({
        line: n,
        record: anEvent('scan', { id: `p${n}` }),
      }));
      await eventually(async () =>
        expect(
          await db.column(
            `select wait_event_type from pg_stat_activity
             where datname = current_database() and query like 'copy raw.event_ids%'`,
          ),
        ).toEqual(['Lock']),
      );
      read.resolve();
      throw broken;
    }
    const importing = { sealer: testSealer, brandId, skipsInvalid: false, now: NOW };
    const failed = db.transaction((inner) => storeLines(db, inner, importing, pages()));
    failed.catch(() => {});
    await read.promise;
    throw Object.assign(undone, { failed });
  });
  const { failed } = (await other.catch((error: unknown) => error)) as { failed: Promise<unknown> };
  await expect(failed).rejects.toBe(broken);
  // Whoever still writes is through.
  await db.transaction((tx) => tx.query('lock table raw.event_ids, raw.events in access exclusive mode'));
  expect(
    await db.column('select (select count(*) from raw.event_ids) + (select count(*) from raw.events)'),
  ).toEqual([0]);
});

test.each(['csv', 'ndjson'])('bytes that are not UTF-8 are a fault of a file of %s', async (format) => {
  await using db = await freshDb();
  const { brand } = await aSender(db);
  const [head, bad] = {
    csv: ['kind,id,happened_at,code\n', 'scan,1,2026-06-01T12:00:00Z,'],
    ndjson: ['\n', '{"id": "'],
  }[format] as [string, string];
  await using file = await aLoader(db, `events.${format}`, '');
  await writeFile(file.path, Buffer.concat([Buffer.from(head + bad), Buffer.from([0xff, 0x0a])]));
  expect(await file.load('--brand', brand.slug)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('it is not UTF-8 at or behind line 2'),
  });
});
