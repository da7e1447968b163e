/** Which texts have a person in them: the person's own address only, however it is written. */
import { expect, test } from 'vitest';
import { type Form, formsOf, patternOf } from '#sql/privacy/forms.ts';
import { searchNext } from '#sql/privacy/search.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShop } from '../support/rows/factory.ts';

const formsFor = (email: string) => formsOf({ email }, { digest: null, names: new Map() });

async function foundIn(db: TestDb, forms: readonly Form[], texts: readonly string[]) {
  return db.column(
    `select t from unnest($1::text[]) with ordinality as x (t, n)
     where exists (select from unnest($2::text[]) p where t ~* p) order by n`,
    [texts, forms.map(patternOf)],
  );
}

test('an address is found however it is written, and never within a longer one', async () => {
  await using db = await freshDb();
  const forms = formsFor('Jane+a@x.com');
  const same = [
    'jane+a@x.com',
    'JANE+A@X.COM.',
    '<jane+a@x.com>',
    JSON.stringify('Order for\njane+a@x.com\twith'),
    JSON.stringify('Order for\u0001jane+a@x.com'),
    '?to%3Djane%2Ba%40x.com%26b',
    '=jane+a%40x.com&',
  ];
  const others = [
    ...['mary.jane+a@x.com', 'b+jane+a@x.com', 'o-jane+a@x.com', "o'jane+a@x.com", '1jane+a@x.com'],
    ...['jane+a@x.com.au', 'jane+a@x.community', 'jane+a@x.com-munity.org', 'b%2Bjane%2Ba%40x.com'],
  ];
  expect(await foundIn(db, forms, [...same, ...others])).toEqual(same);
  const ids = formsOf({ customer: '7012345678901' }, { digest: null, names: new Map() });
  const named = [JSON.stringify('for\n7012345678901'), 'customer%3D7012345678901'];
  expect(await foundIn(db, ids, [...named, '17012345678901', '70123456789012'])).toEqual(named);
});

test('an address is found in bytes, with any letters in it and whatever stands before it', async () => {
  await using db = await freshDb();
  const { brand, connection } = await aShop(db);
  const bodies = ['{"to":"zoë@x.com"}', '{"to":"zo\\u00eb@x.com"}', '“zoë@x.com”', '{"t":"for\\nzoë@x.com"}'];
  const others = ['{"to":"ézoë@x.com"}', '{"to":"zoe@x.com"}'];
  for (const [n, body] of [...bodies, ...others].entries())
    await db.query(
      `insert into ops.webhook_deliveries (brand_id, connection_id, delivery_id, topic, headers, body)
       values ($1, $2, $3, 'orders/create', '{}', convert_to($4, 'UTF8'))`,
      [brand.id, connection.id, String(n), body],
    );
  const table = {
    ...{ schema: 'ops', name: 'ops.webhook_deliveries', key: [{ name: 'delivery_id', type: 'text' }] },
    texts: [{ name: 'body', type: 'bytea' }],
  };
  const { hits } = await searchNext(db, { brandId: brand.id, forms: formsFor('Zoë@x.com') }, table, null);
  expect(hits.flat().sort()).toEqual(['0', '1', '2', '3']);
});
