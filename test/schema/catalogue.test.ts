import { expect, test } from 'vitest';
import * as rules from '../support/db/catalogue.ts';
import { freshDb } from '../support/db/db.ts';

for (const [name, broken] of Object.entries(rules)) {
  test(`the schema keeps the rule ${name}`, async () => {
    await using db = await freshDb();
    expect(await broken(db)).toEqual([]);
  });
}

// What the rules are for: each of these would mix two brands, hide a meaning or lose a digit.
test('each rule finds what breaks it', async () => {
  await using db = await freshDb();
  await db.query(`
    create table raw.bad (
      id text primary key, brand_id uuid, retailer_id uuid unique, connection_id uuid, price float8, at timestamp
    );
    create table agg.keyless (brand_id uuid, day date);
    create unique index lower_id on raw.bad (lower(id));
    alter table app.retailers add unique (id);
    alter table raw.bad add constraint to_any_brand foreign key (retailer_id) references app.retailers (id);
    create view bi.silent as select brand_id, id from raw.bad;
    comment on column bi.silent.id is 'described';
  `);
  expect(await rules.keysWithoutBrand(db)).toEqual(['agg.keyless', 'raw.bad']);
  expect(await rules.uniqueAcrossBrands(db)).toEqual([
    'app.retailers_id_key',
    'raw.bad_pkey',
    'raw.bad_retailer_id_key',
    'raw.lower_id',
  ]);
  expect(await rules.foreignKeysAcrossBrands(db)).toEqual(['raw.bad: to_any_brand']);
  expect(await rules.undescribed(db)).toEqual(['agg.keyless', 'bi.silent', 'bi.silent.brand_id', 'raw.bad']);
  expect(await rules.inexactColumns(db)).toEqual([
    'raw.bad.at timestamp without time zone',
    'raw.bad.price double precision',
  ]);
  expect(await rules.rawWithoutStamps(db)).toEqual([
    'raw.bad lacks changed_at',
    'raw.bad lacks deleted_at',
    'raw.bad lacks payload',
    'raw.bad lacks seen_at',
  ]);
  expect(await rules.unboundedInIndexes(db)).toEqual(['raw.bad.id']);
});
