import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeKeyring } from '#connectors/providers.ts';
import { readPing, setPing } from '#sql/alerts/pings.ts';
import { openConnection, replaceSecret } from '#sql/tenants/connections.ts';
import { resealAll } from '#sql/tenants/reseal.ts';
import { type SecretPlace, sealer } from '#sql/tenants/secrets.ts';
import { freshDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { aConnection, TEST_SECRET, testKeyring, testSealer } from '../support/rows/factory.ts';

const oldKey = { id: 'old', key: Buffer.alloc(32, 1) };
const newKey = { id: 'new', key: Buffer.alloc(32, 2) };
const place: SecretPlace = { brandId: 'b', connectionId: 'c', use: 'secret' };
const allowedHosts: string[] = [];

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('whatever is sealed opens again, and looks different each time', async () => {
  const keys = sealer([oldKey]);
  const property = fc.property(fc.string({ unit: 'grapheme' }), (plain) => {
    const [one, two] = [keys.seal(plain, place), keys.seal(plain, place)];
    expect(keys.open(one, place)).toBe(plain);
    expect(one.sealed.equals(two.sealed)).toBe(false);
  });
  await assertHolds(property);
});

test('the first key seals and every key opens', () => {
  const sealed = sealer([oldKey]).seal('text', place);
  const both = sealer([newKey, oldKey]);
  expect(both.open(sealed, place)).toBe('text');
  expect(both.seal('text', place).keyId).toBe('new');
});

test('what is sealed for one connection opens for no other, nor as something else of it', () => {
  const sealed = testSealer.seal('text', place);
  const others: Partial<SecretPlace>[] = [{ brandId: 'x' }, { connectionId: 'x' }, { use: 'token' }];
  for (const other of others) {
    const error = thrownBy(() => testSealer.open(sealed, { ...place, ...other }));
    expect(error).toMatchObject({ code: 'NS_SECRET_UNREADABLE', verdict: 'hold' });
  }
});

test('a seal that was changed anywhere, cut off or made with another key of that name is refused', () => {
  const keys = sealer([oldKey]);
  const { sealed } = keys.seal('a secret', place);
  const changed = Array.from(sealed, (byte, at) => {
    const copy = Buffer.from(sealed);
    copy[at] = byte ^ 1;
    return copy;
  });
  const cut = Array.from(sealed, (_, length) => sealed.subarray(0, length));
  for (const damaged of [...changed, ...cut]) {
    expect(() => keys.open({ sealed: damaged, keyId: 'old' }, place)).toThrow(/damaged/);
  }
  const imposter = sealer([{ ...newKey, id: 'old' }]);
  expect(() => imposter.open({ sealed, keyId: 'old' }, place)).toThrow(/damaged/);
});

test('errors say which key is missing and nothing of the secret', () => {
  const sealed = sealer([oldKey]).seal('shpat_very_secret', place);
  const errors = [
    thrownBy(() => sealer([newKey]).open(sealed, place)),
    thrownBy(() => sealer(undefined).open(sealed, place)),
    thrownBy(() => sealer([]).seal('shpat_very_secret', place)),
  ];
  expect(errors).toMatchObject([
    { code: 'NS_SECRET_KEY_UNKNOWN', verdict: 'hold', context: { keyId: 'old' } },
    { code: 'NS_SECRET_KEYS_MISSING' },
    { code: 'NS_SECRET_KEYS_MISSING' },
  ]);
  const told = inspect(errors, { depth: null });
  expect(told).not.toContain('very_secret');
  expect(told).not.toContain(oldKey.key.toString('base64'));
});

test('a key is rotated while everything stays readable, and the old one can then be taken away', async () => {
  await using db = await freshDb();
  const before = makeKeyring(sealer([oldKey]), allowedHosts);
  const shops = [await aConnection(db, {}, before), await aConnection(db, {}, before)];
  const [first, second] = shops;
  const token = before.sealer.seal('a token', {
    brandId: first?.brandId ?? '',
    connectionId: first?.id ?? '',
    use: 'token',
  });
  await db.query('update app.connections set token = $2, token_key_id = $3 where id = $1', [
    first?.id,
    token.sealed,
    token.keyId,
  ]);
  const between = makeKeyring(sealer([newKey, oldKey]), allowedHosts);
  await db.transaction((tx) =>
    replaceSecret(
      tx,
      between.sealer,
      { brandId: second?.brandId ?? '', connectionId: second?.id ?? '' },
      TEST_SECRET,
    ),
  );
  const address = 'https://watch.example/0123';
  const brandId = second?.brandId ?? '';
  await db.transaction((tx) => setPing(tx, before.sealer, brandId, address));
  expect(await resealAll(db, between.sealer)).toEqual({
    connections: 1,
    pings: 1,
    persons: 0,
    mail: 0,
    events: 0,
  });
  expect(await resealAll(db, between.sealer)).toEqual({
    connections: 0,
    pings: 0,
    persons: 0,
    mail: 0,
    events: 0,
  });

  const after = makeKeyring(sealer([newKey]), allowedHosts);
  for (const { brandId, id } of shops) {
    expect((await openConnection(db, { brandId, connectionId: id }, after)).secret).toBe(TEST_SECRET);
  }
  const [row] = await db.rows('select token, token_key_id from app.connections where token is not null');
  const opened = after.sealer.open(
    { sealed: row?.token, keyId: row?.token_key_id },
    { brandId: first?.brandId ?? '', connectionId: first?.id ?? '', use: 'token' },
  );
  expect(opened).toBe('a token');
  expect(await readPing(db, after.sealer, brandId)).toBe(address);
  await expect(readPing(db, before.sealer, brandId)).rejects.toThrow('ping address of brand');
});

test('a secret moved to another row of the table opens there for nobody', async () => {
  await using db = await freshDb();
  const victim = await aConnection(db);
  const thief = await aConnection(db);
  await db.query(
    `update app.connections set secret = (select secret from app.connections where id = $1) where id = $2`,
    [victim.id, thief.id],
  );
  await expect(
    openConnection(db, { brandId: thief.brandId, connectionId: thief.id }, testKeyring),
  ).rejects.toMatchObject({
    code: 'NS_SECRET_UNREADABLE',
  });
});
