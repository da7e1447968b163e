/** Each raw table that names persons is redacted in a restored schema, of the brand that has erased the person alone. */
import { expect, test } from 'vitest';
import { providers } from '#connectors/providers.ts';
import { personTablesOf } from '#sql/privacy/person_tables.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { fillEveryTable } from '../support/db/traces.ts';
import { askErasure, tracesOf } from '../support/privacy/ask.ts';
import { aShop, type Shop, TEST_KEYS, testSealer } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { aStore, runSnapshot } from '../support/snapshots/snapshots.ts';

const CUSTOMER = 'cus_ofAnnaBerg';
const EMAIL = 'anna.berg@example.com';

const PLACES = providers.flatMap(({ name, streams }, at) => {
  const tables = [...personTablesOf(streams).values()];
  return tables.length === 0
    ? []
    : [{ provider: name, id: `00000000-0000-4000-8000-00000000000${at}`, tables }];
});

/** A row of the person in each of them, as text, payload, id and digest say it. */
async function fill(db: TestDb, { brand, retailer, connection }: Shop): Promise<void> {
  const brandId = brand.id;
  const { digestOf } = await personKeyOf(db, testSealer, brandId);
  const digest = digestOf(EMAIL) ?? '';
  await fillEveryTable(db, { brandId, retailerId: retailer.id, connectionId: connection.id });
  for (const { provider, id, tables } of PLACES) {
    await db.query(
      `insert into app.connections (brand_id, id, name, provider, level, account, base_url, auth, secret, secret_key_id)
       values ($1, $2, $3, $3, 'brand', 'x', 'http://127.0.0.1', 'key', '', $4)`,
      [brandId, id, provider, testSealer.keyId],
    );
    for (const { table, root } of tables) {
      const { of = [], within = [], empties = [], through } = table.personal ?? {};
      const values: Record<string, string> = {
        connection_id: id,
        payload: JSON.stringify({ name: 'Anna Berg', note: `for ${EMAIL}` }),
        ...Object.fromEntries(empties.map((column) => [column, `https://shop.example/${EMAIL}`])),
        ...Object.fromEntries(of.map(({ column, as }) => [column, as === 'email' ? digest : CUSTOMER])),
        ...Object.fromEntries(within.map((column) => [column, `a ${digest}`])),
        ...(through && { [through.column]: 'x' }),
      };
      const names = Object.keys(values);
      const typed = names.map(
        (name, index) =>
          `${name} = $${index + 2}::text::${name === 'connection_id' ? 'uuid' : (table.columns[name] ?? 'text')}`,
      );
      const { rowCount } = await db.query(
        `update ${table.name} set ${typed.join(', ')} where brand_id = $1`,
        [brandId, ...names.map((name) => values[name])],
      );
      expect(rowCount, `${table.name} of ${root.name}`).toBe(1);
    }
  }
}

test('every table that is declared, two brands with equal ids and one person', async () => {
  await using db = await freshDb();
  await using place = await aStore();
  const shops = [await aShop(db), await aShop(db)] as const;
  for (const shop of shops) await fill(db, shop);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SNAPSHOT_DIR: place.dir, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
  const restore = async ({ brand }: Shop) => {
    const line = `snapshots restore --latest --brand ${brand.slug} --into schema --json`;
    const restored = await nightshift(line.split(' '), { env });
    expect(restored).toMatchObject({ code: 0 });
    return (restored.json() as { schema: string }[])[0]?.schema ?? '';
  };
  const [{ brand }, other] = shops;
  const brandId = brand.id;
  const traces = (of: string) => tracesOf(db, of, [CUSTOMER, 'anna'], EMAIL);
  for (const shop of shops) await runSnapshot(db, place, shop.brand.id);

  for (const { id } of PLACES) {
    const request = await askErasure(db, { brandId, connectionId: id }, { customer: CUSTOMER, email: EMAIL });
    await runTask(privacyErase, { brandId, request }, db);
  }
  expect(await traces(brandId)).toEqual([]);
  const schema = await restore(shops[0]);
  expect(await traces(brandId)).toEqual([]);
  const tables = PLACES.flatMap((one) => one.tables.map(({ table }) => table.name));
  for (const name of tables) {
    const copy = `${schema}.${name.replace('.', '_')}`;
    expect(await db.column(`select payload ->> 'erased' from ${copy}`), name).toEqual(['true']);
  }

  const theirs = await restore(other);
  const found = (await traces(other.brand.id)).map((row) => row.split(':')[0]);
  for (const name of tables)
    expect(found).toEqual(expect.arrayContaining([name, `${theirs}.${name.replace('.', '_')}`]));
});
