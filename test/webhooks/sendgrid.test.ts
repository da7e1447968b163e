/** A signed batch of SendGrid's events, from the door to the table. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { followDeliveries } from '#tasks/webhooks/follow_deliveries.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aConnection } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import { aDoor, giveSecret, send, type Which } from '../support/webhooks/door.ts';

const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return { privateKey, secret: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') };
};
const event = (id: string, more: object = {}) => ({
  ...{ email: 'ann@example.com', event: 'open', timestamp: 1_795_000_000, sg_event_id: id, ip: '10.1.2.3' },
  ...more,
});

/** The doors of two brands with accounts of the same name, each with a key of its own. */
async function twoBrands(db: TestDb) {
  const keys = [pair(), pair()] as const;
  const which: Which[] = [];
  for (const { secret } of keys) {
    const account = {
      provider: 'sendgrid',
      account: 'acme',
      auth: 'key',
      secret: 'SG.a.b',
      baseUrl: 'http://127.0.0.1:9',
    };
    const { brandId, id: connectionId } = await aConnection(db, account);
    which.push({ brandId, connectionId });
    await giveSecret(db, { brandId, connectionId }, secret);
  }
  const door = await aDoor(db);
  const deliver = (n: 0 | 1, batch: unknown, to: 0 | 1 = 0) => {
    const body = `${JSON.stringify(batch)}\r\n`;
    const timestamp = '1795222800';
    const signature = sign('sha256', Buffer.from(timestamp + body), keys[n].privateKey).toString('base64');
    const headers = {
      'x-twilio-email-event-webhook-signature': signature,
      'x-twilio-email-event-webhook-timestamp': timestamp,
    };
    return send(door, 'sendgrid', which[to]?.connectionId ?? '', { headers, body });
  };
  const [brandId = ''] = which.map((one) => one.brandId);
  const load = (n: 0 | 1) => {
    const one = which[n] ?? { brandId: '', connectionId: '' };
    return runTask(followDeliveries, { ...one, stream: 'sendgrid.events', rows: true }, db);
  };
  return { brandId, deliver, load, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() };
}

test('events of a batch are rows once, of their brand alone, and nothing that names a person is kept', async () => {
  await using db = await freshDb();
  await using brands = await twoBrands(db);
  const { brandId, deliver, load } = brands;
  expect(await deliver(0, [event('e1'), event('e2', { event: 'click' }), { event: 7 }])).toBe(200);
  expect(await deliver(0, [event('e2', { event: 'click' }), event('e3')])).toBe(200);
  expect(await deliver(1, [event('e4')])).toBe(401);
  expect(await load(0)).toMatchObject({
    deliveries: 2,
    changed: 3,
    rejected: 1,
  });
  expect(await db.rows('select brand_id, id, event, source from raw.sendgrid_events order by id')).toEqual(
    ['open', 'click', 'open'].map((name, n) => ({
      brand_id: brandId,
      id: `e${n + 1}`,
      event: name,
      source: 'webhook',
    })),
  );
  const [kept] = await db.column(
    `select concat((select string_agg(e::text, '') from raw.sendgrid_events e),
                   (select string_agg(encode(body, 'escape'), '') from ops.webhook_deliveries))`,
  );
  expect(kept).not.toMatch(/ann@example|10\.1\.2\.3/);
});

test('a body with more events than a page takes is loaded in several, and whole', async () => {
  await using db = await freshDb();
  await using brands = await twoBrands(db);
  const { deliver, load } = brands;
  const many = Array.from({ length: 20_001 }, (_, n) => event(`e${n}`));
  expect(await deliver(0, many)).toBe(200);
  expect(await deliver(1, many.slice(0, 2), 1)).toBe(200);
  expect(await load(0)).toMatchObject({ changed: 20_001, pages: 3 });
  expect(await load(1)).toMatchObject({ changed: 2, pages: 1 });
  expect(await deliver(0, [])).toBe(200);
  expect(await load(0)).toMatchObject({ deliveries: 1, changed: 0 });
  const counts = 'select count(*)::int from raw.sendgrid_events group by brand_id order by 1';
  expect(await db.column(counts)).toEqual([2, 20_001]);
});
